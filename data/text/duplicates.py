"""Texts that say the same, found without keeping them: by fingerprints of 8 bytes, and by sketches of their n-grams."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from zlib import crc32

# Sentence punctuation of both scripts. Symbols stay ("C++" is not "C#"), and so does the point in "3.5".
_NOISE: Final = re.compile(
    r"[\s_,;:!?'\"()\[\]{}`~|<>«»…·—–\-\u2010-\u201f\u3000-\u3003\u3008-\u3011\u3014-\u301f、。]+|(?<!\d)\.|\.(?!\d)"
)
_POINT: Final = re.compile(r"(?<!\d)\.|\.(?!\d)")
_NO_NOISE: Final = {code: None for code in range(128) if chr(code) != "." and _NOISE.fullmatch(chr(code))}
_EMPTY: Final = 0
_FIRST_SIZE: Final = 1 << 10  # slots: 12 KB, doubled as it fills; a power of two, so that a mask finds the slot


def fingerprint(*texts: str) -> int:
    """64 bits of ``texts`` in order, the same in every process; never 0."""
    parts: list[bytes] = []
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        parts += (len(raw).to_bytes(8, "little"), raw)
    return int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest(), "little") or 1


@lru_cache(maxsize=64)  # several checks ask for the same text in turn
def normal(text: str) -> str:
    """``text`` without case, width, spaces and sentence punctuation: what two people would call the same text.

    A text of nothing but punctuation stays as it is, so that "?" and "!" differ.
    """
    if text.isascii():  # the same, but several times as fast
        folded = text.lower()
        return (_POINT.sub("", folded) if "." in folded else folded).translate(_NO_NOISE) or folded.strip()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOISE.sub("", folded) or folded.strip()


class Seen:
    """A hash table from fingerprint to a whole number below 2^32 (a line, say), about 24 bytes an entry."""

    def __init__(self) -> None:
        self._size = _FIRST_SIZE
        self._keys = array("Q", bytes(8 * self._size))
        self._values = array("I", bytes(4 * self._size))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def first(self, key: int, value: int) -> int | None:
        """The value that came with ``key`` the first time; ``None`` if this is the first time."""
        slot = self._slot(key)
        if self._keys[slot] == key:
            return self._values[slot]
        self._put(slot, key, value)
        return None

    def get(self, key: int) -> int | None:
        """The value of ``key``; ``None`` if it was never seen."""
        slot = self._slot(key)
        return self._values[slot] if self._keys[slot] == key else None

    def set(self, key: int, value: int) -> None:
        """Give ``key`` a value, whether seen before or not."""
        slot = self._slot(key)
        if self._keys[slot] == key:
            self._values[slot] = value
        else:
            self._put(slot, key, value)

    def _slot(self, key: int) -> int:
        mask = self._size - 1
        slot = key & mask
        keys = self._keys
        while keys[slot] != _EMPTY and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _put(self, slot: int, key: int, value: int) -> None:
        self._keys[slot] = key
        self._values[slot] = value
        self._count += 1
        # Two thirds full: linear probing then looks at five slots for a key that is not there (Knuth, vol. 3, 6.4).
        if self._count * 3 > self._size * 2:
            self._grow()

    def _grow(self) -> None:
        old = zip(self._keys, self._values, strict=True)
        self._size *= 2
        self._keys = array("Q", bytes(8 * self._size))
        self._values = array("I", bytes(4 * self._size))
        for key, value in old:
            if key != _EMPTY:
                slot = self._slot(key)
                self._keys[slot] = key
                self._values[slot] = value


# Queries that say nearly the same, found without comparing each with each and without keeping the texts.
#
# Each text becomes the set of its character n-grams, kept as its smallest hashes (bottom-k sketch; Broder, 1997), so
# that short texts are compared exactly and long ones by estimate. Candidates share a band of one-permutation MinHash
# values (Li, Owen and Zhang, 2012): at a Jaccard similarity of 0.8, about 98 of 100 pairs are found.


#: A letter or word more in a question of ten words stays above it, one word exchanged for another falls below.
NEAR_THRESHOLD: Final = 0.8
#: Hashes kept of a text: all of one below 66 characters. Of longer ones 0.8 is estimated with a deviation of 0.05.
_SKETCH: Final = 64
_BINS: Final = 8  # values of one-permutation MinHash, in pairs: a pair is shared with a chance of about 0.8 squared
_BANDS: Final = _BINS // 2
_FACTORS: Final = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)  # odd, so that each permutes 32-bit values
_WINDOW: Final = 8  # neighbours of a band a text is compared with; keeps templates from costing n squared
_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_DIGITS: Final = re.compile(r"\d+")
_MASK: Final = 0xFFFFFFFF
_BATCH: Final = 1 << 16  # characters sketched at once: a few dozen bytes each while it lasts


class NearPair(NamedTuple):
    """Two texts by the order they were added, ``first`` < ``second``, and their Jaccard similarity (0 to 1)."""

    first: int
    second: int
    similarity: float


class NearDuplicates:
    """Collects texts; :meth:`pairs` then names those that are near-duplicates. At most about 300 bytes a text.

    Texts that differ in a number are never near-duplicates: "error 403" is not "error 404".
    """

    def __init__(self, threshold: float = NEAR_THRESHOLD) -> None:
        self._threshold = threshold
        self._hashes = array("I")
        self._starts = array("Q", [0])
        self._digits = array("I")
        self._bands = [array("Q") for _ in range(_BANDS)]  # band hash in the high half, text in the low half
        self._waiting: list[str] = []
        self._characters = 0

    def __len__(self) -> int:
        return len(self._digits)

    def add(self, text: str) -> int:
        """Take one more text; its index."""
        index = len(self)
        plain = normal(text)
        self._digits.append(crc32(" ".join(_DIGITS.findall(plain)).encode()))
        self._waiting.append(plain)
        self._characters += len(plain)
        if self._characters >= _BATCH:
            self._sketch_waiting()
        return index

    def pairs(self) -> Iterator[NearPair]:
        """Each near-duplicate pair once, ordered by band and so the same every time."""
        self._sketch_waiting()
        told: set[int] = set()
        for number, band in enumerate(self._bands):
            for bucket in _buckets(band):
                for pair in self._neighbours(self._arranged(bucket, number)):
                    both = pair.first << 32 | pair.second
                    if both not in told:
                        told.add(both)
                        yield pair

    def _sketch_waiting(self) -> None:
        """Sketch the texts that wait, all at once: what Python costs a character is paid once a batch."""
        if not self._waiting:
            return
        first = len(self._digits) - len(self._waiting)
        counts, hashes, bands = _sketches(self._waiting)
        self._hashes.frombytes(hashes.tobytes())
        end = self._starts[-1]
        for count in counts.tolist():
            end += count
            self._starts.append(end)
        full = counts > 0
        numbers = (full.nonzero()[0] + first).astype("uint64")
        for band, keys in zip(self._bands, bands, strict=True):
            band.frombytes((keys[full] << 32 | numbers).tobytes())
        self._waiting.clear()
        self._characters = 0

    def _arranged(self, bucket: list[int], band: int) -> list[int]:
        """``bucket``; a big one, of texts from one template, with those most alike brought together."""
        if len(bucket) > _WINDOW:
            bucket.sort(key=lambda text: self._order(text, band))
        return bucket

    def _neighbours(self, bucket: list[int]) -> Iterator[NearPair]:
        """Those of ``bucket`` alike among the next few of it."""
        near: deque[tuple[int, int, set[int]]] = deque(maxlen=_WINDOW)
        for text in bucket:
            digits, sketch = self._digits[text], self._sketch(text)
            for other, other_digits, other_sketch in near:
                if digits == other_digits and (similarity := _jaccard(sketch, other_sketch)) >= self._threshold:
                    yield NearPair(min(text, other), max(text, other), similarity)
            near.append((text, digits, sketch))

    def _order(self, text: int, band: int) -> list[int]:
        """The smallest hashes under a permutation of the band's own: texts alike come close in at least one band."""
        return sorted(value * _FACTORS[band] & _MASK for value in self._sketch(text))[:_WINDOW]

    def similarity(self, first: int, second: int) -> float:
        """Jaccard similarity of two texts' n-grams; 0 if their numbers differ."""
        self._sketch_waiting()
        if self._digits[first] != self._digits[second]:
            return 0.0
        return _jaccard(self._sketch(first), self._sketch(second))

    def _sketch(self, text: int) -> set[int]:
        return set(self._hashes[self._starts[text] : self._starts[text + 1]])


