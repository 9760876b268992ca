"""A limit to how long a block may take, for what must never hang."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SECONDS: Final = 60  # after which what is quick is called hanging, on however busy a machine


@contextmanager
def soon(seconds: int = SECONDS) -> Iterator[None]:
    """Fails when the block waits for something that never comes."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
