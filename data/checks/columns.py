"""What is kept of training examples while they stream by, a few numbers a row: what rows are compared with rows by."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import isnan, nan
from typing import Any, Final

from tunewiz.data.rows.examples import Example, Group, ScoredPair
from tunewiz.data.text.duplicates import NearDuplicates, fingerprint, fingerprints, mixed, normal, normals

#: Queries compared for near-duplicates; beyond, only those that are equal but for case, spaces and punctuation. At 300
#: bytes a query these are 60 MB.
COMPARED: Final = 200_000


def exact_key(example: Example) -> int:
    """The same for rows with the same texts (and score)."""
    if isinstance(example, ScoredPair):
        return fingerprint("pair", example.first, example.second, repr(example.score))
    return fingerprint("group", example.query, *example.positives, "", *example.negatives)


def near_key(example: Example) -> int:
    """The same for rows whose texts differ only in case, width, spaces and punctuation."""
    if isinstance(example, ScoredPair):
        return fingerprint("pair", normal(example.first), normal(example.second), repr(example.score))
    return fingerprint(
        "group", normal(example.query), *map(normal, example.positives), "", *map(normal, example.negatives)
    )


def _shapes(examples: Sequence[Example]) -> list[int]:
    """What rows of the same texts in the same order may differ in: how many are positives, or the score."""
    return [
        fingerprint(repr(example.score)) if isinstance(example, ScoredPair) else len(example.positives) + 1
        for example in examples
    ]


def _together(keys: Any, starts: Any, places: Any, shapes: Any) -> Any:
    """One fingerprint of the ``keys`` of each row's texts."""
    import numpy as np

    return mixed(np.add.reduceat(mixed(keys + places.astype("uint64")), starts) + shapes)


class Columns:
    """Numbers of rows, one an entry of each array: ``lines``; fingerprints of the whole row (``exact``, ``near``), of
    the query (``asked``) and of the first positive (``answered``), 0 where there is none; lengths in characters;
    ``scores`` of pairs, whose two texts are ``asked`` as they are, and of other rows no number.

    ``right`` and ``wrong`` are fingerprints of each query with its positives and its negatives, ``rights`` and
    ``wrongs`` how many of them a row has; none where ``opposed`` says that no row has a negative. ``queries`` are the
    sketches of different queries, of the rows in ``sketched``; none where not ``sketching``.
    """

    def __init__(self, opposed: bool = True, sketching: bool = True) -> None:
        self.lines, self.exact, self.near = array("Q"), array("Q"), array("Q")
        self.asked, self.answered = array("Q"), array("Q")
        self.query_length, self.positive_length = array("I"), array("I")
        self.scores = array("d")
        self.right, self.wrong = array("Q"), array("Q")
        self.rights, self.wrongs = array("I"), array("I")
        self.queries = NearDuplicates()
        self.sketched = array("Q")
        self.more = False
        self.opposed = opposed
        self.sketching = sketching
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, examples: Sequence[Example], texts: Sequence[tuple[str, ...]]) -> None:
        """Take more rows and their ``texts`` (:func:`tunewiz.data.rows.examples.all_texts`)."""
        import numpy as np

        counts = np.fromiter(map(len, texts), dtype="int64", count=len(texts))
        starts = np.cumsum(counts) - counts
        flat = [text for row in texts for text in row]
        plain = normals(flat)
        exact, near = fingerprints(flat), fingerprints(plain)
        groups = set(map(type, examples)) == {Group}
        shapes = counts.astype("uint64") if groups and not self.opposed else np.array(_shapes(examples), dtype="uint64")
        places = np.arange(len(flat)) - np.repeat(starts, counts)
        asked = near[starts]
        self.lines.extend([example.line for example in examples])
        self.exact.frombytes(_together(exact, starts, places, shapes).tobytes())
        self.near.frombytes(_together(near, starts, places, shapes).tobytes())
        pairs = [False] * len(examples) if groups else [isinstance(example, ScoredPair) for example in examples]
        if not groups and any(pairs):
            both = _together(exact, starts, places, np.zeros_like(shapes))
            asked = np.where(pairs, both, asked)
        self.scores.extend(
            [nan] * len(examples)
            if groups
            else [example.score if isinstance(example, ScoredPair) else nan for example in examples]
        )
        self.asked.frombytes(asked.tobytes())
        answered = ~np.array(pairs) & (shapes > 1)
        second = np.minimum(starts + 1, len(flat) - 1)
        lengths = np.fromiter(map(len, flat), dtype="uint32", count=len(flat))
        self.answered.frombytes(np.where(answered, near[second], np.uint64(0)).tobytes())
        self.query_length.frombytes(np.where(pairs, 0, lengths[starts]).astype("uint32").tobytes())
        self.positive_length.frombytes(np.where(answered, lengths[second], 0).astype("uint32").tobytes())
        for example in examples if self.opposed else ():
            self._sides(example)
        if self.sketching:
            self._sketch(asked.tolist(), pairs, plain, starts.tolist())

    def _sides(self, example: Example) -> None:
        right, wrong = [], []
        if isinstance(example, Group):
            query = example.query.strip()
            right = [fingerprint(query, text.strip()) for text in example.positives]
            wrong = [fingerprint(query, text.strip()) for text in example.negatives]
        self.right.extend(right)
        self.wrong.extend(wrong)
        self.rights.append(len(right))
        self.wrongs.append(len(wrong))

    def _sketch(self, asked: list[int], pairs: list[bool], plain: list[str], starts: list[int]) -> None:
        first = len(self) - len(asked)
        if self.more and self.full:
            return
        for row, (key, pair, start) in enumerate(zip(asked, pairs, starts, strict=True), first):
            if pair or not self.sketching:
                continue
            if len(self.queries) >= COMPARED:
                self.more = True
                return
            if key not in self._known:
                self._known.add(key)
                self.queries.add_plain(plain[start])
                self.sketched.append(row)

    @property
    def full(self) -> bool:
        """Whether no more queries are compared."""
        return len(self.queries) >= COMPARED

    def handed(self) -> Columns:
        """The same for another process, which needs no copy of what is known here."""
        self._known = set()
        self.queries.sketch()
        return self

    def behind(self, other: Columns) -> None:
        """Take the rows of ``other``, which follow those of this one."""
        before = len(self)
        for name in _ARRAYS:
            getattr(self, name).extend(getattr(other, name))
        if not self.sketching:
            return
        chosen: list[int] = []
        last = -1
        for number, row in enumerate(other.sketched):
            if len(self.queries) + len(chosen) >= COMPARED:
                break
            asked = other.asked[row]
            last = row
            if asked not in self._known:
                self._known.add(asked)
                chosen.append(number)
                self.sketched.append(before + row)
        self.queries.take(other.queries, chosen)
        if len(self.queries) >= COMPARED:
            self._known.clear()  # no query is taken any more
            self.more = self.more or other.more or self._query_behind(other, last if chosen else -1)

    @staticmethod
    def _query_behind(other: Columns, row: int) -> bool:
        """Whether a row of ``other`` after ``row`` has a query."""
        return any(map(isnan, other.scores[row + 1 :]))


_ARRAYS: Final = (
    *("lines", "exact", "near", "asked", "answered", "query_length", "positive_length", "scores"),
    *("right", "wrong", "rights", "wrongs"),
)
