"""Trying out what a run left: its models loaded once, and questions answered with the untouched and the tuned one.

A :class:`Trial` is found by its task; a module of this room defines it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from tunewiz.backends.runs.run import Run
from tunewiz.presets.preset import Preset
from tunewiz.registry import Registry

P = TypeVar("P", bound=Preset)
#: A fact that goes to whoever asks, as a JSON object with at least ``event``.
Fact = dict[str, Any]
#: Takes what is loaded or encoded, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


class Trial(ABC, Generic[P]):
    """Answers in the child. Nothing heavy is imported before :meth:`load`."""

    name: ClassVar[str]

    def __init__(self, run: Run, preset: P, progress: Progress) -> None:
        self.run = run
        self.preset = preset
        self.progress = progress

    @abstractmethod
    def load(self) -> Fact:
        """Load the models; what there is to know of them. Raises ``TunewizError``."""

    @abstractmethod
    def answer(self, asked: Mapping[str, Any]) -> Iterator[Fact]:
        """The answer to one question, in as many facts as it takes. Raises ``TunewizError``."""


@cache
def catalogue() -> Mapping[str, type[Trial[Any]]]:
    """Every trial by its task, in alphabetical order."""
    return Registry("tunewiz.backends.trying", Trial).classes()
