"""Classification by a language model: the label that an answer names, and how often it is the right one.

An answer that names no label, or several, is *invalid*: it counts as wrong, and is counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: The column of the confusion matrix for answers that name no label.
INVALID: Final = ""
_AROUND: Final = " \t\r\n.,;:!?\"'`*_()[]{}<>。，；：！？、“”‘’「」『』（）【】《》"


@dataclass(frozen=True)
class Labelled:
    """What came of a classification: one entry a row, in order. ``named`` is :data:`INVALID` where none was named."""

    gold: tuple[str, ...]
    named: tuple[str, ...]
    labels: tuple[str, ...]

    def correct(self) -> list[float]:
        """1.0 or 0.0 for each row."""
        return [float(gold == named) for gold, named in zip(self.gold, self.named, strict=True)]

    def metrics(self) -> dict[str, float]:
        """``accuracy``, ``macro_f1`` (over labels that occur) and ``invalid``, the share of answers without a label."""
        if not self.gold:
            return {}
        occurring = [label for label in self.labels if label in self.gold or label in self.named]
        return {
            "accuracy": sum(self.correct()) / len(self.gold),
            "macro_f1": sum(self.f1(label) for label in occurring) / max(1, len(occurring)),
            "invalid": self.named.count(INVALID) / len(self.gold),
        }

    def f1(self, label: str) -> float:
        """Harmonic mean of precision and recall of ``label``; 0 when it was never named rightly."""
        right = sum(gold == named == label for gold, named in zip(self.gold, self.named, strict=True))
        return 2 * right / (self.gold.count(label) + self.named.count(label)) if right else 0.0

    def confusion(self) -> dict[str, dict[str, int]]:
        """How often each gold label (outer) was called what (inner); zeros are left out."""
        table: dict[str, dict[str, int]] = {label: {} for label in self.labels}
        for gold, named in zip(self.gold, self.named, strict=True):
            row = table.setdefault(gold, {})
            row[named] = row.get(named, 0) + 1
        return table

    def record(self) -> dict[str, Any]:
        """For the report: metrics, F1 and count of each label, and the confusion matrix."""
        each: Mapping[str, Any] = {
            label: {"f1": self.f1(label), "rows": self.gold.count(label)} for label in self.labels
        }
        return {"metrics": self.metrics(), "labels": each, "confusion": self.confusion()}


def label_of(answer: str, labels: Sequence[str]) -> str:
    """The label that ``answer`` names, or :data:`INVALID`.

    The whole answer, its first line, or exactly one label within it counts; letters' case and marks around do not. A
    label that is part of a longer one that is named does not count.
    """
    plain = {_plain(label): label for label in labels}
    lines = [line for line in answer.splitlines() if line.strip()] or [""]
    for text in (answer, lines[0]):
        if _plain(text) in plain:
            return plain[_plain(text)]
    named = {label for key, label in plain.items() if _within(key, _plain(answer))}
    longest = {one for one in named if not any(one != other and _plain(one) in _plain(other) for other in named)}
    return longest.pop() if len(longest) == 1 else INVALID


def _plain(text: str) -> str:
    return " ".join(text.strip(_AROUND).casefold().split())


def _within(label: str, answer: str) -> bool:
    if not label:
        return False
    if label.isascii():
        return re.search(rf"(?<![a-z0-9]){re.escape(label)}(?![a-z0-9])", answer) is not None
    return label in answer
