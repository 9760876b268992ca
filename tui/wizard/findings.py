"""What was found in the data, as text: pure, from an inspection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tunewiz.data.formats.format import formats
from tunewiz.data.inspection import Inspection
from tunewiz.data.text.lengths import Lengths
from tunewiz.language import N_, translate
from tunewiz.printable import amount, printable
from tunewiz.problems import Finding, Message, Problem, Where, say
from tunewiz.tui import conversation_report
from tunewiz.tui.widgets.plotting import sparkline
from tunewiz.tui.wizard.inspecting import Inspected, called, on_screen
from tunewiz.tui.wizard.step import State

#: Names of the theme's colours.
_STYLES: Final = {"error": "error", "warning": "warning", "note": "dim"}
Colours = Mapping[str, str]
#: The format whose roles are asked for where none is detected: of search, of language models.
_PLAIN: Final = ("pairs", "prompt_completion")
_MARKS: Final = {"error": "✗", "warning": "⚠", "note": "·"}
_BAR: Final = 24
_PLACES: Final = 4


def state_line(state: State, colours: Colours) -> Text:
    """How the look at the data stands: nothing named, looking, or what it is."""
    if state.asked is None:
        return Text()
    if state.current is None:
        return Text(translate("Looking through the data …"), style="dim italic")
    return _what(state.current, colours)


def _what(found: Inspected, colours: Colours) -> Text:
    inspection = found.inspection
    source, detection = inspection.source, inspection.detection
    if source is None:
        return Text()
    parts = [source.container, source.encoding, amount(source.size) if source.size else ""]
    if detection is not None:
        parts.insert(0, translate(detection.format.title))
    counts = inspection.counts
    if "rows" in counts:
        parts.append(say("{rows} rows, {usable} usable", rows=counts["rows"], usable=counts["examples"]).text())
    if "documents" in counts:
        message = say(
            "{documents} documents, {queries} queries", documents=counts["documents"], queries=counts["queries"]
        )
        parts.append(message.text())
    mark = ("✓ ", colours["success"]) if inspection.usable else ("✗ ", colours["error"])
    return Text.assemble(mark, " · ".join(printable(part) for part in parts if part))


def roles(found: Inspected) -> list[tuple[str, str, tuple[str, ...]]]:
    """Role, its column(s), and the columns there are; empty where columns have nothing to say.

    Where no format fits, the roles of pairs, so that it can be said which column is what.
    """
    source, detection = found.inspection.source, found.inspection.detection
    if detection is not None and detection.format.shape != "collection":
        names, mapping = [role.name for role in detection.format.roles], detection.mapping
    elif detection is None and source is not None:
        known = formats(found.asked.task)
        plain = next(known[name] for name in _PLAIN if name in known)
        names, mapping = [role.name for role in plain.roles], {}
    else:
        return []
    columns = source.columns if source else ()
    given = dict(dict(found.asked.options).get("columns", ()))
    return [(name, ",".join(mapping.get(name, ())) or given.get(name, ""), columns) for name in names if columns]


def role_name(role: str) -> str:
    """A role in the current language."""
    name = called(role)
    return name if isinstance(name, str) else name.text()


def needed_roles(found: Inspected) -> frozenset[str]:
    """The roles that some column must play."""
    detection = found.inspection.detection
    known = formats(found.asked.task)
    layout = detection.format if detection is not None else next(known[name] for name in _PLAIN if name in known)
    return frozenset(role.name for role in layout.roles if role.required)


def preview(found: Inspected, colours: Colours) -> RenderableType:
    """The first rows, a column a role."""
    rows = found.inspection.preview
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        return Text()
    table = Table(box=None, pad_edge=False, expand=True, header_style="bold", title_justify="left")
    for name in names:
        longest = max(len(row.get(name, "")) for row in rows)
        table.add_column(role_name(name), ratio=min(6, 1 + longest // 12), no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(printable(row.get(name, ""), 300)) for name in names))
    return Group(_title(N_("Preview")), table, *_conversation(found.inspection))


def _conversation(inspection: Inspection) -> Iterator[RenderableType]:
    """What rows for a language model hold, and one of them turn by turn."""
    facts = [(translate(label), told) for label, told in conversation_report.facts(inspection)]
    if facts:
        yield Text("\n" + "\n".join(f"{label}: {told}" for label, told in facts))
    whole = conversation_report.conversation(inspection)
    if whole is not None:
        yield _title(N_("A conversation"))
        yield whole


def counts(found: Inspected, colours: Colours) -> RenderableType:
    """What a run would train, validate and measure on."""
    numbers = found.counts
    if not numbers:
        return Text()
    lines = [Text(_split(numbers).text()), *(_problem(problem, colours) for problem in found.found)]
    return Group(_title(N_("Split")), *lines)


def _split(numbers: Mapping[str, int]) -> Message:
    train, validation = numbers.get("train", 0), numbers.get("validation", 0)
    if "evaluation" in numbers:
        return say(
            "{train} rows to train on, {validation} to watch by, {evaluation} to measure on",
            train=train,
            validation=validation,
            evaluation=numbers["evaluation"],
        )
    return say(
        "{train} rows to train on, {validation} to watch by, {queries} queries to measure on in {documents} documents",
        train=train,
        validation=validation,
        queries=numbers.get("evaluation_queries", 0),
        documents=numbers.get("documents", 0),
    )


def lengths(found: Inspected, colours: Colours) -> RenderableType:
    """How long the texts are, as bars from the shorter half to the longest."""
    measured = found.inspection.lengths
    if not measured:
        return Text()
    longest = max(max(one.tokens.values(), default=0) for one in measured) or 1
    lines = [line for one in measured for line in _bars(one, longest, colours)]
    advice = found.inspection.advice
    if advice:
        message = say(
            "A max length of {length} cuts {share} % of the texts.",
            length=advice.max_length,
            share=round(100 * advice.cut, 1),
        )
        lines.append(Text(message.text(), style="dim"))
    exact = all(one.exact for one in measured)
    unit = N_("Length in tokens") if exact else N_("Length in tokens (estimated)")
    return Group(_title(unit), *lines)


def _bars(one: Lengths, longest: int, colours: Colours) -> list[Text]:
    lines = []
    for number, (percent, tokens) in enumerate(sorted(one.tokens.items())):
        name = role_name(one.role) if number == 0 else ""
        label = translate("longest") if percent == 100 else f"{percent} % ≤"
        bar = "█" * max(1, round(_BAR * tokens / longest))
        line = Text(name)
        line.pad_right(max(1, 14 - line.cell_len))
        label = " " * (8 - cell_len(label)) + label
        line.append(f"{label} {tokens:>6} ", style="dim").append(bar, style=colours["primary"])
        lines.append(line)
    if one.histogram:
        # Equal ranges of tokens, from 0 to the longest text of this role.
        shape = sparkline(one.histogram, len(one.histogram), high=max(one.histogram))
        label = translate("spread")
        line = Text(" " * (22 - cell_len(label)) + label + " " * 8, style="dim")
        lines.append(line.append(shape, style=colours["primary"]))
    return lines


def findings(found: Inspected, colours: Colours) -> RenderableType:
    """Every kind of finding: how many, what, and the first places."""
    kinds = found.inspection.findings
    if not kinds:
        return Group(_title(N_("Findings")), Text(translate("Nothing is wrong with it."), style=colours["success"]))
    return Group(_title(N_("Findings")), *(line for kind in kinds for line in _kind(kind, colours)))


def worst(found: Inspected, colours: Colours, most: int) -> Iterator[Text]:
    """The first of each kind of error and warning, errors first, at most so many."""
    kinds = sorted(found.inspection.findings, key=lambda kind: kind.severity != "error")
    for kind in [kind for kind in kinds if kind.severity != "note"][:most]:
        yield _problem(kind.first[0], colours, kind.count)


def _kind(kind: Finding, colours: Colours) -> list[Text]:
    first = kind.first[0]
    lines = [_problem(first, colours, kind.count)]
    if kind.count > 1:
        places = translate(", ").join(_place(problem.where) for problem in kind.first[1 : 1 + _PLACES])
        rest = kind.count - min(len(kind.first), 1 + _PLACES)
        more = (
            say("  also {places} and {rest} more", places=places, rest=rest)
            if rest
            else say("  also {places}", places=places)
        )
        lines.append(Text(more.text(), style="dim"))
    return lines


def _problem(problem: Problem, colours: Colours, count: int = 1) -> Text:
    problem = on_screen(problem)
    text = Text(f"{_MARKS[problem.severity]} ", style=colours[_STYLES[problem.severity]])
    place = _place(problem.where)
    told = f"{place}{translate(': ')}{problem.told()}" if place else problem.told()
    times = f" ×{count}" if count > 1 else ""
    return text.append(f"{told}{times}", style=colours["dim" if problem.severity == "note" else "foreground"])


def _place(where: Where) -> str:
    """File and line without the folder: all findings are about one dataset."""
    return str(replace(where, file=PurePath(where.file).name))


def _title(text: str) -> Text:
    return Text(f"\n{translate(text)}", style="bold")
