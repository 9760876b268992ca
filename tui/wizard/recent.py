"""Data files used lately, kept between sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from data.dataset import SAMPLE_PREFIX
from data.files import read_json, write_json
from presets.drafts import drafts_dir

_MOST: Final = 8


def recent_file() -> Path:
    """``$XDG_STATE_HOME/tunewiz/recent.json``."""
    return drafts_dir().parent / "recent.json"


def recent() -> list[str]:
    """Absolute paths, the latest first; those that are gone are left out."""
    stored = read_json(recent_file())
    paths = [path for path in stored if isinstance(path, str)] if isinstance(stored, list) else []
    return [path for path in paths[:_MOST] if Path(path).exists()]


def remember(path: str) -> None:
    """Put ``path`` first. A place that cannot be written to costs nothing but the memory of it."""
    if path.startswith(SAMPLE_PREFIX):
        return
    try:
        write_json(recent_file(), [path, *(other for other in recent() if other != path)][:_MOST])
    except OSError:
        return
