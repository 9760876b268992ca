"""Trying out what a run left, one task a file, found by file name."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from backends.trying.base import Trial


@cache
def catalogue() -> Mapping[str, type[Trial[Any]]]:
    """Every trial by its task: a module that defines a concrete :class:`Trial` of the module's name."""
    found: dict[str, type[Trial[Any]]] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            concrete = inspect.isclass(kind) and issubclass(kind, Trial) and not inspect.isabstract(kind)
            if concrete and kind.name == name:
                found[name] = kind
    return found
