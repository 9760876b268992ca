"""The shapes every dataset for a language model is turned into, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What rows can be trained with: supervised fine-tuning, continued pre-training, pairs of answers, judged answers.
Stage = Literal["sft", "pretrain", "preference", "kto"]
#: ``call`` is a turn of the assistant that calls a tool, ``tool`` what the tool gave back.
Speaker = Literal["user", "assistant", "tool", "call"]


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation; of a ``call``, ``text`` is JSON: an object with name and arguments, or a list."""

    speaker: Speaker
    text: str


@dataclass(frozen=True)
class Conversation:
    """One training row.

    ``turns`` end with ``assistant`` or ``call`` for sft, with the user (or a tool) for preference and kto, whose
    answers stand in ``chosen`` and ``rejected``, or ``answer`` and ``desirable``; for pretrain there are none but
    ``text``. ``tools`` is a JSON list, as text. ``label`` is the gold label of a classification row, whose last turn
    is the label's text. ``line`` counts from 1.
    """

    turns: tuple[Turn, ...] = ()
    system: str = ""
    tools: str = ""
    chosen: str = ""
    rejected: str = ""
    answer: str = ""
    desirable: bool | None = None
    text: str = ""
    label: str = ""
    line: int = 0

    @property
    def stage(self) -> Stage:
        """What the row can be trained with."""
        if self.text:
            return "pretrain"
        if self.desirable is not None:
            return "kto"
        return "preference" if self.chosen or self.rejected else "sft"

    @property
    def question(self) -> str:
        """The first user turn; of a row without turns, its text."""
        return next((turn.text for turn in self.turns if turn.speaker == "user"), self.text)

    @property
    def answers(self) -> tuple[str, ...]:
        """Every text the model is trained to give, or to avoid, in order."""
        spoken = tuple(turn.text for turn in self.turns if turn.speaker in ("assistant", "call"))
        return (*spoken, *(text for text in (self.chosen, self.rejected, self.answer) if text))
