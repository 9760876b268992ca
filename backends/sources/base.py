"""What a source of models is, and what is known of a model once it is found.

Adding a source means adding one file in this folder with one subclass of :class:`Source`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from data.problems import Problem, TunewizError
from presets.sections.model import Model

#: Told of bytes on disk and bytes in all (0: unknown), about twice a second.
Progress = Callable[[int, int], None]
#: Takes problems that do not end the search, such as a hub that did not answer.
Report = Callable[[Problem], None]


class ModelUnavailable(TunewizError):
    """A model cannot be had: not there, not reachable, not allowed, or damaged."""


@dataclass(frozen=True)
class Located:
    """Where a model is. ``place`` is a folder when ``cached``, otherwise the id on the hub.

    ``size`` is in bytes (of the files that are needed), ``None`` if unknown; ``files`` are those files (empty: all).
    ``unpacks``: whether fetching it takes a minute although nothing is downloaded.
    """

    source: str
    place: str
    cached: bool
    size: int | None = None
    licence: str = ""
    revision: str = ""
    files: tuple[str, ...] = ()
    unpacks: bool = False


class Source(ABC):
    """Where weights come from. ``local`` never uses the network, ``find`` may, ``fetch`` downloads."""

    name: ClassVar[str]
    #: Whether ``auto`` may ask it over the network.
    hub: ClassVar[bool] = False

    @abstractmethod
    def local(self, model: Model) -> Located | None:
        """The model if it is whole on this machine."""

    @abstractmethod
    def find(self, model: Model, seconds: float) -> Located:
        """The model, asked for within ``seconds``. Raises :class:`ModelUnavailable`."""

    @abstractmethod
    def fetch(self, located: Located, progress: Progress) -> Path:
        """The folder with the model, downloaded if need be. Raises :class:`ModelUnavailable`."""
