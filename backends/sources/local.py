"""A folder on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from backends.sources.base import Located, ModelUnavailable, Progress, Source
from backends.sources.weights import lacking, size_of
from data.problems import Message, Problem, Where, error, say
from presets.families import lookup
from presets.sections.model import Model


class Local(Source):
    """``model.id`` is a path."""

    name: ClassVar[str] = "local"

    def local(self, model: Model) -> Located | None:
        """The folder, if it holds a model."""
        folder = as_folder(model.id)
        if folder is None or not folder.is_dir() or lacking(folder):
            return None
        known = lookup(model.id)
        licence = known.family.licence if known else ""
        return Located(self.name, str(folder), True, size_of(folder), licence)

    def find(self, model: Model, seconds: float) -> Located:
        """The folder; the problem says what it lacks."""
        located = self.local(model)
        if located is None:
            raise ModelUnavailable(self._problem(model.id))
        return located

    def fetch(self, located: Located, progress: Progress) -> Path:
        """The folder itself."""
        progress(located.size or 0, located.size or 0)
        return Path(located.place)

    def _problem(self, place: str) -> Problem:
        folder = as_folder(place)
        where = Where("model.id")
        if folder is None or not folder.exists():
            told, fix = say("There is no folder {place}.", place=place), say("Check the path, or give a hub id.")
            return error("model-missing", told, where, fix)
        if not folder.is_dir():
            told, fix = say("{place} is a file, not a folder.", place=place), say("Name the folder that it is in.")
            return error("model-no-folder", told, where, fix)
        told = say("{place} holds no whole model: {file} is missing.", place=place, file=lacking(folder))
        return error("model-incomplete", told, where, _hint(folder))


def _hint(folder: Path) -> Message:
    if (folder / "adapter_config.json").is_file():
        return say("It is an adapter: merge it into its model first, or name that model.")
    inner = next((path.parent for path in sorted(folder.glob("*/config.json")) if not lacking(path.parent)), None)
    if inner:
        return say("Did you mean {near}?", near=str(inner))
    return say("Copy or download the model again, with all its files.")


def as_folder(place: str) -> Path | None:
    """``place`` as an absolute path; ``None`` if no path can look like that."""
    try:
        folder = Path(place).expanduser().absolute()
        folder.exists()
    except (OSError, ValueError, RuntimeError):  # too long, NUL, no such user
        return None
    return folder


def is_path(place: str) -> bool:
    """Whether ``place`` is written as a path, or is a folder that is there."""
    folder = as_folder(place)
    return place.startswith(("/", "./", "../", "~")) or (folder is not None and folder.is_dir())
