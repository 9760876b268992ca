"""What a run will do, in plain words: on what, how, for how long, in how much memory, and what is there afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from rich.text import Text

from tunewiz.data.folders.hub_ids import on_hub
from tunewiz.data.reading.source import SAMPLE_PREFIX
from tunewiz.language import N_, translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.families import Weights, lookup
from tunewiz.presets.preset import Preset
from tunewiz.presets.recipe import open_keys
from tunewiz.presets.sections.sweep import Range
from tunewiz.presets.sweeping import many
from tunewiz.presets.yaml import fields, typed
from tunewiz.printable import amount, printable
from tunewiz.problems import Message, Problem, errors, say
from tunewiz.tui.wizard.frame import memory_line
from tunewiz.tui.wizard.machine import steps_of, time_line
from tunewiz.tui.wizard.step import State
from tunewiz.tui.words import span

#: So many values that differ from the defaults are told.
_MOST: Final = 12
_TASKS: Final = {
    "embedding": N_("It will be better at finding the right texts for a question."),
    "reranker": N_("It will be better at putting the right text first among those that a search found."),
    "llm": N_("It will answer as the rows of the file do."),
}
#: A word and a colon at the beginning.
_LABEL: Final = re.compile(r"^[^:：;；(（]{1,8}[:：]\s*")
Colours = Mapping[str, str]


def summary(state: State, seconds_a_step: float | None, colours: Colours, measuring: bool = False) -> Text:
    """The whole of it, a paragraph a question; empty while the draft is no preset.

    ``measuring``: whether somebody waits for the seconds that a step takes.
    """
    preset = state.draft.checked()[0]
    if preset is None:
        head = Text(translate("Not ready yet. F7 goes to what is missing or wrong:"), style="bold")
        return Text("\n").join(
            [head, *(_in_the_way(state, problem, colours) for problem in errors(state.problems)[:6])]
        )
    told = dict(_lines(state, preset, colours))
    if measuring:
        told["Time"] = translate("being measured: a few steps are trained on the side …")
    elif seconds_a_step is not None:
        told["Time"] = _measured(state, preset, seconds_a_step)
    lines = [Text.assemble((f"{translate(label)}  ", "bold"), words) for label, words in told.items()]
    return Text("\n").join([*lines, *_changed(state, colours)])


def _in_the_way(state: State, problem: Problem, colours: Colours) -> Text:
    """What is still to be filled in, or what is wrong, at which field."""
    title = state.title_of(problem)
    named = Text(f"{title}{translate(': ')}" if title else "", style="bold")
    if problem.code == "missing-key":
        return Text("  ○ ").append(named).append(translate("Still to be filled in."))
    return Text("  ✗ ", style=colours["error"]).append(named).append(problem.message.text(), style="default not bold")


def _lines(state: State, preset: Preset, colours: Colours) -> Iterator[tuple[str, str | Text]]:
    yield N_("What happens"), translate(_TASKS[preset.task]) if preset.task in _TASKS else _about(preset)
    yield N_("On what"), _on_what(state, preset).text()
    yield N_("How"), _how(state, preset)
    if preset.sweep:
        yield N_("Sweep"), _sweep(preset)
    paces = state.machine.paces if state.machine else ()
    time = "".join(part for part, _ in time_line(state.draft, state.facts.rows, paces))
    yield N_("Time"), _without_label(time, "")[0]
    parts = memory_line(state)
    style = {"good": colours["success"], "warn": colours["warning"], "bad": colours["error"]}
    yield N_("Memory"), Text.assemble(*(_without_label(text, style.get(name, "")) for text, name in parts))
    yield N_("Afterwards"), say(
        "runs/{name}-…: the model, a report before → after with a verdict; try it by hand, export it. If it got worse, "
        "it says so.", name=preset.name).text()  # fmt: skip


def _about(preset: Preset) -> str:
    info = type(preset).model_fields["task"]
    return translate(info.description) if info.description else preset.task


def _without_label(text: str, style: str) -> tuple[str, str]:
    """Without the word that stands before the line already."""
    return _LABEL.sub("", text), style


def _on_what(state: State, preset: Preset) -> Message:
    name = " + ".join(_called(dataset.path) for dataset in getattr(getattr(preset, "data", None), "datasets", ()))
    counts: Mapping[str, int] = state.current.counts if state.current else {}
    known = lookup(preset.model.id)
    size = Weights("", count=known.size.parameters) if known else say("of unknown size")
    here = state.machine is not None and known is not None and known.size.id in state.machine.cached
    where = (
        say("it is on this machine")
        if here or known is None
        else say("{size} are downloaded first", size=amount(known.size.download))
    )
    measured = counts.get("evaluation_queries", counts.get("evaluation", 0))
    rows = counts.get("train", state.facts.rows)
    if not rows:
        return say(
            "{model} ({size}; {where}) learns from {file}, whose rows are not counted yet; a part of them is kept "
            "aside to measure it before and after.", model=preset.model.id, size=size, where=where, file=name,
        )  # fmt: skip
    return say("{model} ({size}; {where}) learns from {rows} rows of {file}; {measured} are kept aside to measure it "
               "before and after.", model=preset.model.id, size=size, where=where, rows=rows, file=name,
               measured=measured)  # fmt: skip


def _called(path: str) -> str:
    return path if path.startswith(SAMPLE_PREFIX) or on_hub(path) else PurePath(path).name


def _how(state: State, preset: Preset) -> str:
    training, method = preset.training, getattr(getattr(preset, "method", None), "type", "")
    batch = training.batch_size * training.accumulation
    if "epochs" in open_keys(training):
        return say("{method}, in batches of {batch}; how long and how fast is chosen from the data when the run begins",
                   method=method or preset.backend, batch=batch).text()  # fmt: skip
    steps = steps_of(preset, state.facts.rows)
    told = say("{method}; {epochs:g} times through the rows in batches of {batch}: {steps} steps, learning rate {rate}",
               method=method or preset.backend, epochs=training.epochs, batch=batch,
               steps=round(steps) if steps else "?", rate=f"{training.learning_rate:g}")  # fmt: skip
    return told.text()


def _sweep(preset: Preset) -> str:
    named = "; ".join(
        f"{key}: {values.told if isinstance(values, Range) else ', '.join(map(typed.write, values))}"
        for key, values in preset.sweep.items()
    )
    return say(
        "{count} runs, each with other values of these ({named}); time and memory are those of one. The one that "
        "measures best on the validation data is kept. Stopped, it goes on where it was.",
        count=many(preset),
        named=printable(named),
    ).text()


def _measured(state: State, preset: Preset, seconds: float) -> str:
    steps = steps_of(preset, state.facts.rows)
    if not steps:
        return say("about {time} a step, measured here", time=span(seconds)).text()
    return say("about {time} of training ({seconds:.2f} s a step, measured here), and measuring before and after",
               time=span(steps * seconds), seconds=seconds).text()  # fmt: skip


def _changed(state: State, colours: Colours) -> Iterator[Text]:
    """What differs from the defaults, answers first, and why where that is known."""
    found = list(changes(state.draft))
    if not found:
        return
    yield Text("\n" + translate("Different from the defaults"), style="bold")
    reasons = state.reasons()
    for path, value, default in found[:_MOST]:
        info, key = state.draft.field(path), ".".join(path)
        title = translate(info.title) if info and info.title else path[-1]
        line = Text(f"  {title} ", style="").append(printable(_short(value), 60), style="bold")
        if default is not None:
            line.append("  " + say("(default {value})", value=_short(default)[:40]).text(), style=colours["dim"])
        why = reasons.get(key, "")
        yield line.append(f"  {why}", style=colours["dim"]) if why else line
    if len(found) > _MOST:
        yield Text("  " + say("and {count} more: see the preset", count=len(found) - _MOST).text(), colours["dim"])


def changes(draft: Draft) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Path, value and default of each value that is not its default; sections that are always given are left out."""
    always = {("task",), ("backend",), ("name",), ("version",), ("model", "id"), ("data", "train"), ("data", "columns")}
    for path in draft.paths():
        info, value = draft.field(path), draft.value(path)
        if info is None or path in always or fields.section_of(info.annotation, value) is not None:
            continue
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        if value is not None and value != default:
            yield path, value, default


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return translate("yes") if value else translate("no")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
