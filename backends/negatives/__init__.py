"""Strategies for hard negatives, one file each, found by file name; ``mining.py`` applies one."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from backends.negatives.base import Strategy
from data.problems import Problem, Where, error, say

#: What a preset says to mine nothing.
NONE = "none"


@cache
def catalogue() -> Mapping[str, type[Strategy]]:
    """Every strategy by name, in alphabetical order."""
    found: dict[str, type[Strategy]] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Strategy) and getattr(kind, "name", None) == name:
                found[name] = kind
    return found


def problems(strategy: str, key: str = "data.negatives.strategy") -> list[Problem]:
    """One problem (``negatives-strategy-unknown``) when there is no such strategy."""
    if strategy == NONE or strategy in catalogue():
        return []
    told = say("There is no strategy {name} for negatives.", name=strategy)
    fix = say("Choose one of: {names}.", names=", ".join([NONE, *catalogue()]))
    return [error("negatives-strategy-unknown", told, Where(key=key), fix)]
