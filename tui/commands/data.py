"""``tunewiz data``: what a dataset is, how long its texts are, what is wrong with it; and a clean copy of it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import typer
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tunewiz.data.checks.check import MAX_TOKENS
from tunewiz.data.folders.hub_ids import at_revision, on_hub
from tunewiz.data.inspection import Inspection, fix, inspect
from tunewiz.data.reading.source import Dataset, Source
from tunewiz.data.retrieval.fixing import Fixed
from tunewiz.data.rows.examples import ROLES
from tunewiz.data.text.cleaning import CLEANED
from tunewiz.data.text.lengths import Lengths
from tunewiz.language import N_, translate
from tunewiz.language import translate as _
from tunewiz.printable import amount, printable
from tunewiz.problems import BadPreset, ExitCode, Finding, Where, error, say
from tunewiz.tui import conversation_report
from tunewiz.tui.commands.options import AsJson, RoleColumns, Roles, finish, pairs, speakers

# ``tunewiz data``: what a dataset is, what is wrong with it, how long it is; and a clean copy of it.


Header = Literal["auto", "yes", "no"]
_TASKS = ("embedding", "reranker", "llm")


Questions = Annotated[
    int | None,
    typer.Option("--questions", metavar="N", help=_("FILE holds documents: write N questions that they answer.")),
]
Out = Annotated[
    str, typer.Option("--out", metavar="DIR", help=_("Where the questions go: FILE-questions, by default."))
]
_WRITERS = _(
    "Who writes the questions: starter, a language model (id or folder), or endpoint:MODEL for the server "
    "at OPENAI_BASE_URL."
)
Writer = Annotated[str, typer.Option("--writer", metavar="MODEL", help=_WRITERS)]
_FINDS = _("What must find the passage by its question: bm25, or an embedding model.")
Retriever = Annotated[str, typer.Option("--retriever", metavar="NAME", help=_FINDS)]


def data(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help=_("A file, a BEIR folder, hf:OWNER/NAME, or sample:NAME; or several.")),
    ],
    task: Annotated[
        str | None, typer.Option("--task", help=_("embedding, reranker or llm: what the rows are for."))
    ] = None,
    mapping: RoleColumns = [],  # noqa: B006
    roles: Roles = [],  # noqa: B006
    labels: Annotated[
        str, typer.Option("--labels", metavar="LABEL=NUMBER,...", help=_("What each label is worth: E=1,S=0.1,I=0."))
    ] = "",
    encoding: Annotated[str, typer.Option("--encoding", help=_("auto, utf-8, gb18030, utf-16, cp1252 ..."))] = "auto",
    delimiter: Annotated[str, typer.Option("--delimiter", help=_("auto, or the character between columns."))] = "auto",
    header: Annotated[str, typer.Option("--header", help=_("auto, yes or no."))] = "auto",
    layout: Annotated[str, typer.Option("--format", help=_("auto, or one of the formats by name."))] = "auto",
    split: Annotated[str, typer.Option("--split", help=_("auto, or a split of a folder or a hub's dataset."))] = "auto",
    subset: Annotated[str, typer.Option("--subset", help=_("Which configuration of a hub's dataset."))] = "",
    revision: Annotated[str, typer.Option("--revision", help=_("A branch, tag or commit of a hub's dataset."))] = "",
    fix: Annotated[Path | None, typer.Option("--fix", metavar="OUT", help=_("Write a clean copy to OUT."))] = None,
    questions: Questions = None,
    out: Out = "",
    writer: Writer = "starter",
    retriever: Retriever = "bm25",
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz data``."""
    if len(files) > 1 and (questions is not None or fix is not None):
        finish(_one_at_a_time)
    if questions is not None:
        finish(lambda: _questions(files[0], questions, out, writer, retriever, as_json))

    def look(file: str, told: list[dict[str, Any]]) -> int:
        return run_data(file, task, pairs(mapping), encoding, delimiter, header, layout, fix, as_json, labels,
                        split=split, subset=subset, revision=revision, roles=speakers(roles), told=told)  # fmt: skip

    finish(lambda: _each(files, look, as_json))


