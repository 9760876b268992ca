"""What a finished run can be exported to, one target a file, found by file name."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from backends.targets.base import Target


@cache
def catalogue() -> Mapping[str, Target]:
    """Every target by name: a module that defines a concrete :class:`Target` of the module's name."""
    found: dict[str, Target] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            concrete = inspect.isclass(kind) and issubclass(kind, Target) and not inspect.isabstract(kind)
            if concrete and kind.name == name:
                found[name] = kind()
    return found
