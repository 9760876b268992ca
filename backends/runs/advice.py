"""Warnings in plain words while a run goes on, each with what to do; pure functions of what is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from tunewiz.backends.machine.hardware import Sample, child_use, last_written
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.smoothing import smooth
from tunewiz.backends.runs.state import Curve, RunState
from tunewiz.problems import Problem, say, warning

ENOUGH: Final = 30  # logged points before a curve is judged: fewer are noise of single batches
WINDOW: Final = 60.0  # seconds of samples that are looked at: what waits for less is writing a checkpoint
BUSY: Final = 0.05  # cores from which a process counts as computing
QUIET: Final = 300.0  # seconds without a word before a run is called silent: 8B in bf16 at 100 MB/s load in 160
GIB: Final = 1 << 30


def advice(state: RunState, samples: Sequence[Sample] = (), now: float = 0.0) -> tuple[Problem, ...]:
    """What to warn of: ``samples`` are the machine's last ones, ``now`` seconds since the epoch (0 leaves time out)."""
    if state.over:
        return ()
    found = [check(state) for check in _CURVES] if state.stage == "train" else []
    recent = [sample for sample in samples if sample.time >= samples[-1].time - WINDOW]
    found += [_idle(state, recent), _hot(recent), _disk(recent), _host(recent), _silent(state, recent, now)]
    return tuple(problem for problem in found if problem)


def _not_finite(state: RunState) -> Problem | None:
    if "loss" not in state.values or state.values["loss"] is not None:
        return None
    return warning(
        "loss-nan",
        say("The loss is no number any more (nan or infinite)."),
        fix=say("Stop it, lower training.learning_rate to a tenth, and use precision bf16 or fp32 in place of fp16."),
    )


