"""Tasks, one file each, found by file name: the sections a preset of that task has."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from presets.preset import Preset


@cache
def catalogue() -> Mapping[str, type[Preset]]:
    """The class of presets of every task by the task's name, those to begin with first."""
    found: dict[str, type[Preset]] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Preset) and kind.__module__ == module.__name__:
                found |= {name: kind} if kind.model_fields["task"].default == name else {}
    return dict(sorted(found.items(), key=lambda item: item[1].PLACE))
