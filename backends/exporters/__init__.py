"""Exporters, one file each, found by file name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from backends.exporters.base import Exporter
from data.by_file_name import classes


@cache
def catalogue() -> Mapping[str, type[Exporter]]:
    """Every exporter by name: a module that defines a concrete :class:`Exporter` of the module's name."""
    return classes(__name__, Exporter)
