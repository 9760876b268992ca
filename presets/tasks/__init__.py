"""Tasks, one file each: the sections that a preset of that task has, and what does not go together in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tunewiz.presets.preset import Preset
from tunewiz.registry import Registry, field_default


@cache
def catalogue() -> Mapping[str, type[Preset]]:
    """The class of presets of every task by the task's name, those to begin with first."""
    found = Registry("tunewiz.presets.tasks", Preset, named=field_default("task")).classes()
    return dict(sorted(found.items(), key=lambda item: item[1].PLACE))
