"""Checks of training examples, one file each, found by file name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from data.checks.base import Check, Example, Setting
from data.problems import Problem

__all__ = ["Check", "Example", "Setting", "checks", "watch"]


@cache
def checks() -> tuple[type[Check], ...]:
    """Every check, in the order of their file names."""
    found: list[type[Check]] = []
    for module in sorted(item.name for item in pkgutil.iter_modules(__path__)):
        members = vars(importlib.import_module(f"{__name__}.{module}")).values()
        found += [
            member for member in members if isinstance(member, type) and issubclass(member, Check)
            and not inspect.isabstract(member) and member.__module__ == f"{__name__}.{module}"
        ]  # fmt: skip
    return tuple(found)


def watch(examples: Iterable[Example], setting: Setting, report: Callable[[Problem], None]) -> Iterator[Example]:
    """Pass ``examples`` through unchanged while every check looks at them; findings go to ``report``.

    What needs the whole is reported when the stream ends.
    """
    watching = [check(setting) for check in checks()]
    for example in examples:
        for check in watching:
            for problem in check.look(example):
                report(problem)
        yield example
    for check in watching:
        for problem in check.end():
            report(problem)
