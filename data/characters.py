"""Characters that do not belong in text: controls, what is left of a wrong decoding, and odd spaces."""

from __future__ import annotations

import re
from typing import Final

REPLACEMENT: Final = "\ufffd"

#: C0 and C1 controls but tab and line ends, zero-width space, byte order mark, word joiner, bidirectional overrides
#: and isolates. The joiners U+200C and U+200D stay: Indic scripts and emoji need them.
CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
SURROGATES: Final = re.compile("[\ud800-\udfff]")
_ODD_SPACES: Final = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f]")
_LINE_ENDS: Final = re.compile("\r\n?|\u2028|\u2029|\x85")
_TRAILING: Final = re.compile(r"[ \u3000]+(?=\n)")
_BREAKS: Final = re.compile(r"[\t\r\n]+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")

# What cp1252 makes of the bytes 0x80 to 0x9f.
_HIGH: Final = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
# Lead and continuation bytes of UTF-8 as cp1252 or Latin-1 shows them. Two-byte sequences only with the leads of
# Latin-1 letters, or "CAFÉ»" would be one.
_MISREAD: Final = re.compile(f"[ÂÃ][{_HIGH}]|[â-ï][{_HIGH}]{{2}}|ð[{_HIGH}]{{3}}")
_MISREAD_AS_GBK: Final = re.compile("锟斤拷|鈥[檚渢]|脙[漏聽]")


def mojibake(text: str) -> str:
    """The first piece of ``text`` that is UTF-8 read as another encoding; empty if there is none."""
    if text.isascii():
        return ""
    for found in _MISREAD.finditer(text):
        if _bytes(found[0]).decode("utf-8", "ignore"):
            return found[0]
    misread = _MISREAD_AS_GBK.search(text)
    return misread[0] if misread else ""


def _bytes(text: str) -> bytes:
    """``text`` back as the bytes it was read from: cp1252, and Latin-1 where cp1252 has no such character."""
    return b"".join(
        character.encode("latin-1") if ord(character) < 256 else character.encode("cp1252") for character in text
    )


def without_controls(text: str) -> str:
    """``text`` without control characters and unpaired surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return SURROGATES.sub("", CONTROLS.sub("", text))


def spaced(text: str) -> str:
    """``text`` with line feeds for line ends, plain spaces for odd ones, no trailing blanks, one blank line at most.

    Spaces inside a line stay: code is indented.
    """
    if not text.isprintable():
        text = _LINE_ENDS.sub("\n", text)
        text = _ODD_SPACES.sub(lambda found: "\t" if found[0] == "\t" else " ", text)
        text = _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text))
    return text.strip()


def identifier(text: str) -> str:
    """``text`` as an id that fits a cell of a tab-separated file."""
    return text if text.isprintable() else _BREAKS.sub(" ", text)