def near_pairs(texts: Iterable[str], threshold: float = NEAR_THRESHOLD) -> list[NearPair]:
    """The near-duplicate pairs of ``texts``."""
    found = NearDuplicates(threshold)
    for text in texts:
        found.add(text)
    return list(found.pairs())


def _jaccard(left: set[int], right: set[int]) -> float:
    """Of two sketches: exact where they hold whole sets, else estimated from the smallest hashes of both."""
    shared = len(left & right)
    if len(left) < _SKETCH and len(right) < _SKETCH:
        union = len(left) + len(right) - shared
        return shared / union if union else 1.0
    smallest = sorted(left | right)[:_SKETCH]
    return sum(value in left and value in right for value in smallest) / len(smallest)


def _buckets(band: array[int]) -> Iterator[list[int]]:
    """The texts that share a key of ``band``, by key, those of one key in their order."""
    import numpy as np

    entries = np.sort(np.frombuffer(band, dtype="uint64")) if band else np.zeros(0, dtype="uint64")
    keys = entries >> np.uint64(32)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.zeros(0, dtype=int)
    ends = np.append(starts[1:], len(entries))
    shared = ends - starts > 1
    for start, end in zip(starts[shared].tolist(), ends[shared].tolist(), strict=True):
        yield (entries[start:end] & np.uint64(_MASK)).tolist()


