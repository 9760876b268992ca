"""Text without case, width, spaces and sentence punctuation; for nearly all characters by a table, many at once."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, Final

# Sentence punctuation of both scripts. Symbols stay ("C++" is not "C#"), and so does the point in "3.5".
NOISE: Final = re.compile(
    r"[\s_,;:!?'\"()\[\]{}`~|<>«»…·—–\-\u2010-\u201f\u3000-\u3003\u3008-\u3011\u3014-\u301f、。]+|(?<!\d)\.|\.(?!\d)"
)
#: Characters looked up one by one: Latin to Armenian, signs, kana, and pictures. Of the marks behind other characters
#: that make one with them (NFKC) there are only those that :func:`_table` leaves out.
_LISTED: Final = (
    *((0, 0x590), (0x2000, 0x2070), (0x2100, 0x27C0), (0x3000, 0x3100), (0xFE0E, 0xFE10), (0xFF01, 0xFF5F)),
    (0x1F300, 0x1FB00),
)
#: And those that stay what they are: ideographs and syllables of Korean.
_SAME: Final = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xAC00, 0xD7A4))
_SIZE: Final = 0x1FB01  # the last place is of all characters beyond
_OTHER: Final = 0xFFFFFFFF
_NOTHING: Final = 0xFFFFFFFE
_POINT: Final = ord(".")
_LONGEST: Final = 1 << 20  # characters: the table takes 20 bytes for each


def fold(text: str) -> str:
    """``text`` in NFKC without case, and without :data:`NOISE`; for a text that is not ASCII several times as fast."""
    import numpy as np

    if len(text) > _LONGEST:
        return _fold_slowly(text)
    # The two that become several characters and are met every day.
    single = text.replace("…", "...").replace("ß", "ss")
    points = np.frombuffer(single.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    found = _table()[np.minimum(points, _SIZE - 1)]
    if len(found) and found.max() == _OTHER:
        return _fold_slowly(text)
    kept = found != _NOTHING
    places = (found == _POINT).nonzero()[0]
    if len(places):
        digits = np.concatenate(([False], (found >= ord("0")) & (found <= ord("9")), [False]))
        kept[places] = digits[places] & digits[places + 2]
    return bytes(found[kept]).decode("utf-32-le")


def _fold_slowly(text: str) -> str:
    return NOISE.sub("", unicodedata.normalize("NFKC", text).casefold())


@cache
def _table() -> Any:
    """What each character becomes, whatever stands beside it (uint32): :data:`_OTHER` where that is not one alone."""
    import numpy as np

    table = np.full(_SIZE, _OTHER, dtype="<u4")
    for start, end in _SAME:
        table[start:end] = np.arange(start, end)
    for start, end in _LISTED:
        for point in range(start, end):
            sign = unicodedata.normalize("NFKC", chr(point))
            folded = sign.casefold()
            if len(sign) == len(folded) == 1 and not unicodedata.combining(chr(point)) + unicodedata.combining(sign):
                table[point] = _NOTHING if folded != "." and NOISE.fullmatch(folded) else ord(folded)
    return table
