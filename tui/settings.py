"""What the user chose for the screen, kept between sessions."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from data.files import read_json, write_json
from data.language import Language
from tui.terminal import Characters


@dataclass(frozen=True)
class Settings:
    """``None`` where the user left the choice to us: language by locale, characters by terminal."""

    language: Language | None = None
    light: bool = False
    characters: Characters | None = None


def settings_file() -> Path:
    """``$XDG_CONFIG_HOME/tunewiz/screen.json``."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home else Path.home() / ".config") / "tunewiz" / "screen.json"


def read_settings() -> Settings:
    """What was chosen before; a file that is missing or damaged counts as no choice."""
    stored = read_json(settings_file())
    if not isinstance(stored, dict):
        return Settings()
    language, characters = stored.get("language"), stored.get("characters")
    return Settings(
        language=language if language in get_args(Language) else None,
        light=stored.get("light") is True,
        characters=characters if characters in get_args(Characters) else None,
    )


def write_settings(settings: Settings) -> bool:
    """Keep ``settings``; whether that worked. A home that cannot be written to costs nothing but the memory of it."""
    try:
        write_json(settings_file(), asdict(settings))
    except OSError:
        return False
    return True
