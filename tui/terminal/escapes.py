"""What is asked of the terminal besides drawing: the clipboard (OSC 52), a notification (OSC 9 and 777), the bell.

tmux and GNU screen keep such sequences to themselves unless they are wrapped for the terminal outside. In tmux both are
sent, because which one is heard depends on settings that cannot be asked for.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from tunewiz.printable import printable

#: What xterm takes at most; a longer text would be cut in the middle, or not be taken at all.
LONGEST: Final = 74_994
#: GNU screen hands on strings of up to 768 bytes; a longer one is passed in pieces that the terminal joins again.
_PIECE: Final = 700
_BELL: Final = "\a"


def clipboard(text: str, environment: Mapping[str, str]) -> str:
    """The sequences that put ``text`` into the clipboard of the user's own machine; "" when it is too long."""
    content = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    return "" if len(content) > LONGEST else _outwards(f"\x1b]52;c;{content}{_BELL}", environment)


def notification(title: str, body: str, environment: Mapping[str, str]) -> str:
    """The bell, and the sequences by which terminals show a message of their desktop."""
    title, body = (printable(text, 200).replace(";", ",") for text in (title, body))
    told = f"\x1b]777;notify;{title};{body}{_BELL}", f"\x1b]9;{title}: {body}{_BELL}"
    return _BELL + "".join(_outwards(one, environment) for one in told)


def _outwards(sequence: str, environment: Mapping[str, str]) -> str:
    """``sequence`` as it is, and wrapped for the terminal around tmux or screen."""
    if environment.get("TMUX"):
        return sequence + "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("STY") or environment.get("TERM", "").startswith("screen"):
        pieces = (sequence[start : start + _PIECE] for start in range(0, len(sequence), _PIECE))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return sequence
