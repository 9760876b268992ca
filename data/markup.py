"""HTML in text: telling markup from text that merely mentions it, and taking it off."""

from __future__ import annotations

import html
import re
from typing import Final

_NAMES: Final = (
    "a|abbr|address|article|aside|b|big|blockquote|body|button|caption|center|cite|code|col|colgroup|dd|del|details|"
    "div|dl|dt|em|figure|figcaption|font|footer|form|h[1-6]|head|header|html|i|iframe|ins|label|li|main|mark|nav|ol|"
    "option|p|picture|pre|q|s|section|select|small|span|strike|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|"
    "time|title|tr|tt|u|ul|video"
)
_VOID_NAMES: Final = "br|hr|img|input|link|meta|source|wbr"
_BREAKS: Final = re.compile(
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
_CODE: Final = re.compile(r"(```.*?```|`[^`\n]+`)", re.S)


def strip(text: str) -> str:
    """``text`` without HTML tags, comments, scripts and with its entities spelt out; what it says stays.

    Only pairs of known tags and tags that stand alone (``<br>``) count as markup: "a < b", ``List<String>``, "the
    <div> tag" and code between backticks stay as they are.
    """
    if "<" not in text and "&" not in text:
        return text
    if "`" not in text:
        return _stripped(text)
    return "".join(part if part.startswith("`") else _stripped(part) for part in _CODE.split(text))


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
        return "\n" if _BREAKS.match(name) else ""

    return _TAG.sub(instead, text)
