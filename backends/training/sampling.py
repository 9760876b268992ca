"""Batches in which no row teaches another one something wrong, and whose texts are of similar length.

With in-batch negatives every passage of a batch is a wrong answer to every other query of it. That is false when a
batch holds the same query twice, or a passage that is known to answer another of its queries. :class:`Rows` knows
which rows may not meet, :class:`BatchPlan` puts them apart.

Where queries have many positives, or share them, the last rows of an epoch are hard to place: each would stand in a
batch nearly alone, where there is nothing to learn and AdamW still takes a full step. Batches below :data:`LEAST` of
the largest (a small remainder, too) are therefore left out of the epoch; the draw decides which rows those are, so that
every epoch leaves out others.

Length: rows are shuffled, then sorted by length within pools of :data:`POOL` batches only, and the finished batches
are shuffled again. Pools are drawn anew each epoch and lengths are blurred by up to :data:`BLUR`, so which rows meet
changes from epoch to epoch, and a batch's place in the epoch says nothing about its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tunewiz.problems import BadData, Where, error, say

if TYPE_CHECKING:
    import numpy as np


#: Batches in one pool: large enough for even lengths, small against a data set of thousands of rows.
POOL: Final = 16
#: Share by which a row's length is blurred before sorting.
BLUR: Final = 0.1
#: Share of the largest batch that another must reach.
LEAST: Final = 0.25
#: A batch that cannot be filled is closed after looking at this many times its size of rows.
WINDOW: Final = 8


@dataclass(frozen=True)
class Rows:
    """For each row the ids of its query, its texts, and the texts known to answer its query.

    Ids are whole numbers; equal texts have equal ids. ``answers`` holds the row's own positive too, ``negatives`` the
    row's hard negatives. ``lengths`` (tokens a row costs) may be empty. ``rounds`` are the numbers of the rows that an
    epoch goes through, in turn; empty where each goes through all.
    """

    queries: Sequence[int]
    positives: Sequence[int]
    answers: Sequence[frozenset[int]]
    negatives: Sequence[Sequence[int]]
    lengths: Sequence[int] = field(default_factory=tuple)
    rounds: Sequence[Sequence[int]] = ()

    def __len__(self) -> int:
        return len(self.queries)

    def of_epoch(self, number: int) -> Sequence[int]:
        """The numbers of the rows of epoch ``number`` (from 0)."""
        return self.rounds[number % len(self.rounds)] if self.rounds else range(len(self))


class _Batch:
    """A batch being filled: what it holds and what must stay out of it."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self._held: set[int] = set()  # texts in the batch that matter: queries, positives, negatives
        self._barred: set[int] = set()  # queries in the batch and everything that answers one of them

    def takes(self, rows: Rows, row: int, strict: bool) -> bool:
        """Whether ``row`` may join; ``strict`` also keeps a negative that two rows share apart."""
        query, negatives = rows.queries[row], rows.negatives[row]
        if query in self._barred or rows.positives[row] in self._barred or query in self._held:
            return False
        if not self._held.isdisjoint(rows.answers[row]) or not self._barred.isdisjoint(negatives):
            return False
        return not strict or self._held.isdisjoint(negatives)

    def add(self, rows: Rows, row: int) -> None:
        self.rows.append(row)
        self._held.update((rows.queries[row], rows.positives[row]), rows.negatives[row])
        self._barred.add(rows.queries[row])
        self._barred.update(rows.answers[row])


