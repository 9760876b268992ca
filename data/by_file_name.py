"""Classes found by the name of the file they are in, so that adding one means adding a file."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, cast

K = TypeVar("K")


def _name(kind: Any) -> object:
    return getattr(kind, "name", None)


def classes(package: str, base: Callable[..., K], named: Callable[[Any], object] = _name) -> dict[str, type[K]]:
    """The concrete subclass of ``base`` in each module of ``package`` that ``named`` gives the module's name.

    By that name, in alphabetical order. A class counts in the module that defines it, not where it is imported;
    modules without one, such as that of ``base``, are passed over.
    """
    kind_of = cast("type[K]", base)  # mypy takes no abstract class where a type[K] is wanted
    found: dict[str, type[K]] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(import_module(package).__path__)):
        module = import_module(f"{package}.{name}")
        own = [kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__]
        for kind in own:
            if issubclass(kind, kind_of) and not inspect.isabstract(kind) and named(kind) == name:
                found[name] = kind
    return found
