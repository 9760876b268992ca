"""What does not belong in a text, and taking it off: controls, what a wrong decoding left, odd spaces, and HTML.

:data:`CLEANED` says for each code of what cleaning does, to a text or to a row, what was done.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Final

from tunewiz.language import N_

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
_TABS_AND_LINE_ENDS: Final = re.compile(r"[\t\r\n]+")
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


def normalise_spaces(text: str) -> str:
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
    return text if text.isprintable() else _TABS_AND_LINE_ENDS.sub(" ", text)


# HTML in text: telling markup from text that merely mentions it, and taking it off.


_NAMES: Final = (
    "a|abbr|address|article|aside|b|big|blockquote|body|button|caption|center|cite|code|col|colgroup|dd|del|details|"
    "div|dl|dt|em|figure|figcaption|font|footer|form|h[1-6]|head|header|html|i|iframe|ins|label|li|main|mark|nav|ol|"
    "option|p|picture|pre|q|s|section|select|small|span|strike|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|"
    "time|title|tr|tt|u|ul|video"
)
_VOID_NAMES: Final = "br|hr|img|input|link|meta|source|wbr"
_BREAKING_TAGS: Final = re.compile(
    r"(?:br|hr|p|div|li|tr|ul|ol|dl|dt|dd|table|h[1-6]|blockquote|section|article|pre|title|option)\Z", re.IGNORECASE
)
_ATTRIBUTES: Final = r"""(?:\s+[A-Za-z_:@][\w:.-]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=`]+))?)*\s*/?"""
_TAG: Final = re.compile(rf"<(/?)({_NAMES}|{_VOID_NAMES}){_ATTRIBUTES}>", re.IGNORECASE)
_VOID: Final = re.compile(rf"(?:{_VOID_NAMES})\Z", re.IGNORECASE)
_OPENERS: Final = re.compile(r"<script\b|<style\b|<!--|<!doctype\b", re.IGNORECASE)
_CLOSERS: Final = {
    "<script": re.compile(r"</script\s*>", re.IGNORECASE),
    "<style": re.compile(r"</style\s*>", re.IGNORECASE),
    "<!--": re.compile("-->"),
    "<!doctype": re.compile(">"),
}
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_CODE_BLOCK: Final = re.compile(r"(```.*?```|`[^`\n]+`)", re.S)


def strip_markup(text: str) -> str:
    """``text`` without HTML tags, comments, scripts and with its entities spelt out; what it says stays.

    Only pairs of known tags and tags that stand alone (``<br>``) count as markup: "a < b", ``List<String>``, "the
    <div> tag" and code between backticks stay as they are.
    """
    if "<" not in text and "&" not in text:
        return text
    if "`" not in text:
        return _stripped(text)
    return "".join(part if part.startswith("`") else _stripped(part) for part in _CODE_BLOCK.split(text))


def _stripped(text: str) -> str:
    if "<" in text:
        text = _without_tags(_without_hidden(text))
    return _ENTITY.sub(lambda found: html.unescape(found[0]).replace("\xa0", " "), text) if "&" in text else text


def _without_hidden(text: str) -> str:
    """``text`` without scripts, styles, comments and doctypes; one pass, whatever the text."""
    kept, start = [], 0
    missing: set[str] = set()
    for opener in _OPENERS.finditer(text):
        kind = opener[0].lower()
        if opener.start() < start or kind in missing:
            continue
        closer = _CLOSERS[kind].search(text, opener.end())
        if closer is None:
            missing.add(kind)
            continue
        kept.append(text[start : opener.start()])
        start = closer.end()
    return " ".join([*kept, text[start:]])


def _without_tags(text: str) -> str:
    tags = [(found[1] == "/", found[2].lower()) for found in _TAG.finditer(text)]
    opened = {name for closing, name in tags if not closing}
    closed = {name for closing, name in tags if closing}
    paired = opened & closed

    def instead(found: re.Match[str]) -> str:
        name = found[2].lower()
        if name not in paired and not _VOID.match(name):
            return found[0]
        return "\n" if _BREAKING_TAGS.match(name) else ""

    return _TAG.sub(instead, text)


CLEANED: Final = {
    "html": N_("HTML taken off"),
    "control-characters": N_("control characters removed"),
    "whitespace": N_("spaces and line ends tidied"),
    "empty-query": N_("rows without a query dropped"),
    "empty-text": N_("pairs with an empty text dropped"),
    "empty-positive": N_("empty positives dropped"),
    "empty-negative": N_("empty negatives dropped"),
    "no-positive": N_("rows without a positive dropped"),
    "query-equals-positive": N_("positives equal to their query dropped"),
    "positive-among-negatives": N_("negatives that are also positives dropped"),
    "repeated-text": N_("texts repeated in a row dropped"),
    "duplicate-row": N_("repeated rows dropped"),
    "near-duplicate-row": N_("rows repeated but for case, spaces and punctuation dropped"),
    "similar-row": N_("rows nearly the same as an earlier one dropped"),
    "turns-mended": N_("conversations whose turns were joined, put in order or cut"),
    "empty-turn": N_("conversations with an empty text dropped"),
}


def clean_text(text: str) -> tuple[str, list[str]]:
    """``text`` cleaned, and the codes of what was changed; cleaning it again changes nothing more."""
    done: list[str] = []
    steps: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("control-characters", without_controls),
        ("html", strip_markup),
        ("whitespace", normalise_spaces),
    )
    for code, step in steps:
        changed = step(text)
        if changed != text:
            done.append(code)
            text = changed
    if "html" in done:  # an entity may have spelt a control character
        text = normalise_spaces(without_controls(text))
    return text, done


def tidy_text(text: str) -> tuple[str, list[str]]:
    """``text`` without control characters and odd spaces, and the codes of what was changed."""
    plain = without_controls(text)
    done = ["control-characters"] if plain != text else []
    neat = normalise_spaces(plain)
    return neat, [*done, "whitespace"] if neat != plain else done
