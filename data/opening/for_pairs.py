"""Rows of language models as pairs: what is asked, what answers it, and what a wrong answer is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import guesses

#: Roles of what is asked (one under the other), of the right answer, of the wrong one, and of turns.
_ASKED: Final = ("instruction", "prompt", "input")
_RIGHT: Final = ("output", "completion", "chosen")
_WRONG: Final = ("rejected",)
_TURNS: Final = ("conversations", "messages")
_BESIDE: Final = ("system", "history", "tools", "reasoning", "desirable")


def as_pairs(mapping: Mapping[str, str], columns: Sequence[str]) -> Mapping[str, str]:
    """``mapping`` in the roles of pairs, where all of it is for language models, as LLaMA-Factory's lists are.

    >>> as_pairs({"instruction": "q", "output": "a"}, ["q", "a"])
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


# Mappings to try where rows of language models are to be pairs.


def llm_pairs(table: Table, marks: Sequence[str]) -> Iterator[dict[str, str]]:
    """What is asked and answered as a pair, with what tells right answers from wrong ones beside it."""
    asked, answered = marks[:2]
    rest = [column for column in table.columns if column not in marks and "[" not in column]
    wrong = next((guess.column for guess in guesses("llm_rejected", rest)), "")
    for query in (asked, f"{asked}[].content"):
        for right, bad in ((answered, wrong), (f"{answered}[].content", f"{wrong}[].content")):
            if wrong:
                yield {"query": query, "positive": right, "negative": bad}
    if wrong:
        return
    told = [guess.column for role in ("score", "llm_desirable") for guess in guesses(role, rest)]
    judged = next((column for column in told if table.varied(column) and table.score_share(column) > 0.9), "")
    if judged:
        yield {"sentence1": asked, "sentence2": answered, "score": judged}
    else:
        yield {"query": asked, "positive": answered}


def head_of(column: str) -> str:
    """The column that an expression begins at."""
    return re.split(r"[\[.]", column)[0]


def with_rejected(table: Table, texts: Sequence[str], wrong: Sequence[str]) -> Iterator[dict[str, str]]:
    """A prompt with the chosen answer as right and the rejected one as wrong: never the one as query of the other."""
    right = [column for column in texts if column not in wrong and guesses("llm_chosen", [head_of(column)])]
    rest = [column for column in table.columns if column not in (*right, *wrong)]
    asked = [guess.column for guess in guesses("llm_asked", rest)]
    inside = [f"{column}.messages[0].content" for column in asked if table.kind(column) == "object"]
    for query in (*asked, *inside) if right else ():
        yield {"query": query, "positive": right[0], "negative": wrong[0]}


def with_marks(table: Table, texts: Sequence[str]) -> Iterator[dict[str, str]]:
    """What is asked, with its title, and the answers that are marked as right and as wrong ones."""
    wrong = next((column for column in texts if "[!" in column), "")
    right = wrong.replace("[!", "[")
    rest = [column for column in texts if column not in (right, wrong)]
    titles = [guess.column for guess in guesses("title", rest)]
    if wrong and right in texts and (len(rest) == 1 or (len(rest) == 2 and titles)):
        query = " + ".join(sorted(rest, key=lambda column: column not in titles))
        yield {"query": query, "positive": right, "negative": wrong}
