"""The shapes every dataset for a language model is turned into, whatever file it came from.

A :class:`Conversation` is a row of one stage of training; :func:`rows_for_stage` makes rows of another of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

#: What rows can be trained with: supervised fine-tuning, continued pre-training, pairs of answers, judged answers.
Stage = Literal["sft", "pretrain", "preference", "kto"]
#: ``call`` is a turn of the assistant that calls a tool, ``tool`` what the tool gave back.
Speaker = Literal["user", "assistant", "tool", "call"]


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation; of a ``call``, ``text`` is JSON: an object with name and arguments, or a list.

    An answer that is not ``learned`` is read as the others are, and its tokens are left out of the loss.
    """

    speaker: Speaker
    text: str
    learned: bool = True


@dataclass(frozen=True)
class Conversation:
    """One training row.

    ``turns`` end with ``assistant`` or ``call`` for sft, with the user (or a tool) for preference and kto, whose
    answers stand in ``chosen`` and ``rejected``, or ``answer`` and ``desirable``; for pretrain there are none but
    ``text``. ``tools`` is a JSON list, as text. ``label`` is the gold label of a classification row, whose last turn
    is the label's text. ``line`` counts from 1, in ``source`` where there are several datasets.
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
    source: str = ""

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


def plain_exchange(question: str, answer: str, line: int) -> Conversation:
    """A question and its answer as a row, made in a third of the time: of a million rows each microsecond counts.

    What is not set here is read from the class, where a dataclass has its defaults.
    """
    row, asked, answered = Conversation.__new__(Conversation), Turn.__new__(Turn), Turn.__new__(Turn)
    asked.__dict__.update(speaker="user", text=question)
    answered.__dict__.update(speaker="assistant", text=answer)
    row.__dict__.update(turns=(asked, answered), line=line)
    return row


def plain_turns(texts: Sequence[str]) -> tuple[Turn, ...]:
    """Turns of user and assistant, one after the other."""
    return tuple([Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(texts)])


def plain_conversation(texts: Sequence[str], system: str, line: int) -> Conversation:
    """Questions and answers in turn as a row, with what the system says; fast where it is one of each and no more."""
    if len(texts) == _EXCHANGE and not system:
        return plain_exchange(texts[0], texts[1], line)
    return Conversation(plain_turns(texts), system, line=line)


def exchange_of(row: Conversation) -> tuple[str, str] | None:
    """Question and answer of a row that :func:`plain_exchange` made, which has nothing else; None of any other."""
    held = row.__dict__
    if len(held) != _SET:
        return None
    asked, answered = held["turns"]
    return asked.text, answered.text


_EXCHANGE: Final = 2  # texts of a question and its answer
_SET: Final = 2  # attributes that plain_exchange sets; a dataclass sets all of its fields


def texts_of_conversation(row: Conversation) -> list[tuple[str, str]]:
    """Role (of :data:`tunewiz.data.rows.examples.ROLES`) and text of everything in ``row`` that a model reads."""
    plain = exchange_of(row)
    if plain and all(plain):
        return [("question", plain[0]), ("answer", plain[1])]
    found = [("system", row.system)] + [
        ("question" if turn.speaker in ("user", "tool") else "answer", turn.text) for turn in row.turns
    ]
    found += [("chosen", row.chosen), ("rejected", row.rejected), ("answer", row.answer), ("text", row.text)]
    return [(role, text) for role, text in found if text]


def map_texts(conversation: Conversation, change: Callable[[str], str]) -> Conversation:
    """``conversation`` with ``change`` applied to every text a model reads; the label stays."""
    return replace(
        conversation,
        turns=tuple(replace(turn, text=change(turn.text)) for turn in conversation.turns),
        system=change(conversation.system),
        chosen=change(conversation.chosen),
        rejected=change(conversation.rejected),
        answer=change(conversation.answer),
        text=change(conversation.text),
    )


def rows_for_stage(conversation: Conversation, stage: Stage) -> list[Conversation] | None:
    """The row for ``stage``, as one row or several; None where it cannot be used for that.

    A preference is an example of its chosen answer (sft), or of a good and a bad one (kto); a judged answer is an
    example if it was good, and nothing otherwise.
    """
    own = conversation.stage
    if own == stage:
        return [conversation]
    if own == "preference" and stage == "sft":
        return [_example(conversation, conversation.chosen)]
    if own == "preference" and stage == "kto":
        return list(_judged(conversation))
    if own == "kto" and stage == "sft":
        return [_example(conversation, conversation.answer)] if conversation.desirable else []
    return None


def _example(conversation: Conversation, answer: str) -> Conversation:
    turns = (*conversation.turns, Turn("assistant", answer))
    return replace(conversation, turns=turns, chosen="", rejected="", answer="", desirable=None)


def _judged(conversation: Conversation) -> Iterator[Conversation]:
    for answer, desirable in ((conversation.chosen, True), (conversation.rejected, False)):
        yield replace(conversation, chosen="", rejected="", answer=answer, desirable=desirable)
