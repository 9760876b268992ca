"""Room on the disk: what a run will write, whether that fits, and what to tell when the disk is full after all.

In bytes, with P weights of which T are trained::

    a checkpoint   4 P (an adapter: 4 T) + 8 T    weights and AdamW's two moments; for others see presets.memory
    checkpoints    those kept, and one more: the next is written before the oldest is deleted
    model          4 P for what training leaves, 4 P for what is exported (adapters: 4 T, exported also merged)
    data           twice the size of the files, five times where they are packed: prepared rows, corpus, mined negatives

The low case counts language models in 16 bit and data once.
"""

from __future__ import annotations

import errno
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tunewiz.backends import sources
from tunewiz.backends.runs.checkpoints import DAMAGED, choose
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import RESERVE, Run
from tunewiz.backends.sources import huggingface
from tunewiz.data.reading.source import resolve
from tunewiz.files import full_cause, read_object
from tunewiz.presets import families
from tunewiz.presets.memory import STATE, encoder, language_model
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.sweeping import many, points
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.library import load
from tunewiz.printable import amount
from tunewiz.problems import BadData, BadPreset, Message, Problem, TunewizError, Where, error, note, say, warning

_BESIDE: Final = RESERVE + (16 << 20)  # events, log, report and its pictures
_PACKED: Final = (".gz", ".bz2", ".xz", ".xlsx", ".xlsm", ".parquet")
_SHOWN: Final = 4  # things that could go
_COUNTED: Final = 20_000  # files whose sizes are added up; a folder with more is larger than told


@dataclass(frozen=True)
class Need:
    """Bytes that a run has on disk at its peak, by what they are for."""

    data: int = 0
    checkpoints: int = 0
    model: int = 0
    beside: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.data + self.checkpoints + self.model + self.beside


class Needs(NamedTuple):
    """The least that a run takes, and what it takes most likely."""

    low: Need
    expected: Need


def disk_problems(preset: Preset, folder: Path) -> list[Problem]:
    """Whether a run of ``preset`` fits on the disk that ``folder`` (which need not exist) is on.

    An error (``disk-too-small``) when not even the least fits, with what could be deleted; a warning (``disk-tight``)
    when it may not. Nothing is said of models whose size is not known here.
    """
    told, free = needs(preset), disk_free(folder)
    if free is None or told.expected.total <= free:
        return []
    low, expected = told
    facts = {"low": amount(low.total), "expected": amount(expected.total), "free": amount(free), "folder": folder}
    parts = {name: amount(getattr(expected, name)) for name in ("checkpoints", "model", "data")}
    message = say(
        "The run takes about {expected} of disk (checkpoints {checkpoints}, model {model}, data {data}), {low} at the "
        "least; {folder} has {free} left.",
        **facts,
        **parts,
    )
    fix = say(
        "Free some space, lower training.keep_checkpoints, train an adapter (method.type: lora), or name a folder on "
        "another disk with --runs-dir."
    )
    if low.total > free:
        return [error("disk-too-small", message, Where(file=str(folder)), fix), *could_go(folder)]
    return [warning("disk-tight", message, Where(file=str(folder)), fix)]


