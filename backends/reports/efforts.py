"""What runs took beside each other: rows, time, memory, money, and how much of it went into each point gained."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.comparing import Row
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.printable import amount, duration
from tunewiz.problems import say

#: A point: a hundredth of a measure.
_POINT = 0.01


def efforts(runs: Sequence[Run], states: Sequence[RunState], hourly: float | None = None) -> tuple[Row, ...]:
    """Rows, time of all stages and of training, most memory, the gain of the deciding measure, the time of a point.

    ``hourly`` is what an hour of the machine costs, in whatever currency: then the same in money. A run that gained
    nothing has no price of a point. Rows in which no run has anything are left out.
    """
    files = [MetricsFile.of(run.report) for run in runs]
    facts = [_facts_of(file, state, hourly) for file, state in zip(files, states, strict=True)]
    measures = {file.primary for file in files} - {""}
    spent, costs, gained = ([one[name] for one in facts] for name in ("seconds", "cost", "gain"))
    told = [
        (translate(N_("rows trained on")), [_told(one["rows"], "{:,.0f}".format) for one in facts]),
        (translate(N_("time in all")), [_told(seconds, duration) for seconds in spent]),
        (translate(N_("training")), [_told(one["training_seconds"], duration) for one in facts]),
        (translate(N_("most memory")), [_told(one["memory"], amount) for one in facts]),
        (_gain_of(measures), [_gained(file, one, measures) for file, one in zip(files, gained, strict=True)]),
        (translate(N_("time per 0.01 gained")), _priced(spent, gained, duration)),
        (translate(N_("cost")), [_told(cost, "{:.2f}".format) for cost in costs]),
        (translate(N_("cost per 0.01 gained")), _priced(costs, gained, "{:.2f}".format)),
    ]
    return tuple(Row(name, tuple(values)) for name, values in told if any(values))


def _told(value: float | None, words: Callable[[float], str]) -> str:
    return words(value) if value else ""


def _gained(file: MetricsFile, gain: float | None, measures: Collection[str]) -> str:
    """The gain, with what it is of where the runs are not judged by the same."""
    if gain is None:
        return ""
    return f"{gain:+.4f}" if len(measures) == 1 else f"{gain:+.4f} {file.primary}"


def _gain_of(measures: Collection[str]) -> str:
    """What the runs are judged by, if that is the same for all."""
    return (
        say("gain of {measure}", measure=next(iter(measures))).text() if len(measures) == 1 else translate(N_("gain"))
    )


def _gain(file: MetricsFile) -> float | None:
    """By how much the deciding measure got better; of a loss that is how far it fell."""
    found = file.deciding.comparison
    if found is None:
        return None
    return -found.difference if found.lower_is_better else found.difference


def _priced(spent: Sequence[float | None], gained: Sequence[float | None], words: Callable[[float], str]) -> list[str]:
    pairs = zip(spent, gained, strict=True)
    return [words(one * _POINT / gain) if one and gain is not None and gain > 0 else "" for one, gain in pairs]


def effort_facts(
    runs: Sequence[Run], states: Sequence[RunState], hourly: float | None
) -> dict[str, dict[str, float | None]]:
    """The same as numbers, by run: seconds, bytes, and money where ``hourly`` is given."""
    pairs = zip(runs, states, strict=True)
    return {run.name: _facts_of(MetricsFile.of(run.report), state, hourly) for run, state in pairs}


def _facts_of(file: MetricsFile, state: RunState, hourly: float | None) -> dict[str, float | None]:
    seconds = sum(state.seconds.values())
    return {
        "rows": float(file.deciding.counts.get("train", 0)) or None,
        "seconds": seconds,
        "training_seconds": state.seconds.get("train"),
        "memory": file.deciding.memory.get("training"),
        "gain": _gain(file),
        "cost": seconds / 3600 * hourly if hourly is not None else None,
    }
