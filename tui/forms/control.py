"""What answers one question: a control shows the draft's value and posts what the user makes of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.containers import Vertical
from textual.message import Message

from presets.draft import Draft
from tui.forms.questions import Key, Question


@dataclass
class Answered(Message):
    """The user gave ``value`` (plain data, fitting or not) for the key at ``path``."""

    path: Key
    value: Any


@dataclass
class Cleared(Message):
    """The user took an answer back: the suggestion or the default counts."""

    path: Key


@dataclass
class BrowseWanted(Message):
    """The user wants to look for the file that the key at ``path`` names."""

    path: Key


class Control(Vertical):
    """Base of the controls; which one answers a question is decided by what the field takes (:mod:`tui.forms.row`)."""

    #: Whether it takes several lines.
    roomy: ClassVar[bool] = False

    def __init__(self, question: Question, draft: Draft) -> None:
        super().__init__()
        self.question = question
        self.draft = draft

    @classmethod
    @abstractmethod
    def suits(cls, question: Question) -> bool:
        """Whether this kind of control can ask ``question``."""

    @abstractmethod
    def show(self, draft: Draft) -> None:
        """Show the value of ``draft`` without posting anything."""

    @property
    def value(self) -> Any:
        """The draft's value, the suggestion or default where there is no answer."""
        return self.draft.value(self.question.path)
