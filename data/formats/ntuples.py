"""N-tuples: a query, a text that answers it and several that do not."""

from __future__ import annotations

from typing import ClassVar

from data.formats.base import GroupFormat, Mapped, Role
from data.language import N_
from data.table import Table


class Ntuples(GroupFormat):
    """One query, one positive and several negatives a row, in columns of their own or as a list."""

    name: ClassVar[str] = "ntuples"
    title: ClassVar[str] = N_("N-tuples")
    description: ClassVar[str] = N_(
        "A query, a text that answers it and several that do not (negative_1, negative_2 …)."
    )
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive"),
        Role("negative", many=True),
        Role("negative_scores", required=False),
        Role("query_id", required=False),
        Role("document_id", required=False),
        Role("instruction", required=False),
    )

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Several negative columns, or one of lists."""
        return len(mapping["negative"]) > 1 or table.kind(mapping["negative"][0]) == "texts"
