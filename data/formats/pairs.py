"""Pairs: a query and a text that answers it."""

from __future__ import annotations

from typing import ClassVar

from data.formats.base import GroupFormat, Role
from data.language import N_


class Pairs(GroupFormat):
    """One query and one positive a row."""

    name: ClassVar[str] = "pairs"
    title: ClassVar[str] = N_("Pairs")
    description: ClassVar[str] = N_("A query and a text that answers it in each row; other rows serve as negatives.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive"),
        Role("query_id", required=False),
        Role("document_id", required=False),
    )
