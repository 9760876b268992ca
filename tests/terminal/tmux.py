"""A tmux server for tests: a real terminal whose keys and screen a test has in its hands."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

TMUX = shutil.which("tmux")
PATIENCE = 60.0  # seconds that a busy machine may take
TAKEN = 20.0  # seconds after which a key that has changed nothing is one that changes nothing
SETTLED = 0.5  # seconds without a change after which a screen is done
#: What would change how a program looks or how large it thinks the terminal is (pytest sets the last two).
_UNSET = ("LC_ALL", "LC_CTYPE", "NO_COLOR", "COLORTERM", "COLUMNS", "LINES")


class Tmux:
    """A tmux server of its own with one window."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")

    def call(self, *arguments: str) -> str:
        command = [str(TMUX), "-f", "/dev/null", "-S", self._socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def start(self, program: Sequence[str], size: tuple[int, int], **environment: str) -> None:
        """Run a program in a new session of that size."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        unset = [part for name in _UNSET for part in ("-u", name)]
        command = ["env", *unset, *settings, *program]
        self.call("-u", "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "-s", "main", *command)

    def kill(self) -> None:
        """End the terminal, as a lost machine would, and wait until it is gone."""
        self.call("kill-server")
        while self.call("list-sessions"):
            time.sleep(0.05)

    def screen(self, colours: bool = False) -> str:
        return self.call("capture-pane", "-p", "-t", "main", *(["-e"] if colours else []))

    def keys(self, *keys: str) -> None:
        self.call("send-keys", "-t", "main", *keys)

    def go_to(self, words: str, patience: float = 240.0) -> None:
        """Press Tab until ``words`` are on the screen, each time only once the last one has been taken."""
        end = time.monotonic() + patience
        while words not in (before := self.settled()):
            assert time.monotonic() < end, before
            self.keys("Tab")
            taken = time.monotonic() + TAKEN
            while self.screen() == before and time.monotonic() < taken:
                time.sleep(0.05)

    def settled(self) -> str:
        """The screen once it has stood still for a while."""
        before, since, begun = self.screen(), time.monotonic(), time.monotonic()
        while time.monotonic() < since + SETTLED and time.monotonic() < begun + PATIENCE:
            time.sleep(0.05)
            if (now := self.screen()) != before:
                before, since = now, time.monotonic()
        return before

    @property
    def pid(self) -> int:
        """The process of the program."""
        return int(self.call("list-panes", "-t", "main", "-F", "#{pane_pid}"))

    def until(self, condition: Callable[[str], object], patience: float = PATIENCE) -> str:
        end = time.monotonic() + patience
        while not condition(screen := self.screen()):
            assert time.monotonic() < end, f"did not come about; the terminal:\n{screen}"
            time.sleep(0.1)
        return screen