def _sketches(texts: Sequence[str]) -> tuple[Any, Any, list[Any]]:
    """Of each text how many hashes are kept, these hashes (uint32, ascending) one text after another, and its bands.

    Each of the ``_BANDS`` arrays (uint64) holds a 32-bit key a text; texts that share one are candidates. A text
    without a character has no hash, and its keys mean nothing.
    """
    import numpy as np

    keys = np.sort(_shingles(texts))  # by text, then by hash
    if len(keys):
        keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))]
    rows, hashes = (keys >> np.uint64(32)).astype("int64"), keys & np.uint64(_MASK)
    starts = np.searchsorted(rows, np.arange(len(texts) + 1))
    least: Any = np.full(len(texts) * _BINS, _MASK, dtype="uint64")
    # Of several values for one place the last one stays: backwards, that is the smallest.
    least[(rows * _BINS + (hashes & np.uint64(_BINS - 1)).astype("int64"))[::-1]] = hashes[::-1]
    least = least.reshape(len(texts), _BINS)
    filled = least.copy()
    for step in range(1, _BINS):
        # An empty bin borrows from the next full one, so that short texts do not all share the "empty" band.
        filled = np.where(filled == _MASK, np.roll(least, -step, axis=1), filled)
    bands = [
        (filled[:, 2 * band] * np.uint64(31) + filled[:, 2 * band + 1] * np.uint64(0x85EBCA6B)) & np.uint64(_MASK)
        for band in range(_BANDS)
    ]
    kept = np.arange(len(keys)) - starts[rows] < _SKETCH
    return np.minimum(np.diff(starts), _SKETCH), hashes[kept].astype("uint32"), bands


def _shingles(texts: Sequence[str]) -> Any:
    """32-bit hashes of the n-grams of each text, its number in the high half: uint64, in order, with repetitions.

    Of 2 characters where the script is Chinese or Japanese, else of 3; a shorter text is hashed whole.
    """
    import numpy as np

    lengths = np.array([len(text) for text in texts], dtype="int64")
    sizes = np.array([2 if _CJK.search(text) else 3 for text in texts], dtype="int64")
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="uint32").astype("uint64")
    rows = np.repeat(np.arange(len(texts)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(points))
    whole = (left >= sizes[rows]) & (lengths[rows] >= 3)
    next_one, next_two = np.append(points[1:], 0), np.append(points[2:], (0, 0))[: len(points)]
    pairs = points << np.uint64(21) | next_one.astype("uint64")
    triples = pairs << np.uint64(21) | next_two.astype("uint64")
    grams = np.where(sizes[rows] == 2, pairs, triples)[whole]
    # Fibonacci hashing (2^64 by the golden ratio), then a second odd factor, so that the low bits, which choose a bin,
    # depend on all characters. Plus one, since zero would hash to zero.
    hashes = (grams + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) * np.uint64(0xD6E8FEB9) >> np.uint64(32)
    short = [
        row << 32 | crc32(text.encode("utf-32-le", "surrogatepass"))
        for row, text in enumerate(texts)
        if 0 < len(text) < 3
    ]
    numbered = rows[whole].astype("uint64") << np.uint64(32) | hashes
    return np.concatenate((numbered, np.array(short, dtype="uint64")))
