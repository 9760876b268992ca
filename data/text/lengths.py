"""How long texts are, in characters and tokens (counted or estimated), and what maximum length to train with."""

from __future__ import annotations

import random
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from tunewiz.data.rows.examples import Example, texts_of_example

#: Texts to their numbers of tokens, in order; special tokens included.
TokenCount = Callable[[Sequence[str]], Sequence[int]]

#: [CLS] and [SEP].
SPECIAL_TOKENS: Final = 2
_CJK: Final = "\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003134f"
_ONE_EACH: Final = re.compile(f"[{_CJK}]")
_WORD: Final = re.compile(f"[^\\W_{_CJK}]+")
_MARK: Final = re.compile(f"[^\\w\\s{_CJK}]|_")
_LETTERS: Final = 9  # measured: within 4 % of MiniLM's WordPiece on Cranfield, within 8 % on other English sets


def estimate_tokens(text: str) -> int:
    """About how many tokens a BERT-like tokenizer makes of ``text``, two special ones included.

    One a Chinese, Japanese or Korean character, one a punctuation mark, one a word of up to 9 letters and one more
    for every further 9. Multilingual vocabularies (XLM-R, Qwen) need about a third less for Chinese, so that this errs
    on the long side.
    """
    words = _WORD.findall(text)
    pieces = len(words) + len(_MARK.findall(text)) + SPECIAL_TOKENS
    if not text.isascii():
        pieces += len(_ONE_EACH.findall(text))
    return pieces + sum([(len(word) - 1) // _LETTERS for word in words if len(word) > _LETTERS])


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


class LengthSample:
    """Measures texts as they stream by: reservoir sampling (Vitter's algorithm R), seeded, so always the same."""

    def __init__(self, count: TokenCount | None = None, seed: int = 0, size: int = RESERVOIR) -> None:
        self._count = count or estimate_each
        self._exact = count is not None
        self._size = size
        self._random = random.Random(seed)
        self._roles: dict[str, _Role] = {}

    def add(self, role: str, text: str) -> None:
        """Take one text of ``role``."""
        kept = self._roles.setdefault(role, _Role())
        kept.seen += 1
        kept.longest = max(kept.longest, len(text))
        if kept.seen <= self._size:
            slot = len(kept.characters)
            kept.characters.append(0)
            kept.tokens.append(0)
        else:
            slot = int(self._random.random() * kept.seen)
            if slot >= self._size:
                return
        kept.characters[slot] = len(text)
        kept.waiting[slot] = text
        if len(kept.waiting) >= _BATCH:
            kept.measure(self._count)

    def watch(self, example: Example) -> None:
        """Take the texts of ``example``."""
        for role, text in texts_of_example(example):
            self.add(role, text)

    def lengths(self) -> tuple[Lengths, ...]:
        """One :class:`Lengths` a role, in order of appearance."""
        result = []
        for role, kept in self._roles.items():
            kept.measure(self._count)
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
        samples = [sorted(kept.tokens) for kept in self._roles.values() if kept.tokens]
        if not samples:
            return None
        # 98 %: the longest few are often damaged or pasted, and every row pays for a longer maximum.
        wanted = max(percentile(sample, 98) for sample in samples) + extra
        length = next((choice for choice in _CHOICES if choice >= wanted), ceil(wanted / 1024) * 1024)
        cut = max(sum(tokens + extra > length for tokens in sample) / len(sample) for sample in samples)
        return Advice(length, cut)


class _Role:
    """What is kept of one role."""

    def __init__(self) -> None:
        self.seen = 0
        self.longest = 0
        self.characters = array("I")
        self.tokens = array("I")
        self.waiting: dict[int, str] = {}

    def measure(self, count: TokenCount) -> None:
        """Count the tokens of the texts that wait."""
        if self.waiting:
            for slot, tokens in zip(self.waiting, count(list(self.waiting.values())), strict=True):
                self.tokens[slot] = tokens
            self.waiting.clear()


def lengths_of(texts: Iterable[str], count: TokenCount | None = None, role: str = "document") -> Lengths:
    """The lengths of ``texts`` as one role."""
    sample = LengthSample(count)
    empty = Lengths(role, 0, {}, {}, count is not None)
    for text in texts:
        sample.add(role, text)
    return next(iter(sample.lengths()), empty)


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
