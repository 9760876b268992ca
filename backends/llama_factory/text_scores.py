"""How near a written answer is to the expected one: BLEU-4 and ROUGE-L, from 0 to 1."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

_CHINESE: Final = re.compile(r"[一-鿿]")
_WORD: Final = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> list[str]:
    """Words in lower case; Chinese is cut by jieba, as LLaMA-Factory does."""
    if not _CHINESE.search(text):
        return _WORD.findall(text.lower())
    import logging

    import jieba

    jieba.setLogLevel(logging.WARNING)
    return [word for word in jieba.lcut(text.lower()) if word.strip()]


def bleu4(written: Sequence[str], expected: Sequence[str]) -> float:
    """Sentence BLEU with n-grams up to 4 (Papineni et al., 2002); n-grams without a match count as one in 2 x total.

    Shorter texts than four words are compared by what n-grams they have.
    """
    sizes = range(1, min(4, len(written), len(expected)) + 1)
    if not sizes:
        return float(list(written) == list(expected))
    logs = 0.0
    for size in sizes:
        ours, theirs = _grams(written, size), _grams(expected, size)
        matches, total = sum((ours & theirs).values()), sum(ours.values())
        logs += math.log(matches / total if matches else 1 / (2 * total))
    if not set(written) & set(expected):
        return 0.0
    brevity = min(0.0, 1 - len(expected) / len(written))
    return math.exp(logs / len(sizes) + brevity)


def rouge_l(written: Sequence[str], expected: Sequence[str]) -> float:
    """F1 of the longest common subsequence (Lin, 2004)."""
    if not written or not expected:
        return float(list(written) == list(expected))
    row = [0] * (len(expected) + 1)
    for word in written:
        before = 0
        for place, other in enumerate(expected, 1):
            before, row[place] = row[place], before + 1 if word == other else max(row[place], row[place - 1])
    common = row[-1]
    return 2 * common / (len(written) + len(expected))


def _grams(text: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(text[start : start + size]) for start in range(len(text) - size + 1))
