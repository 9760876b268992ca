"""Rows of one stage of training for another: what a preference teaches besides preferring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from data.conversations import Conversation, Stage, Turn


def as_stage(conversation: Conversation, stage: Stage) -> list[Conversation] | None:
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
