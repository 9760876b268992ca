"""The machine, as far as choices depend on it, and how long a run will take on it, judged by earlier ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil

from tunewiz.backends import sources
from tunewiz.backends.machine.hardware import Gpu, gpus
from tunewiz.backends.ranks.plan import is_free
from tunewiz.backends.runs.find import all_runs, runs_dir
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.sources import huggingface, modelscope
from tunewiz.backends.sources.asking import Answer, ask, in_time
from tunewiz.backends.stages.foresight import Work, guessed
from tunewiz.language import translate
from tunewiz.presets import families
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.families import lookup
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.recipe import open_keys
from tunewiz.presets.sections.model import Model
from tunewiz.presets.yaml import library
from tunewiz.printable import duration
from tunewiz.problems import BadPreset, Message, say
from tunewiz.tui.widgets.drawing import Part

# How long a run will take, judged by earlier runs of the same model on this machine.


#: The newest runs that are looked at.
_MOST: Final = 30


@dataclass(frozen=True)
class Pace:
    """What a finished run took: ``tokens`` at most (texts x max length) in ``train`` seconds, ``rest`` for all else."""

    run: str
    model: str
    method: str
    tokens: float
    train: float
    rest: float


def paces(folder: Path) -> tuple[Pace, ...]:
    """The paces of the newest finished runs in ``folder``, the newest first."""
    found = []
    for run in list(reversed(all_runs(folder)))[:_MOST]:
        state = read_state(run)
        seconds = state.seconds.get("train", 0.0)
        if state.status != "finished" or seconds <= 0 or not state.step:
            continue
        try:
            preset = library.load(run.preset_file)
        except BadPreset:
            continue
        texts = state.step * preset.training.batch_size * preset.training.accumulation * _texts_a_row(preset)
        rest = sum(state.seconds.values()) - seconds
        tokens = texts * preset.training.max_length
        found.append(Pace(run.name, _model(preset.model.id), _method(preset), tokens, seconds, rest))
    return tuple(found)


def time_line(draft: Draft, rows: int, known: tuple[Pace, ...]) -> list[Part]:
    """How long ``draft`` will take with ``rows`` training rows and how that is known, or that it is not."""
    preset = draft.checked()[0]
    pace = _like(preset, known) if preset else None
    steps = steps_of(preset, rows) if preset else 0.0
    if preset is None or pace is None or not steps:
        guess = _guessed(preset, rows) if preset and rows else None
        told = say("Time: {about}", about=guess).text() if guess else translate("Time: estimated after the start")
        return [(told, "dim")]
    training = preset.training
    tokens = steps * training.batch_size * training.accumulation * _texts_a_row(preset) * training.max_length
    seconds = pace.train * tokens / pace.tokens + pace.rest
    message = say("Time: about {time}, at the pace of {run}", time=duration(seconds), run=pace.run)
    return [(message.text(), "plain")]


def _guessed(preset: Preset, rows: int) -> Message | None:
    """Between bounds, where it is not minutes: what a processor takes for texts of half the length that is read."""
    if not isinstance(preset, RetrievalPreset) or (preset.launch.device != "cpu" and gpus()):
        return None
    texts = rows * (_texts_a_row(preset) - preset.cross_encoder)  # a reranker reads the query with each document
    return guessed(preset, Work(rows, texts, preset.training.max_length / 2), None)


def steps_of(preset: Preset, rows: int) -> float:
    """Steps that ``rows`` training rows make; 0 while their number, or that of the epochs, is not known."""
    training = preset.training
    if "epochs" in open_keys(training):
        return 0.0
    steps = rows * training.epochs / (training.batch_size * training.accumulation)
    return min(steps, training.max_steps) if training.max_steps > 0 and rows else steps


def _like(preset: Preset, known: tuple[Pace, ...]) -> Pace | None:
    """The newest run with the same model and method."""
    wanted = (_model(preset.model.id), _method(preset))
    return next((pace for pace in known if (pace.model, pace.method) == wanted), None)


def _model(name: str) -> str:
    known = lookup(name)
    return known.size.id if known else name


def _method(preset: Preset) -> str:
    return str(getattr(getattr(preset, "method", None), "type", ""))


def _texts_a_row(preset: Preset) -> int:
    """The query and the passages that its loss compares it with."""
    mined: Any = getattr(getattr(preset, "data", None), "negatives", None)
    negatives = mined.per_query if mined is not None and mined.strategy != "none" else 0
    loss: Any = getattr(preset, "loss", None)
    return 1 + (loss.core.passages(negatives) if loss is not None else 1 + negatives)


# The machine, as far as choices depend on it; found out once, in a worker thread.


#: GPUs by these names compute bf16 slowly or not at all (before Ampere).
_OLD: Final = ("V100", "T4", "P100", "P40", "P4", "K80", "GTX", "RTX 20", "TITAN", "Quadro")


@dataclass(frozen=True)
class Machine:
    """GPUs, memory and disk in bytes; ``cached`` holds the ids of models on this machine, ``paces`` what runs took.

    ``hubs``: whether models can be fetched; ``None`` while that is not known. ``slurm``: whether there is
    a batch system to hand jobs to.
    """

    gpus: tuple[Gpu, ...] = ()
    memory_free: int = 0
    disk_free: int = 0
    cached: frozenset[str] = frozenset()
    paces: tuple[Pace, ...] = ()
    hubs: bool | None = None
    slurm: bool = False

    @property
    def idle(self) -> list[Gpu]:
        """The GPUs on which hardly anything is taken."""
        return [gpu for gpu in self.gpus if is_free(gpu)]

    @property
    def gpu(self) -> Gpu | None:
        """The GPU with the most free memory."""
        return max(self.gpus, key=lambda gpu: gpu.memory_free or 0, default=None)

    @property
    def free(self) -> int | None:
        """Bytes free on that GPU; ``None`` where there is none."""
        return self.gpu.memory_free if self.gpu else None

    @property
    def half(self) -> bool:
        """Whether precision auto means 16 bits here, by the GPU's name."""
        return self.gpu is not None and not any(name in self.gpu.name for name in _OLD)


def look(runs: Path | None = None) -> Machine:
    """This machine now, with what the runs in ``runs`` took. Takes tens of milliseconds; imports nothing heavy."""
    return Machine(
        gpus=gpus(),
        memory_free=psutil.virtual_memory().available,
        disk_free=shutil.disk_usage(_existing(huggingface.cache())).free,
        cached=frozenset(_cached()),
        paces=paces(runs_dir(runs)),
        hubs=False if huggingface.offline() else None,
        slurm=batch_system(),
    )


def batch_system() -> bool:
    """Whether jobs can be handed to Slurm here."""
    return shutil.which("sbatch") is not None


def hubs_answer() -> bool:
    """Whether a hub answers now; takes seconds where none does."""
    asked = {
        name: partial(ask, address, sources.ONE_ANSWER)
        for name, address in (("huggingface", huggingface.endpoint()), ("modelscope", modelscope.endpoint()))
    }
    answers = in_time(asked, sources.ALL_ANSWERS)
    return any(isinstance(answer, Answer) and answer.status > 0 for answer in answers.values())


def _cached() -> Iterator[str]:
    """Ids of the known models that are whole on this machine, whichever source brought them."""
    for known in families.known_models():
        if sources.find_cached(Model(id=known.size.id)):
            yield known.size.id


def _existing(path: Path) -> Path:
    """``path`` or the nearest folder above it that is there."""
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))