@dataclass(frozen=True)
class BatchPlan:
    """The batches of every epoch, the same for the same seed.

    A negative that two rows share is kept apart where other rows can fill the batch; it is wrong for both, so where
    they cannot, it may stand there twice. Every epoch has as many batches as the first; what a later epoch has too
    few of is made by halving its largest batch, and what it has too many of (the smallest) is left out of it.
    """

    rows: Rows
    batch_size: int
    seed: int
    by_length: bool = True
    apart: bool = True
    #: Every batch is a multiple of this: as many processes share it.
    shares: int = 1

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of epoch ``number`` (from 0), each a list of row numbers."""
        return self._first if number == 0 else _resized(self._batches(number), len(self), self.shares)

    def __len__(self) -> int:
        return len(self._first)

    @property
    def left_out(self) -> int:
        """Rows that the first epoch leaves out."""
        return len(self.rows.of_epoch(0)) - sum(map(len, self._first))

    def require_any(self) -> None:
        """Raise ``BadData`` where no batch comes out: the library would end such a training at once, and be content.

        So it is where rows share their answers and a batch without repeats has fewer rows than there are processes.
        """
        if len(self):
            return
        message = say(
            "No batch of the {rows} rows can be shared by {count} processes: rows with the same answer are kept apart, "
            "and fewer than that are left of each batch.",
            rows=len(self.rows.of_epoch(0)),
            count=self.shares,
        )
        fix = say("Set launch.processes to fewer, for example 1, or bring rows with other answers.")
        raise BadData(error("no-batch", message, Where(key="launch.processes"), fix))

    @cached_property
    def _first(self) -> list[list[int]]:
        return self._batches(0)

    def _batches(self, number: int) -> list[list[int]]:
        import numpy as np

        draw = np.random.default_rng([self.seed, number])
        order = self._order(draw, self.rows.of_epoch(number))
        batches = _worthwhile(list(self._filled(order))) if self.apart else list(_cut(order, self.batch_size))
        draw.shuffle(batches)
        return [cut for batch in batches if (cut := batch[: len(batch) - len(batch) % self.shares])]

    def _order(self, draw: np.random.Generator, numbers: Sequence[int]) -> list[int]:
        import numpy as np

        order = np.asarray(numbers, dtype=np.int64)[draw.permutation(len(numbers))]
        if not self.by_length or not len(self.rows.lengths):
            return [int(row) for row in order]
        blurred = np.asarray(self.rows.lengths) * draw.uniform(1 - BLUR, 1 + BLUR, len(self.rows))
        size = POOL * self.batch_size
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        return [int(row) for pool in pools for row in pool[np.argsort(blurred[pool], kind="stable")]]

    def _filled(self, order: list[int]) -> Iterator[list[int]]:
        """Batches filled first come, first served; rows that do not fit wait for the next batch."""
        waiting: list[int] = []
        fresh = iter(order)
        exhausted = False
        while not exhausted or waiting:
            batch = _Batch()
            waiting = self._offer(batch, waiting, strict=True)
            while len(batch.rows) < self.batch_size and len(waiting) < WINDOW * self.batch_size:
                row = next(fresh, None)
                if row is None:
                    exhausted = True
                    break
                if batch.takes(self.rows, row, strict=True):
                    batch.add(self.rows, row)
                else:
                    waiting.append(row)
            waiting = self._offer(batch, waiting, strict=False)
            if batch.rows:
                yield batch.rows

    def _offer(self, batch: _Batch, waiting: list[int], strict: bool) -> list[int]:
        """Put what fits of ``waiting`` into ``batch``; the rest, in order."""
        rest: list[int] = []
        for place, row in enumerate(waiting):
            if len(batch.rows) == self.batch_size:
                return rest + waiting[place:]
            if batch.takes(self.rows, row, strict):
                batch.add(self.rows, row)
            else:
                rest.append(row)
        return rest


def _cut(order: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _worthwhile(batches: list[list[int]]) -> list[list[int]]:
    least = LEAST * max(map(len, batches), default=0)
    return [batch for batch in batches if len(batch) >= least]


def _resized(batches: list[list[int]], count: int, shares: int) -> list[list[int]]:
    """Exactly ``count`` batches: the smallest dropped, or the largest halved, to multiples of ``shares``."""
    while len(batches) > count:
        batches.remove(min(batches, key=len))
    while len(batches) < count:
        largest = max(batches, key=len)
        if len(largest) < 2 * shares:
            batches.append(largest)
            continue
        batches.remove(largest)
        half = len(largest) // (2 * shares) * shares
        batches += [largest[:half], largest[half:]]
    return batches
