"""What a report consists of, and how that looks as Markdown and as a page that stands alone.

The sections that the reports of all tasks have, and the files of every report.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tunewiz.backends.evaluate.verdict import VERDICTS, Comparison, Verdict
from tunewiz.backends.reports.metrics_file import NAME, MetricsFile
from tunewiz.backends.runs.events import STAGE_NAMES, STAGES
from tunewiz.backends.runs.state import RunState
from tunewiz.files import write_whole
from tunewiz.language import N_, current, translate
from tunewiz.problems import Message, reworded, say
from tunewiz.redaction import redacted


@dataclass(frozen=True)
class Heading:
    """A title; level 1 is the report's own."""

    text: str
    level: Literal[1, 2, 3] = 2


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``strong`` for the one sentence that matters."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Cells of text; ``numbers`` are the columns aligned to the right, ``marked`` the row to look at first."""

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    marked: int = -1


@dataclass(frozen=True)
class Code:
    """A program."""

    text: str
    language: str = "python"


@dataclass(frozen=True)
class Picture:
    """A PNG file in the report's folder, and what it shows in words."""

    file: Path
    told: str


Block = Heading | Paragraph | Bullets | Table | Code | Picture

#: What Markdown would act on inside a cell; cells may hold text from the data.
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>|]")
#: What an SVG of its own says and one inside a page does not.
_XML: Final = re.compile(r"<metadata>.*?</metadata>| xmlns(?::\w+)?=\"[^\"]*\"", re.DOTALL)
#: Where an SVG gives something a name, and where it calls it.
_NAMED: Final = re.compile(r'(\bid="|url\(#|href="#)')
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.6 system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .7rem; text-align: left; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.marked { background: var(--soft); font-weight: 600; }
.strong { font-size: 1.15rem; font-weight: 600; }
figure { margin: 1rem 0; break-inside: avoid; }
figure > img, figure > svg { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { font-size: .9rem; opacity: .8; }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; }
@page { margin: 1.6cm; }
@media print {
  :root { color-scheme: light; } body { max-width: none; margin: 0; font-size: 11pt; }
  table { display: table; font-size: 9pt; } .number { white-space: normal; } td { overflow-wrap: anywhere; }
  tr, pre, figure { break-inside: avoid; } h1, h2, h3 { break-after: avoid; }
}
"""


def markdown(blocks: Sequence[Block]) -> str:
    """``blocks`` as GitHub-flavoured Markdown without secrets, pictures by their file name."""
    return redacted("\n\n".join("\n".join(_markdown(block)) for block in blocks) + "\n")


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * level} {text}"
        case Paragraph(text, strong):
            yield f"**{text}**" if strong else text
        case Bullets(items):
            yield from (f"- {item}" for item in items)
        case Code(text, language):
            yield f"```{language}\n{text}\n```"
        case Picture(file, told):
            yield f"![{told}]({file.name})"
        case Table():
            yield _row(block.titles)
            yield "|" + "|".join("--:" if place in block.numbers else "---" for place in range(len(block.titles))) + "|"
            for number, row in enumerate(block.rows):
                yield _row(row, strong=number == block.marked)


def _row(cells: Sequence[str], strong: bool = False) -> str:
    safe = [_MARKUP.sub(r"\\\g<0>", cell.replace("\n", " ")) for cell in cells]
    return "| " + " | ".join([f"**{safe[0]}**" if strong else safe[0], *safe[1:]]) + " |"


def page(blocks: Sequence[Block], language: str) -> str:
    """``blocks`` as one HTML file that needs nothing else: style and pictures are inside, there is no script."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    body = "\n".join("\n".join(_html(block)) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{_text(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"<h{level}>{_text(text)}</h{level}>"
        case Paragraph(text, strong):
            yield f'<p class="strong">{_text(text)}</p>' if strong else f"<p>{_text(text)}</p>"
        case Bullets(items):
            yield "<ul>" + "".join(f"<li>{_text(item)}</li>" for item in items) + "</ul>"
        case Code(text, _):
            yield f"<pre><code>{_text(text)}</code></pre>"
        case Picture(file, told):
            yield f"<figure>{_drawn(file, told)}<figcaption>{_text(told)}</figcaption></figure>"
        case Table():
            yield "<table><thead><tr>" + _cells(block.titles, "th", block.numbers) + "</tr></thead><tbody>"
            for number, row in enumerate(block.rows):
                marked = ' class="marked"' if number == block.marked else ""
                yield f"<tr{marked}>" + _cells(row, "td", block.numbers) + "</tr>"
            yield "</tbody></table>"


