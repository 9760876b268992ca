"""The comments of a shipped preset in the user's language: files carry both."""

from __future__ import annotations

import re
from typing import Final

from data.language import current

_CHINESE: Final = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_BETWEEN: Final = " · "


def worded(text: str) -> str:
    """``text`` without the comment lines of the other language, if its title stands in both; else as it is."""
    lines = text.split("\n")
    title = lines[0].removeprefix("# ").split(_BETWEEN, 1)
    if len(title) != 2 or bool(_CHINESE.search(title[0])) or not _CHINESE.search(title[1]):
        return text
    chinese = current() == "zh"
    kept = (line for line in lines[1:] if _fits(line, chinese))
    return "\n".join([f"# {title[chinese]}", *kept])


def _fits(line: str, chinese: bool) -> bool:
    """Code, commands and empty comments are for everybody."""
    is_prose = line.startswith("# ") and not line.startswith("#  ")
    return not is_prose or bool(_CHINESE.search(line)) == chinese
