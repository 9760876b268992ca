"""One page over the variants of a comparison: every measure side by side, and how sure the differences are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.evaluators.metrics import canonical
from backends.reports.blocks import Block, Bullets, Heading, Paragraph, Table
from backends.reports.pages import write_pages
from backends.runs.run import Run
from backends.verdict import compare
from data.files import read_json
from data.language import N_, translate
from data.problems import say
from presets.tasks.comparison import ComparisonPreset


def write_comparison(run: Run, preset: ComparisonPreset, folders: Mapping[str, Path], best: str) -> None:
    """Write ``report.md``, ``report.html`` and ``metrics.json``; ``folders`` are the variants' reports by strategy."""
    run.report.mkdir(parents=True, exist_ok=True)
    told = {name: read_json(folder / "metrics.json") or {} for name, folder in folders.items()}
    after = {name: read_json(folder / "after.json") or {} for name, folder in folders.items()}
    blocks = list(_blocks(preset, told, after, best))
    record = {"version": 1, "run": run.name, "primary": canonical(preset.evaluation.metric), "best": best}
    write_pages(run.report, blocks, record | {"variants": told, "verdict": told[best].get("verdict", "NONE")})


def _blocks(preset: ComparisonPreset, told: Mapping[str, Any], after: Mapping[str, Any], best: str) -> Iterator[Block]:
    yield Heading(preset.name, 1)
    measured = {name: record["metrics"] for name, record in after.items() if record}
    if not measured:
        yield Paragraph(translate(N_("No query was held out, so nothing was measured.")))
        return
    primary = canonical(preset.evaluation.metric)
    best_told = say("Negatives by {best} measured best: {metric} {value}.", best=best, metric=primary,
                    value=f"{measured[best][primary]:.4f}")  # fmt: skip
    yield Paragraph(best_told.text(), strong=True)
    names = [primary, *(name for name in next(iter(measured.values())) if name != primary)]
    found = (record["systems"]["search"]["metrics"] for record in told.values() if record.get("systems"))
    alone: Mapping[str, float] = next(found, {})
    rows = [[translate(N_("search alone")), *_values(alone, names)]] if alone else []
    rows += [[name, *_values(values, names)] for name, values in measured.items()]
    titles = [translate(N_("negatives")), *names]
    marked = [row[0] for row in rows].index(best)
    yield Table(titles, rows, frozenset(range(1, len(titles))), marked)
    others = [name for name in measured if name != best]
    if others:
        yield Heading(translate(N_("How sure the differences are")))
        yield Bullets([_difference(preset, after, name, best) for name in others])
    yield Paragraph(translate(N_("Each variant is a whole run in variants/, with its own report, rankings and model.")))


def _values(metrics: Mapping[str, float], names: list[str]) -> list[str]:
    return [f"{metrics[name]:.4f}" if name in metrics else "" for name in names]


def _difference(preset: ComparisonPreset, after: Mapping[str, Any], other: str, best: str) -> str:
    primary = canonical(preset.evaluation.metric)
    samples, seed = preset.evaluation.bootstrap, preset.training.seed
    compared = compare(after[other]["per_query"], after[best]["per_query"], primary, samples, seed)
    told = say("From {other} to {best}: {told}", other=other, best=best, told=compared.sentence())
    return told.text()
