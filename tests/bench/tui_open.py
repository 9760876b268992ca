"""Opening a run with a million events: ``python -m tests.bench.tui_open``."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.bench.terminal import Terminal, load, quantile, screen
from tests.playing import a_run, opening, training
from tunewiz.backends.runs.follow import read_state


def main() -> None:
    """Print a table; the goal is 1 s from asking for the monitor to its curves."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    folder = Path(tempfile.mkdtemp())
    run = a_run(folder)
    with run.events_file.open("w", encoding="utf-8") as stream:
        stream.writelines(event.line() + "\n" for event in opening(run, 1000.0))
        stream.writelines(event.line() + "\n" for event in training(count, 1010.0, 0.01))
        stream.write('{"event":"stopped"}\n')
    read, opened, cpu = [], [], []
    for _ in range(5):
        begun, used = time.perf_counter(), time.process_time()
        state = read_state(run)
        read.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
        assert state.step == count
        environment = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
        terminal = Terminal(screen(folder), environment=environment)
        terminal.until("Runs (1)")
        terminal.drain(1.0)
        terminal.send(b"r")
        terminal.until("stopped")
        terminal.send(b"\r")
        terminal.until("What to try next")
        terminal.drain(0.5)
        begun = time.perf_counter()
        terminal.send(b"m")
        terminal.until("smoothed")
        opened.append(time.perf_counter() - begun)
        memory = terminal.memory / 1e6
        terminal.close()
    print(load())
    print(f"{count} events, {run.events_file.stat().st_size / 1e6:.0f} MB; memory of the app {memory:.0f} MB")
    print(f"{'measure':34} {'median':>10} {'worst':>10} {'goal':>8}")
    for name, values, goal in (
        ("reading", read, ""),
        ("reading, processor time", cpu, ""),
        ("opening the monitor", opened, "1 s"),
    ):
        print(f"{name:34} {quantile(values, 0.5):8.2f} s {max(values):8.2f} s {goal:>8}")


if __name__ == "__main__":
    main()
