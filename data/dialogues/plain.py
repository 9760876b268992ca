"""Turns as nearly all files have them, read in one look: who speaks and what, question and answer in turn.

It is a short cut and no other reading: what it takes, :func:`tunewiz.data.reading.turns.talk` reads to the same turns,
and without a word to tell of them. It takes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from tunewiz.data.dialogues.roles import part_of


class PlainTalk(NamedTuple):
    """What the system says, "" if nothing, and the ``texts`` of user and assistant in turn."""

    system: str
    texts: list[str]


#: A million rows have a handful of names.
_part_of: Final = lru_cache(maxsize=1 << 10)(part_of)
_PAIR: Final = 2  # fields of a turn: who speaks, and what


def plain_talk(value: Any, answered: bool = True) -> PlainTalk | None:
    """The conversation that a list of plain turns is; None where ``value`` has to be looked at more closely.

    A turn is plain if it has ``role`` and ``content``, or ``from`` and ``value``, both texts, and nothing else. Those
    of user and assistant alternate, the system may speak before them, and none but the system's is blank. With
    ``answered`` the assistant has the last word, otherwise the user. The names of roles are the usual ones.
    """
    if type(value) is not list:
        return None
    texts: list[str] = []
    system = None
    for item in value:
        if type(item) is not dict:
            return None
        name, said = item.get("role"), item.get("content")
        if name is None:
            name, said = item.get("from"), item.get("value")
        if type(name) is not str or type(said) is not str or (len(item) > _PAIR and _holds_more(item.values())):
            return None
        part = _part_of(name)
        if part == "system":
            if texts or system is not None:
                return None
            system = "" if said.isspace() else said
            continue
        if part != ("assistant" if len(texts) % 2 else "user") or not said or said.isspace():
            return None
        if part == "assistant" and "<" in said and ("<tool_call>" in said or "<function" in said):
            return None
        texts.append(said)
    if not texts or (len(texts) % 2 == 0) != answered:
        return None
    return PlainTalk(system or "", texts)


def _holds_more(values: Iterable[Any]) -> bool:
    """Whether a turn has more than who speaks and what: tables write every field that any turn has, most as null."""
    return sum([value is not None for value in values]) > _PAIR
