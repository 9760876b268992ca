"""Backends, found by the name of their file or folder in this package.

A module of ``backends`` is a backend when it defines (or a folder's ``__init__`` brings in) a concrete
:class:`~backends.base.Backend` whose ``name`` is the module's.
"""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

import backends
from backends.base import Backend
from data.problems import BadPreset, Where, error, say


@cache
def names() -> tuple[str, ...]:
    """The names of all backends, in alphabetical order."""
    modules = sorted(item.name for item in pkgutil.iter_modules(backends.__path__))
    return tuple(name for name in modules if _class_in(name))


def find(name: str) -> Backend[Any]:
    """The backend called ``name``. Raises :class:`BadPreset` (``backend-unknown``)."""
    kind = _class_in(name) if name.isidentifier() else None
    if kind is None:
        told = say("There is no backend {name}.", name=name)
        fix = say("Choose one of: {names}.", names=", ".join(names()))
        raise BadPreset(error("backend-unknown", told, Where(key="backend"), fix))
    return kind()


@cache
def _class_in(name: str) -> type[Backend[Any]] | None:
    if not any(item.name == name for item in pkgutil.iter_modules(backends.__path__)):
        return None
    module = import_module(f"{backends.__name__}.{name}")
    kinds: list[Any] = list(vars(module).values())
    for kind in kinds:
        concrete = inspect.isclass(kind) and issubclass(kind, Backend) and not inspect.isabstract(kind)
        if concrete and getattr(kind, "name", None) == name:
            chosen: type[Backend[Any]] = kind
            return chosen
    return None
