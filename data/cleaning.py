"""Cleaning of training examples: what is dropped and what is changed, each said with its code.

Codes of changes: ``html``, ``control-characters``, ``whitespace``. Codes of what is dropped: a text with
``empty-positive``, ``empty-negative``, ``query-equals-positive``, ``positive-among-negatives``, ``repeated-text``; a
row with ``empty-query``, ``empty-text``, ``no-positive``, ``duplicate-row``, ``near-duplicate-row``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from data.characters import spaced, without_controls
from data.checks.base import Example
from data.checks.repeats import exact_key, near_key
from data.examples import Group, ScoredPair
from data.fingerprints import Seen
from data.language import N_
from data.markup import strip

T = TypeVar("T")

DONE: Final = {
    "html": N_("HTML taken off"),
    "control-characters": N_("control characters removed"),
    "whitespace": N_("spaces and line ends tidied"),
    "empty-query": N_("rows without a query dropped"),
    "empty-text": N_("pairs with an empty text dropped"),
    "empty-positive": N_("empty positives dropped"),
    "empty-negative": N_("empty negatives dropped"),
    "no-positive": N_("rows without a positive dropped"),
    "query-equals-positive": N_("positives equal to their query dropped"),
    "positive-among-negatives": N_("negatives that are also positives dropped"),
    "repeated-text": N_("texts repeated in a row dropped"),
    "duplicate-row": N_("repeated rows dropped"),
    "near-duplicate-row": N_("rows repeated but for case, spaces and punctuation dropped"),
    "similar-row": N_("rows nearly the same as an earlier one dropped"),
    "empty-turn": N_("conversations with an empty text dropped"),
}


def clean_text(text: str) -> tuple[str, list[str]]:
    """``text`` cleaned, and the codes of what was changed; cleaning it again changes nothing more."""
    done: list[str] = []
    steps: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("control-characters", without_controls),
        ("html", strip),
        ("whitespace", spaced),
    )
    for code, step in steps:
        changed = step(text)
        if changed != text:
            done.append(code)
            text = changed
    if "html" in done:  # an entity may have spelt a control character
        text = spaced(without_controls(text))
    return text, done


def clean(example: Example) -> tuple[Example | None, list[str]]:
    """``example`` cleaned, ``None`` if nothing usable is left, and the codes of what was done, each once.

    Scores and document ids stay with their texts. Rows are looked at one by one; repeated rows are for
    :class:`Cleaner`.
    """
    done: Counter[str] = Counter()

    def tidy(text: str) -> str:
        tidied, changes = clean_text(text)
        done.update(changes)
        return tidied

    if isinstance(example, ScoredPair):
        pair = replace(example, first=tidy(example.first), second=tidy(example.second))
        if not pair.first or not pair.second:
            return None, [*done, "empty-text"]
        return pair, list(done)
    group = replace(
        example,
        query=tidy(example.query),
        positives=tuple(map(tidy, example.positives)),
        negatives=tuple(map(tidy, example.negatives)),
    )
    if not group.query:
        return None, [*done, "empty-query"]
    group = _usable(group, done)
    if not group.positives:
        return None, [*done, "no-positive"]
    return group, list(done)


def _usable(group: Group, done: Counter[str]) -> Group:
    """``group`` without empty, repeated and contradicting texts."""
    positives = _kept(group.positives, done, "empty-positive", {group.query: "query-equals-positive"})
    right = {group.positives[index]: "positive-among-negatives" for index in positives}
    negatives = _kept(group.negatives, done, "empty-negative", right)
    return replace(
        group,
        positives=_pick(group.positives, positives),
        negatives=_pick(group.negatives, negatives),
        positive_scores=_pick(group.positive_scores, positives),
        negative_scores=_pick(group.negative_scores, negatives),
        positive_ids=_pick(group.positive_ids, positives),
    )


def _kept(texts: tuple[str, ...], done: Counter[str], empty: str, unwanted: dict[str, str]) -> list[int]:
    """Indices of the texts that stay; ``unwanted`` maps a text to the code it is dropped with."""
    faults = {"": empty} | unwanted
    kept: list[int] = []
    for index, text in enumerate(texts):
        fault = faults.get(text)
        if fault:
            done[fault] += 1
        else:
            kept.append(index)
            faults[text] = "repeated-text"
    return kept


def _pick(values: tuple[T, ...], indices: list[int]) -> tuple[T, ...]:
    return tuple(values[index] for index in indices) if values else ()


class Cleaner:
    """Cleans a stream of examples and drops rows that were there before; about 50 bytes a row.

    ``done`` counts rows by code.
    """

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self._exact = Seen()
        self._near = Seen()

    def clean(self, example: Example) -> tuple[Example | None, list[str]]:
        """As :func:`clean`, with ``duplicate-row`` and ``near-duplicate-row``."""
        cleaned, done = clean(example)
        if cleaned is not None and (code := self._repeated(cleaned)):
            cleaned = None
            done.append(code)
        self.done.update(done)
        return cleaned, done

    def _repeated(self, example: Example) -> str:
        exact = self._exact.first(exact_key(example), example.line) is not None
        near = self._near.first(near_key(example), example.line) is not None
        return "duplicate-row" if exact else "near-duplicate-row" if near else ""
