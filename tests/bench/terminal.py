"""A program in a terminal of its own (a pty), its output timed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Terminal:
    """Runs Python code in a pty of ``columns`` × ``rows`` and reads what it draws."""

    def __init__(self, code: str, columns: int = 80, rows: int = 24, environment: Mapping[str, str] = {}) -> None:
        self.output = b""
        self.begun = time.perf_counter()
        self.pid, self._master = pty.fork()
        if not self.pid:
            settings = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), "TUNEWIZ_LANG": "en"}
            os.environ.update(settings | dict(environment))
            os.execv(sys.executable, [sys.executable, "-c", code])
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float) -> bytes:
        """What comes within ``seconds``, or at once when something is there."""
        if not select.select([self._master], [], [], seconds)[0]:
            return b""
        try:
            block = os.read(self._master, 1 << 16)
        except OSError:  # the program has left
            return b""
        self.output += block
        return block

    def until(self, text: str, seconds: float = 30.0) -> float:
        """Read until ``text`` was drawn; seconds since the start."""
        end = time.perf_counter() + seconds
        while text.encode() not in self.output:
            self.read(0.05)
            if time.perf_counter() > end:
                raise TimeoutError(f"{text!r} did not appear in {self.output[-2000:]!r}")
        return time.perf_counter() - self.begun

    @property
    def now(self) -> float:
        """The clock that :meth:`until` reads."""
        return time.perf_counter()

    def drain(self, seconds: float) -> int:
        """Read for ``seconds``; how many bytes came."""
        end, count = time.perf_counter() + seconds, 0
        while (left := end - time.perf_counter()) > 0:
            count += len(self.read(left))
        return count

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    @property
    def memory(self) -> int:
        """Resident bytes of the program (not of its children)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    @property
    def processor(self) -> float:
        """Seconds of processor time it took so far; unlike time on the clock, what else runs hardly changes it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the program."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._master)


def screen(runs: Path, first: Path | None = None) -> str:
    """Code that opens the full screen over ``runs``, watching ``first``."""
    if first is None:
        return f"from pathlib import Path; from tunewiz.tui.app import run_screen; run_screen(Path({str(runs)!r}))"
    return (
        "from pathlib import Path; from tunewiz.tui.app import TunewizApp; from tunewiz.backends.runs.run import Run; "
        f"TunewizApp(Path({str(runs)!r}), first=Run(Path({str(first)!r}))).run()"
    )


def load() -> str:
    """How busy the machine is besides, for the reader of a table."""
    return f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def quantile(values: list[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
