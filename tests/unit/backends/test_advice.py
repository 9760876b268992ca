"""Warnings: each appears when it should and not otherwise."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

from tunewiz.backends.machine.hardware import Gpu, Sample
from tunewiz.backends.runs.advice import GIB, advice
from tunewiz.backends.runs.events import Evaluated, Event, Noticed, Progress, Stage, Started
from tunewiz.backends.runs.smoothing import smooth
from tunewiz.backends.runs.state import RunState, fold


def trained(
    losses: Sequence[float], evals: Sequence[float] = (), total: int = 0, norms: Sequence[float] = ()
) -> RunState:
    events: list[Event] = [
        Started(time=0, name="r", task="embedding", backend="b", model="m", pid=1),
        Stage(time=0, name="train"),
    ]
    count = total or len(losses)
    for step, loss in enumerate(losses, 1):
        values = {"loss": loss} | ({"grad_norm": norms[step - 1]} if norms else {})
        events.append(Progress(time=float(step), stage="train", step=step, total=count, values=values))
    for number, loss in enumerate(evals, 1):
        step = number * len(losses) // len(evals)
        events.append(Evaluated(time=float(len(losses)), when="during", metrics={"eval_loss": loss}, step=step))
    return fold(RunState(), events)


def codes(state: RunState, samples: Iterable[Sample] = (), now: float = 0.0) -> set[str]:
    return {problem.code for problem in advice(state, tuple(samples), now)}


def noisy(curve: Sequence[float], seed: int = 1) -> list[float]:
    draw = random.Random(seed)
    return [value + draw.gauss(0, 0.1) for value in curve]


GOOD = noisy([0.3 + 2 * math.exp(-step / 60) for step in range(300)])


def sample(at: float, *utilisation: int | None, **other: int) -> Sample:
    cards = tuple(Gpu(number, "X", utilisation=value) for number, value in enumerate(utilisation))
    known = {"host_total": 64 * GIB, "host_used": 8 * GIB, "disk_total": 900 * GIB, "disk_free": 500 * GIB} | other
    return Sample(time=at, gpus=cards, **known)


def test_a_good_run_is_left_alone() -> None:
    assert codes(trained(GOOD, [1.5, 1.0, 0.8, 0.7]), [sample(at, 95) for at in range(60)], 310.0) == set()


def test_a_rising_loss_is_diverging() -> None:
    assert codes(trained(GOOD + noisy([0.3 + step / 30 for step in range(120)]))) == {"loss-diverging"}


def test_a_single_spike_is_not() -> None:
    assert codes(trained([*GOOD, 9.0])) == set()


def test_a_loss_that_does_not_move_is_flat() -> None:
    assert codes(trained(noisy([2.0] * 200))) <= {"loss-flat"}
    assert codes(trained([2.0] * 200)) == {"loss-flat"}
    assert codes(trained([2.0] * 40, total=4000)) == set()  # too early to say


def test_nan_is_told() -> None:
    assert "loss-nan" in codes(
        trained([*GOOD, math.nan]).__class__(**{**trained(GOOD).__dict__, "values": {"loss": None}})
    )


def test_held_out_loss_that_turns_up_is_overfitting() -> None:
    assert codes(trained(GOOD, [1.0, 0.7, 0.6, 0.7, 0.8])) == {"overfitting"}
    assert codes(trained(GOOD, [1.0, 0.7, 0.6, 0.601, 0.602])) == set()


def test_exploding_gradients() -> None:
    norms = noisy([2.0] * 295) + [60.0] * 5
    assert codes(trained(GOOD, norms=norms)) == {"gradients-exploding"}


def test_an_idle_gpu_is_told_only_where_there_is_one() -> None:
    state = trained(GOOD)
    assert codes(state, [sample(at, 3, 5) for at in range(60)]) == {"gpu-idle"}
    assert codes(state, [sample(at, 3, 97) for at in range(60)]) == set()
    assert codes(state, [sample(at, None) for at in range(60)]) == set()
    assert codes(state, [sample(at) for at in range(60)]) == set()


def test_the_machine_running_full() -> None:
    state = trained(GOOD)
    assert codes(state, [sample(1, disk_free=GIB)]) == {"disk-nearly-full"}
    assert codes(state, [sample(1, host_used=63 * GIB)]) == {"memory-nearly-full"}
    assert codes(state, [Sample(1.0)]) == set()


def test_silence() -> None:
    assert codes(trained(GOOD), now=300.0 + 299.0) == set()
    assert codes(trained(GOOD), now=300.0 + 301.0) == {"run-silent"}


def test_all_of_it_can_be_said_in_both_languages() -> None:
    state = trained(
        GOOD + noisy([0.3 + step / 30 for step in range(120)]), [1.0, 0.7, 0.6, 0.7, 0.8], norms=[1.0] * 420
    )
    found = advice(state, [sample(at, 3, disk_free=GIB, host_used=63 * GIB) for at in range(60)], 9999.0)
    assert len(found) > 4
    for language in ("en", "zh"):
        assert all(problem.message.text(language) and problem.fix and problem.fix.text(language) for problem in found)


def test_noticed_problems_are_not_advice() -> None:
    assert codes(fold(trained(GOOD), [Noticed(problem={"code": "x"})])) == set()


def test_smoothing_keeps_length_level_and_passes_over_nan() -> None:
    assert smooth([]) == ()
    assert smooth([2.0] * 50) == (2.0,) * 50 or all(abs(value - 2) < 1e-9 for value in smooth([2.0] * 50))
    line = smooth([1.0, math.nan, 1.0])
    assert line[0] == line[1] == line[2]
    assert len(smooth(GOOD)) == len(GOOD)