def _each(files: list[str], look: Callable[[str, list[dict[str, Any]]], int], as_json: bool) -> int:
    """Look at every file; the worst of their exit codes."""
    told: list[dict[str, Any]] = []
    codes = [look(file, told) for file in files]
    if as_json:
        print(json.dumps(told[0] if len(told) == 1 else told, ensure_ascii=False))
    elif len(files) > 1:
        _in_all(told)
    return max(codes)


def _one_at_a_time() -> int:
    raise BadPreset(error("one-at-a-time", say("--fix and --questions take one FILE.")))


def _in_all(told: list[dict[str, Any]]) -> None:
    """A line for each of several datasets."""
    print()
    for one in told:
        counts = ", ".join(f"{name} {number:,}" for name, number in one["counts"].items())
        print(printable(f"{one['path']}: {one['format'] or '?'}; {counts or '-'}", 1000))


def _downloaded(dataset: Dataset) -> None:
    """Bring a hub's dataset here, after its size was told."""
    if not on_hub(dataset.path):
        return
    from tunewiz.backends.sources import datasets

    over = "\r" if sys.stderr.isatty() else ""  # a terminal has one line for it, a file none

    def progress(done: int, total: int) -> None:
        if over:
            told = f"{amount(done)} / {amount(total)}" if total else amount(done)
            print(f"{over}{told:24}", end=over if done == total else "", file=sys.stderr, flush=True)

    datasets.fetch_all([dataset], lambda message: print(message.text(), file=sys.stderr), progress)


def _questions(path: str, count: int, out: str, writer: str, retriever: str, as_json: bool) -> int:
    from tunewiz.backends.questions.making import QuestionPlan
    from tunewiz.tui.questions import default_out, run_questions

    return run_questions(QuestionPlan(path, out or default_out(path), count, writer, retriever), as_json)


def run_data(
    path: str,
    task: str | None,
    mapping: dict[str, str],
    encoding: str,
    delimiter: str,
    header: str,
    format_: str,
    fix_to: Path | None,
    as_json: bool,
    labels: str = "",
    *,
    split: str = "auto",
    subset: str = "",
    revision: str = "",
    roles: Mapping[str, str] = {},
    told: list[dict[str, Any]] | None = None,
) -> int:
    """Print the report of ``path`` (or add one JSON object to ``told``) and write a clean copy to ``fix_to``.

    Returns 0, or 3 when something would stop a run and no copy without it was written. Raises ``BadPreset`` for
    options that make no sense.
    """
    dataset = Dataset(
        path=at_revision(path, revision),
        format=format_,
        split=split,
        subset=subset,
        columns=mapping,
        encoding=encoding,
        delimiter=_delimiter(delimiter),
        header=_header(header),
        labels=_labels(labels),
        roles=roles,
    )
    if task is not None and task not in _TASKS:
        message = say("There is no task {task}; the tasks are {tasks}.", task=task, tasks=tuple(_TASKS))
        raise BadPreset(error("unknown-task", message, Where(key="--task")))
    console = Console()
    _downloaded(dataset)
    inspection = inspect(dataset, task)
    if not as_json:
        data_report(inspection, console)
    fixed = fix(dataset, fix_to, task) if fix_to is not None else None
    if fixed is not None and not as_json:
        fixed_report(fixed, CLEANED, console)
    record = inspection_json(inspection) | ({} if fixed is None else {"fixed": _fixed_json(fixed)})
    if told is not None:
        told.append(record)
    elif as_json:
        print(json.dumps(record, ensure_ascii=False))
    good = inspection.usable or (fixed is not None and fixed.kept > 0)
    return int(ExitCode.OK if good else ExitCode.BAD_DATA)


def _delimiter(given: str) -> str:
    """The character that is meant: shells make it hard to type a tab."""
    return {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";"}.get(given, given)


