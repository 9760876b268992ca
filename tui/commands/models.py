"""``tunewiz models``: what is known of models, what fits this machine, what is here already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunewiz.backends.machine.hardware import gpus, most_free
from tunewiz.backends.sources import find_cached
from tunewiz.language import N_, current, translate
from tunewiz.language import translate as _
from tunewiz.presets import families, memory, tasks
from tunewiz.presets.families import KnownModel
from tunewiz.presets.sections.model import Model
from tunewiz.presets.yaml.validation import suggestion
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.options import AsJson, finish
from tunewiz.tui.words import weights

#: What an answer of memory is called, marked for translation.
FITS: Final = {"yes": N_("yes"), "maybe": N_("tight"), "no": N_("no"), "cpu": N_("on CPU")}
#: What a model is asked to do for "fits": its own batch, texts of so many tokens.
_LENGTH: Final = 256


def models(
    task: Annotated[str | None, typer.Option("--task", help=_("Only those for this task."))] = None,
    search: Annotated[
        str | None,
        typer.Option("--search", metavar="WORDS", help=_("Search all language models that LLaMA-Factory knows.")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz models``."""
    finish(lambda: run_search(search, as_json) if search is not None else run_models(task, as_json))


def run_search(words: str, as_json: bool) -> int:
    """List the language models of the installed LLaMA-Factory that have ``words`` in name, id or template."""
    from tunewiz.backends.language_models.catalogue import catalogue, searched

    found = searched(words)
    if as_json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False))
        return int(ExitCode.OK)
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in (N_("model"), N_("weights"), N_("template"), "ModelScope"):
        table.add_column(translate(title), no_wrap=True)
    for one in found:
        modelscope = "=" if one.modelscope == one.huggingface else one.modelscope or "—"
        table.add_row(*map(Text, (one.id, weights(one.parameters), one.template or "—", modelscope)))
    console.print(table)
    told = say("{count} of {every} models that LLaMA-Factory knows.", count=len(found), every=len(catalogue()))
    console.print(Text(told.text()))
    return int(ExitCode.OK)


def run_models(task: str | None, as_json: bool) -> int:
    """List the known models for ``task`` (all by default)."""
    if task is not None and task not in tasks.catalogue():
        message = say("There is no task {name}.", name=task)
        raise BadPreset(error("unknown-task", message, fix=suggestion(task, list(tasks.catalogue()))))
    free = free_memory()
    kind = tasks.catalogue()[task].model_kind if task else None
    rows = [facts(entry, free) for entry in families.known_models(kind)]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return int(ExitCode.OK)
    console = Console(highlight=False)
    console.print(_table(rows, wide=console.width >= 100))
    room = say("{free} GiB of GPU memory are free.", free=f"{free / memory.GB:.0f}") if free is not None else None
    console.print(Text((room or say("There is no GPU here: small models train on the CPU.")).text()))
    console.print(Text(translate(N_("fits: with all weights / with LoRA, at the model's usual batch and 256 tokens."))))
    return int(ExitCode.OK)


def free_memory() -> int | None:
    """Bytes free on the GPU with the most room; ``None`` without a GPU."""
    return most_free(gpus())


def facts(entry: KnownModel, free: int | None) -> dict[str, Any]:
    """Everything about a model; memory and sizes in bytes."""
    family, size = entry.family, entry.size
    located = find_cached(Model(id=size.id))
    told: dict[str, Any] = {
        "id": size.id,
        "modelscope": size.modelscope,
        "family": family.name,
        "tasks": list(family.tasks),
        "parameters": size.parameters,
        "download": size.download,
        "dimension": size.hidden,
        "layers": size.layers,
        "max_length": size.max_length,
        "licence": family.licence,
        "commercial": family.commercial,
        "languages": list(family.languages),
        "pooling": family.pooling,
        "query_instruction": family.query_instruction,
        "passage_instruction": family.passage_instruction,
        "trust_remote_code": family.trust_remote_code,
        "notes": family.notes.zh if current() == "zh" else family.notes.en,
        "cached": located.place if located else None,
    }
    for method in ("full", "lora"):
        needed = _needed(entry, method)
        fits = needed.fits(free) if free is not None else "cpu"
        told[method] = {"low": needed.low, "expected": needed.expected, "high": needed.high, "fits": fits}
    return told


def _needed(entry: KnownModel, method: str) -> memory.Estimate:
    size = entry.size
    kind = next(kind for kind in tasks.catalogue().values() if kind.model_kind in entry.family.tasks)
    asked = {
        "name": "fits",
        "model": {"id": size.id},
        "data": {"train": "any"},
        "method": method,
        "training": {"batch_size": size.batch_size, "max_length": min(_LENGTH, size.max_length)},
    }
    losses = kind.first_losses.get("groups")
    needed = kind.model_validate(asked | ({"loss": losses[0]} if losses else {})).memory(entry)
    if needed is None:
        raise TypeError(f"the question of fits does not fit {size.id}")
    return needed


def few(languages: Sequence[str]) -> str:
    """The first languages, and how many more there are."""
    return ", ".join(languages) if len(languages) <= 2 else f"{languages[0]} +{len(languages) - 1}"


def _table(rows: list[dict[str, Any]], wide: bool) -> Table:
    """Name first, never broken: it is what one types. Where there is little room, the licence is left to --json."""
    table = Table(box=None, pad_edge=False)
    for title in (N_("model"), N_("weights"), N_("tokens"), N_("languages")):
        table.add_column(translate(title), no_wrap=True)
    if wide:
        table.add_column(translate(N_("licence")), no_wrap=True)
    for title in (N_("fits"), N_("download")):
        table.add_column(translate(title), no_wrap=True)
    for row in rows:
        both = [translate(FITS[row[method]["fits"]]) for method in ("full", "lora")]
        cells = [
            row["id"].rpartition("/")[2],
            weights(row["parameters"]),
            str(row["max_length"]),
            few(row["languages"]),
            *([row["licence"]] if wide else []),
            both[0] if both[0] == both[1] else "/".join(both),
            translate(N_("here")) if row["cached"] else f"{row['download'] / 1e9:.1f} GB",
        ]
        table.add_row(*map(Text, cells))
    return table
