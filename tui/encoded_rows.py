"""Training rows as the model reads them: asked for in a child process, drawn with what is learned marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from tunewiz.backends.engines import Backend, find_engine
from tunewiz.backends.evaluate.lengths import Reading, ReadRow
from tunewiz.errand import send
from tunewiz.language import translate
from tunewiz.presets.preset import Preset
from tunewiz.printable import printable
from tunewiz.problems import say

SHOWN: Final = 5
#: Characters shown of one piece of a row.
_LONGEST: Final = 2000
#: Around what is learned, where there is no colour.
_MARKS: Final = ("[[", "]]")


def can_be_read(preset: Preset) -> bool:
    """Whether the preset's backend can show rows as the model reads them."""
    return type(find_engine(preset.backend)).reading is not Backend.reading


def ask(preset: Preset, count: int = SHOWN, unwanted: Callable[[], bool] = lambda: False) -> Reading | None:
    """``count`` rows; blocks for seconds. Raises ``GivenUp``, or ``ErrandFailed`` with what is wrong."""
    found: Reading | None = send("tunewiz.tui.encoded_rows:read", preset, count, unwanted=unwanted)
    return found


def read(preset: Preset, count: int) -> Reading | None:
    """What the backend reads; called in the child."""
    return find_engine(preset.backend).reading(preset, count)


def drawn(reading: Reading, colours: Mapping[str, str] | None = None) -> RenderableType:
    """Lengths, then rows; what is learned in colour, or in brackets without ``colours``."""
    if reading.why_not:
        return Text(reading.why_not.text())
    lines = [Text(problem.line()) for problem in reading.problems()]
    lines.append(Text())
    lines.append(_legend(colours))
    for number, row in enumerate(reading.rows, 1):
        lines += [Text(), _head(number, row), _body(row, colours)]
    return Group(*lines)


def _legend(colours: Mapping[str, str] | None) -> Text:
    legend = Text()
    for words, learned in ((translate("learned"), True), (translate("only read"), False)):
        legend.append_text(_piece(words, learned, colours)).append("   ")
    return legend


def _head(number: int, row: ReadRow) -> Text:
    told = say("Row {number}: {tokens} tokens, {learned} of them learned", number=number, tokens=row.tokens,
               learned=row.learned).text()  # fmt: skip
    side = f" · {row.side.text()}" if row.side else ""
    left = row.whole - row.tokens
    cut = f" · {say('{count} tokens are cut off', count=left).text()}" if left > 0 else ""
    return Text(f"{told}{side}{cut}", style="bold")


def _body(row: ReadRow, colours: Mapping[str, str] | None) -> Text:
    text = Text()
    for piece in row.pieces:
        text.append_text(_piece(_lines(piece.text), piece.learned, colours))
    return text


def _lines(text: str) -> str:
    """``text`` line by line harmless."""
    return "\n".join(printable(line, _LONGEST) for line in text.split("\n"))


def _piece(text: str, learned: bool, colours: Mapping[str, str] | None) -> Text:
    if colours is None:
        return Text(f"{_MARKS[0]}{text}{_MARKS[1]}" if learned else text)
    return Text(text, style=f"bold {colours['success']}" if learned else colours["dim"])
