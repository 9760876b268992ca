"""Trying out what a run left, one task a file, found by file name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from backends.trying.base import Trial
from data.by_file_name import classes


@cache
def catalogue() -> Mapping[str, type[Trial[Any]]]:
    """Every trial by its task: a module that defines a concrete :class:`Trial` of the module's name."""
    return classes(__name__, Trial)
