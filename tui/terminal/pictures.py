"""Pictures of a screen: SVG as Textual makes it, and PNG drawn cell by cell with the fonts that are here."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.app import App

from tunewiz import paths
from tunewiz.files import write_whole

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Rows = Sequence[Sequence[Segment]]
Rgb = tuple[int, int, int]
#: Points of a cell in a PNG, and of the letters in it: twice what a usual terminal has, to be read on paper too.
_WIDE, _HIGH, _LETTERS, _WIDE_LETTERS = 20, 40, 33, 38
_FOLDERS: Final = ("~/.fonts", "~/.local/share/fonts", "/usr/share/fonts", "/usr/local/share/fonts")
_CHINESE: Final = re.compile(
    r"(?i)(cjk|wqy|wenquanyi|sourcehan|source-han|droidsansfallback|msyh|simhei|simsun|arphic|uming)"
)


class Shot(NamedTuple):
    """A screen as it stood. ``fore`` and ``back`` are the theme's colours."""

    svg: str
    rows: Rows
    fore: Rgb
    back: Rgb


class Written(NamedTuple):
    """The files of a picture. ``png`` is missing where nothing draws it, ``letters`` says whether all are shown."""

    svg: Path
    png: Path | None
    letters: bool


def shot(app: App[Any]) -> Shot:
    """The screen of ``app`` now; to be taken in its own thread."""
    width, height = app.size
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert update is not None and not isinstance(update, str)
    rows = list(Segment.split_and_crop_lines(Segment.filter_control(console.render(update)), width))[:height]
    theme = app.theme_variables
    return Shot(
        drawn(app), rows, _rgb(theme.get("foreground"), (218, 218, 218)), _rgb(theme.get("background"), (18, 18, 18))
    )


def drawn(app: App[Any], title: str | None = None) -> str:
    """The screen of ``app`` as SVG, with ``title`` on its window instead of the app's own."""
    # Fonts are the reader's own: a picture that fetches some tells others who looks at it.
    svg = re.sub(r"@font-face\s*{[^}]*}", "", app.export_screenshot(title=title))
    return _TEXT.sub(_by_cells, svg.replace("Fira Code", "ui-monospace"))


#: A piece of text in an SVG as Rich makes it: what comes before its place, its place, what is between, its length.
_TEXT: Final = re.compile(r'(<text [^>]*?)x="([\d.]+)"( [^>]*?)textLength="([\d.]+)"([^>]*>)([^<]+)</text>')


def _by_cells(found: re.Match[str]) -> str:
    """The piece with each wide character in two cells: Rich (14) gives it the room of one, and squeezes them."""
    before, place, between, length, after, content = found.groups()
    text = html.unescape(content)
    if cell_len(text) == len(text):
        return found[0]
    cell, column, pieces = float(length) / len(text), 0, []
    for _, run in groupby(text, key=lambda one: max(1, cell_len(one))):  # what stands on a letter takes no room
        shown = "".join(run)
        cells = cell_len(shown)
        words = html.escape(shown).replace("\u00a0", "&#160;")
        at, wide = f'x="{float(place) + column * cell:g}"', f'textLength="{cells * cell:g}"'
        pieces.append(f"{before}{at}{between}{wide}{after}{words}</text>")
        column += cells
    return "".join(pieces)


def _rgb(text: str | None, otherwise: Rgb) -> Rgb:
    found = re.fullmatch(r"#([0-9a-fA-F]{6})", text or "")
    return (int(found[1][:2], 16), int(found[1][2:4], 16), int(found[1][4:], 16)) if found else otherwise


def write(taken: Shot, name: str) -> Written:
    """Write both files where the user is, else where Tunewiz keeps things. Raises ``OSError`` when neither works."""
    stem = f"tunewiz-{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for folder in (Path.cwd(), paths.state() / "pictures"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return save(taken, folder / f"{stem}.svg")
        except OSError as fault:
            failed = fault
    raise failed


def save(taken: Shot, svg: Path) -> Written:
    """Write ``svg`` and the PNG beside it. Raises ``OSError``."""
    write_whole(svg, taken.svg)
    png, letters = _png(taken, svg.with_suffix(".png"))
    return Written(svg, png, letters)


