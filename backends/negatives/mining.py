"""Hard negatives for groups: search, leave out what is or may be right, keep the hardest that remain.

The margin against the positive's score follows NV-Retriever (Moreira et al., 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from backends.negatives.base import Ranked, Strategy
from data.examples import Group
from data.fingerprints import normal
from data.near_duplicates import THRESHOLD, NearDuplicates
from presets.sections.data import Negatives

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from backends.negatives.base import Floats, Integers

    Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """What happened to the candidates, and to how many queries.

    ``known`` were positives of the query, ``margin`` scored too close to a positive, ``alike`` nearly repeat a
    positive's text, ``skipped`` stood in the top ranks that the preset passes over. ``short`` queries got fewer than
    wanted, ``missing`` negatives in all.
    """

    queries: int
    passages: int
    mined: int
    known: int
    margin: int
    alike: int
    skipped: int
    short: int
    missing: int


class Passages(NamedTuple):
    """The texts searched, each once, and where their ids (if they have any) point."""

    texts: list[str]
    by_text: dict[str, int]
    by_id: dict[str, int]


def passages(groups: Sequence[Group], corpus: Sequence[tuple[str, str]] = ()) -> Passages:
    """The passages of ``corpus`` (id, text) and of ``groups``; texts that are the same to a reader count once."""
    texts: list[str] = []
    by_text: dict[str, int] = {}

    def place(text: str) -> int:
        key = normal(text)
        if key not in by_text:
            by_text[key] = len(texts)
            texts.append(text)
        return by_text[key]

    by_id = {name: place(text) for name, text in corpus}
    for group in groups:
        for text in (*group.positives, *group.negatives):
            place(text)
    return Passages(texts, by_text, by_id)


def mine(
    groups: Sequence[Group], pool: Passages, strategy: Strategy, options: Negatives
) -> tuple[list[list[int]], Counts]:
    """For each group the numbers of its negatives in ``pool.texts``, hardest first, and the counts.

    Each query is searched once, however many groups ask it; its positives in any of them are never its negatives.
    """
    asked: dict[str, int] = {}
    rows = [asked.setdefault(normal(group.query), len(asked)) for group in groups]
    queries = [""] * len(asked)
    for row, group in zip(rows, groups, strict=True):
        queries[row] = group.query
    strategy.index(pool.texts)
    known = _Known(groups, rows, pool, queries)
    ranked = strategy.search(queries, min(len(pool.texts), options.candidates + options.skip_top + known.most))
    allowed, reasons = _filtered(ranked, known, strategy, options)
    wanted = _wanted(groups, rows, options.per_query)
    chosen, alike = _Choice(pool.texts, known.positives).best(ranked.passages, allowed, wanted)
    short = [max(0, count - len(found)) for count, found in zip(wanted, chosen, strict=True)]
    left_out = {name: int(flags.sum()) for name, flags in reasons.items()}
    counted = Counts(
        queries=len(queries),
        passages=len(pool.texts),
        mined=sum(map(len, chosen)),
        known=left_out["known"],
        margin=left_out["margin"],
        alike=alike,
        skipped=left_out["skipped"],
        short=sum(map(bool, short)),
        missing=sum(short),
    )
    return [chosen[row] for row in rows], counted


def merged(groups: Sequence[Group], chosen: Sequence[Sequence[int]], pool: Passages, per_query: int) -> list[Group]:
    """``groups`` with mined negatives after their own, ``per_query`` in all (their own are all kept)."""
    result = []
    for group, numbers in zip(groups, chosen, strict=True):
        own = {normal(text) for text in group.negatives}
        new = [pool.texts[number] for number in numbers if normal(pool.texts[number]) not in own]
        new = new[: max(0, per_query - len(group.negatives))]
        # Teacher scores do not cover mined texts, and half of them would be worse than none.
        scores = () if new else group.negative_scores
        result.append(replace(group, negatives=(*group.negatives, *new), negative_scores=scores))
    return result


def _wanted(groups: Sequence[Group], rows: Sequence[int], per_query: int) -> list[int]:
    wanted = [0] * (max(rows, default=-1) + 1)
    for row, group in zip(rows, groups, strict=True):
        wanted[row] = max(wanted[row], per_query - len(group.negatives))
    return wanted


class _Known:
    """Which passages must not be negatives of which query: its positives, its own text, negatives it already has."""

    def __init__(self, groups: Sequence[Group], rows: Sequence[int], pool: Passages, queries: Sequence[str]) -> None:
        self.positives: list[list[int]] = [[] for _ in queries]
        others: list[set[int]] = [set() for _ in queries]
        for row, group in zip(rows, groups, strict=True):
            right = [pool.by_text[normal(text)] for text in group.positives]
            right += [pool.by_id[name] for name in group.positive_ids if name in pool.by_id]
            self.positives[row] = sorted({*self.positives[row], *right})
            others[row].update(pool.by_text[normal(text)] for text in group.negatives)
        for row, query in enumerate(queries):
            if normal(query) in pool.by_text:
                others[row].add(pool.by_text[normal(query)])
        self._barred = [sorted({*right, *rest}) for right, rest in zip(self.positives, others, strict=True)]
        self._size = len(pool.texts)
        self.most = max(map(len, self._barred), default=0)

    def among(self, found: Integers) -> Flags:
        """Which of ``found`` (queries, depth) are barred."""
        import numpy as np

        counts = [len(numbers) for numbers in self._barred]
        rows = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        numbers = np.fromiter((number for some in self._barred for number in some), np.int64, len(rows))
        asked = np.arange(len(counts), dtype=np.int64)[:, None] * self._size + found
        return np.isin(asked, rows * self._size + numbers) & (found >= 0)

    def scores(self, strategy: Strategy) -> Floats:
        """The mean score of each query's positives, nan where there is none."""
        import numpy as np

        counts = np.array([len(numbers) for numbers in self.positives], dtype=np.int64)
        rows = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        numbers = np.fromiter((number for some in self.positives for number in some), np.int64, len(rows))
        sums = np.bincount(rows, strategy.scores(rows, numbers), minlength=len(counts))
        means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
        return means


