"""Lines of styled text, before they become a widget's strips: plain data that tests can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Final, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tunewiz.tui.terminal.breaking import words

Part: TypeAlias = tuple[str, str]  # text and the name of its style
Line: TypeAlias = Sequence[Part]


def width_of(line: Line) -> int:
    """Cells that ``line`` takes."""
    return sum(cell_len(text) for text, _ in line)


def text_of(line: Line) -> str:
    """The line without styles."""
    return "".join(text for text, _ in line)


def rich_text(line: Line, styles: Mapping[str, str]) -> Text:
    """``line`` for what takes Rich's text; ``styles`` are Rich's by the names of ours, others are plain."""
    return Text.assemble(*((text, styles.get(style, "")) for text, style in line))


def fit(line: Line, width: int) -> list[Part]:
    """``line`` cut or filled with blanks to exactly ``width`` cells; a cut is marked with an ellipsis."""
    room, parts = width, []
    if width_of(line) > width:
        for text, style in line:
            size = cell_len(text)
            if size >= room:
                parts.append((set_cell_size(text, max(0, room - 1)) + ("…" if room else ""), style))
                return parts
            parts.append((text, style))
            room -= size
    return [*line, (" " * (width - width_of(line)), "plain")]


def spread(left: Line, right: Line, width: int) -> list[Part]:
    """``left`` and ``right`` at the two ends of a line; the left one gives way."""
    room = width - width_of(right)
    return [*fit(left, room), *right] if room > 0 else fit(right, width)


def join_groups(groups: Iterable[Line], width: int, gap: str = "  ") -> list[Part]:
    """As many of ``groups``, from the first, as fit in ``width`` with ``gap`` between them."""
    line: list[Part] = []
    for group in groups:
        more = [(gap, "plain"), *group] if line else list(group)
        if width_of(line) + width_of(more) > width:
            break
        line += more
    return line


def wrap_text(text: str, width: int, style: str = "plain", indent: str = "") -> list[list[Part]]:
    """``text`` broken into lines of at most ``width`` cells, at spaces or between Chinese characters."""
    lines, current = [], indent
    for _, _, word in words(text.lstrip()):
        if cell_len(current + word.rstrip()) > width and current.strip():
            lines.append([(current.rstrip(), style)])
            current = indent
            word = word.lstrip()
        while cell_len(current + word.rstrip()) > width and cell_len(indent) + 2 <= width:
            head = _head(word, width - cell_len(current))
            lines.append([(current + head, style)])
            current, word = indent, word[len(head) :]
        current += word
    return [*lines, [(current.rstrip(), style)]] if current.strip() else lines


def _head(word: str, width: int) -> str:
    """As much of the beginning of ``word`` as fits in ``width`` cells, at least one character."""
    size = 0
    for number, character in enumerate(word):
        size += cell_len(character)
        if size > width and number:
            return word[:number]
    return word


def changed_cells(before: Line, after: Line) -> tuple[int, int] | None:
    """First cell and count of cells in which two lines differ; ``None`` when they look the same."""
    if before == after:
        return None
    old, new = _cells(before), _cells(after)
    differing = [
        number for number, (one, other) in enumerate(zip_longest(old, new, fillvalue=(" ", "plain"))) if one != other
    ]
    return (differing[0], differing[-1] - differing[0] + 1) if differing else None


class _Widths(dict[str, int]):
    """Cells of single characters. A plot is compared character by character: 10,000 of them each second."""

    def __missing__(self, character: str) -> int:
        self[character] = width = cell_len(character)
        return width


_WIDTHS: Final = _Widths()


def _cells(line: Line) -> list[Part]:
    """One entry a cell; a wide character fills two with itself, so that its halves never part."""
    found: list[Part] = []
    widths = _WIDTHS
    for text, style in line:
        for character in text:
            width = widths[character]
            if width == 1:
                found.append((character, style))
            elif width:
                found += [(character, style)] * width
    return found
