"""What the terminal can show, and line filters that make what is drawn fit for it: without Unicode, without colours."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from tunewiz import USER_PATHS

# What the terminal can show.


Characters = Literal["unicode", "ascii"]
VARIABLE: Final = "TUNEWIZ_CHARACTERS"
_LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")  # in the order of POSIX
#: Terminals whose fonts have no braille and few drawing characters: the Linux console, old hardware.
_POOR: Final = ("linux", "vt100", "vt102", "vt220", "dumb", "cons25")


def characters(environment: Mapping[str, str]) -> Characters:
    """``ascii`` where the locale is C, POSIX or no UTF-8, or the terminal is known to be poor."""
    asked = environment.get(VARIABLE, "").lower()
    if asked == "ascii":
        return "ascii"
    if asked == "unicode":
        return "unicode"
    if environment.get("TERM", "").lower() in _POOR:
        return "ascii"
    locale, codeset = _locale(environment)
    # macOS sends LC_CTYPE=UTF-8 over SSH: a codeset without a language.
    return "unicode" if codeset == "utf8" or locale.lower() in ("utf-8", "utf8") else "ascii"


def _locale(environment: Mapping[str, str]) -> tuple[str, str]:
    """The locale of characters and its codeset in lower case without hyphens; "" where none is named."""
    locale = next((environment[name] for name in _LOCALE if environment.get(name)), "")
    return locale, locale.partition(".")[2].partition("@")[0].lower().replace("-", "")


def letters_show(environment: Mapping[str, str]) -> bool:
    """Whether letters of any script may be drawn though ``characters`` says ASCII.

    A locale that is missing on a server says little of the terminal at the other end of the line, which mostly knows
    UTF-8: names of files are legible there, and no drawing depends on them. A console, a codeset that is named, or the
    user's own word do say something.
    """
    poor = environment.get("TERM", "").lower() in _POOR
    return not poor and environment.get(VARIABLE, "").lower() != "ascii" and not _locale(environment)[1]


def original_environment() -> dict[str, str]:
    """The environment as the shell gave it, for characters to be judged by and for the user's own programs.

    In a C locale Python sets LC_CTYPE to C.UTF-8 for itself (PEP 538); PYTHONPATH is moved aside when Tunewiz starts.
    """
    here = dict(os.environ)
    if paths := here.pop(USER_PATHS, ""):
        here["PYTHONPATH"] = os.pathsep.join(filter(None, [here.get("PYTHONPATH", ""), paths]))
    try:
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return here
    names = {entry.partition(b"=")[0].decode("utf-8", "replace") for entry in given}
    if here.get("LC_CTYPE") == "C.UTF-8" and "LC_CTYPE" not in names:
        del here["LC_CTYPE"]
    return here


# Line filters: what is drawn, made fit for terminals without Unicode or without colours.


_ALIKE: Final = {
    **dict.fromkeys("─═┄┅┈┉╌╍╴╶╸╺╼╾⎯▁▔", "-"),
    **dict.fromkeys("│┃║┆┇┊┋╎╏╵╷╹╻╽╿▏▎▍▌▐▕▊▉▋", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋╒╓╕╖╘╙╛╜", "+"),
    **dict.fromkeys("█▇▆▅▄▃▂▀■▰◼▓▒", "#"),
    **dict.fromkeys("░□▱·•∙", "."),
    **dict.fromkeys("●◉◆⬤", "*"),
    **dict.fromkeys("○◯◇⭘", "o"),
    **dict.fromkeys("→▸▶►▷⇥❯›»⏵", ">"),
    **dict.fromkeys("←◂◀◄❮‹«⏴", "<"),
    **dict.fromkeys("↑▲△⏶⬆", "^"),
    **dict.fromkeys("↓▼▽⏷⬇", "v"),
    "━": "=", "✓": "+", "✔": "+", "✗": "x", "✘": "x", "×": "x", "…": "~", "—": "-", "–": "-",
    "‘": "'", "’": "'", "“": '"', "”": '"', "±": "~", "°": " ", "≤": "<", "≥": ">", "⚠": "!", "\u00a0": " ", "⏎": "<",
    "≡": "=", "␣": "_", "★": "*",
}  # fmt: skip
#: Punctuation of two cells, which stays where letters do.
_WIDE: Final = {
    "，": ", ", "。": ". ", "、": ", ", "：": ": ", "；": "; ", "？": "? ", "！": "! ", "（": " (", "）": ") ",
    "《": " <", "》": "> ", "【": " [", "】": "] ", "\u3000": "  ",
}  # fmt: skip
_TABLE: Final = str.maketrans(_ALIKE)


@lru_cache(4096)
def in_ascii(text: str, letters: bool = False) -> str:
    """``text`` in ASCII and as wide as before; with ``letters``, letters of any script stay as they are."""
    if text.isascii():
        return text
    text = text.translate(_TABLE)
    return text if text.isascii() else "".join(_in_ascii(character, letters) for character in text)


def _in_ascii(character: str, letters: bool) -> str:
    if character.isascii():
        return character
    # Letters, marks, and the full-width punctuation that belongs to Chinese text.
    if letters and (unicodedata.category(character)[0] in "LMN" or cell_len(character) == 2):
        return character
    if "\u2800" <= character <= "\u28ff":
        return " " if character == "\u2800" else "*"
    return _WIDE.get(character) or "?" * cell_len(character)


class AsciiOnly(LineFilter):
    """Draws with ASCII characters only."""

    def __init__(self, enabled: bool, letters: bool = False) -> None:
        super().__init__(enabled)
        self.letters = letters  # whether text may keep letters beyond ASCII

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with other characters in place of those beyond ASCII."""
        return [Segment(in_ascii(text, self.letters), style, control) for text, style, control in segments]


class ColourFree(LineFilter):
    """Draws without colours (https://no-color.org); what stands out by its background is shown in reverse."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in the terminal's own colours."""
        return [
            Segment(text, None if style is None else _colourless(style, background), control)
            for text, style, control in segments
        ]


_DEFAULT: Final = Style.from_color(RichColor.default(), RichColor.default())
_STANDS_OUT: Final = 0.2  # difference in brightness of a background from the screen's


@lru_cache(1024)
def _colourless(style: Style, background: Color) -> Style:
    plain = style + _DEFAULT
    if style.bgcolor is None or style.bgcolor.is_default or style.reverse:
        return plain
    contrast = abs(Color.from_rich_color(style.bgcolor).brightness - background.brightness)
    return plain + Style(reverse=True) if contrast > _STANDS_OUT else plain