def disk_free(folder: Path) -> int | None:
    """Bytes free for us on the disk of ``folder``, or of the nearest parent that exists."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except (OSError, ValueError):
            continue
    return None


# What a run will write.


def needs(preset: Preset) -> Needs:
    """What a run of ``preset`` writes; of a model that is not known here only the data is counted."""
    if isinstance(preset, PipelinePreset):
        try:
            return _one_after_the_other([preset.first(), preset.reranker()])
        except BadPreset:
            return Needs(Need(), Need())
    if isinstance(preset, ComparisonPreset):
        return _one_after_the_other([preset.variant(strategy) for strategy in preset.strategies])
    if preset.several:
        try:
            ends = [point.preset for point in points(preset)]
            return _one_after_the_other([ends[number % len(ends)] for number in range(max(1, many(preset)))])
        except BadPreset:
            return Needs(Need(), Need())
    weights = _weights(preset)
    data = _data(preset)
    return Needs(_need(preset, weights, data, least=True), _need(preset, weights, data, least=False))


def _one_after_the_other(presets: Sequence[Preset]) -> Needs:
    """Models and data stay, checkpoints only while they are needed."""
    cases = zip(*(needs(preset) for preset in presets), strict=True)
    return Needs(*(_together(case) for case in cases))


def _together(parts: Sequence[Need]) -> Need:
    return Need(
        sum(part.data for part in parts),
        max(part.checkpoints for part in parts),
        sum(part.model for part in parts),
        max(part.beside for part in parts),
    )


class _Weights(NamedTuple):
    all: int
    trained: int


def _weights(preset: Preset) -> _Weights | None:
    """By the model's family, else by the configuration of a model that is on this machine."""
    known = families.lookup(preset.model.id)
    estimate = preset.memory(known) if known else None
    if known and estimate:
        return _Weights(known.size.parameters, estimate.trained)
    located = sources.find_cached(preset.model)
    config = read_object(Path(located.place) / "config.json") if located else {}
    estimate = preset.memory_by_config(config) if config else None
    shape = (
        language_model.decoder_of_config(config) if isinstance(preset, LlmPreset) else encoder.shape_of_config(config)
    )
    return _Weights(shape.parameters, estimate.trained) if shape and estimate else None


def _need(preset: Preset, weights: _Weights | None, data: int, least: bool) -> Need:
    rows = data if least else 2 * data
    beside = 0 if least else _BESIDE
    if weights is None:
        return Need(data=rows, beside=beside)
    each = 2 if least and isinstance(preset, LlmPreset) and preset.training.precision != "fp32" else 4
    adapter = preset.method.adapter if isinstance(preset, LlmPreset) else _has_lora(preset)
    optimizer = preset.training.optimizer
    moments = 0 if least and optimizer == "adafactor" else STATE[optimizer]
    left = each * (weights.trained if adapter else weights.all)
    merged = each * weights.all if adapter and _merges(preset) else 0
    checkpoint = round(left + moments * weights.trained)
    return Need(rows, _count(preset) * checkpoint, 2 * left + merged, beside)


def _has_lora(preset: Preset) -> bool:
    return isinstance(preset, RetrievalPreset) and isinstance(preset.method, Lora)


def _merges(preset: Preset) -> bool:
    return isinstance(preset, (LlmPreset, RetrievalPreset)) and preset.export.merge


def _count(preset: Preset) -> int:
    """Checkpoints that are there at once: the library keeps two where the best one must not be the last."""
    training = preset.training
    kept = max(training.keep_checkpoints, 2 if training.best_checkpoint and training.evaluations else 1)
    return min(kept + 1, max(1, training.evaluations))


def _data(preset: Preset) -> int:
    """Bytes of the files that rows are read from, as they are unpacked."""
    if not isinstance(preset, (LlmPreset, RetrievalPreset)):
        return 0
    found = 0
    trained = [dataset.path for dataset in preset.data.datasets]
    for path in filter(None, (*trained, preset.data.evaluation.data)):
        try:
            place = resolve(path)
        except BadData:
            continue  # told by who reads it
        files = [place] if place.is_file() else _files(place)
        found += sum(_size(file) * (5 if file.suffix.lower() in _PACKED else 1) for file in files)
    return found


def _files(folder: Path) -> Iterator[Path]:
    try:
        for count, path in enumerate(folder.rglob("*")):
            if count >= _COUNTED:
                return
            yield path
    except OSError:
        return


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return 0
    return found.st_size if path.is_file() else 0


# When the disk is full after all.


