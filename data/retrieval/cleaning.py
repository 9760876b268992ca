"""Cleaning of training examples, and the rows of a source that can be used: read, cleaned if asked, checked.

Codes of changes: ``html``, ``control-characters``, ``whitespace``. Codes of what is dropped: a text with
``empty-positive``, ``empty-negative``, ``query-equals-positive``, ``positive-among-negatives``, ``repeated-text``; a
row with ``empty-query``, ``empty-text``, ``no-positive``, ``duplicate-row``, ``near-duplicate-row``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from tunewiz.data.checks.check import Setting, watch
from tunewiz.data.checks.columns import exact_key, near_key
from tunewiz.data.checks.placed import Placed
from tunewiz.data.opening import opened
from tunewiz.data.opening.opened import Opened
from tunewiz.data.retrieval.prepared import Plan
from tunewiz.data.rows.examples import Example, Group, ScoredPair
from tunewiz.data.text.cleaning import CLEANED, clean_text, identifier
from tunewiz.data.text.duplicates import Seen
from tunewiz.problems import Findings, Message, Report, note, say

T = TypeVar("T")


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


def usable_rows(data: Opened, plan: Plan, findings: Findings, split_name: str = "") -> list[Example]:
    """Usable examples of ``data``. Rows of files are cleaned; what a collection says stays as it is."""
    placed = Placed()
    examples: Iterator[Example] = map(_identified, opened.read_examples(data, placed, split_name))
    if plan.clean and not data.is_collection:
        examples = _cleaned(examples, data, placed)
    try:
        return [
            example
            for example in watch(examples, Setting(data.rows_file(split_name), plan.max_tokens), placed)
            if isinstance(example, ScoredPair) or (example.query.strip() and example.positives)
        ]
    finally:
        placed.flush(findings)


def _identified(example: Example) -> Example:
    """``example`` with ids that a qrels file can hold."""
    if isinstance(example, ScoredPair) or not (example.query_id or example.positive_ids):
        return example
    names = tuple(map(identifier, example.positive_ids))
    return replace(example, query_id=identifier(example.query_id), positive_ids=names)


def _cleaned(examples: Iterable[Example], data: Opened, findings: Report) -> Iterator[Example]:
    cleaner = Cleaner()
    for example in examples:
        cleaned, _ = cleaner.clean(example)
        if cleaned is not None:
            yield cleaned
    for code, count in sorted(cleaner.done.items()):
        message = say("Cleaning: {what} ({count}).", what=Message(CLEANED[code]), count=count)
        findings(note(f"cleaned-{code}", message, data.source.at()))