def _diverging(state: RunState) -> Problem | None:
    line = _line(state.curves.get("loss"))
    if not line:
        return None
    lowest, last, before = min(line), line[-1], line[-max(2, len(line) // 5)]
    # Half above its best, and still rising: a tenth over the last fifth of the run. Noise does one or the other.
    if last <= lowest + 0.5 * abs(lowest) or last <= before * 1.1:
        return None
    return warning(
        "loss-diverging",
        say("The loss is rising: {last:.3f} now, {lowest:.3f} at its best.", last=last, lowest=lowest),
        fix=say("Stop it and lower training.learning_rate (try a third); a longer warm-up helps too."),
    )


def _flat(state: RunState) -> Problem | None:
    line = _line(state.curves.get("loss"))
    if not line or not state.total or state.step < 0.2 * state.total:
        return None  # the warm-up, in which little moves, is by default a tenth of the steps
    first, last = line[len(line) // 10], line[-1]
    # Two per cent: a smoothed loss wanders by less without learning. One that begins near zero has nothing to learn.
    if not first or abs(first - last) > 0.02 * abs(first) or first < 1e-3:
        return None
    return warning(
        "loss-flat",
        say("The loss has hardly moved: {first:.3f} at the start, {last:.3f} now.", first=first, last=last),
        fix=say("Raise training.learning_rate (three to ten times), and check that each column has the right role."),
    )


def _overfitting(state: RunState) -> Problem | None:
    curve, train = state.curves.get("eval_loss"), _line(state.curves.get("loss"))
    if curve is None or len(curve.values) < 3 or not train:
        return None
    best = min(range(len(curve.values)), key=curve.values.__getitem__)
    # Three per cent above its best, and two evaluations later at least: one worse evaluation is chance.
    rising = curve.values[-1] > curve.values[best] * 1.03 and len(curve.values) - best > 2
    if not rising or train[-1] > train[len(train) // 2]:
        return None
    return warning(
        "overfitting",
        say(
            "The loss on unseen data rises since step {step} while the training loss falls: it learns by heart.",
            step=curve.steps[best],
        ),
        fix=say("The best checkpoint is kept. Next time: fewer epochs, a lower learning rate, or more varied data."),
    )


def _gradients(state: RunState) -> Problem | None:
    curve = state.curves.get("grad_norm")
    if curve is None or len(curve.values) < ENOUGH:
        return None
    usual = sorted(curve.values)[len(curve.values) // 2]
    last = sorted(curve.values[-5:])[2]  # the middle of five: a single spike is clipped and forgotten
    # Ten times the median, and large in itself: near the end of training the usual norm may be 0.01.
    if last < 10 * usual or last < 1:
        return None
    return warning(
        "gradients-exploding",
        say("Gradients are {times:.0f} times as large as usual.", times=last / usual if usual else 10.0),
        fix=say("If the loss follows them up, stop and lower training.learning_rate or training.max_grad_norm."),
    )


def _idle(state: RunState, samples: Sequence[Sample]) -> Problem | None:
    """The run's GPU waits. Which GPU is the run's cannot be known everywhere: the busiest one stands for it."""
    shares = [max((gpu.utilisation for gpu in sample.gpus if gpu.utilisation is not None), default=None)
              for sample in samples]  # fmt: skip
    known = [share for share in shares if share is not None]  # a sample a second or so: 20 are a third of WINDOW
    if state.stage != "train" or len(known) < 20 or not state.step:
        return None
    mean = sum(known) / len(known)
    if mean >= 25:  # NVML counts the time in which any kernel runs: a fed GPU shows 90 and more
        return None
    return warning(
        "gpu-idle",
        say("The GPU is busy for only {percent:.0f} % of the time: it waits for data or steps are too small.",
            percent=mean),
        fix=say("Raise training.batch_size; without the memory for that, see whether disk or processor is the limit."),
    )  # fmt: skip


def _hot(samples: Sequence[Sample]) -> Problem | None:
    hottest = max((gpu.temperature or 0 for sample in samples[-1:] for gpu in sample.gpus), default=0)
    if hottest < 88:  # °C; `nvidia-smi -q -d TEMPERATURE` tells a card's own slowdown temperature, about 90 on most
        return None
    return warning(
        "gpu-hot",
        say("A GPU is at {degrees} °C: it slows itself down to cool.", degrees=hottest),
        fix=say("Nothing is lost, it only takes longer; tell whoever looks after the machine."),
    )


def _disk(samples: Sequence[Sample]) -> Problem | None:
    free, total = (samples[-1].disk_free, samples[-1].disk_total) if samples else (None, None)
    # 2 GiB hold a checkpoint of a BERT-base with its optimizer (1.3 GB). On a big disk the last 2 % go fast: others
    # write there too.
    if free is None or not total or (free > 2 * GIB and free > 0.02 * total):
        return None
    return warning(
        "disk-nearly-full",
        say("The disk has only {free:.1f} GiB left: a checkpoint may not fit.", free=free / GIB),
        fix=say("Free some space now, such as checkpoints of old runs; the run goes on meanwhile."),
    )


def _host(samples: Sequence[Sample]) -> Problem | None:
    # 4 % of 16 GiB are 650 MB: one larger batch, and the kernel's out-of-memory killer picks the largest process.
    if not samples or not samples[-1].host_total or samples[-1].host_free > 0.04 * samples[-1].host_total:
        return None
    return warning(
        "memory-nearly-full",
        say(
            "Only {free:.1f} GiB of host memory are left: the system may kill the run.",
            free=samples[-1].host_free / GIB,
        ),
        fix=say("Close other programs, or stop the run and start it with a smaller batch."),
    )


def _silent(state: RunState, samples: Sequence[Sample], now: float) -> Problem | None:
    heard = max(state.updated, samples[-1].child_log or 0.0 if samples else 0.0)
    if not now or state.status not in ("running", "waiting") or not heard or now - heard < QUIET:
        return None
    known = [(sample.time, sample.child_cpu) for sample in samples if sample.child_cpu is not None]
    return silence(now - heard, computing(known[0], known[-1]) if known else None)


def computing(earlier: tuple[float, float], later: tuple[float, float]) -> float | None:
    """How many cores were busy between two moments, each a time and the seconds computed until then."""
    span = later[0] - earlier[0]
    return max(0.0, later[1] - earlier[1]) / span if span > 0 else None


def silence(seconds: float, cores: float | None) -> Problem:
    """That nothing was heard of a run for so long, and what its process does meanwhile."""
    told = say("{minutes:.0f} minutes", minutes=seconds / 60) if seconds >= 90 else say("{count:.0f} s", count=seconds)
    fix = say("Loading a large model may take that long; the log shows what it is doing.")
    if cores is None:
        message = say("No sign of the run for {time}.", time=told)
    elif cores >= BUSY:
        message = say(
            "No sign of the run for {time}; it is still using the CPU ({percent:.0f} % of a core).",
            time=told,
            percent=100 * cores,
        )
    else:
        message = say(
            "No sign of the run for {time}, and it is not using the CPU: it waits for something, such as a download, "
            "a disk or another process.",
            time=told,
        )
        fix = say("The end of the log shows what it did last. If it does not go on, stop it and resume it.")
    return warning("run-silent", message, fix=fix)


class Listening:
    """Notices that a run says nothing, for who follows it in lines: told once, and again when it has lasted twice so.

    ``patience`` is in seconds. Whether it computes is measured from half of it on, at least for a tenth of it.
    """

    def __init__(self, run: Run, patience: float = QUIET) -> None:
        self._run = run
        self._first = self._patience = patience
        self._heard = 0.0
        self._before: tuple[float, float | None] | None = None

    def look(self, state: RunState, now: float) -> Problem | None:
        """What to tell now, at the time ``now`` in seconds since the epoch."""
        heard = max(state.updated, last_written(self._run.log_file) or 0.0)
        if heard != self._heard:
            self._heard, self._patience, self._before = heard, self._first, None
        quiet = now - heard
        if state.over or not heard or quiet < self._patience / 2:
            return None
        if self._before is None:
            self._before = (now, child_use(self._run).cpu)
        since, computed = self._before
        if quiet < self._patience or now - since < self._first / 10:
            return None
        self._patience, self._before = 2 * quiet, None
        cpu = child_use(self._run).cpu
        known = computed is not None and cpu is not None
        return silence(quiet, computing((since, computed or 0.0), (now, cpu or 0.0)) if known else None)


@lru_cache(maxsize=4)  # several ask for the same one at each look
def _line(curve: Curve | None) -> tuple[float, ...]:
    """The smoothed curve without single spikes, empty while there is too little to judge."""
    if curve is None or len(curve.values) < ENOUGH:
        return ()
    values = [value for value in curve.values if math.isfinite(value)]
    medians = [sorted(values[at - 2 : at + 3])[2] for at in range(2, len(values) - 2)]
    return smooth(medians)


_CURVES: Final[Iterable[Callable[[RunState], Problem | None]]] = (
    _not_finite, _diverging, _flat, _overfitting, _gradients,
)  # fmt: skip
