"""From starting the process to the first frame, and the memory of the screens: ``python -m tests.bench.tui_start``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.terminal import Terminal, load, quantile, screen
from tests.playing import a_run, closing, opening, training


def main() -> None:
    """Print a table; the goals are 0.5 s and 100 MB."""
    folder = Path(tempfile.mkdtemp())
    for number in range(20):
        run = a_run(folder, f"run{number:02}-20260101-120000")
        for event in (*opening(run, 1000.0), *training(500, 1010.0, 1.0), *closing(1600.0)):
            run.emit(event)
    environment = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    seconds, work, homes, monitors = [], [], [], []
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 10):
        terminal = Terminal(screen(folder), environment=environment)
        seconds.append(terminal.until("New fine-tune"))
        work.append(terminal.processor)
        terminal.drain(2.0)
        homes.append(terminal.memory / 1e6)
        for key, text in ((b"r", "WIN"), (b"\r", "What to try next"), (b"m", "Learning rate")):
            terminal.send(key)
            terminal.until(text)
        terminal.drain(1.0)
        monitors.append(terminal.memory / 1e6)
        terminal.close()
    print(load())
    print(f"{'measure':34} {'median':>10} {'worst':>10} {'goal':>10}")
    for name, values, goal, unit in (
        ("first frame of a process start", seconds, "0.5 s", "s"),
        ("processor time until then", work, "", "s"),
        ("memory at home", homes, "100 MB", "MB"),
        ("memory after runs, result, monitor", monitors, "100 MB", "MB"),
    ):
        print(f"{name:34} {quantile(values, 0.5):7.2f} {unit:2} {max(values):7.2f} {unit:2} {goal:>10}")


if __name__ == "__main__":
    main()