def _labels(given: str) -> dict[str, float]:
    """What ``--labels`` said."""
    from tunewiz.presets.yaml import typed  # with pydantic behind it, too slow for --help

    found = typed.read(given, dict[str, float]) if given.strip() else {}
    if not isinstance(found, dict) or not all(
        isinstance(worth, (int, float)) and not isinstance(worth, bool) for worth in found.values()
    ):
        problem = say("--labels {text} is not of the form LABEL=NUMBER,LABEL=NUMBER.", text=given)
        raise BadPreset(error("bad-labels", problem, fix=say("For example: --labels E=1,S=0.1,C=0.01,I=0")))
    return found


def _header(given: str) -> Header:
    for known in get_args(Header):
        if given == known:
            return known  # type: ignore[no-any-return]
    raise BadPreset(error("bad-header", say("--header is auto, yes or no, not {value}.", value=given)))


def _fixed_json(fixed: Fixed) -> dict[str, object]:
    return {
        "path": str(fixed.path),
        "read": fixed.read,
        "kept": fixed.kept,
        "done": fixed.done,
        "lost": [lost.text() for lost in fixed.lost],
        "reading": [finding_json(finding) for finding in fixed.reading],
    }


# The report of ``tunewiz data``: what a dataset is, its first rows, how long its texts are, what is wrong with it.


_SEVERITIES: Final = {"error": N_("error"), "warning": N_("warning"), "note": N_("note")}
_STYLES: Final = {"error": "bold red", "warning": "yellow", "note": "dim"}
_LINES: Final = 8  # line numbers told of a finding
_INDENT: Final = (0, 0, 0, 2)


def data_report(inspection: Inspection, console: Console) -> None:
    """Print all of ``inspection``; plain text when the console is no terminal."""
    console.print(Text(printable(inspection.name, 1000), style="bold"), soft_wrap=True)
    if inspection.source is not None:
        console.print(Padding(_facts(inspection, inspection.source), _INDENT, expand=False))
    for title, body in (
        (N_("First rows"), _preview(inspection)),
        (N_("A conversation"), conversation_report.conversation(inspection)),
        (N_("Lengths"), _lengths(inspection)),
        (N_("Findings"), _findings(inspection)),
    ):
        if body is not None:
            console.print()
            console.print(Text(translate(title), style="bold"))
            console.print(Padding(body, _INDENT, expand=False))
    console.print()
    console.print(_verdict(inspection))


def _facts(inspection: Inspection, source: Source) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, value in _fact_rows(inspection, source):
        table.add_row(translate(label), Text(printable(value, 1000)))
    return table


def _fact_rows(inspection: Inspection, source: Source) -> Iterator[tuple[str, str]]:
    yield N_("File"), " · ".join(_container(source))
    if source.encoding:
        yield N_("Encoding"), " · ".join(part for part in (source.encoding, source.newline) if part)
    if source.columns:
        yield N_("Columns"), ", ".join(source.columns)
    detection = inspection.detection
    if detection is not None:
        yield N_("Format"), f"{detection.format.name} ({translate(detection.format.title)})"
        if detection.mapping:
            yield N_("Mapping"), ", ".join(f"{role} = {'+'.join(names)}" for role, names in detection.mapping.items())
    yield from _count_rows(inspection)
    yield from conversation_report.facts(inspection)


def _container(source: Source) -> Iterator[str]:
    is_text = source.container in ("csv", "tsv") and not source.delimiter
    name = translate("test collection") if source.container == "beir" else source.container
    name = translate("plain text") if is_text else name
    yield f"{name} ({source.compression})" if source.compression else name
    yield amount(source.size)
    if source.delimiter:
        yield translate("separated by {delimiter}").format(
            delimiter=translate("tab") if source.delimiter == "\t" else source.delimiter
        )
    if source.container in ("csv", "tsv", "xlsx", "html") and not is_text:
        yield translate("with a header") if source.header else translate("without a header")
    if source.sheet:
        yield translate("sheet {name}").format(name=source.sheet)
    if source.rows_under:
        yield translate("rows under {key}").format(key=source.rows_under)


