"""Strategies for hard negatives, one file each, found by file name; ``mining.py`` applies one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from backends.negatives.base import Strategy
from data.by_file_name import classes
from data.problems import Problem, Where, error, say

#: What a preset says to mine nothing.
NONE = "none"


@cache
def catalogue() -> Mapping[str, type[Strategy]]:
    """Every strategy by name, in alphabetical order."""
    return classes(__name__, Strategy)


def problems(strategy: str, key: str = "data.negatives.strategy") -> list[Problem]:
    """One problem (``negatives-strategy-unknown``) when there is no such strategy."""
    if strategy == NONE or strategy in catalogue():
        return []
    told = say("There is no strategy {name} for negatives.", name=strategy)
    fix = say("Choose one of: {names}.", names=", ".join([NONE, *catalogue()]))
    return [error("negatives-strategy-unknown", told, Where(key=key), fix)]
