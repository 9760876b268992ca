"""Texts as programs keep them inside their own: HTML of help desks, pieces with links of messengers."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Final

_BREAKS: Final = re.compile(r"<(?:br|/p|/div|/li|/h\d|/tr|/blockquote)\b[^<>]*>", re.IGNORECASE)
_HIDDEN: Final = re.compile(r"<(script|style)\b.*?</\1>", re.IGNORECASE | re.DOTALL)
_TAGS: Final = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t]*\n\s*\n\s*")


def plain(text: object) -> str:
    r"""A text without the tags and entities of HTML; "" for what is no text.

    >>> plain("<p>Hello,<br>my&nbsp;order is &lt; 3 days old</p><p>Ann</p>")
    'Hello,\nmy order is < 3 days old\nAnn'
    """
    if not isinstance(text, str):
        return ""
    if _TAGS.search(text):
        text = _TAGS.sub("", _BREAKS.sub("\n", _HIDDEN.sub("", text)))
    return _BLANKS.sub("\n\n", html.unescape(text).replace("\xa0", " ")).strip()


def in_pieces(value: Any) -> str:
    """A text, or one in pieces of which some are objects with a text (Telegram's links and bold words)."""
    pieces = value if isinstance(value, list) else [value]
    texts = [piece.get("text") if isinstance(piece, Mapping) else piece for piece in pieces]
    return "".join(text for text in texts if isinstance(text, str))
