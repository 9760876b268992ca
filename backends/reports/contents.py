"""The report of a run, block by block, in the current language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.model_card import made_from, numbers
from backends.reports import two_stage, ways
from backends.reports.blocks import Block, Bullets, Heading, Paragraph, Picture, Table
from backends.reports.facts import Facts
from backends.reports.queries import Change
from backends.runs.state import RunState
from data.language import N_, translate
from data.printable import printable
from data.problems import Message, say

VERDICTS: Mapping[str, str] = {
    "WIN": N_("WIN: the tuned model is better"),
    "MARGINAL": N_("MARGINAL: hardly any difference"),
    "REGRESSION": N_("REGRESSION: worse than before"),
    "NONE": N_("No verdict: before and after were not both measured"),
}
_STAGES: Mapping[str, str] = {
    "prepare": N_("prepare"),
    "baseline": N_("measure before"),
    "train": N_("train"),
    "evaluate": N_("measure after"),
    "export": N_("export"),
}
_CHARACTERS = 160


def contents(
    facts: Facts,
    state: RunState,
    changes: tuple[list[Change], list[Change]],
    steps: Sequence[Message],
    pictures: Mapping[str, Path],
    prompts: tuple[str, str],
) -> list[Block]:
    """All blocks, in reading order: the verdict, the numbers, the evidence, what next, how it was made."""
    return [
        Heading(facts.preset.name, 1),
        Paragraph(translate(VERDICTS[facts.verdict]), strong=True),
        *numbers(facts),
        *two_stage.blocks(facts),
        *ways.blocks(facts),
        *_pictures(pictures),
        *_changes(facts, changes),
        *section(N_("What to try next"), [step.text() for step in steps]),
        *section(N_("What was noticed"), noticed(state)),
        Heading(translate(N_("How it was made"))),
        Bullets([line.text() for line in made_from(facts, prompts)]),
        *section(N_("Time and machine"), list(times(facts.record, state))),
        Heading(translate(N_("Check the numbers"))),
        *_files(facts),
    ]


def section(title: str, items: Sequence[str]) -> Iterator[Block]:
    """A heading with a list; nothing without items."""
    if items:
        yield Heading(translate(title))
        yield Bullets(items)


def _pictures(pictures: Mapping[str, Path]) -> Iterator[Block]:
    told = {
        "metrics": N_("Metrics before and after; whiskers: 95 % interval of the difference"),
        "cosines": N_("Cosines of right pairs, random pairs and the best-ranked others, before and after"),
        "loss": N_("Training loss by step"),
    }
    for name, text in told.items():
        if name in pictures:
            yield Picture(pictures[name], translate(text))


def _changes(facts: Facts, changes: tuple[list[Change], list[Change]]) -> Iterator[Block]:
    titles = (N_("Queries that gained most"), N_("Queries that lost most"))
    columns = (N_("query"), facts.primary, N_("rank of the answer"), N_("a right answer"), N_("now ranked first"))
    for title, some in zip(titles, changes, strict=True):
        if some:
            yield Heading(translate(title))
            yield Table([translate(name) for name in columns], [_cells(change) for change in some], frozenset({1, 2}))


def _cells(change: Change) -> list[str]:
    ranks = [str(rank) if rank else "–" for rank in (change.rank_before, change.rank_after)]
    texts = [printable(text, _CHARACTERS) for text in (change.query, change.relevant, change.first)]
    values = f"{change.before:.3f} → {change.after:.3f}"
    return [texts[0], values, " → ".join(ranks), texts[1], texts[2]]


def noticed(state: RunState) -> list[str]:
    """Warnings and notes of the run, each once; the command's own words."""
    shown = [f"{problem.get('message', '')} {problem.get('fix', '')}".strip() for problem in state.problems]
    return list(dict.fromkeys(text for text in shown if text))


def times(record: Mapping[str, Any], state: RunState) -> Iterator[str]:
    """How long each stage took, and on which machine."""
    for name, label in _STAGES.items():
        if name in state.seconds:
            took = say("{seconds} s", seconds=f"{state.seconds[name]:.1f}")
            yield f"{translate(label)}: {took.text()}"
    machine = record.get("hardware", {})
    if machine.get("processor"):
        cores = say("{processor}, {cores} cores", processor=machine["processor"], cores=machine.get("cores", "?"))
        yield cores.text()
    yield from (str(gpu.get("name", "")) for gpu in machine.get("gpus", []) if gpu.get("name"))


def _files(facts: Facts) -> Iterator[Block]:
    yield Paragraph(
        translate(
            N_(
                "The rankings behind the numbers lie beside this report in TREC's format (before.run.tsv and "
                "after.run.tsv), the judgments in data/qrels.tsv, and the numbers of each query in before.json and "
                "after.json."
            )
        )
    )
    if facts.systems:
        told = say("Search alone is in search.run.tsv and search.json: the candidates in their own order.")
        yield Paragraph(told.text())
    shares = [record["exact_share"] for record in (facts.before, facts.after) if record and "exact_share" in record]
    if shares and min(shares) < 1:
        told = say(
            "{percent} % of the documents were encoded in fp32, those that can change a number; the others in bf16, so "
            "that documents which are not relevant may stand in another order than in fp32.",
            percent=round(100 * min(shares)),
        )
        yield Paragraph(told.text())
