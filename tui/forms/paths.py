"""Typing paths: completion from the folder that is typed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from textual.suggester import Suggester

from data.dataset import SAMPLE_PREFIX, samples

_MOST: Final = 2000  # entries of a folder that are looked at


class PathSuggester(Suggester):
    """Completes the last part of a path, or the name of a sample; relative paths begin at ``folder``."""

    def __init__(self, folder: str) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder = folder

    async def get_suggestion(self, value: str) -> str | None:
        """The first completion; folders are read in a thread, for they may be far away."""
        return await asyncio.to_thread(complete, value, self._folder)


def complete(typed: str, folder: str) -> str | None:
    """``typed`` completed by the first entry that begins so, with a slash after a folder; ``None`` if there is none."""
    if not typed:
        return None
    for name in (SAMPLE_PREFIX + sample for sample in samples()):
        if name.startswith(typed) and name != typed:
            return name
    head, slash, begun = typed.rpartition("/")
    try:
        place = Path(folder or ".") / Path(head + slash).expanduser()
        found = sorted(name for name in _names(place) if name.startswith(begun) and (begun or not name.startswith(".")))
    except (OSError, ValueError, RuntimeError):
        return None
    completed = head + slash + found[0] if found else None
    return completed if completed != typed else None


def _names(place: Path) -> list[str]:
    names = []
    with os.scandir(place) as entries:
        for entry in entries:
            names.append(entry.name + ("/" if entry.is_dir() else ""))
            if len(names) >= _MOST:
                break
    return names
