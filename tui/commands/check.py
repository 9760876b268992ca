"""``tunewiz check``: all problems of a preset, the memory it needs, and the configuration it stands for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from tunewiz.backends import engines
from tunewiz.backends.evaluate.lengths import Reading
from tunewiz.backends.readiness import MEMORY, check_preset, estimate, memory_findings
from tunewiz.backends.sources import datasets, resolve
from tunewiz.backends.sources.source import Located, ModelUnavailable
from tunewiz.backends.stages.first_rows import First, FirstRows
from tunewiz.backends.stages.foresight import guessed
from tunewiz.backends.training.batch_sizes import Settled, settled
from tunewiz.language import N_, translate
from tunewiz.language import translate as _
from tunewiz.presets import memory
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sweeping import setting
from tunewiz.presets.yaml.library import open_preset
from tunewiz.presets.yaml.opening import ParsedPreset
from tunewiz.problems import BadData, BadPreset, ExitCode, Message, Problem, Where, errors, note, say
from tunewiz.tui import encoded_rows
from tunewiz.tui.commands.models import free_memory
from tunewiz.tui.commands.options import (
    AsJson,
    PresetName,
    RoleColumns,
    Roles,
    SetKeys,
    Swept,
    TrainFiles,
    finish,
    with_data,
)
from tunewiz.tui.words import problem_line


def check(
    preset: PresetName,
    settings: SetKeys = [],  # noqa: B006
    train: TrainFiles = [],  # noqa: B006
    mapping: RoleColumns = [],  # noqa: B006
    roles: Roles = [],  # noqa: B006
    sweep: Swept = [],  # noqa: B006
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", help=_("Show N training rows as the model reads them."))
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz check``."""
    finish(lambda: run_check(preset, [*with_data(settings, train, mapping, roles), *setting(sweep)], as_json, rows))


@dataclass(frozen=True)
class Checked:
    """What was found out about the preset called ``name``; the rest is ``None`` where it could not be."""

    name: str
    found: list[Problem]
    opened: ParsedPreset | None = None
    located: Located | None = None
    needed: memory.Estimate | None = None
    first: First | None = None
    chosen: Settled | None = None
    reading: Reading | None = None

    @property
    def sound(self) -> bool:
        """Whether it can run."""
        return self.opened is not None and not errors(self.found)

    @property
    def time(self) -> Message | None:
        """How long training will take by the first rows; ``None`` where that is minutes, or not known."""
        preset = self.opened.preset if self.opened else None
        if self.first is None or not isinstance(preset, RetrievalPreset) or free_memory() is not None:
            return None
        folder = Path(self.located.place) if self.located and self.located.cached else None
        return guessed(preset, self.first.work, folder, self.first.whole)

    @cached_property
    def native(self) -> str:
        """The configuration it stands for; "" while it cannot run."""
        return (
            engines.find_engine(self.chosen.preset.backend).shown(self.chosen.preset)
            if self.sound and self.chosen
            else ""
        )


def run_check(name: str, overrides: Sequence[str], as_json: bool, rows: int = 0) -> int:
    """Check a preset without running it, and show ``rows`` as the model reads them; 2 if it cannot run.

    Raises ``TunewizError`` when the rows cannot be read.
    """
    try:
        opened = open_preset(name, overrides)
        found, rows_of = check_preset(opened), FirstRows(opened.preset)
        if not any(problem.where.key.startswith("data") for problem in errors(found)):
            known = {problem.code for problem in found}
            found += opened.placed([one for one in rows_of.problems if one.code not in known])
            found += opened.placed(_of_hubs(opened.preset))
    except BadPreset as fault:
        return _tell(Checked(name, list(fault.problems)), as_json)
    located, first = _located(opened, found), rows_of.first
    texts = first.texts if first else 0.0
    if texts:
        of_memory = opened.placed(memory_findings(opened.preset, texts))
        found = [*(one for one in found if one.code not in MEMORY), *of_memory]
    chosen = settled(opened.preset, texts)
    checked = Checked(name, found, opened, located, estimate(chosen.preset, located, texts), first, chosen)
    if rows and checked.sound:
        checked = replace(checked, reading=_read(opened.preset, rows))
    return _tell(checked, as_json)


def _of_hubs(preset: Preset) -> list[Problem]:
    """The datasets that a run would download, with their size, or why they cannot be had."""
    found: list[Problem] = []
    for dataset in datasets.absent(datasets.hub_datasets(preset)):
        try:
            found.append(note("dataset-download", datasets.look(dataset).told, Where("data.train")))
        except (ModelUnavailable, BadData) as fault:
            found += [replace(problem, where=Where("data.train", problem.where.file)) for problem in fault.problems]
    return found


