"""A probe before training: the longest batch, forward and backward, with the optimizer's whole state in memory.

Training begins with whatever batch the draw puts first; the one that memory runs out on may come hours later. The
probe takes that batch first, in seconds, and tells the peak beside what was estimated, and how long all steps will
take by this one. It leaves no trace: neither weights nor optimizer nor any random number of the training to come differ
from what they would be without it.
"""

from __future__ import annotations

import copy
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

import psutil

from tunewiz.backends import readiness, sources
from tunewiz.backends.machine.hardware import host_free
from tunewiz.backends.ranks.place import agreed
from tunewiz.backends.runs.events import Probed
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.checkpoints import epochs_through
from tunewiz.backends.training.out_of_memory import is_memory
from tunewiz.files import read_object
from tunewiz.presets.memory import GB, Estimate
from tunewiz.presets.preset import Preset
from tunewiz.problems import Message, note, say

#: On a CPU the probe is taken where the high estimate passes this share of the memory that is free: below it there is
#: room for twice of what is expected, and seconds of a short training are not spent.
NEAR: Final = 0.5
#: ... and where it has at least as many steps as this, beside which two more are nothing: then for the time alone.
LONG: Final = 200
#: Seconds between two looks at the resident memory.
_LOOK: Final = 0.005
#: What trainers gather of each step for their log, beside the loss.
_GATHERED: Final = ("_stored_metrics", "accum_loss_components")
_CASES: Final = ("low", "expected", "high")
#: Rows of a data set whose lengths are looked up at a time.
_AT_ONCE: Final = 10_000


@contextmanager
def probed(run: Run, preset: Preset, device: str) -> Iterator[None]:
    """Let the first epoch of a Trainer in this block begin with a probe, where one is due; the run is told its peak.

    ``device`` is ``cpu`` or ``cuda``. A lack of memory is raised as the libraries raise it.
    """
    located = sources.find_cached(preset.model)
    estimate = readiness.estimate(preset, located, read_object(run.record_file).get("row_texts", 0))
    if read_state(run).probe:  # once for a run, and anew where its preset was changed
        yield
        return
    done, due = False, _is_due(estimate, device)

    def probe_first(trainer: Any, epoch: Callable[[], None], given: Mapping[str, Any]) -> None:
        nonlocal done
        countable = hasattr(given["train_dataloader"].dataset, "__len__")  # of a stream no row is the longest
        if not done and countable and agreed(due or _ahead(trainer) >= LONG):
            try:
                _tell(run, take(trainer, given["model"], given["train_dataloader"], device), estimate, device)
            except Exception as fault:
                if is_memory(fault):
                    raise
                traceback.print_exc()  # training may do what cannot be tried; if not, it says so itself
        done = True
        epoch()

    with epochs_through(probe_first):
        yield


def _is_due(estimate: Estimate | None, device: str) -> bool:
    """On a GPU always, on a CPU where it may become tight."""
    return device != "cpu" or (estimate is not None and estimate.high > NEAR * host_free())


def _ahead(trainer: Any) -> int:
    """Steps that are still to be taken."""
    return int(trainer.state.max_steps) - int(trainer.state.global_step)


class Taken(NamedTuple):
    """What a probe found: the ``peak`` in bytes (of a GPU what torch reserved, else resident), ``rows`` of the longest
    batch, ``seconds`` of all of it, and those that one batch took; ``training``: those that all batches will take.
    """

    peak: int
    rows: int
    seconds: float
    batch: float
    training: float


def _tell(run: Run, found: Taken, estimate: Estimate | None, device: str) -> None:
    foreseen = {name: float(getattr(estimate, name)) for name in _CASES} if estimate else {}
    seconds = {"seconds": found.seconds, "training": found.training}
    run.emit(Probed(peak=found.peak, device=device, rows=found.rows, **seconds, estimate=foreseen))
    numbers: dict[str, Any] = {"peak": round(found.peak / GB, 1), "seconds": round(found.seconds, 1)}
    numbers["rows"] = found.rows
    if estimate is None:
        message = say("The longest batch ({rows} rows) took {peak} GiB of memory, tried before training.", **numbers)
    else:
        message = say(
            "The longest batch ({rows} rows) took {peak} GiB of memory, tried before training; about {expected} GiB "
            "({low} to {high}) were estimated.",
            **numbers,
            **{name: round(value / GB, 1) for name, value in foreseen.items()},
        )
    run.notice(note("memory-probed", message))
    run.notice(note("time-foreseen", time_told(found)))


def time_told(found: Taken) -> Message:
    """How long training will take by what the probe took."""
    batch = round(found.batch, 2 if found.batch < 1 else 1)
    return say(
        "Training will take about {time}: the longest batch took {batch} s, others less as they are shorter.",
        time=about(found.training),
        batch=batch,
    )


def about(seconds: float) -> Message:
    """``seconds`` as one says what is only roughly known: ``40 s``, ``25 minutes``, ``3.5 hours``, ``4 days``."""
    if seconds < 90:
        return say("{count} s", count=round(seconds))
    if seconds < 90 * 60:
        return say("{count} minutes", count=round(seconds / 60))
    if seconds < 48 * 3600:
        return say("{count} hours", count=round(seconds / 3600, 1 if seconds < 10 * 3600 else None))
    return say("{count} days", count=round(seconds / 86400))


