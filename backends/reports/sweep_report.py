"""One page over the runs of a sweep: what each was given, what it brought and cost, and which one is kept and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tunewiz.backends.evaluate.verdict import Verdict
from tunewiz.backends.reports.blocks import Block, Heading, Paragraph, Table, advice, write_pages
from tunewiz.backends.reports.metrics_file import BEST, VERSION, MetricsFile
from tunewiz.backends.reports.next_steps import steps_of_report
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.sweeping import Point
from tunewiz.presets.yaml import typed
from tunewiz.presets.yaml.library import dumps
from tunewiz.printable import amount
from tunewiz.problems import Message, say

_LOSS: Final = "eval_loss"


@dataclass(frozen=True)
class Tried:
    """A point of a sweep, its run and how that stands."""

    point: Point
    run: Run
    state: RunState

    @cached_property
    def numbers(self) -> MetricsFile:
        """What its report says."""
        return MetricsFile.of(self.run.report).deciding

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return self.state.status == "finished"

    def validated(self, metric: str) -> float | None:
        """The best that it measured of ``metric`` on validation data during training; a loss is best when lowest."""
        for name in (metric, f"eval_{metric}"):
            if name in self.state.curves and "during:validation" in self.state.measured:
                values = self.state.curves[name].values
                return min(values) if metric == _LOSS else max(values, default=None)
        return None


@dataclass(frozen=True)
class Choice:
    """The best point (``None``: none was finished), by which metric, and whether on validation data."""

    best: Tried | None
    metric: str = ""
    validated: bool = False


def choose(tried: Sequence[Tried]) -> Choice:
    """The best of those that finished, by the deciding metric on validation data, else by the loss there.

    Only where they have no validation measure in common the held-out rows themselves decide. A variant of another task
    is not chosen.
    """
    done = [one for one in tried if one.finished and not one.point.beside]
    if not done:
        return Choice(None)
    primary = next((one.numbers.primary for one in done if one.numbers.primary), "")
    for metric in (primary, _LOSS):
        values = {one.point.name: one.validated(metric) for one in done}
        if metric and all(value is not None for value in values.values()):
            sign = -1 if metric == _LOSS else 1
            return Choice(max(done, key=lambda one: sign * (values[one.point.name] or 0.0)), metric, validated=True)
    return Choice(max(done, key=lambda one: _tested(one, primary)), primary)


def _tested(one: Tried, primary: str) -> float:
    compared = one.numbers.comparison
    value = (one.numbers.after or {}).get(primary)
    if value is None:
        return float("-inf")
    return -value if compared is not None and compared.lower_is_better else value


def write_sweep(run: Run, preset: Preset, tried: Sequence[Tried]) -> Verdict:
    """Write ``report.md``, ``report.html``, ``metrics.json`` and the best run's preset; the best one's verdict."""
    chosen = choose(tried)
    best = chosen.best
    if best is None:  # the stage of training has told of it
        return "NONE"
    run.report.mkdir(parents=True, exist_ok=True)
    own = MetricsFile.of(best.run.report)
    variants = {one.point.name: MetricsFile.of(one.run.report) for one in tried if one.finished}
    changed = {
        "version": VERSION, "run": run.name, "best": best.point.name, "variants": variants,
        "points": {one.point.name: one.point.told for one in tried},
        "chosen_by": chosen.metric, "chosen_on": "validation" if chosen.validated else "held-out",
        "chosen_values": _chosen_values(tried, chosen),
    }  # fmt: skip
    numbers = own.model_copy(update=changed)
    steps = steps_of_report(run, read_state(run), best.point.preset, numbers)
    write_whole(run.report / BEST, dumps(best.point.preset))
    write_pages(run.report, [*_blocks(run, preset, tried, chosen, best), *advice(steps)], numbers.advising(steps))
    return own.verdict or "NONE"


def _chosen_values(tried: Sequence[Tried], chosen: Choice) -> dict[str, float]:
    """What the choice was made by, of each point that has it."""
    found = {}
    for one in tried:
        tested = (one.numbers.after or {}).get(chosen.metric)
        value = one.validated(chosen.metric) if chosen.validated else tested
        if one.finished and value is not None:
            found[one.point.name] = value
    return found


def _blocks(run: Run, preset: Preset, tried: Sequence[Tried], chosen: Choice, best: Tried) -> Iterator[Block]:
    yield Heading(preset.name, 1)
    yield Paragraph(_chosen(chosen, best).text(), strong=True)
    titles = [*preset.sweep, *map(translate, _TITLES)]
    titles[len(preset.sweep)] += f" ({chosen.metric})" if chosen.validated else ""
    rows = [_cells(one, preset, chosen) for one in tried]
    yield Table(titles, rows, frozenset(range(len(preset.sweep), len(titles) - 1)), list(tried).index(best))
    if not chosen.validated:
        yield Paragraph(_optimistic().text())
    else:
        message = say("The choice was made on validation data; before and after are of the held-out rows, which no "
                      "choice was made on.")  # fmt: skip
        yield Paragraph(message.text())
    folder = run.relative(best.run.directory)
    told = say("Its preset: report/{file}. Its own report: {folder}/report/report.md. Each run is whole in variants/.",
               file=BEST, folder=folder)  # fmt: skip
    yield Paragraph(told.text())


_TITLES: Final = (
    N_("validation"), N_("before"), N_("after"), N_("difference"), N_("time"), N_("memory"), N_("verdict"),
)  # fmt: skip


def _chosen(chosen: Choice, best: Tried) -> Message:
    if not chosen.validated:
        return say(
            "{point} measured best on the held-out rows ({metric}).", point=best.point.told, metric=chosen.metric
        )
    value = best.validated(chosen.metric) or 0.0
    return say("{point} measured best on the validation data ({metric} {value}).", point=best.point.told,
               metric=chosen.metric, value=f"{value:.4f}")  # fmt: skip


def _optimistic() -> Message:
    return say(
        "There was no validation data to choose by: the best was chosen on the very rows that its gain is told of, so "
        "that the gain is optimistic, the more so the more runs there were. Set data.evaluation.validation_fraction "
        "and training.evaluations to choose on other rows."
    )


def _cells(one: Tried, preset: Preset, chosen: Choice) -> list[str]:
    values = [typed.write(one.point.values[key]) for key in preset.sweep]
    if not one.finished:
        why = str(one.state.why.get("message", "")) if one.state.why else ""
        return [*values, *["–"] * (len(_TITLES) - 1), why[:80] or translate(N_("not finished"))]
    numbers, primary = one.numbers, one.numbers.primary
    sides = [(side or {}).get(primary) for side in (numbers.before, numbers.after)]
    compared = numbers.comparison
    gain = f"{compared.difference:+.4f} [{compared.low:+.4f}, {compared.high:+.4f}]" if compared else "–"
    measured = one.validated(chosen.metric) if chosen.validated else None
    return [
        *values,
        "–" if measured is None else f"{measured:.4f}",
        *("–" if value is None else f"{value:.4f}" for value in sides),
        gain,
        f"{sum(one.state.seconds.values()):.0f} s",
        amount(numbers.memory["training"]) if "training" in numbers.memory else "–",
        numbers.verdict or "–",
    ]