def _read(preset: Preset, rows: int) -> Reading:
    nothing = say("Rows can be shown as the model reads them for language models only.")
    return encoded_rows.ask(preset, rows) or Reading(why_not=nothing)


def _located(opened: ParsedPreset, found: list[Problem]) -> Located | None:
    """Where the model is; what keeps it from being had is added to ``found``, unless the backend told it already."""
    told: list[Problem] = []
    located = None
    try:
        located = resolve(opened.preset.model, told.append)
    except ModelUnavailable as fault:
        told += fault.problems
    known = {(problem.code, problem.where.key) for problem in found}
    found += [problem for problem in opened.placed(told) if (problem.code, problem.where.key) not in known]
    return located


def _tell(checked: Checked, as_json: bool) -> int:
    if as_json:
        print(json.dumps(_record(checked), ensure_ascii=False))
    else:
        _print(checked)
    return int(ExitCode.OK if checked.sound else ExitCode.BAD_PRESET)


def _record(checked: Checked) -> dict[str, Any]:
    located, needed = checked.located, checked.needed
    where = None if located is None else {"source": located.source, "place": located.place, "cached": located.cached}
    size = None if located is None else {"size": located.size, "licence": located.licence, "revision": located.revision}
    sizes = None if needed is None else {"low": needed.low, "expected": needed.expected, "high": needed.high}
    return {
        "preset": checked.name,
        "runs": checked.sound,
        "problems": [problem.as_json() for problem in checked.found],
        "model": where | size if where and size else None,
        "memory": sizes,
        "memory_free": free_memory(),
        "time": checked.time.text() if checked.time else None,
        "native": checked.native,
    } | ({"rows": _rows(checked.reading)} if checked.reading else {})


def _rows(found: Reading) -> list[dict[str, Any]]:
    kept = ("tokens", "learned", "whole")
    return [
        {name: getattr(row, name) for name in kept}
        | {"side": row.side.text() if row.side else None, "pieces": [asdict(piece) for piece in row.pieces]}
        for row in found.rows
    ]


def _print(checked: Checked) -> None:
    console = Console(highlight=False)
    for problem in checked.found:
        style = {"error": "bold red", "warning": "yellow"}.get(problem.severity, "")
        console.print(Text(problem_line(problem.as_json()), style=style), soft_wrap=True)
    count = len(errors(checked.found))
    if count:
        console.print(Text(say("Errors: {count}. This preset does not run yet.", count=count).text()))
    else:
        console.print(Text(translate(N_("No errors: this preset can run."))))
    if checked.opened and checked.located:
        console.print(Text(_where(checked.opened.preset, checked.located).text()), soft_wrap=True)
    for reason in checked.chosen.why if checked.chosen else ():
        console.print(Text(reason.text()), soft_wrap=True)
    if checked.needed:
        console.print(Text(_memory(checked.needed).text()), soft_wrap=True)
    if checked.time:
        console.print(Text(say("Time: {about}.", about=checked.time).text()), soft_wrap=True)
    if checked.reading:
        console.print()
        console.print(Text(translate(N_("What the model reads:")), style="bold"))
        coloured = console.is_terminal and not console.no_color
        colours = {"success": "green", "dim": "dim"} if coloured else None
        console.print(encoded_rows.drawn(checked.reading, colours), soft_wrap=True)
    elif checked.native:
        console.print()
        console.print(Text(translate(N_("What the library would be given:")), style="bold"))
        console.print(Text(checked.native.rstrip()), soft_wrap=True)


def _where(preset: Preset, located: Located) -> Message:
    values = {"id": preset.model.id, "source": located.source, "licence": located.licence or "?"}
    if located.cached:
        return say("Model: {id} ({source}, licence {licence}) is here: {place}", **values, place=located.place)
    if located.size is None:
        return say("Model: {id} will be downloaded from {source} (licence {licence}).", **values)
    size = f"{located.size / 1e9:.2f}"
    return say("Model: {id}, {size} GB, will be downloaded from {source} (licence {licence}).", **values, size=size)


def _memory(needed: memory.Estimate) -> Message:
    values = {name: f"{getattr(needed, name) / memory.GB:.1f}" for name in ("low", "expected", "high")}
    free = free_memory()
    if free is None:
        return say(
            "Memory: about {expected} GiB ({low} to {high}); there is no GPU, so of the machine's own.", **values
        )
    fits = {
        "yes": say("it fits"),
        "maybe": say("it may not fit"),
        "no": say("it does not fit"),
    }[needed.fits(free)]
    text = N_("Memory: about {expected} GiB ({low} to {high}) of the GPU's {free} GiB that are free: {fits}.")
    return Message(text, {**values, "free": f"{free / memory.GB:.1f}", "fits": fits})
