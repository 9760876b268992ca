"""Evaluators, one file each, found by file name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from backends.evaluators.base import Evaluator
from data.by_file_name import classes


@cache
def catalogue() -> Mapping[str, type[Evaluator[Any]]]:
    """Every evaluator by name: a module that defines a concrete :class:`Evaluator` of the module's name."""
    return classes(__name__, Evaluator)
