"""A run inside another one: laid out as any run, in a folder below the other, which hears of it and can stop it."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunewiz.backends.engines import Backend, stages_to_do
from tunewiz.backends.ranks import torchrun
from tunewiz.backends.runs.create import record_folder
from tunewiz.backends.runs.events import STAGE_NAMES, Evaluated, Event, Noticed, Progress, Saved, Stage, StageName
from tunewiz.backends.runs.manifest import described
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.batch_sizes import settle
from tunewiz.files import replacing, write_json, write_whole
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import Message, TunewizError, error, note, say


@dataclass(frozen=True)
class InnerRun(Run):
    """``stage`` is the outer run's stage that it is part of, ``what`` names it there."""

    outer: Run
    stage: StageName
    what: str

    @property
    def stop_file(self) -> Path:
        """The outer run's."""
        return self.outer.stop_file

    def whereabouts(self) -> dict[str, Any]:
        """With the run that it is part of."""
        own = super().whereabouts()
        return own | {"outer": self.outer.whereabouts(), "stage": self.stage, "what": self.what}

    def emit(self, event: Event) -> None:
        """Tell of ``event`` here, and of what concerns the whole out there."""
        super().emit(event)
        if isinstance(event, Progress):
            self.outer.emit(replace(event, stage=self.stage, part=f"{self.what}/{event.stage}"))
        elif isinstance(event, Noticed):
            self.outer.emit(event)
        elif isinstance(event, Evaluated) and event.when != "during":
            # "during" keeps it apart from the outer run's own before and after.
            self.outer.emit(replace(event, when="during", what=f"{self.what} {event.when}"))

    def go_through(self, backend: Backend[Any], preset: Preset, title: Message) -> None:
        """All stages that are not done yet; ``title`` tells what runs."""
        if not self.preset_file.is_file():
            self.directory.mkdir(parents=True, exist_ok=True)
            write_json(self.record_file, {"created": time.time(), "within": self.outer.name})
            write_whole(self.preset_file, dumps(preset))
        for name in stages_to_do(self, backend, preset):
            preset = settle(self, load(str(self.preset_file)), name)  # in which a stage may have written what it chose
            if name == "report":
                backend.tidy(self, preset)
            self.check_stop()
            self.outer.notice(note("inner-stage", say("{title}: {stage}.", title=title, stage=say(STAGE_NAMES[name]))))
            self.outer.emit(Stage(name=self.stage))  # the time that is left counts from here
            begun = time.monotonic()
            super().emit(Stage(name=name))
            if name == "train":
                torchrun.train(self, backend, preset)
            else:
                getattr(backend, name)(self, preset)
            super().emit(Stage(name=name, ended=True, seconds=time.monotonic() - begun))
        self.outer.emit(Stage(name=self.stage))


def adopt_model(run: Run, source: Path) -> None:
    """Make the model in ``source``, of a run inside ``run``, the run's own. Raises ``TunewizError`` on a bad copy."""
    with replacing(run.model) as part:
        shutil.copytree(source, part, dirs_exist_ok=True)
        if described(part) != described(source):
            message = say("The copy of {folder} is not what was copied.", folder=run.relative(source))
            raise TunewizError(error("export-differs", message, fix=say("Look at the disk, then resume the run.")))
    record_folder(run, run.model)
    run.emit(Saved(what="model", path=run.relative(run.model)))
