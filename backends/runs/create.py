"""Making a run: a fresh directory with the preset as run and the record of where and how, and of what it made."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.ranks.place import here
from tunewiz.backends.runs.disk import disk_problems
from tunewiz.backends.runs.ends import reason
from tunewiz.backends.runs.manifest import Fault, described, faults
from tunewiz.backends.runs.run import Run
from tunewiz.files import PRIVATE, read_object, read_own_json, write_json, write_whole
from tunewiz.presets.preset import Preset, name_problems
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset, Message, Problem, error, errors, say
from tunewiz.redaction import redacted_arguments

RECORDED: Final = [
    "tunewiz",
    "torch",
    "transformers",
    "sentence-transformers",
    "peft",
    "accelerate",
    "datasets",
    "FlagEmbedding",
    "llamafactory",
    "faiss-cpu",
    "bm25s",
    "bitsandbytes",
]


def create(preset: Preset, runs: Path, name: str | None = None, command: Sequence[str] = ()) -> Run:
    """A new directory ``<name>-<yyyymmdd-hhmmss>`` under ``runs`` with ``preset.yaml`` and ``run.json`` in it.

    It is its owner's alone, whatever the umask: data, answers and paths are nobody else's business. ``name`` stands in
    for the preset's. Raises ``BadPreset`` when it is no name, when the place cannot be written to, and when its disk is
    too small for the run.

    >>> from tunewiz.presets.yaml.library import load
    >>> run = create(load("faq-embedding.yaml", ["training.epochs=1"]), Path("elsewhere"), name="first-try")
    >>> run.name.startswith("first-try-"), run.preset_file.is_file()
    (True, True)
    """
    wanted = preset.name if name is None else name
    wrong = name_problems(wanted, "name" if name is None else "--name") or errors(disk_problems(preset, runs))
    if wrong:
        raise BadPreset(*wrong)
    run = Run(_fresh(runs.resolve(), wanted))
    record = {"created": time.time(), "command": redacted_arguments(command), "python": sys.version.split()[0]}
    try:
        write_whole(run.preset_file, dumps(preset), PRIVATE)
        write_json(run.record_file, record | {"seed": _seed(preset), "versions": versions()}, PRIVATE)
    except OSError as fault:
        shutil.rmtree(run.directory, ignore_errors=True)
        raise BadPreset(_unwritable(runs, reason(fault))) from fault
    return run


def add_to_record(run: Run, **facts: Any) -> None:
    """Add ``facts`` to ``run.json``; only the child does this once it is started.

    Raises ``OSError`` where what is there cannot be read, and must not be replaced by less; a damaged one may.
    """
    if not here().first:  # one process of a training writes
        return
    try:
        found = read_own_json(run.record_file)
    except (FileNotFoundError, ValueError):
        found = {}
    write_json(run.record_file, (found if isinstance(found, dict) else {}) | facts, PRIVATE)


def record_folder(run: Run, folder: Path) -> None:
    """Add to ``run.json`` what is in ``folder`` of ``run`` now that it is whole and on disk."""
    told = _recorded(run)
    add_to_record(run, whole=told | {run.relative(folder): described(folder)})


def recorded_faults(run: Run, folder: Path, thorough: bool = True) -> list[Fault] | None:
    """How ``folder`` differs from its record; ``None`` where there is no record, as of runs of older versions."""
    told = _recorded(run)
    name = run.relative(folder)
    return faults(folder, told[name], thorough) if name in told else None


def _recorded(run: Run) -> dict[str, Any]:
    told = read_object(run.record_file).get("whole")
    return told if isinstance(told, dict) else {}


def versions() -> dict[str, str]:
    """Installed versions of the packages a result depends on."""
    found = {}
    for package in RECORDED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _seed(preset: Preset) -> int:
    return preset.training.seed


def _fresh(runs: Path, name: str) -> Path:
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for attempt in range(1, 1000):  # runs of one name begun in one second: a loop of a shell script, at most
        directory = runs / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            directory.mkdir(0o700)
            directory.chmod(0o700)  # a umask may have taken more away
        except FileExistsError:
            if not runs.is_dir():
                break
            continue
        except OSError as fault:
            raise BadPreset(_unwritable(runs, reason(fault))) from fault
        return directory
    raise BadPreset(_unwritable(runs, say("not a directory")))


def _unwritable(runs: Path, why: Message) -> Problem:
    return error(
        "runs-dir-not-writable",
        say("No run can be written under {folder}: {reason}.", folder=runs, reason=why),
        fix=say("Name another folder with --runs-dir."),
    )