def take(trainer: Any, model: Any, loader: Any, device: str) -> Taken:
    """Try the longest batch.

    ``model`` is what ``trainer`` gives its steps, ``loader`` where their rows are from; its optimizer is made.
    """
    begun = time.monotonic()
    with _as_before(trainer, model), _peak(device) as peak:
        lengths = _lengths(trainer, loader.dataset)
        rows = longest(lengths, trainer.args.train_batch_size)
        for _ in range(2):  # the second with the optimizer's state
            stepped = time.monotonic()
            _step(trainer, model, loader.collate_fn([loader.dataset[row] for row in rows]))
            batch = time.monotonic() - stepped
    over = time.monotonic() - begun
    return Taken(peak[0], len(rows), over, batch, batch * _batches_like(trainer, lengths, rows))


def _batches_like(trainer: Any, lengths: Sequence[int], rows: Sequence[int]) -> float:
    """How many batches of ``rows`` cost as much as all that are still to be trained, by what each row costs."""
    mean, cost = sum(lengths) / max(1, len(lengths)), sum(lengths[row] for row in rows)
    batches = _ahead(trainer) * trainer.args.gradient_accumulation_steps
    return float(batches * len(rows) * mean / cost) if cost else float(batches)


def longest(lengths: Sequence[int], count: int) -> list[int]:
    """The numbers of the ``count`` longest rows, which fill a batch."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    return order[:count]


def _lengths(trainer: Any, rows: Any) -> Sequence[int]:
    """What each row costs: what the batches are planned by, else its tokens, else its characters."""
    plan = getattr(trainer, "plan", None) or getattr(getattr(trainer, "parts", None), "plan", None)
    if plan is not None and len(plan.rows.lengths):
        planned: Sequence[int] = plan.rows.lengths
        return planned
    names = [name for name in getattr(rows, "column_names", None) or () if name.endswith("input_ids")]
    if names and hasattr(rows, "with_format"):
        return _of_columns(rows, names)
    return [_length(rows[number]) for number in range(len(rows))]


def _of_columns(rows: Any, names: Sequence[str]) -> list[int]:
    """Without a Python list of every token."""
    import pyarrow.compute as pc

    table = rows.select_columns(list(names)).with_format("arrow")
    found: list[int] = []
    for start in range(0, len(rows), _AT_ONCE):
        part = table[start : start + _AT_ONCE]
        counts = [pc.list_value_length(part[name]).to_pylist() for name in names]
        found += [sum(filter(None, row)) for row in zip(*counts, strict=True)]
    return found


def _length(row: Any) -> int:
    if hasattr(row, "ids"):
        return len(row.ids)
    values = row.values() if isinstance(row, Mapping) else (row,)
    return sum(_size(value) for value in values)


def _size(value: Any) -> int:
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], str):
        return sum(map(len, value))
    return len(value) if isinstance(value, (str, list, tuple)) else 0


def _step(trainer: Any, model: Any, inputs: Any) -> None:
    """A step that teaches nothing: its gradients are thrown away before the optimizer sees them."""
    trainer.current_gradient_accumulation_steps = 1
    float(trainer.training_step(model, inputs))  # a GPU is asked for the number, and so waited for
    _allocate(trainer.optimizer)
    model.zero_grad()


def _allocate(optimizer: Any) -> None:
    """Let ``optimizer`` make its state: a step with gradients of zero at a rate of zero moves no weight by a bit."""
    inner = getattr(optimizer, "optimizer", optimizer)
    if inner.state or not _is_known(inner):
        return
    rates = [group["lr"] for group in inner.param_groups]
    try:
        for group in inner.param_groups:
            group["lr"] = 0.0
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad.zero_()
        inner.step()
    finally:
        for group, rate in zip(inner.param_groups, rates, strict=True):
            group["lr"] = rate


def _is_known(optimizer: Any) -> bool:
    """Whether a rate of zero is known to leave the weights alone: the optimizers that a preset can name."""
    names = {kind.__name__ for kind in type(optimizer).__mro__}
    return not names.isdisjoint({"AdamW", "Adam", "Adafactor", "SGD", "Optimizer8bit"})


# Before and after: nothing that training goes by differs.


@contextmanager
def _as_before(trainer: Any, model: Any) -> Iterator[None]:
    """Put back what a step changes: random numbers, gradients, the optimizer's state, what is counted and logged."""
    import numpy as np
    import torch

    inner = getattr(trainer.optimizer, "optimizer", trainer.optimizer)
    fresh, training = not inner.state, model.training
    gathered = {name: copy.deepcopy(getattr(trainer, name)) for name in _GATHERED if hasattr(trainer, name)}
    trained, drawn, numpy_drawn = getattr(trainer.state, "rows_trained", None), random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
            yield
    finally:
        random.setstate(drawn)
        np.random.set_state(numpy_drawn)
        model.zero_grad()
        model.train(training)
        if fresh:
            inner.state.clear()
        for name, value in gathered.items():
            setattr(trainer, name, value)
        if trained is None:
            trainer.state.__dict__.pop("rows_trained", None)
        else:
            trainer.state.rows_trained = trained
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@contextmanager
def _peak(device: str) -> Iterator[list[int]]:
    """A list that holds, when the block is over, the most memory that was taken within it, in bytes."""
    found = [0]
    if device != "cpu":
        import torch

        torch.cuda.reset_peak_memory_stats()
        yield found
        found[0] = int(torch.cuda.max_memory_reserved())
        return
    over, own = threading.Event(), psutil.Process()

    def look() -> None:
        while True:
            with suppress(psutil.Error):
                found[0] = max(found[0], own.memory_info().rss)
            if over.wait(_LOOK):
                return

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
