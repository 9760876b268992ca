"""Where a line may be broken: between words, and between the characters of Chinese and Japanese, which have no spaces.

Rich and Textual break at spaces alone: a sentence of Chinese that does not fit is one long word to them, which goes to
the next line as a whole and leaves the end of its line empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import rich._wrap
from rich.cells import cell_len

if TYPE_CHECKING:
    from textual.content import Content
    from textual.css.styles import RulesMap

_by_spaces = rich._wrap.words

_FIRST_WIDE: Final = "\u2e80"  # from here on characters stand in text without blanks between words
#: Ideographs, kana, bopomofo and full-width letters and digits: a line may end before and after each.
_WIDE: Final = "⺀-⿟぀-ヿ㄀-ㄯㆠ-鿿豈-﫿０-９Ａ-Ｚａ-ｚ\U00020000-\U0003ffff"
#: What never ends a line, and what never begins one (the rules that Chinese and Japanese typesetters share).
_OPENING: Final = "（《〈「『【〔〖“‘［｛"
_CLOSING: Final = "，。、；：？！）》〉」』】〕〗”’］｝…—·～％々ー"
_NARROW: Final = rf"[^\s{_WIDE}{_OPENING}{_CLOSING}]+"
#: Compiled where it is first used, as its ranges take 8 ms, which English need not wait for. An apostrophe inside a
#: word (don’t) is no end of it.
_WORD: Final = (
    rf"\s*(?:[{_OPENING}]*(?:[{_WIDE}]|{_NARROW}(?:[’·]{_NARROW})*)[{_CLOSING}]*|[{_OPENING}{_CLOSING}]+)"
    rf"(?:[,.;:!?%)\]]+(?=[\s{_WIDE}]|$))?\s*"
)


def words(text: str) -> Iterator[tuple[int, int, str]]:
    """The parts of ``text`` that stay whole, with the spaces after them: first index, one past the last, characters."""
    if max(text, default="") < _FIRST_WIDE:
        yield from _by_spaces(text)
        return
    word, position = re.compile(_WORD), 0
    while found := word.match(text, position):
        yield *found.span(), found[0]
        position = found.end()


def break_between_characters() -> None:
    """From now on lines are broken by :func:`words`, wherever rich or Textual 8.2.8 breaks them.

    A column of a table is then as narrow as its longest part: a sentence of Chinese took all that its neighbours need.
    """
    from textual.content import Content

    rich._wrap.words = words
    Content.get_minimal_width = _least_width  # type: ignore[method-assign, assignment]


def _least_width(content: Content, rules: RulesMap) -> int:
    """The cells of the longest part that stays whole."""
    parts = [part.strip() for line in content.plain.splitlines() for *_, part in words(line)]
    return max(map(cell_len, parts), default=0) + (rules.get("line_pad", 0) * 2 if parts else 0)