def _filtered(ranked: Ranked, known: _Known, strategy: Strategy, options: Negatives) -> tuple[Flags, dict[str, Flags]]:
    """Which candidates may be negatives; and which are known, within the margin, or in the skipped ranks.

    Ranks are counted without known positives. A positive that scores nothing sets no margin.
    """
    import numpy as np

    found = ranked.passages
    barred = known.among(found)
    candidates = (found >= 0) & ~barred
    rank = np.cumsum(candidates, axis=1)
    skipped = candidates & (rank <= options.skip_top)
    within = candidates & ~skipped & (rank <= options.skip_top + options.candidates)
    close = np.zeros_like(candidates)
    if ranked.comparable:
        limit = known.scores(strategy)
        limit = np.where(limit > 0, limit * (1 - options.relative_margin), np.inf)
        close = within & (ranked.scores > limit[:, None])
    return within & ~close, {"known": barred, "margin": close, "skipped": skipped}


class _Choice:
    """Takes the first allowed candidates of each query that do not repeat one of its positives."""

    def __init__(self, texts: Sequence[str], positives: Sequence[Sequence[int]]) -> None:
        self._texts = texts
        self._positives = positives
        self._sketches = NearDuplicates()
        self._places: dict[int, int] = {}

    def best(self, found: Integers, allowed: Flags, wanted: Sequence[int]) -> tuple[list[list[int]], int]:
        """The chosen passages of each query, and how many were passed over as near-duplicates."""
        chosen: list[list[int]] = []
        alike = 0
        for row, count in enumerate(wanted):
            kept: list[int] = []
            for number in found[row][allowed[row]].tolist():
                if len(kept) >= count:
                    break
                if self._repeats(number, self._positives[row]):
                    alike += 1
                else:
                    kept.append(number)
            chosen.append(kept)
        return chosen, alike

    def _repeats(self, number: int, positives: Sequence[int]) -> bool:
        return any(
            self._sketches.similarity(self._place(number), self._place(other)) >= THRESHOLD for other in positives
        )

    def _place(self, number: int) -> int:
        if number not in self._places:
            self._places[number] = self._sketches.add(self._texts[number])
        return self._places[number]
