"""Where a line may be broken: between words, and between the characters of Chinese and Japanese, which have no spaces.

Rich and Textual break at spaces alone: a sentence of Chinese that does not fit is one long word to them, which goes to
the next line as a whole and leaves the end of its line empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import rich._wrap

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
    """From now on lines are broken by :func:`words`, wherever rich or Textual 8.2.8 breaks them."""
    rich._wrap.words = words
