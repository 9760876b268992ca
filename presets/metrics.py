"""Names of retrieval measures: ``ndcg@10``, ``mrr@10``, ``recall@5``, ``map``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: Measures that are cut off at a rank.
CUT: Final = ("ndcg", "mrr", "recall")
#: Measures over the whole ranking.
WHOLE: Final = ("map",)
_WRITTEN: Final = re.compile(r"([a-z]+)(?:@([1-9][0-9]{0,3}))?")


@dataclass(frozen=True)
class Metric:
    """A measure; ``k`` is ``None`` where it goes by the whole ranking."""

    name: str
    k: int | None

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"


def parse(text: str) -> Metric | None:
    """The measure that ``text`` names, whatever its letters' case; ``None`` if it names none."""
    match = _WRITTEN.fullmatch(text.strip().lower())
    if not match:
        return None
    name, k = match[1], int(match[2]) if match[2] else None
    return Metric(name, k) if name in (WHOLE if k is None else CUT) else None


def all_at(cutoffs: list[int]) -> list[str]:
    """All measures at ``cutoffs``, to suggest from."""
    return [*(f"{name}@{k}" for name in CUT for k in cutoffs), *WHOLE]