def _count_rows(inspection: Inspection) -> Iterator[tuple[str, str]]:
    counts = inspection.counts
    if "rows" in counts:
        told = translate("{rows} read, {examples} usable")
        yield N_("Rows"), told.format(rows=f"{counts['rows']:,}", examples=f"{counts['examples']:,}")
    if "documents" in counts:
        yield N_("Documents"), f"{counts['documents']:,}"
        yield N_("Queries"), f"{counts['queries']:,}"
    for name, number in counts.items():
        kind, _, split = name.partition(":")
        if kind == "judgments":
            told = translate("{judgments} for {queries} queries")
            shown = told.format(judgments=f"{number:,}", queries=f"{counts[f'queries:{split}']:,}")
            yield N_("Judgments"), f"{split}: {shown}"


def _preview(inspection: Inspection) -> Table | None:
    """The first rows, one line a cell."""
    columns = list(dict.fromkeys(name for row in inspection.preview for name in row))[:4]
    if not columns:
        return None
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), expand=True)
    for name in columns:
        narrow = name in ("score", "id")
        title = _role(name, inspection)
        ratio = None if narrow else 1
        table.add_column(title, no_wrap=True, overflow="ellipsis", ratio=ratio, min_width=cell_len(title) + 2)
    for row in inspection.preview:
        table.add_row(*(Text(printable(row.get(name, ""), 120)) for name in columns))
    return table


def _role(name: str, inspection: Inspection) -> str:
    known = inspection.detection is not None
    return translate(ROLES[name]) if known and name in ROLES else printable(name, 30)


def _lengths(inspection: Inspection) -> RenderableType | None:
    if not inspection.lengths:
        return None
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("")
    for title in ("P50", "P90", "P95", "P99", translate("max")):
        table.add_column(title, justify="right")
    for lengths in inspection.lengths:
        table.add_row(_role(lengths.role, inspection), translate("characters"), *_numbers(lengths.characters))
        table.add_row("", _tokens_name(lengths), *_numbers(lengths.tokens))
    advice = inspection.advice
    if advice is None:
        return table
    told = translate("Max length: {length} tokens keep all but {percent} % of the texts whole.")
    if advice.cut == 0:
        told = translate("Max length: {length} tokens keep all texts whole.")
    if advice.max_length > MAX_TOKENS and not inspection.for_llm:
        told += " " + translate("Few models read more than {most}: cut long texts into passages.")
    shown = told.format(length=advice.max_length, percent=_percent(advice.cut), most=MAX_TOKENS)
    return Group(table, Text(shown))


def _tokens_name(lengths: Lengths) -> str:
    return translate("tokens (exact)") if lengths.exact else translate("tokens (estimated)")


def _numbers(percentiles: Mapping[int, int]) -> list[str]:
    return [f"{value:,}" for value in percentiles.values()]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if 0 < share < 0.995 else f"{100 * share:.0f}"


def _findings(inspection: Inspection) -> RenderableType | None:
    """One block a code: severity, code and count, where, what it means and what to do."""
    blocks = [_finding(finding, inspection.name) for finding in inspection.findings]
    return Group(*blocks) if blocks else None


def _finding(finding: Finding, name: str) -> RenderableType:
    first = finding.first[0]
    text = Text()
    text.append(translate(_SEVERITIES[finding.severity]), style=_STYLES[finding.severity])
    text.append(f" {finding.code}", style="bold")
    if finding.count > 1:
        text.append(f" × {finding.count:,}")
    text.append(_places(finding, name), style="dim")
    return Group(text, Padding(Text(printable(first.told(), 1000)), _INDENT, expand=False))


