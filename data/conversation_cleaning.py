"""Cleaning of conversations: stray characters and spaces go, and so do rows that repeat another one.

Markup stays: it may be just what the model shall write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from data.characters import spaced, without_controls
from data.conversation_repeats import surplus
from data.conversations import Conversation
from data.placeholders import mapped


def tidy(text: str) -> tuple[str, list[str]]:
    """``text`` without control characters and odd spaces, and the codes of what was changed."""
    plain = without_controls(text)
    done = ["control-characters"] if plain != text else []
    neat = spaced(plain)
    return neat, [*done, "whitespace"] if neat != plain else done


def tidied(conversation: Conversation, done: Counter[str]) -> Conversation | None:
    """``conversation`` with every text tidied, each kind of change counted once in ``done``; None if one is empty."""
    changes: set[str] = set()

    def change(text: str) -> str:
        neat, codes = tidy(text)
        changes.update(codes)
        return neat

    cleaned = mapped(conversation, change)
    done.update(changes)
    if any(not turn.text for turn in cleaned.turns if turn.speaker != "tool") or not (cleaned.turns or cleaned.text):
        done["empty-turn"] += 1
        return None
    if any(getattr(conversation, name) and not getattr(cleaned, name) for name in ("chosen", "rejected", "answer")):
        done["empty-turn"] += 1
        return None
    return cleaned


def cleaned(conversations: Iterable[Conversation]) -> tuple[list[Conversation], Counter[str]]:
    """What is left after cleaning, in order, and how many rows each code of :data:`data.cleaning.DONE` touched.

    Of rows that repeat another one, exactly, but for case, spaces and punctuation, or nearly, the first stays.
    """
    done: Counter[str] = Counter()
    neat = [tidy_row for row in conversations if (tidy_row := tidied(row, done)) is not None]
    dropped = surplus(neat)
    done.update(dropped.values())
    return [row for number, row in enumerate(neat) if number not in dropped], done
