"""Columns that are mapped to the roles of language models, as those of pairs: what is asked, and what answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tunewiz.data.formats.format import Format

#: Roles of what is asked (one under the other), of the right answer, of the wrong one, and of turns.
_ASKED: Final = ("instruction", "prompt", "input")
_RIGHT: Final = ("output", "completion", "chosen")
_WRONG: Final = ("rejected",)
_TURNS: Final = ("conversations", "messages")
_BESIDE: Final = ("system", "history", "tools", "reasoning", "desirable")


def as_pairs(mapping: Mapping[str, str], columns: Sequence[str], known: Mapping[str, Format]) -> Mapping[str, str]:
    """``mapping`` in the roles of pairs, where all of it is for language models, as LLaMA-Factory's lists are.

    >>> as_pairs({"instruction": "q", "output": "a"}, ["q", "a"], {})
    {'query': 'q', 'positive': 'a'}
    """
    roles = {*_ASKED, *_RIGHT, *_WRONG, *_TURNS, *_BESIDE}
    if not mapping or not set(mapping) <= roles or any(value not in columns for value in mapping.values()):
        return mapping
    turns = next((mapping[role] for role in _TURNS if role in mapping), "")
    right = next((mapping[role] for role in _RIGHT if role in mapping), "")
    asked = " + ".join(mapping[role] for role in _ASKED if role in mapping)
    wrong = mapping.get("rejected", "")
    if "desirable" in mapping or not (turns or (right and asked)) or (turns and (right or wrong)):
        return mapping
    if turns:
        return {"turns": turns}
    return {"query": asked, "positive": right} | ({"negative": wrong} if wrong else {})