def _drawn(file: Path, told: str) -> str:
    """A picture inside the page: as SVG where it was drawn as one, else as PNG."""
    svg = file.with_suffix(".svg")
    if not svg.is_file():
        data = base64.b64encode(file.read_bytes()).decode("ascii")
        return f'<img src="data:image/png;base64,{data}" alt="{_text(told)}">'
    text = svg.read_text(encoding="utf-8")
    inside = text[text.index("<svg") :]  # without the prologue, which has no place in a page
    # Names are the page's: two pictures may not have one in common.
    inside = _NAMED.sub(rf"\g<1>{file.stem}-", _XML.sub("", inside).replace("xlink:href", "href"))
    return inside.replace("<svg ", f'<svg role="img" aria-label="{_text(told)}" ', 1)


def _cells(cells: Sequence[str], tag: str, numbers: frozenset[int]) -> str:
    kinds = [' class="number"' if place in numbers else "" for place in range(len(cells))]
    return "".join(f"<{tag}{kind}>{_text(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))


def _text(text: str) -> str:
    return html.escape(redacted(text), quote=True)


# The files of every report.


def write_pages(folder: Path, blocks: Sequence[Block], numbers: MetricsFile) -> None:
    """Write ``blocks`` as ``report.md`` and ``report.html``, and ``numbers`` as ``metrics.json``, into ``folder``."""
    write_whole(folder / "report.md", markdown(blocks))
    write_whole(folder / "report.html", page(blocks, current()))
    numbers.write(folder / NAME)


def verdict(word: Verdict, decides: Comparison | None = None) -> Block:
    """The verdict's sentence, and with ``decides`` the measure that it goes by: what one reads who reads one line."""
    sentence = VERDICTS[word].sentence.text()
    if decides is not None:
        sides = f"{decides.before:.3f} → {decides.after:.3f}"
        sentence = say("{verdict} ({metric} {sides})", verdict=sentence, metric=decides.metric, sides=sides).text()
    return Paragraph(sentence, strong=True)


def section(title: str, items: Sequence[str]) -> Iterator[Block]:
    """A heading with a list; nothing without items. What is not known is an item without words, and left out."""
    known = [item for item in items if item]
    if known:
        yield Heading(translate(title))
        yield Bullets(known)


def advice(steps: Sequence[Message]) -> Iterator[Block]:
    """What to try next; nothing where there is no advice."""
    yield from section(N_("What to try next"), [step.text() for step in steps])


def notices(state: RunState) -> list[str]:
    """Warnings and notes of the run, each once, in the current language."""
    worded = map(reworded, state.problems)
    shown = [f"{problem.get('message', '')} {problem.get('fix', '')}".strip() for problem in worded]
    return list(dict.fromkeys(text for text in shown if text))


def times(record: Mapping[str, Any], state: RunState) -> Iterator[str]:
    """How long each stage took, and on which machine."""
    for name in STAGES:
        if name in state.seconds:
            took = say("{seconds} s", seconds=f"{state.seconds[name]:.1f}")
            yield f"{translate(STAGE_NAMES[name])}: {took.text()}"
    machine = record.get("hardware", {})
    if machine.get("processor"):
        cores = say("{processor}, {cores} cores", processor=machine["processor"], cores=machine.get("cores", "?"))
        yield cores.text()
    yield from (str(gpu.get("name", "")) for gpu in machine.get("gpus", []) if gpu.get("name"))
