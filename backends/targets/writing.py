"""Exporting a run to a target, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from backends.runs.run import Run
from backends.targets import catalogue
from data.problems import BadPreset, Message, error, say
from presets.library import load
from presets.wording import suggestion


def write(run: Run, name: str, out: Path) -> Message:
    """Write ``run`` in the form of the target ``name`` into the folder ``out``; how it is used from there.

    Raises :class:`BadPreset` when there is no such target for the task, or ``out`` holds something already.
    """
    preset = load(str(run.preset_file))
    fitting = [target for target in catalogue() if preset.task in catalogue()[target].tasks]
    if name not in fitting:
        told = say("A run of the task {task} cannot be exported to {name}.", task=preset.task, name=name)
        fix = suggestion(name, fitting) or say("Choose one of: {names}.", names=", ".join(fitting))
        raise BadPreset(error("unknown-target", told, fix=fix))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        told = say("{path} is not empty.", path=out)
        raise BadPreset(error("out-not-empty", told, fix=say("Name a folder that is empty or not there yet.")))
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        use = catalogue()[name].write(run, preset, part)
        if out.is_dir():
            out.rmdir()
        part.rename(out)
    except OSError as fault:
        told = say("{path} cannot be written: {reason}.", path=out, reason=fault.strerror or str(fault))
        raise BadPreset(error("out-not-writable", told)) from fault
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return use
