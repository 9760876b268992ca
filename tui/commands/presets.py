"""``tunewiz presets``: what ships and what was saved."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunewiz.language import N_, translate
from tunewiz.presets import families, memory
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.library import Entry, listing, open_preset
from tunewiz.problems import BadPreset, ExitCode
from tunewiz.tui.commands.models import few
from tunewiz.tui.commands.options import AsJson, finish


def presets(as_json: AsJson = False) -> None:
    """What is typed after ``tunewiz presets``."""
    finish(lambda: run_presets(as_json))


def run_presets(as_json: bool) -> int:
    """List the presets that have a name, with the memory that each needs."""
    rows = [_row(entry) for entry in listing()]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return int(ExitCode.OK)
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column(translate(N_("preset")), no_wrap=True)
    wide = console.width >= 100  # a preset's name says its model; its full name is told where there is room
    if wide:
        table.add_column(translate(N_("model")), overflow="fold")
    table.add_column(translate(N_("method")), overflow="ellipsis", no_wrap=True, min_width=6)
    for title in (N_("languages"), N_("GPU memory")):
        table.add_column(translate(title), no_wrap=True)
    for row in rows:
        model, method, languages = (str(row.get(key) or "") for key in ("model", "method", "languages"))
        cells = [model.rpartition("/")[2]] if wide else []
        cells += [str(row.get("problem") or method), languages, _memory(row)]
        table.add_row(Text(str(row["name"])), *map(Text, cells))
    console.print(table)
    console.print(Text(translate(N_("Run one: tunewiz run NAME --set data.train=FILE"))))
    return int(ExitCode.OK)


def _row(entry: Entry) -> dict[str, object]:
    """Facts of a preset; ``problem`` in place of them when a saved one no longer loads. Memory in bytes."""
    told: dict[str, object] = {"name": entry.name, "file": str(entry.path), "origin": entry.origin}
    try:
        preset = open_preset(entry.path).preset
    except BadPreset as fault:
        return told | {"problem": fault.problems[0].line()}
    told |= {"task": preset.task, "model": preset.model.id, "description": preset.description}
    known = families.lookup(preset.model.id)
    if isinstance(preset, (RetrievalPreset, LlmPreset)):
        told |= {"method": preset.method.type, "data": " + ".join(dataset.path for dataset in preset.data.datasets)}
        told |= {"loss": preset.loss.name} if isinstance(preset, RetrievalPreset) else {}
        needed = preset.memory(known) if known else None
        if needed:
            told |= {"memory_low": needed.low, "memory_expected": needed.expected, "memory_high": needed.high}
    if known:
        told |= {"languages": few(known.family.languages), "licence": known.family.licence}
    return told


def _memory(row: dict[str, object]) -> str:
    expected = row.get("memory_expected")
    return f"~{expected / memory.GB:.0f} GiB" if isinstance(expected, int) else ""