def full_problems(run: Run, fault: BaseException) -> list[Problem]:
    """What to tell of a run whose disk is full: which disk, what is free, what is needed, what could go."""
    fault = full_cause(fault) or fault
    place, free, total = _full_disk(run, fault)
    facts = {"folder": place, "free": amount(free), "total": amount(total)}
    left = _left(run)
    message = say(
        "The disk of {folder} is full: {free} of {total} are free, and what is left of the run takes about {left}.",
        left=amount(left),
        **facts,
    )
    if not left:
        message = say("The disk of {folder} is full: {free} of {total} are free.", **facts)
    if _over_quota(fault):
        message = say("Your quota on the disk of {folder} is used up.", folder=place)
    fix = say(
        "Make room, then go on from where it was: {command}. Nothing that was saved is lost.",
        command=f"tunewiz run --resume {run.typed}",
    )
    return [error("disk-full", message, Where(file=str(place)), fix), *could_go(run.directory.parent, run)]


def _full_disk(run: Run, fault: BaseException) -> tuple[Path, int, int]:
    """The folder whose disk is the fullest of those that a run writes to, with its free and all its bytes."""
    named = getattr(fault, "filename", None)
    places = [Path(str(named)).parent] if named else []
    found = []
    for place in (*places, run.directory, Path(tempfile.gettempdir()), huggingface.cache()):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        found.append((usage.free, place, usage.total))
    free, place, total = min(found, key=lambda item: item[0], default=(0, run.directory, 0))
    return place, free, total


def _over_quota(fault: BaseException) -> bool:
    words = str(fault).lower()
    return getattr(fault, "errno", None) == errno.EDQUOT or "quota exceeded" in words


def _left(run: Run) -> int:
    """Bytes that the run will still write; 0 where that cannot be told."""
    try:
        told = needs(load(run.preset_file)).expected
    except TunewizError:
        return 0
    return max(0, told.total - folder_size(run.directory))


def folder_size(folder: Path) -> int:
    """Bytes of the files in ``folder``, links not followed."""
    return sum(map(_size, _files(folder)))


class _Thing(NamedTuple):
    size: int
    path: Path
    what: Message
    whole: bool = False


def could_go(folder: Path, own: Run | None = None) -> list[Problem]:
    """What could be deleted to make room, one note each: first what nobody misses, the largest first.

    Checkpoints of finished runs, those of ``own`` that were never finished, vectors kept for `try`; then whole runs
    that are over. No whole checkpoint of ``own``: it may be the best, or the one that it goes on from.
    """
    things = sorted(_things(folder, own), key=lambda thing: (thing.whole, -thing.size))[:_SHOWN]
    return [
        note(
            "disk-could-go",
            say("{size} could go: {what}.", size=amount(thing.size), what=thing.what),
            fix=say("Delete it: {command}", command=f"rm -r {shlex.quote(str(thing.path))}"),
        )
        for thing in things
    ]


def _things(folder: Path, own: Run | None) -> Iterator[_Thing]:
    found = []
    for run in all_runs(folder):
        if (own is not None and run.directory == own.directory) or alive(run):
            continue
        over = read_state(run).status == "finished"
        if over:
            found.append(_thing(run.checkpoints, say("the checkpoints of {name}, which is finished", name=run.name)))
        found.append(_thing(run.directory / "cache", say("vectors kept to try {name}", name=run.name)))
        everything = _thing(run.directory, say("all of the run {name}", name=run.name))
        found.append(everything._replace(whole=True))
    mine = _half(own) if own else []
    found += [_thing(checkpoint, say("a checkpoint of this run that is not whole")) for checkpoint in mine]
    yield from (thing for thing in found if thing.size)


def _thing(path: Path, what: Message) -> _Thing:
    return _Thing(folder_size(path) if path.is_dir() else 0, path, what)


def _half(run: Run) -> list[Path]:
    """Checkpoints that no training goes on from: damaged ones, and those that were not written to their end."""
    passed = [path for path, _ in choose(run.checkpoints, thorough=False).passed]
    return [*passed, *run.checkpoints.glob(f"checkpoint-*{DAMAGED}")]
