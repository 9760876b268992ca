"""Bytes a second that a watched run costs the line: ``python -m tests.bench.tui_line``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.terminal import Terminal, load, screen


def main() -> None:
    """Print a table; the goal is 10 KB/s."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    print(load())
    print(f"{'events/s':>8} {'screen':>8} {'bytes/s':>10} {'goal':>10}")
    for rate in (2, 100):
        folder = Path(tempfile.mkdtemp())
        run = folder / "watched-20260101-120000"
        steps = str(int(rate * 300))
        player = [sys.executable, "-m", "tests.playing", str(run), "--steps", steps, "--rate", str(rate)]
        child = subprocess.Popen(player, stdout=subprocess.DEVNULL)
        try:
            while not (run / "events.jsonl").exists():
                time.sleep(0.1)
            time.sleep(5)
            for columns, rows in ((80, 24), (200, 50)):
                environment = {"XDG_CONFIG_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
                terminal = Terminal(screen(folder, run), columns, rows, environment)
                terminal.until("Learning rate")
                terminal.drain(3.0)
                count = terminal.drain(seconds)
                size = f"{columns}x{rows}"
                print(f"{rate:8} {size:>8} {count / seconds:10.0f} {'10000':>10}")
                terminal.close()
        finally:
            child.kill()
            child.wait()


if __name__ == "__main__":
    main()
