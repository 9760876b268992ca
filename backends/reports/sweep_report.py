"""One page over the runs of a sweep: what each was given, what it brought and cost, and which one is kept and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from tunewiz.backends.evaluate.general import measure_name
from tunewiz.backends.evaluate.metrics import canonical
from tunewiz.backends.evaluate.records import Measured
from tunewiz.backends.evaluate.verdict import QUERIES, ROWS, Verdict
from tunewiz.backends.models.run_models import VARIANTS
from tunewiz.backends.reports.blocks import Block, Heading, Paragraph, Picture, Table, advice, section, write_pages
from tunewiz.backends.reports.efforts import efforts
from tunewiz.backends.reports.metrics_file import BEST, VERSION, MetricsFile
from tunewiz.backends.reports.next_steps import steps_of_report
from tunewiz.backends.reports.pictures import overlay_picture
from tunewiz.backends.reports.retrieval_report import space_blocks
from tunewiz.backends.reports.side_by_side import values_of
from tunewiz.backends.runs.comparing import Row, differences, pairing
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.sweeping import Point
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.yaml import typed
from tunewiz.presets.yaml.library import dumps
from tunewiz.printable import amount, duration
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


def run_of(run: Run, point: Point) -> Run:
    """The run of ``point`` inside ``run``, laid out as any."""
    return Run(run.directory / VARIANTS / point.name)


def tried(run: Run, every: Sequence[Point]) -> list[Tried]:
    """Every point with how its run stands."""
    return [Tried(point, inner, read_state(inner)) for point in every for inner in [run_of(run, point)]]


@dataclass(frozen=True)
class Choice:
    """The best point (``None``: none was finished), by which metric, and whether on validation data.

    ``values``: what it was made by, of each point that has it; ``lower``: whether less is better.
    """

    best: Tried | None
    metric: str = ""
    validated: bool = False
    values: Mapping[str, float] = field(default_factory=dict)
    lower: bool = False


def choose(every: Sequence[Tried]) -> Choice:
    """The best of those that finished, by the deciding metric on validation data, else by the loss there.

    Only where they have no validation measure in common the held-out rows themselves decide. A variant of another task
    is not chosen.
    """
    done = [one for one in every if one.finished and not one.point.beside]
    if not done:
        return Choice(None)
    primary = next((one.numbers.primary for one in done if one.numbers.primary), "")
    for metric in (primary, _LOSS):
        found = {one.point.name: one.validated(metric) for one in done} if metric else {"": None}
        values = {name: value for name, value in found.items() if value is not None}
        if len(values) == len(found):
            return _best_of(done, metric, True, values, metric == _LOSS)
    tested = {one.point.name: (one.numbers.after or {}).get(primary) for one in done}
    lower = any(one.numbers.comparison is not None and one.numbers.comparison.lower_is_better for one in done)
    return _best_of(done, primary, False, {name: value for name, value in tested.items() if value is not None}, lower)


def _best_of(done: Sequence[Tried], metric: str, validated: bool, values: Mapping[str, float], lower: bool) -> Choice:
    worst = math.inf if lower else -math.inf
    best = max(done, key=lambda one: (-1 if lower else 1) * values.get(one.point.name, worst))
    return Choice(best, metric, validated, values, lower)


def write_sweep(run: Run, preset: Preset, every: Sequence[Tried]) -> Verdict:
    """Write ``report.md``, ``report.html``, ``metrics.json`` and the best run's preset; the best one's verdict."""
    chosen = choose(every)
    best = chosen.best
    if best is None:  # the stage of training has told of it
        return "NONE"
    run.report.mkdir(parents=True, exist_ok=True)
    own = MetricsFile.of(best.run.report)
    variants = {one.point.name: MetricsFile.of(one.run.report) for one in every if one.finished}
    changed = {
        "version": VERSION, "run": run.name, "best": best.point.name, "variants": variants,
        "points": {one.point.name: one.point.told for one in every},
        "chosen_by": chosen.metric, "chosen_on": "validation" if chosen.validated else "held-out",
        "chosen_values": dict(chosen.values),
    }  # fmt: skip
    numbers = own.model_copy(update=changed)
    steps = steps_of_report(run, read_state(run), best.point.preset, numbers)
    write_whole(run.report / BEST, dumps(best.point.preset))
    write_pages(run.report, [*_blocks(run, preset, every, chosen, best), *advice(steps)], numbers.advising(steps))
    return own.verdict or "NONE"


def _blocks(run: Run, preset: Preset, every: Sequence[Tried], chosen: Choice, best: Tried) -> Iterator[Block]:
    yield Heading(preset.name, 1)
    yield Paragraph(_chosen(chosen, best).text(), strong=True)
    yield _table(preset, every, chosen, best)
    for one in every:
        if one.point.beside and one.finished:
            yield Paragraph(_beside(one).text())
    if not chosen.validated:
        yield Paragraph(_optimistic().text())
    else:
        message = say("The choice was made on validation data; before and after are of the held-out rows, which no "
                      "choice was made on.")  # fmt: skip
        yield Paragraph(message.text())
    yield from together(run, [one for one in every if one.finished][:_TOGETHER], best)
    folder = run.relative(best.run.directory)
    told = say("Its preset: report/{file}. Its own report: {folder}/report/report.md. Each run is whole in variants/.",
               file=BEST, folder=folder)  # fmt: skip
    yield Paragraph(told.text())


def _beside(one: Tried) -> Message:
    return say(
        "{name} is of the task {task} and measured by {metric}: its gain cannot be compared with the others, what it "
        "took can.",
        name=one.point.told,
        task=one.point.preset.task,
        metric=one.numbers.primary or "–",
    )


def _table(preset: Preset, every: Sequence[Tried], chosen: Choice, best: Tried) -> Table:
    """A row a run: what it was given, what it measured, what it took."""
    given = [translate(N_("variant")), translate(N_("measure"))] if preset.variants else list(preset.sweep)
    validated = [f"{translate(N_('validation'))} ({chosen.metric})"] if chosen.validated else []
    titles = [*given, *validated, *map(translate, _TITLES)]
    rows = [[*_given(one, preset), *_cells(one, chosen)] for one in every]
    return Table(titles, rows, frozenset(range(len(given), len(titles) - 1)), list(every).index(best))


def _given(one: Tried, preset: Preset) -> list[str]:
    if preset.variants:
        return [one.point.told, one.numbers.primary or "–"]
    return [typed.write(one.point.values[key]) for key in preset.sweep]


#: Runs that are laid beside each other beyond the table; more columns nobody reads.
_TOGETHER: Final = 8


def together(run: Run, done: Sequence[Tried], best: Tried) -> Iterator[Block]:
    """What ``tunewiz compare`` tells of the runs: what they took, query by query, general data, curves, settings."""
    if len(done) < 2:
        return
    names = [one.point.told for one in done]
    runs, states = [one.run for one in done], [one.state for one in done]
    yield from _rows(N_("What they took"), names, efforts(runs, states))
    yield from _paired(done, best)
    yield from _general(done)
    drawn = {one.point.title or one.point.name: one.state.curves for one in done}
    picture = overlay_picture(drawn, run.report / "runs.png")
    if picture is not None:
        yield Picture(picture, translate(N_("Training loss (smoothed) and memory of the runs over one another")))
    if any(one.point.title for one in done):
        yield from _rows(N_("Settings that differ"), names, differences(runs))
    yield from space_blocks(run.report)


def _rows(title: str, names: Sequence[str], rows: Sequence[Row]) -> Iterator[Block]:
    if rows:
        yield Heading(translate(title))
        cells = [[row.name, *(value or "–" for value in row.values)] for row in rows]
        yield Table(["", *names], cells, frozenset(range(1, len(names) + 1)))


def _paired(done: Sequence[Tried], best: Tried) -> Iterator[Block]:
    """The others against the best one on the same queries or rows, where they were measured on the same."""
    told = []
    for one in done:
        found = pairing(best.run, one.run).comparisons.get(best.numbers.primary) if one.run != best.run else None
        if found is not None:
            of_rows = ROWS if best.point.preset.conversations else QUERIES
            values = {"best": best.point.told, "other": one.point.told, "told": found.sentence(of_rows)}
            told.append(say("From {best} to {other}: {told}", **values).text())
    yield from section(N_("How sure the differences are"), told)


def _general(done: Sequence[Tried]) -> Iterator[Block]:
    """Whether the runs forgot, a row each; runs that measured other things are told apart by the measure."""
    rows = [
        [one.point.told, measure_name(name), f"{found.before:.4f}", f"{found.after:.4f}", f"{found.difference:+.4f}"]
        for one in done
        for name, found in one.numbers.general.items()
    ]
    if rows:
        yield Heading(translate(N_("Did they forget?")))
        titles = (N_("run"), N_("measure"), N_("before"), N_("after"), N_("difference"))
        yield Table([translate(title) for title in titles], rows, frozenset({2, 3, 4}))


_TITLES: Final = (N_("before"), N_("after"), N_("difference"), N_("time"), N_("memory"), N_("verdict"))


def _chosen(chosen: Choice, best: Tried) -> Message:
    if not chosen.validated:
        sides = [(side or {}).get(chosen.metric) for side in (best.numbers.before, best.numbers.after)]
        before, after = ("–" if value is None else f"{value:.4f}" for value in sides)
        return say("{point} measured best on the held-out rows ({metric} {before} → {after}, {verdict}).",
                   point=best.point.told, metric=chosen.metric, before=before, after=after,
                   verdict=best.numbers.verdict or "–")  # fmt: skip
    value = best.validated(chosen.metric) or 0.0
    return say("{point} measured best on the validation data ({metric} {value}).", point=best.point.told,
               metric=chosen.metric, value=f"{value:.4f}")  # fmt: skip


def _optimistic() -> Message:
    return say(
        "There was no validation data to choose by: the best was chosen on the very rows that its gain is told of, so "
        "that the gain is optimistic, the more so the more runs there were. Set data.evaluation.validation_fraction "
        "and training.evaluations to choose on other rows."
    )


def _cells(one: Tried, chosen: Choice) -> list[str]:
    if not one.finished:
        why = str(one.state.why.get("message", "")) if one.state.why else ""
        return [*["–"] * (len(_TITLES) - 1 + chosen.validated), why[:80] or translate(N_("not finished"))]
    numbers, primary = one.numbers, one.numbers.primary
    sides = [(side or {}).get(primary) for side in (numbers.before, numbers.after)]
    compared = numbers.comparison
    gain = f"{compared.difference:+.4f} [{compared.low:+.4f}, {compared.high:+.4f}]" if compared else "–"
    measured = one.validated(chosen.metric) if chosen.validated else None
    validated = ["–" if measured is None else f"{measured:.4f}"] if chosen.validated else []
    return [
        *validated,
        *("–" if value is None else f"{value:.4f}" for value in sides),
        gain,
        duration(sum(one.state.seconds.values())),
        amount(numbers.memory["training"]) if "training" in numbers.memory else "–",
        numbers.verdict or "–",
    ]


# One page over the variants of a comparison: every measure side by side, and how sure the differences are.


def write_comparison(run: Run, preset: ComparisonPreset, inner: Mapping[str, Run], best: str) -> Verdict:
    """Write ``report.md``, ``report.html`` and ``metrics.json``; the verdict, which is the best variant's.

    ``inner`` are the variants' runs by strategy.
    """
    run.report.mkdir(parents=True, exist_ok=True)
    folders = {name: one.report for name, one in inner.items()}
    every = {
        name: Tried(Point(name, {}, preset.variant(name), name), one, read_state(one)) for name, one in inner.items()
    }
    variants = {name: MetricsFile.of(folder) for name, folder in folders.items()}
    after = {name: record for name, folder in folders.items() if (record := Measured.read(folder / "after.json"))}
    verdict = variants[best].verdict or "NONE"
    primary = canonical(preset.evaluation.metric)
    numbers = MetricsFile(version=VERSION, run=run.name, primary=primary, best=best, variants=variants, verdict=verdict)
    steps = steps_of_report(run, read_state(run), preset, numbers)
    beside = together(run, list(every.values()), every[best])
    blocks = [*_variant_blocks(preset, variants, after, best), *beside, _whole(), *advice(steps)]
    write_pages(run.report, blocks, numbers.advising(steps))
    return verdict


def _variant_blocks(
    preset: ComparisonPreset, variants: Mapping[str, MetricsFile], after: Mapping[str, Measured], best: str
) -> Iterator[Block]:
    yield Heading(preset.name, 1)
    if best not in after:
        yield Paragraph(translate(N_("No query was held out, so nothing was measured.")))
        return
    measured = {name: record.metrics for name, record in after.items()}
    primary = canonical(preset.evaluation.metric)
    best_told = say("Negatives by {best} measured best: {metric} {value}.", best=best, metric=primary,
                    value=f"{measured[best][primary]:.4f}")  # fmt: skip
    yield Paragraph(best_told.text(), strong=True)
    names = [primary, *(name for name in next(iter(measured.values())) if name != primary)]
    alone = next((record.systems["search"].metrics for record in variants.values() if "search" in record.systems), {})
    rows = [[translate(N_("search alone")), *values_of(alone, names)]] if alone else []
    rows += [[name, *values_of(values, names)] for name, values in measured.items()]
    titles = [translate(N_("negatives")), *names]
    marked = [row[0] for row in rows].index(best)
    yield Table(titles, rows, frozenset(range(1, len(titles))), marked)


def _whole() -> Paragraph:
    return Paragraph(
        translate(N_("Each variant is a whole run in variants/, with its own report, rankings and model."))
    )
