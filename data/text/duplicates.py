"""Texts that say the same, found without keeping them: by fingerprints of 8 bytes, and by sketches of their n-grams."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from zlib import crc32

from tunewiz.data.text.folding import NOISE, fold

_POINT: Final = re.compile(r"(?<!\d)\.|\.(?!\d)")
_NO_NOISE: Final = bytes(code for code in range(128) if chr(code) != "." and NOISE.fullmatch(chr(code)))
_LOWER: Final = bytes(range(256)).lower()
_EMPTY: Final = 0
_FIRST_SIZE: Final = 1 << 10  # slots: 12 KB, doubled as it fills; a power of two, so that a mask finds the slot


def fingerprint(*texts: str) -> int:
    """64 bits of ``texts`` in order, the same in every process; never 0."""
    joined = "\0".join(texts)
    if joined.count("\0") != len(texts) - 1:  # one of them holds the mark that stands between them
        joined = "\0\0".join((*(str(len(text)) for text in texts), *texts))
    raw = joined.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little") or 1


@lru_cache(maxsize=64)  # several checks ask for the same text in turn
def normal(text: str) -> str:
    """``text`` without case, width, spaces and sentence punctuation: what two people would call the same text.

    A text of nothing but punctuation stays as it is, so that "?" and "!" differ.
    """
    if text.isascii():  # the same, but many times as fast
        plain = text.encode().translate(_LOWER, _NO_NOISE).decode()
        if "." in plain:
            plain = _without_points(text)
        return plain or text.lower().strip()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return NOISE.sub("", folded) or folded.strip()


def _without_points(text: str) -> str:
    """ASCII ``text`` as :func:`normal` has it; of its points only those between digits stay."""
    ended = text.rstrip(".")  # most have none but the last
    if "." in ended:
        ended = _POINT.sub("", ended)
    return ended.encode().translate(_LOWER, _NO_NOISE).decode()


def normals(texts: Sequence[str]) -> list[str]:
    """:func:`normal` of each text, several times as fast for many at once."""
    joined = "\0".join(texts)
    if joined.count("\0") != len(texts) - 1:
        return [normal(text) for text in texts]
    if joined.isascii():
        ended = joined + "\0"
        while ".\0" in ended:  # most texts have no other point
            ended = ended.replace(".\0", "\0")
        plain = ended[:-1].encode().translate(_LOWER, _NO_NOISE).decode()
        if "." in plain:
            short = zip(plain.split("\0"), texts, strict=True)
            return [normal(text) if "." in found or not found else found for found, text in short]
    else:
        plain = fold(joined)
    return [short or normal(text) for short, text in zip(plain.split("\0"), texts, strict=True)]


def fingerprints(texts: Sequence[str]) -> Any:
    """64 bits of each text (uint64), never 0: others than those of :func:`fingerprint`, and many at once.

    Python's own (SipHash), of which each text keeps its own; they are the same in processes of one ``PYTHONHASHSEED``,
    as :func:`tunewiz.data.parallel.processes.in_processes` starts them.
    """
    import numpy as np

    found = np.fromiter(map(hash, texts), dtype="int64", count=len(texts)).view("uint64")
    found[found == 0] = 1
    return found


def mixed(numbers: Any) -> Any:
    """64-bit ``numbers`` (uint64) with every bit made to depend on all (the finalizer of MurmurHash3); never 0."""
    import numpy as np

    numbers = (numbers ^ numbers >> np.uint64(33)) * np.uint64(0xFF51AFD7ED558CCD)
    numbers = (numbers ^ numbers >> np.uint64(33)) * np.uint64(0xC4CEB9FE1A85EC53)
    numbers = numbers ^ numbers >> np.uint64(33)
    numbers[numbers == 0] = 1
    return numbers


def _code_points(text: str) -> Any:
    """The characters of ``text`` as numbers (uint64)."""
    import numpy as np

    if text.isascii():
        return np.frombuffer(text.encode(), dtype="uint8").astype("uint64")
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="uint32").astype("uint64")


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


def first_of(keys: array[int]) -> Any:
    """For each of ``keys`` (64 bits) the place (int64) where the same one stands first, which may be its own."""
    import numpy as np

    values = np.frombuffer(keys, dtype="uint64") if keys else np.zeros(0, dtype="uint64")
    first = np.arange(len(values), dtype="int64")
    ordered = np.sort(values)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])  # few, as a rule
    if not len(several):
        return first
    at = np.minimum(np.searchsorted(several, values), len(several) - 1)
    places = (several[at] == values).nonzero()[0]
    which = at[places]
    earliest = np.empty(len(several), dtype="int64")
    earliest[which[::-1]] = places[::-1]  # of several values for one place the last one stays: the smallest
    first[places] = earliest[which]
    return first


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
_A_DIGIT: Final = re.compile(r"\d")
_MASK: Final = 0xFFFFFFFF
_COMPARED_AT_ONCE: Final = 1 << 12  # pairs: some 10 MB while it lasts
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
        return self.add_plain(normal(text))

    def add_plain(self, plain: str) -> int:
        """Take one more text, as :func:`normal` has it; its index."""
        index = len(self)
        digits = " ".join(_DIGITS.findall(plain)) if _A_DIGIT.search(plain) else ""
        self._digits.append(crc32(digits.encode()))
        self._waiting.append(plain)
        self._characters += len(plain)
        if self._characters >= _BATCH:
            self.sketch()
        return index

    def take(self, other: NearDuplicates, chosen: Sequence[int]) -> None:
        """Take the texts ``chosen`` (ascending) of ``other``, as if each had been added here."""
        import numpy as np

        self.sketch()
        other.sketch()
        if not len(chosen):
            return
        texts = np.array(chosen, dtype="int64")
        places = np.full(len(other), -1, dtype="int64")
        places[texts] = np.arange(len(self), len(self) + len(texts))
        self._digits.frombytes(np.frombuffer(other._digits, dtype="uint32")[texts].tobytes())
        starts = np.frombuffer(other._starts, dtype="uint64").astype("int64")
        counts = starts[texts + 1] - starts[texts]
        wanted = np.repeat(places >= 0, np.diff(starts))
        self._hashes.frombytes(np.frombuffer(other._hashes, dtype="uint32")[wanted].tobytes() if len(wanted) else b"")
        self._starts.frombytes((np.cumsum(counts) + self._starts[-1]).astype("uint64").tobytes())
        for band, more in zip(self._bands, other._bands, strict=True):
            entries = np.frombuffer(more, dtype="uint64") if more else np.zeros(0, dtype="uint64")
            placed = places[(entries & np.uint64(_MASK)).astype("int64")]
            kept = entries[placed >= 0] >> np.uint64(32) << np.uint64(32) | placed[placed >= 0].astype("uint64")
            band.frombytes(kept.tobytes())

    def pairs(self) -> Iterator[NearPair]:
        """Each near-duplicate pair once, ordered by band and so the same every time."""
        import numpy as np

        self.sketch()
        compared = np.zeros(0, dtype="uint64")
        for number, band in enumerate(self._bands):
            first, second = self._candidates(band, number)
            both = np.minimum(first, second) << np.uint64(32) | np.maximum(first, second)
            _, once = np.unique(both, return_index=True)
            both = both[np.sort(once)]
            both = both[~np.isin(both, compared)]
            compared = np.concatenate((compared, both))
            left, right = (both >> np.uint64(32)).astype("int64"), (both & np.uint64(_MASK)).astype("int64")
            for start in range(0, len(left), _COMPARED_AT_ONCE):
                end = start + _COMPARED_AT_ONCE
                found = self._alike(left[start:end], right[start:end])
                for place in (found >= self._threshold).nonzero()[0].tolist():
                    yield NearPair(int(left[start + place]), int(right[start + place]), float(found[place]))

    def sketch(self) -> None:
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

    def _candidates(self, band: array[int], number: int) -> tuple[Any, Any]:
        """Texts to compare (uint64 each): of those that share a key of ``band`` each with the few before it.

        Of many that share one, texts from one template, those most alike are brought together first.
        """
        import numpy as np

        entries = np.sort(np.frombuffer(band, dtype="uint64")) if band else np.zeros(0, dtype="uint64")
        keys, texts = entries >> np.uint64(32), entries & np.uint64(_MASK)
        new = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.zeros(0, dtype=bool)
        starts = new.nonzero()[0]
        sizes = np.diff(np.append(starts, len(keys)))
        bucket = np.repeat(np.arange(len(starts)), sizes)
        place = np.arange(len(keys)) - starts[bucket]
        many = sizes[bucket] > _WINDOW
        if many.any():
            order = self._order(texts[many], bucket[many], number)
            texts[many] = texts[many][order]
        firsts, seconds, ends = [], [], []
        for back in range(_WINDOW, 0, -1):
            at = (place >= back).nonzero()[0]
            at = at[self._perhaps_alike(texts[at - back], texts[at])]
            firsts.append(texts[at - back])
            seconds.append(texts[at])
            ends.append(at)
        order = np.argsort(np.concatenate(ends), kind="stable")
        return np.concatenate(firsts)[order], np.concatenate(seconds)[order]

    def _perhaps_alike(self, first: Any, second: Any) -> Any:
        """Which pairs are worth comparing: numbers are the same, and one set is large enough to share what it must."""
        import numpy as np

        digits, starts = np.frombuffer(self._digits, dtype="uint32"), np.frombuffer(self._starts, dtype="uint64")
        first, second = first.astype("int64"), second.astype("int64")
        one, other = starts[first + 1] - starts[first], starts[second + 1] - starts[second]
        few = np.minimum(one, other) >= self._threshold * np.maximum(one, other) - 1e-9
        return (digits[first] == digits[second]) & few

    def _order(self, texts: Any, buckets: Any, band: int) -> Any:
        """The order of ``texts`` within their ``buckets`` by their smallest hashes under a permutation of the band's
        own: texts alike come close in at least one band.
        """
        import numpy as np

        least = np.empty((len(texts), _WINDOW), dtype="int64")
        for start in range(0, len(texts), _COMPARED_AT_ONCE):
            part = self._padded(texts[start : start + _COMPARED_AT_ONCE].astype("int64"))
            permuted = part.astype("int64") * _FACTORS[band] & _MASK
            permuted[part == _MASK] = 1 << 32
            smallest = np.sort(permuted, axis=1)[:, :_WINDOW]
            least[start : start + len(part)] = np.where(smallest > _MASK, -1, smallest)  # the shorter goes first
        return np.lexsort((*(least[:, column] for column in range(_WINDOW - 1, -1, -1)), buckets))

    def _padded(self, texts: Any) -> Any:
        """The sketches of ``texts``, a row (uint32) each; beyond its end stands :data:`_MASK`, which is no hash."""
        import numpy as np

        starts = np.frombuffer(self._starts, dtype="uint64")
        hashes = np.frombuffer(self._hashes, dtype="uint32") if self._hashes else np.zeros(1, dtype="uint32")
        first = starts[texts].astype("int64")
        counts = starts[texts + 1].astype("int64") - first
        columns = np.arange(_SKETCH)
        padded = hashes.take(first[:, None] + columns, mode="clip")
        padded[columns >= counts[:, None]] = _MASK
        return padded

    def _alike(self, left: Any, right: Any) -> Any:
        """Jaccard similarity of each pair: exact where sketches hold whole sets, else by the smallest of both."""
        import numpy as np

        one, other = self._padded(left), self._padded(right)
        merged = np.sort(np.concatenate((one, other), axis=1), axis=1)
        real = merged != _MASK
        shared = np.zeros_like(real)
        np.equal(merged[:, 1:], merged[:, :-1], out=shared[:, 1:])
        shared &= real
        rank = np.cumsum(real ^ shared, axis=1, dtype="uint8")  # which of the different hashes, from 1
        union = rank[:, -1]
        whole = (one[:, -1] == _MASK) & (other[:, -1] == _MASK)
        total = np.where(whole, union, np.minimum(union, _SKETCH))
        shared &= rank <= total[:, None]
        return np.where(total > 0, shared.sum(axis=1) / np.maximum(total, 1), 1.0)

    def similarity(self, first: int, second: int) -> float:
        """Jaccard similarity of two texts' n-grams; 0 if their numbers differ."""
        self.sketch()
        if self._digits[first] != self._digits[second]:
            return 0.0
        return _jaccard(*(set(self._hashes[self._starts[text] : self._starts[text + 1]]) for text in (first, second)))

    def similarities(self, first: Any, second: Any) -> Any:
        """:meth:`similarity` of many pairs at once: of ``first[i]`` and ``second[i]`` (int64)."""
        import numpy as np

        self.sketch()
        found, digits = np.zeros(len(first)), np.asarray(self._digits)
        same = (digits[first] == digits[second]).nonzero()[0]
        for part in np.split(same, range(_COMPARED_AT_ONCE, len(same), _COMPARED_AT_ONCE)):
            found[part] = self._alike(first[part], second[part])
        return found


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
    points = _code_points("".join(texts))
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
    hashes = np.minimum(hashes, np.uint64(_MASK - 1))  # the last number stands for none
    short = [
        row << 32 | crc32(text.encode("utf-32-le", "surrogatepass"))
        for row, text in enumerate(texts)
        if 0 < len(text) < 3
    ]
    numbered = rows[whole].astype("uint64") << np.uint64(32) | hashes
    return np.concatenate((numbered, np.array(short, dtype="uint64")))
