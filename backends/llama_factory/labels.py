"""Classification by answers: which label a written answer names, and how often that is right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

INVALID: Final = ""
_EDGES: Final = re.compile(r"^[\s\"'`“”‘’*.。:：,，]+|[\s\"'`“”‘’*.。:：,，]+$")


def named(answer: str, labels: Sequence[str]) -> str:
    """The label that ``answer`` is, whatever its case, quotes and closing marks; :data:`INVALID` for any other text."""
    lines = answer.strip().splitlines()
    text = _plain(lines[0]) if lines else ""
    return next((label for label in labels if _plain(label) == text), INVALID)


def _plain(text: str) -> str:
    return _EDGES.sub("", text).casefold()


def scores(expected: Sequence[str], found: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """``accuracy``, ``macro_f1`` (over labels that occur), the share of ``invalid`` answers, and ``confusion``.

    ``confusion[label][answer]`` counts; an invalid answer stands there as "".
    """
    pairs = Counter(zip(expected, found, strict=True))
    occurring = [label for label in labels if label in set(expected) | set(found)]
    each = []
    for label in occurring:
        right = pairs[label, label]
        wanted = sum(count for (gold, _), count in pairs.items() if gold == label)
        given = sum(count for (_, answer), count in pairs.items() if answer == label)
        each.append(2 * right / (wanted + given) if wanted + given else 0.0)
    confusion: dict[str, dict[str, int]] = {}
    for (gold, answer), count in sorted(pairs.items()):
        confusion.setdefault(gold, {})[answer] = count
    total = max(1, len(expected))
    return {
        "accuracy": sum(pairs[label, label] for label in set(expected)) / total,
        "macro_f1": sum(each) / max(1, len(each)),
        "invalid": sum(answer == INVALID for answer in found) / total,
        "confusion": confusion,
    }