def _png(taken: Shot, file: Path) -> tuple[Path | None, bool]:
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        return None, True
    width = max((sum(cell_len(one.text) for one in row) for row in taken.rows), default=1)
    image = Image.new("RGB", (width * _WIDE, len(taken.rows) * _HIGH), taken.back)
    pen = _Pen(ImageDraw.Draw(image), taken)
    for line, row in enumerate(taken.rows):
        column = 0
        for text, style, _ in row:
            column = pen.write(text, style or Style(), column, line)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    file.write_bytes(content.getvalue())
    return file, pen.complete


class _Pen:
    """Draws text cell by cell."""

    def __init__(self, draw: ImageDraw, taken: Shot) -> None:
        from PIL import ImageFont

        self._draw, self._taken = draw, taken
        self.complete = True
        mono = _matplotlibs_font("DejaVuSansMono.ttf")
        bold = _matplotlibs_font("DejaVuSansMono-Bold.ttf")
        chinese = chinese_font()
        self._fonts = {name: ImageFont.truetype(str(path), _LETTERS) if path else ImageFont.load_default(_LETTERS)
                       for name, path in (("mono", mono), ("bold", bold))}  # fmt: skip
        self._wide = ImageFont.truetype(str(chinese), _WIDE_LETTERS) if chinese else None

    def write(self, text: str, style: Style, column: int, line: int) -> int:
        """Draw ``text`` from a column on; the column behind it."""
        fore, back = self._colours(style)
        for character in text:
            size = cell_len(character)
            if not size:
                continue
            left, top = column * _WIDE, line * _HIGH
            if back != self._taken.back:
                self._draw.rectangle((left, top, left + size * _WIDE - 1, top + _HIGH - 1), fill=back)
            if not character.isspace():
                self._character(character, size, left, top, fore, bool(style.bold))
            column += size
        return column

    def _character(self, character: str, size: int, left: int, top: int, fore: Rgb, bold: bool) -> None:
        if "\u2800" <= character <= "\u28ff":  # the font has none
            for x, y in _dots(ord(character) - 0x2800):
                middle, height = left + 5 + 10 * x, top + 5 + 10 * y
                self._draw.ellipse((middle - 3, height - 3, middle + 3, height + 3), fill=fore)
        elif size == 1:
            font = self._fonts["bold" if bold else "mono"]
            self._draw.text((left + _WIDE / 2, top + _HIGH * 0.76), character, fore, font, anchor="ms")
        elif self._wide is not None:
            self._draw.text((left + _WIDE, top + _HIGH * 0.8), character, fore, self._wide, anchor="ms")
        else:
            self.complete = False
            self._draw.rectangle((left + 6, top + 8, left + 2 * _WIDE - 7, top + _HIGH - 9), outline=fore)

    def _colours(self, style: Style) -> tuple[Rgb, Rgb]:
        fore = _colour(style.color, self._taken.fore)
        back = _colour(style.bgcolor, self._taken.back)
        return (back, fore) if style.reverse else (fore, back)


def _colour(color: Color | None, otherwise: Rgb) -> Rgb:
    if color is None or color.is_default:
        return otherwise
    red, green, blue = color.get_truecolor()
    return red, green, blue


def _dots(bits: int) -> Iterator[tuple[int, int]]:
    """Column and row of each dot of a braille cell (Unicode 2800–28FF)."""
    for bit, place in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
        if bits & 1 << bit:
            yield place


def _matplotlibs_font(name: str) -> Path | None:
    """A font that matplotlib, which reports are drawn with, brings along; looked up without importing it."""
    from importlib.util import find_spec

    spec = find_spec("matplotlib")
    for folder in spec.submodule_search_locations or () if spec else ():
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if file.is_file():
            return file
    return None


def chinese_font() -> Path | None:
    """A font file with Chinese characters, as fontconfig or the usual folders know one; ``None`` if there is none."""
    if shutil.which("fc-list"):
        told = subprocess.run(["fc-list", ":lang=zh", "file"], capture_output=True, text=True, check=False, timeout=10)
        files = sorted(line.strip().rstrip(":") for line in told.stdout.splitlines())
        found = next((Path(file) for file in files if Path(file).suffix.lower() in (".ttf", ".ttc", ".otf")), None)
        if found:
            return found
    for folder in map(Path, _FOLDERS):
        for file in sorted(folder.expanduser().rglob("*.[to]t[fc]")) if folder.expanduser().is_dir() else ():
            if _CHINESE.search(file.name):
                return file
    return None
