"""How long texts are, in characters and tokens (counted or estimated), and what maximum length to train with."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from operator import ge
from typing import Final

from tunewiz.data.rows.examples import Example, Group, texts_of_example
from tunewiz.data.text.duplicates import mixed

#: Texts to their numbers of tokens, in order; special tokens included.
TokenCount = Callable[[Sequence[str]], Sequence[int]]

#: [CLS] and [SEP].
SPECIAL_TOKENS: Final = 2
_CJK: Final = "\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003134f"
_ONE_EACH: Final = re.compile(f"[{_CJK}]")
_WORD: Final = re.compile(f"[^\\W_{_CJK}]+")
_MARK: Final = re.compile(f"[^\\w\\s{_CJK}]|_")
_ONLY_WORDS: Final = bytes(code if chr(code).isalnum() else 32 for code in range(128)) + bytes([32] * 128)
_NO_MARKS: Final = bytes(code for code in range(128) if chr(code).isalnum() or chr(code).isspace())
_LETTERS: Final = 9  # measured: within 4 % of MiniLM's WordPiece on Cranfield, within 8 % on other English sets


def estimate_tokens(text: str) -> int:
    """About how many tokens a BERT-like tokenizer makes of ``text``, two special ones included.

    One a Chinese, Japanese or Korean character, one a punctuation mark, one a word of up to 9 letters and one more
    for every further 9. Multilingual vocabularies (XLM-R, Qwen) need about a third less for Chinese, so that this errs
    on the long side.
    """
    if text.isascii():  # the same, but several times as fast
        raw = text.encode()
        lengths = [*map(len, raw.translate(_ONLY_WORDS).split())]
        pieces = len(lengths) + len(raw.translate(None, _NO_MARKS)) + SPECIAL_TOKENS
    else:
        lengths = [*map(len, _WORD.findall(text))]
        pieces = len(lengths) + len(_MARK.findall(text)) + SPECIAL_TOKENS + len(_ONE_EACH.findall(text))
    if lengths and max(lengths) > _LETTERS:
        pieces += sum([(length - 1) // _LETTERS for length in lengths if length > _LETTERS])
    return pieces


def estimate_each(texts: Sequence[str]) -> list[int]:
    """:func:`estimate` of each text: a :data:`Count` that needs no tokenizer."""
    return [estimate_tokens(text) for text in texts]


PERCENTILES: Final = (50, 90, 95, 99)  # the middle, and how much each usual maximum length would cut off
RESERVOIR: Final = 20_000  # lengths kept of a role; P99 is then off by less than 0.1 percentile points (standard error)
BINS: Final = 24  # columns of the histogram in a terminal
_BATCH: Final = 256  # texts tokenized at once: a fast tokenizer's threads are busy, and few texts are held
#: Maximum lengths that people set: powers of two, and a step between each two of them.
_CHOICES: Final = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)


@dataclass(frozen=True)
class Lengths:
    """Lengths of the texts of one role; ``characters`` and ``tokens`` map a percentile to a length.

    The percentiles are 50, 90, 95, 99 and 100, those of a sample once there are more texts than :data:`RESERVOIR`; 100
    is then the true maximum of characters and the sample's of tokens. ``exact`` is false where tokens are estimated.
    ``histogram`` counts the sample's texts in :data:`BINS` equal ranges of tokens from 0 to the longest.
    """

    role: str
    count: int
    characters: dict[int, int]
    tokens: dict[int, int]
    exact: bool
    histogram: tuple[int, ...] = ()


@dataclass(frozen=True)
class Advice:
    """A maximum length in tokens and the share (0 to 1) of texts that it cuts off."""

    max_length: int
    cut: float


@dataclass(frozen=True)
class Kept:
    """What is to be kept of rows: whether they are sketched to be compared with each other, and by role the largest
    number of a text that belongs to the sample of lengths (:attr:`LengthSample.limits`).
    """

    sketching: bool = True
    limits: Mapping[str, int] = field(default_factory=dict)


EVERYTHING: Final = Kept()


class LengthSample:
    """Measures texts as they stream by; of many a sample, drawn by where they stand and so always the same.

    Each text has a number made of its line; those with the smallest are kept (bottom-k sampling), so that a file read
    in parts gives the sample of the whole: :meth:`take`.
    """

    def __init__(
        self, count: TokenCount | None = None, size: int = RESERVOIR, limits: Mapping[str, int] | None = None
    ) -> None:
        self._count = count or estimate_each
        self._limits = limits or {}
        self._exact = count is not None
        self._size = size
        self._roles: dict[str, _Role] = {}

    def add(self, role: str, text: str, line: int = 0) -> None:
        """Take one text of ``role``; without its ``line``, texts go by their number."""
        kept = self._roles.get(role)
        if kept is None:
            kept = self._roles[role] = _Role(self._limits.get(role, _EVERY))
        kept.add(text, line)
        if len(kept.waiting) >= _BATCH:
            kept.measure(self._count)
            if len(kept.places) >= 2 * self._size:
                kept.cut(self._size)

    @property
    def limits(self) -> dict[str, int]:
        """By role the largest number of a text that may still belong to the sample; none where every text may."""
        return {role: kept.limit for role, kept in self._roles.items() if kept.limit != _EVERY}

    def watch(self, *examples: Example) -> None:
        """Take the texts of ``examples``."""
        plain = [example for example in examples if isinstance(example, Group) and len(example.positives) == 1]
        if len(plain) == len(examples) > 1 and not any(example.negatives for example in plain):
            lines = [example.line for example in plain]
            self.add_all("query", [example.query for example in plain], lines)
            self.add_all("positive", [example.positives[0] for example in plain], lines)
            return
        for example in examples:
            for role, text in texts_of_example(example):
                self.add(role, text, example.line)

    def add_all(self, role: str, texts: list[str], lines: list[int]) -> None:
        """As :meth:`add` for each of ``texts``, on the ``lines``."""
        if not texts:
            return
        kept = self._roles.get(role)
        if kept is None:
            kept = self._roles[role] = _Role(self._limits.get(role, _EVERY))
        room = kept.limit != _EVERY or len(kept.places) + len(texts) < 2 * self._size
        if not room or not kept.add_all(texts, lines):
            for text, line in zip(texts, lines, strict=True):
                self.add(role, text, line)
        elif len(kept.waiting) >= _BATCH:
            kept.measure(self._count)
            if len(kept.places) >= 2 * self._size:
                kept.cut(self._size)

    def take(self, other: LengthSample) -> None:
        """Take what ``other`` measured of the lines behind those seen here."""
        for role, theirs in other._roles.items():
            theirs.measure(other._count)
            own = self._roles.setdefault(role, _Role(self._limits.get(role, _EVERY)))
            own.measure(self._count)
            own.take(theirs)
            if len(own.places) >= 2 * self._size:
                own.cut(self._size)

    def measured(self) -> LengthSample:
        """The same, without the texts that wait and what counts their tokens: what another process needs of it."""
        bare = LengthSample(size=self._size)
        bare._exact = self._exact
        for kept in self._roles.values():
            kept.measure(self._count)
        bare._roles = self._roles
        return bare

    def lengths(self) -> tuple[Lengths, ...]:
        """One :class:`Lengths` a role, in order of appearance."""
        result = []
        for role, kept in self._roles.items():
            kept.measure(self._count)
            kept.cut(self._size)
            characters = _percentiles(kept.characters) | {100: kept.longest}
            tokens, bins = _percentiles(kept.tokens), _histogram(kept.tokens)
            result.append(Lengths(role, kept.seen, characters, tokens, self._exact, bins))
        return tuple(result)

    def advice(self, extra: int = 0) -> Advice | None:
        """The smallest usual length at or above P98 of the longest role's tokens; ``None`` if there were no texts.

        ``extra`` tokens stand around each text, such as those of a prompt.
        """
        for kept in self._roles.values():
            kept.measure(self._count)
            kept.cut(self._size)
        samples = [sorted(kept.tokens) for kept in self._roles.values() if kept.tokens]
        if not samples:
            return None
        # 98 %: the longest few are often damaged or pasted, and every row pays for a longer maximum.
        wanted = max(percentile(sample, 98) for sample in samples) + extra
        length = next((choice for choice in _CHOICES if choice >= wanted), ceil(wanted / 1024) * 1024)
        cut = max(sum(tokens + extra > length for tokens in sample) / len(sample) for sample in samples)
        return Advice(length, cut)


class _Role:
    """What is kept of one role: of each text where it stands, its characters and its tokens."""

    def __init__(self, limit: int) -> None:
        self.seen = 0
        self.longest = 0
        self.places = array("Q")
        self.characters = array("I")
        self.tokens = array("I")
        self.waiting: list[str] = []
        self.limit = limit  # texts with a larger number are not among the kept
        self._line = 0
        self._on_line = 0

    def add(self, text: str, line: int) -> None:
        """Take a text, if it is among those that are kept."""
        self.seen += 1
        length = len(text)
        if length > self.longest:
            self.longest = length
        line = line or self.seen
        if line != self._line:
            self._line, self._on_line = line, 0
        place = line << _ON_A_LINE | self._on_line
        self._on_line += 1
        if self.limit == _EVERY or _number(place) <= self.limit:
            self.places.append(place)
            self.characters.append(length)
            self.waiting.append(text)

    def add_all(self, texts: list[str], lines: list[int]) -> bool:
        """Take texts of as many lines at once; False where they have to be taken one by one."""
        if lines[0] <= self._line or any(map(ge, lines, lines[1:])):
            return False
        import numpy as np

        lengths = array("I", map(len, texts))
        self.seen += len(texts)
        self.longest = max(self.longest, max(lengths))
        self._line, self._on_line = lines[-1], 1
        if self.limit == _EVERY:
            self.places.extend([line << _ON_A_LINE for line in lines])
            self.characters.extend(lengths)
            self.waiting += texts
            return True
        places = np.array(lines, dtype="uint64") << np.uint64(_ON_A_LINE)
        for index in (mixed(places) <= np.uint64(self.limit)).nonzero()[0].tolist():
            self.places.append(lines[index] << _ON_A_LINE)
            self.characters.append(lengths[index])
            self.waiting.append(texts[index])
        return True

    def measure(self, count: TokenCount) -> None:
        """Count the tokens of the texts that wait."""
        if self.waiting:
            self.tokens.extend(count(self.waiting))
            self.waiting.clear()

    def cut(self, size: int) -> None:
        """Keep the ``size`` texts with the smallest numbers, all of which are measured."""
        if len(self.places) <= size:
            return
        kept = sorted((_number(place), index) for index, place in enumerate(self.places))[:size]
        self.limit = kept[-1][0]
        order = sorted(index for _, index in kept)
        self.places = array("Q", [self.places[index] for index in order])
        self.characters = array("I", [self.characters[index] for index in order])
        self.tokens = array("I", [self.tokens[index] for index in order])

    def take(self, other: _Role) -> None:
        """Take what was kept of later texts, all of it measured."""
        self.seen += other.seen
        self.longest = max(self.longest, other.longest)
        self.places.extend(other.places)
        self.characters.extend(other.characters)
        self.tokens.extend(other.tokens)


_EVERY: Final = 1 << 64
_ON_A_LINE: Final = 20  # bits for the texts of one role on one line


def _number(place: int) -> int:
    """64 bits that look drawn by lot, the same for the same place: :func:`mixed` of one number."""
    place = (place ^ place >> 33) * 0xFF51AFD7ED558CCD & 0xFFFFFFFFFFFFFFFF
    place = (place ^ place >> 33) * 0xC4CEB9FE1A85EC53 & 0xFFFFFFFFFFFFFFFF
    return (place ^ place >> 33) or 1


def _histogram(values: Sequence[int]) -> tuple[int, ...]:
    counts, longest = [0] * BINS, max(values)
    for value in values:
        counts[min(BINS - 1, value * BINS // max(1, longest))] += 1
    return tuple(counts)


def _percentiles(values: Iterable[int]) -> dict[int, int]:
    ordered = sorted(values)
    return {percent: percentile(ordered, percent) for percent in (*PERCENTILES, 100)}


def percentile(ordered: list[int], percent: int) -> int:
    """The smallest value that at least ``percent`` of 100 do not exceed (nearest rank)."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
