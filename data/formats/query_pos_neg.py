"""FlagEmbedding's layout: ``{"query": str, "pos": [str], "neg": [str]}`` with optional scores and prompt."""

from __future__ import annotations

from typing import ClassVar

from data.formats.base import GroupFormat, Mapped, Role
from data.language import N_
from data.table import Table


class QueryPosNeg(GroupFormat):
    """One query with lists of positives and negatives a row."""

    name: ClassVar[str] = "query_pos_neg"
    title: ClassVar[str] = N_("Query with lists")
    description: ClassVar[str] = N_(
        "A query with lists of texts that answer it (pos) and that do not (neg), as FlagEmbedding."
    )
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive", many=True),
        Role("negative", required=False, many=True),
        Role("positive_scores", required=False),
        Role("negative_scores", required=False),
        Role("instruction", required=False),
        Role("query_id", required=False),
        Role("document_id", required=False, many=True),
    )

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Positives in lists, or in several columns."""
        return len(mapping["positive"]) > 1 or table.kind(mapping["positive"][0]) == "texts"