def _places(finding: Finding, name: str) -> str:
    """Where: the file, if it is another than the one asked for, and the first line numbers."""
    lines = list(dict.fromkeys(problem.where.line for problem in finding.first if problem.where.line))
    file = finding.first[0].where.file
    place = "" if file == name or not lines else f" {printable(file.rpartition('/')[2], 60)}"
    if not lines:
        return place
    shown = ", ".join(str(line) for line in lines[:_LINES])
    more = " …" if finding.count > min(len(lines), _LINES) else ""
    return f" ·{place} " + translate("line {lines}").format(lines=shown + more)


def _verdict(inspection: Inspection) -> Text:
    counts: Counter[str] = Counter()
    for finding in inspection.findings:
        counts[finding.severity] += finding.count
    errors, warnings = f"{counts['error']:,}", f"{counts['warning']:,}"
    if counts["error"]:
        told = translate("Errors, which stop a run: {errors}. Warnings: {warnings}.")
        text = Text(told.format(errors=errors, warnings=warnings), style="bold red")
        if inspection.counts.get("examples"):
            text.append(
                " " + translate("--fix OUT writes a copy without what cannot be read."), style="not bold default"
            )
        return text
    if any(finding.code == "llm-layout" for finding in inspection.findings):
        told = translate("Rows for language models; for retrieval, map two columns. Warnings: {warnings}.")
        return Text(told.format(warnings=warnings), style="bold")
    if counts["warning"]:
        told = translate("It can be used: warnings ({warnings}) stop no run, and cleaning mends what it can.")
        return Text(told.format(warnings=warnings), style="bold")
    return Text(translate("It can be used; nothing is wrong with it."), style="bold green")


def fixed_report(fixed: Fixed, words: Mapping[str, str], console: Console) -> None:
    """Print what ``--fix`` wrote, left out and changed; ``words`` maps codes of cleaning to what was done."""
    console.print()
    told = translate("Wrote {kept} of {read} to {path}.")
    told = told.format(kept=f"{fixed.kept:,}", read=f"{fixed.read:,}", path=printable(fixed.path, 1000))
    console.print(Text(told, style="bold"), soft_wrap=True)
    for lost in fixed.lost:
        console.print(Text(f"  {lost.text()}", style="yellow"))
    for code, count in sorted(fixed.done.items()):
        if count:
            console.print(Text(f"  {translate(words[code])}: {count:,}"))
    for finding in fixed.reading:
        if finding.severity != "note":
            met = translate("met while reading: {code}").format(code=finding.code)
            console.print(Text(f"  {met}: {finding.count:,}"))


def inspection_json(inspection: Inspection) -> dict[str, Any]:
    """The inspection as one JSON object."""
    source, detection, advice = inspection.source, inspection.detection, inspection.advice
    return {
        "path": inspection.name,
        "usable": inspection.usable,
        "source": None if source is None else _source_json(source),
        "format": inspection.format,
        "mapping": {} if detection is None else {role: list(names) for role, names in detection.mapping.items()},
        "confidence": None if detection is None else detection.confidence,
        "alternatives": [] if detection is None else list(detection.alternatives),
        "counts": dict(inspection.counts),
        "preview": [dict(row) for row in inspection.preview],
        "lengths": [
            {"role": item.role, "count": item.count, "exact": item.exact}
            | {"characters": item.characters, "tokens": item.tokens}
            for item in inspection.lengths
        ],
        "advice": None if advice is None else {"max_length": advice.max_length, "cut": advice.cut},
        "findings": [finding_json(finding) for finding in inspection.findings],
    }


def _source_json(source: Source) -> dict[str, Any]:
    names = (
        *("container", "compression", "encoding", "encoding_basis", "confidence", "newline", "delimiter", "header"),
        *("rows_under", "sheet", "size"),
    )
    return {name: getattr(source, name) for name in names} | {
        "columns": list(source.columns),
        "splits": list(source.splits),
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as a JSON object; ``first`` holds its first problems."""
    return {
        "severity": finding.severity,
        "code": finding.code,
        "count": finding.count,
        "first": [problem.as_json() for problem in finding.first],
    }
