"""What is kept of conversations while they stream by, a few numbers a row: what rows are compared with rows by."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import Any, Final

from tunewiz.data.chat.repeats import (
    COMPARED,
    THRESHOLD,
    Repeat,
    alike,
    frame,
    own_part,
    repeat_warning,
    similar_rows,
    unlearned_turns,
)
from tunewiz.data.rows.conversations import Conversation, exchange_of
from tunewiz.data.text.duplicates import NearDuplicates, first_of, normals
from tunewiz.problems import Problem, Where, note, say

#: Where the texts of a row stand beside its turns, which are counted from :data:`_TURNS` on.
_PLACES: Final = {"system": 1, "tools": 2, "chosen": 3, "rejected": 4, "answer": 5, "text": 6, "label": 7}
_JUDGED: Final = 8
_UNLEARNED: Final = 9
_TURNS: Final = 16
_PLACES_OF_EXCHANGE: Final = f"{_TURNS} {_TURNS + 1}"
_PLAIN: Final = 1  # the frame of a row that has none


class RowColumns:
    """Numbers of rows, one an entry of each array: ``lines``, and fingerprints of all texts as they are (``exact``) and
    but for case, spaces and punctuation (``near``).

    Of the rows in ``compared``, no two of which are alike so far, ``questions`` and ``answers`` hold the sketches and
    ``frames`` what else has to be the same for them to be called similar.
    """

    def __init__(self, sketching: bool = True) -> None:
        self.lines, self.exact, self.near = array("Q"), array("Q"), array("Q")
        self.questions, self.answers = NearDuplicates(THRESHOLD), NearDuplicates(THRESHOLD)
        self.frames, self.compared = array("Q"), array("Q")
        self.more = False
        self.sketching = sketching
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, rows: Sequence[Conversation]) -> None:
        """Take more rows."""
        texts = [_texts(row) for row in rows]
        plain = normals([text for _, own in texts for text in own])
        starts = [0, *accumulate([len(own) for _, own in texts])]
        self.lines.extend([row.line for row in rows])
        self.exact.frombytes(b"".join([_print(places, own) for places, own in texts]))
        parts = zip(texts, pairwise(starts), strict=True)
        self.near.frombytes(b"".join([_print(places, plain[start:end]) for (places, _), (start, end) in parts]))
        first = len(self) - len(rows)
        for number in self._new(range(first, len(self)), self.near) if self.sketching else ():
            row = rows[number - first]
            exchange = exchange_of(row)
            if exchange and "\n" not in exchange[0]:
                place = starts[number - first]
                self.questions.add_plain(plain[place])
                self.answers.add_plain(plain[place + 1])
                self.frames.append(_PLAIN)
            else:
                self.questions.add(own_part(row.question))
                self.answers.add("\n".join(row.answers))
                self.frames.append(frame(row) or _PLAIN)
            self.compared.append(number)

    def _new(self, numbers: Iterable[int], keys: Sequence[int]) -> Iterator[int]:
        """Those of ``numbers`` whose key was not met yet, as long as there is room; each has to be compared at once."""
        for number in numbers:
            if keys[number] in self._known:
                continue
            if len(self.compared) >= COMPARED:
                self.more = True
                return
            self._known.add(keys[number])
            yield number

    @property
    def full(self) -> bool:
        """Whether no more rows are compared."""
        return len(self.compared) >= COMPARED

    def handed(self) -> None:
        """Make this ready for another process, which needs no copy of what is known here."""
        self._known = set()
        self.questions.sketch()
        self.answers.sketch()

    def behind(self, other: RowColumns) -> None:
        """Take the rows of ``other``, which follow those of this one."""
        before = len(self)
        for name in ("lines", "exact", "near"):
            getattr(self, name).extend(getattr(other, name))
        if not self.sketching:
            return
        chosen: list[int] = []
        for number in self._new(range(len(other.compared)), [other.near[row] for row in other.compared]):
            chosen.append(number)
            self.frames.append(other.frames[number])
            self.compared.append(before + other.compared[number])
        self.questions.take(other.questions, chosen)
        self.answers.take(other.answers, chosen)
        if len(self.compared) >= COMPARED and not self.more:
            last = self.compared[-1] - before
            self.more = any(key not in self._known for key in other.near[max(0, last + 1) :])

    def repeated(self, file: str) -> Iterator[tuple[list[int], Callable[[int], Problem]]]:
        """Rows that repeat an earlier one, and what makes the problem of one."""
        import numpy as np

        exact, near = first_of(self.exact), first_of(self.near)
        here = np.arange(len(self))

        def warn(kind: Repeat, first: Any) -> Callable[[int], Problem]:
            return lambda row: repeat_warning(kind, self.lines[int(first[row])], Where(file=file, line=self.lines[row]))

        yield (exact < here).nonzero()[0].tolist(), warn("duplicate-row", exact)
        yield ((exact == here) & (near < here)).nonzero()[0].tolist(), warn("near-duplicate-row", near)

    def similar(self, file: str) -> Iterator[Problem]:
        """A warning for each row that nearly repeats an earlier one."""
        lines = [self.lines[row] for row in self.compared]
        yield from similar_rows(alike(self.questions, self.answers, self.frames), lines, file)
        if self.more:
            message = say("Only the first {count} rows were compared for nearly the same ones.", count=COMPARED)
            yield note("compared-first", message, Where(file=file))


def _print(places: str, texts: Sequence[str]) -> bytes:
    """64 bits of ``texts`` and where each stands."""
    raw = "\0".join((places, *texts)).encode("utf-8", "surrogatepass")
    if raw.count(0) != len(texts):  # one of them holds the mark that stands between them
        raw = f"{places} {[len(text) for text in texts]}\0".encode() + raw
    return blake2b(raw, digest_size=8).digest()


def _texts(row: Conversation) -> tuple[str, Sequence[str]]:
    """Everything that makes a row what it is: the places of its texts, and these; never none."""
    exchange = exchange_of(row)
    if exchange:
        return _PLACES_OF_EXCHANGE, exchange
    found = [(_TURNS + number, turn.text) for number, turn in enumerate(row.turns)]
    found += [(place, text) for name, place in _PLACES.items() if (text := getattr(row, name))]
    if row.desirable is not None:
        found.append((_JUDGED, str(row.desirable)))
    if unlearned := unlearned_turns(row):
        found.append((_UNLEARNED, unlearned))
    return " ".join([str(place) for place, _ in found]), [text for _, text in found] or [""]
