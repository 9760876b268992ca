"""The end of ``output.log``, as lines that are safe to show."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import Final

from data.printable import printable

KEPT: Final = 5000  # lines
FIRST_READ: Final = 1 << 20  # bytes looked back when a log is opened
AT_ONCE: Final = 1 << 20  # bytes read in one call
WIDEST: Final = 1000  # characters of a line
#: Control sequences and operating system commands of ECMA-48 (CSI, OSC): colours and titles say nothing here.
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class LogTail:
    """The last lines of a growing file; one that was rewritten in place (a progress bar) appears once, as it ended."""

    def __init__(self, path: Path, kept: int = KEPT) -> None:
        self._path = path
        self._offset = -1
        self._partial = b""
        self._lines: deque[str] = deque(maxlen=kept)
        self._shown: tuple[str, ...] = ()

    def update(self) -> tuple[str, ...]:
        """The lines now; the very same tuple while nothing was added."""
        block = self._appended()
        if not block:
            return self._shown
        *whole, self._partial = (self._partial + block)[-2 * AT_ONCE :].split(b"\n")
        self._lines.extend(_line(line) for line in whole)
        rest = _line(self._partial)
        self._shown = (*self._lines, rest) if rest else tuple(self._lines)
        return self._shown

    def _appended(self) -> bytes:
        try:
            size = self._path.stat().st_size
            if self._offset < 0 or size < self._offset:  # opened, or begun afresh
                self._offset, self._partial = max(0, size - FIRST_READ), b""
            self._offset = max(self._offset, size - FIRST_READ)
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                block = stream.read(AT_ONCE)
        except OSError:
            return b""
        self._offset += len(block)
        return block


def _line(raw: bytes) -> str:
    """What a terminal would be left with: the part after the last carriage return, colour codes removed."""
    last = raw.rstrip(b"\r").rpartition(b"\r")[2]
    return printable(_ESCAPES.sub("", last.decode("utf-8", "replace")).rstrip(), WIDEST)
