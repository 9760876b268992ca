"""What views ask of the wizard's screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message

from presets.draft import Draft


@dataclass
class Edited(Message):
    """Several answers changed at once; ``draft`` makes the new draft of the one there is."""

    draft: Callable[[Draft], Draft]


@dataclass
class Unfinished(Message):
    """The text of the preset is being changed and is not taken over yet; "" once it is."""

    text: str


@dataclass
class JumpWanted(Message):
    """Go to the field of ``key`` (dotted)."""

    key: str


class SaveWanted(Message):
    """Save the preset under a name."""


class LaunchWanted(Message):
    """Start the run."""
