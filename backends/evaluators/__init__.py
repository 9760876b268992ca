"""Evaluators, one file each, found by file name."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from backends.evaluators.base import Evaluator


@cache
def catalogue() -> Mapping[str, type[Evaluator[Any]]]:
    """Every evaluator by name: a module that defines a concrete :class:`Evaluator` of the module's name."""
    found: dict[str, type[Evaluator[Any]]] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            concrete = inspect.isclass(kind) and issubclass(kind, Evaluator) and not inspect.isabstract(kind)
            if concrete and kind.name == name:
                found[name] = kind
    return found
