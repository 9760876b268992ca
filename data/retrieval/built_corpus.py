"""Test collections made from training data that has no corpus of its own.

Documents are the distinct passages of the data: equal texts (but for case, width, spaces and punctuation) are one
document, or two copies of an answer would compete for its rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tunewiz.data.rows.examples import Collection, Document, Group, Scale, ScoredPair, scale_of
from tunewiz.data.text.duplicates import fingerprint, normal

#: Scores up to 1 are similarities, of which a judgment keeps that they are relevant; above it they are grades.
_GRADED: Final = 1.0


class Passages:
    """Documents by id, found again by their text."""

    def __init__(self, given: Mapping[str, Document] | None = None) -> None:
        self.documents: dict[str, Document] = dict(given or {})
        self._ids = {_key(item.full): name for name, item in reversed(self.documents.items())}
        self._ids |= {_key(item.text): name for name, item in reversed(self.documents.items())}

    def add(self, text: str, name: str = "") -> str:
        """The id of ``text``, which is added under ``name`` (or the next ``d<number>``) if it is new."""
        known = self._ids.get(_key(text))
        if known is not None:
            return known
        if not name or name in self.documents:
            number = len(self.documents) + 1
            while f"d{number}" in self.documents:
                number += 1
            name = f"d{number}"
        self.documents[name] = Document(text)
        self._ids[_key(text)] = name
        return name

    def add_group(self, group: Group) -> list[str]:
        """Add the passages of ``group``; the ids of its positives."""
        names = group.positive_ids or ("",) * len(group.positives)
        positives = [self.add(text, name) for text, name in zip(group.positives, names, strict=True)]
        for text in group.negatives:
            self.add(text)
        return positives


class _Queries:
    """Judged queries by id; equal queries are one."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.qrels: dict[str, dict[str, int]] = {}
        self._names: dict[str, str] = {}

    def judge(self, text: str, wanted: str, judged: Mapping[str, int]) -> None:
        """Note that documents answer ``text``; ``wanted`` is its id if that is free."""
        key = normal(text)
        if key not in self._names:
            name, number = wanted, len(self.texts) + 1
            while not name or name in self.texts:
                name, number = f"q{number}", number + 1
            self._names[key] = name
            self.texts[name] = text
        known = self.qrels.setdefault(self._names[key], {})
        for document, grade in judged.items():
            known[document] = max(grade, known.get(document, 0))


def collection_from_groups(
    held_out: Iterable[Group], others: Iterable[Group], passages: Passages | None = None
) -> Collection:
    """Queries of ``held_out`` against the passages of both; equal queries are one, with all their positives."""
    found, queries = passages or Passages(), _Queries()
    for group in held_out:
        queries.judge(group.query, group.query_id, dict.fromkeys(found.add_group(group), 1))
    for group in others:
        found.add_group(group)
    return Collection(found.documents, queries.texts, queries.qrels)


def collection_from_pairs(
    held_out: Sequence[ScoredPair], others: Sequence[ScoredPair], passages: Passages | None = None
) -> Collection:
    """First texts of ``held_out`` as queries against the second texts of both.

    A pair counts as relevant from the middle of its scale on (:attr:`Scale.middle`); grades above 1 are kept. Queries
    without a relevant pair are left out.
    """
    scores = [pair.score for pair in (*held_out, *others)]
    found, queries = passages or Passages(), _Queries()
    scale = scale_of(scores) if scores else Scale(0, 0, 0, 0)
    for pair in held_out:
        document = found.add(pair.second)
        if pair.score >= scale.middle:
            queries.judge(pair.first, "", {document: _grade(pair.score, scale)})
    for pair in others:
        found.add(pair.second)
    return Collection(found.documents, queries.texts, queries.qrels)


def _grade(score: float, scale: Scale) -> int:
    return max(1, round(score)) if scale.top > _GRADED else 1


def _key(text: str) -> int:
    return fingerprint(normal(text))
