"""Runs side by side: their measures, and where their presets differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.runs.find import all_runs
from backends.runs.run import Run
from backends.runs.state import RunState

LEFT_OUT = frozenset({"name", "description"})  # keys in which runs always differ and which change nothing


@dataclass(frozen=True)
class Row:
    """One name and what each run has for it, in the order of the runs; "" where a run has nothing."""

    name: str
    values: tuple[str, ...]


def measures(states: Sequence[RunState]) -> tuple[Row, ...]:
    """The measures after training of each run, metric by metric, before → after where both are known."""
    names = dict.fromkeys(name for state in states for key in _after(state) for name in state.measured[key])
    return tuple(Row(name, tuple(_gain(state, name) for state in states)) for name in names)


def differences(runs: Sequence[Run]) -> tuple[Row, ...]:
    """The keys of the presets, as run, whose values are not the same in all ``runs``."""
    presets = [flattened(run.preset_file) for run in runs]
    keys = dict.fromkeys(key for preset in presets for key in preset if key not in LEFT_OUT)
    rows = (Row(key, tuple(preset.get(key, "") for preset in presets)) for key in keys)
    return tuple(row for row in rows if len(set(row.values)) > 1)


def flattened(preset_file: Path) -> dict[str, str]:
    """The keys of a preset's file, dotted, with their values as text; empty when it cannot be read."""
    import yaml

    try:
        tree = yaml.safe_load(preset_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return dict(_leaves(tree, "")) if isinstance(tree, dict) else {}


def _leaves(tree: Mapping[Any, Any], above: str) -> list[tuple[str, str]]:
    found = []
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and value:
            found += _leaves(value, f"{name}.")
        else:
            found.append((name, str(value)))
    return found


def rival(run: Run) -> Run | None:
    """The last run before ``run`` in its folder that is of the same task and was measured; what it is compared with."""
    earlier = []
    for other in all_runs(run.directory.parent):
        if other.directory == run.directory:
            break
        earlier.append(other)
    task = flattened(run.preset_file).get("task")
    measured = (other for other in reversed(earlier) if (other.report / "after.json").is_file())
    return next((other for other in measured if flattened(other.preset_file).get("task") == task), None)


def _after(state: RunState) -> list[str]:
    return [key for key in state.measured if key.startswith("after:")]


def _gain(state: RunState, name: str) -> str:
    for key in _after(state):
        after = state.measured[key].get(name)
        before = state.measured.get(f"before:{key.partition(':')[2]}", {}).get(name)
        if after is not None:
            return f"{before:.4f} → {after:.4f}" if before is not None else f"{after:.4f}"
    return ""
