"""Tasks, one file each, found by file name: the sections a preset of that task has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from data.by_file_name import classes
from presets.preset import Preset


@cache
def catalogue() -> Mapping[str, type[Preset]]:
    """The class of presets of every task by the task's name, those to begin with first."""
    found = classes(__name__, Preset, lambda kind: kind.model_fields["task"].default)
    return dict(sorted(found.items(), key=lambda item: item[1].PLACE))
