"""Texts as 8 bytes, and a compact table of those seen: duplicates are found without keeping the texts.

With 64 bits, a million distinct texts hold a false match with a probability below 1 in 30 million.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from functools import lru_cache
from hashlib import blake2b
from typing import Final

# Sentence punctuation of both scripts. Symbols stay ("C++" is not "C#"), and so does the point in "3.5".
_NOISE: Final = re.compile(
    r"[\s_,;:!?'\"()\[\]{}`~|<>«»…·—–\-\u2010-\u201f\u3000-\u3003\u3008-\u3011\u3014-\u301f、。]+|(?<!\d)\.|\.(?!\d)"
)
_EMPTY: Final = 0
_FIRST_SIZE: Final = 1 << 10


def fingerprint(*texts: str) -> int:
    """64 bits of ``texts`` in order, the same in every process; never 0."""
    digest = blake2b(digest_size=8)
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return int.from_bytes(digest.digest(), "little") or 1


@lru_cache(maxsize=64)  # several checks ask for the same text in turn
def normal(text: str) -> str:
    """``text`` without case, width, spaces and sentence punctuation: what two people would call the same text.

    A text of nothing but punctuation stays as it is, so that "?" and "!" differ.
    """
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    folded = folded.casefold()
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
