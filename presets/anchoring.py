"""Relative paths of a preset, made absolute: nothing depends on the directory a command is typed in.

A path in a preset is relative to the preset's own folder; one given with ``--set`` to the current directory, as every
path on a command line is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presets import fields
from presets.preset import Preset
from presets.tree import Path as Keys
from presets.tree import Tree

SAMPLE = "sample:"


def anchor(tree: Tree, folder: Path, kind: type[Preset]) -> None:
    """Make the paths in ``tree`` absolute; ``folder`` is the preset's own."""
    for key in list(fields.keys(kind, tree.value)):
        field = fields.field_at(kind, key, tree.value)
        value = tree.node(key)
        if field is None or not isinstance(value, str) or not value.strip():
            continue
        base = Path.cwd() if tree.where(key).file.startswith("--set ") else folder
        is_path = bool(fields.about(field, "path")) and not value.startswith(SAMPLE)
        is_model = key == ("model", "id") and _is_folder(value, base, tree.node(("model", "source")))
        if is_path or is_model:
            _replace(tree, key, absolute(value, base))


def absolute(value: str, base: Path) -> str:
    """``value`` from ``base``, ``~`` expanded; unchanged where that is impossible (an unknown user's home)."""
    try:
        return str((base / Path(value.strip()).expanduser()).absolute())
    except RuntimeError:
        return value


def _is_folder(value: str, base: Path, source: Any) -> bool:
    """Whether a model's id is a path: said so, written so, or a folder that is there."""
    written_so = value.startswith(("/", "./", "../", "~")) or source == "local"
    try:
        return written_so or (source in (None, "auto") and (base / value).is_dir())
    except (OSError, ValueError):  # too long, or with characters no path can hold
        return False


def _replace(tree: Tree, key: Keys, value: str) -> None:
    holder = tree.node(key[:-1])
    if isinstance(holder, dict):
        holder[key[-1]] = value
