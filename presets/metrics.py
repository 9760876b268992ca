"""Names of retrieval measures, as the evaluators read them: ``ndcg@10``, ``mrr@10``, ``recall@5``, ``map`` ..."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: Each may be cut off at a rank (``@k``); without one the first 100 ranks count.
NAMES: Final = ("ndcg", "mrr", "recall", "map", "hit", "precision")
_WRITTEN: Final = re.compile(r"([a-z]+)(?:@([1-9][0-9]{0,3}))?")


@dataclass(frozen=True)
class Metric:
    """A measure; ``k`` is ``None`` where no rank is written."""

    name: str
    k: int | None

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"


def parse(text: str) -> Metric | None:
    """The measure that ``text`` names, whatever its letters' case; ``None`` if it names none."""
    match = _WRITTEN.fullmatch(text.strip().lower())
    if not match or match[1] not in NAMES:
        return None
    return Metric(match[1], int(match[2]) if match[2] else None)


def all_at(cutoffs: list[int]) -> list[str]:
    """All measures at ``cutoffs``, to suggest from."""
    return [*(f"{name}@{k}" for name in NAMES for k in cutoffs if name != "map"), "map"]
