"""Triplets: a query, a text that answers it and one that does not."""

from __future__ import annotations

from typing import ClassVar

from data.formats.base import GroupFormat, Mapped, Role
from data.language import N_
from data.table import Table


class Triplets(GroupFormat):
    """One query, one positive and one negative a row."""

    name: ClassVar[str] = "triplets"
    title: ClassVar[str] = N_("Triplets")
    description: ClassVar[str] = N_("A query, a text that answers it and a text that does not, in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive"),
        Role("negative"),
        Role("query_id", required=False),
        Role("document_id", required=False),
    )

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Exactly one negative column."""
        return len(mapping["negative"]) == 1
