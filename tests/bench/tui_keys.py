"""From a key to its paint while a run writes 100 events a second: ``python -m tests.bench.tui_keys``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.terminal import Terminal, load, quantile, screen

TITLES = ("Machine", "Log", "Learning rate", "Gradient norm", "Cosine of query", "Advice", "Loss curve")
FIRST = "Loss curve"  # has the focus in the beginning


def main() -> None:
    """Print a table; the goal is 50 ms for 95 of 100 keys."""
    folder = Path(tempfile.mkdtemp())
    run = folder / "busy-20260101-120000"
    player = [sys.executable, "-m", "tests.playing", str(run), "--steps", "1000000", "--rate", "100"]
    child = subprocess.Popen(player, stdout=subprocess.DEVNULL)
    try:
        while not (run / "events.jsonl").exists():
            time.sleep(0.1)
        print(load())
        print(f"{'screen':8} {'keys':>5} {'median':>9} {'95 %':>9} {'worst':>9} {'goal':>8} {'processor time':>15}")
        for columns, rows in ((80, 24), (200, 50)):
            seconds, work = measure(folder, run, columns, rows)
            times = " ".join(f"{quantile(seconds, share) * 1000:6.1f} ms" for share in (0.5, 0.95, 1.0))
            print(f"{f'{columns}x{rows}':8} {len(seconds):5} {times} {'50 ms':>8} {work * 1000:12.1f} ms")
    finally:
        child.kill()
        child.wait()


def measure(folder: Path, run: Path, columns: int, rows: int, keys: int = 150) -> tuple[list[float], float]:
    """Seconds from each of ``keys`` presses of Tab to the title of the panel that gets the focus.

    Also the processor time of a key, less what watching takes anyway.
    """
    environment = {"XDG_CONFIG_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    terminal = Terminal(screen(folder, run), columns, rows, environment)
    terminal.until("smoothed")
    terminal.drain(3.0)
    before, begun = terminal.processor, time.perf_counter()
    terminal.drain(5.0)
    idle = (terminal.processor - before) / (time.perf_counter() - begun)
    names = tab_order(terminal)
    seconds, before, start = [], terminal.processor, time.perf_counter()
    for number in range(keys):
        terminal.drain(0.05 + number % 7 * 0.013)  # keys fall anywhere between two looks
        terminal.output = b""
        begun = time.perf_counter()
        terminal.send(b"\t")
        terminal.until(names[number % len(names)])
        seconds.append(time.perf_counter() - begun)
    work = terminal.processor - before - idle * (time.perf_counter() - start)
    terminal.close()
    return seconds, work / keys


def tab_order(terminal: Terminal) -> list[str]:
    """The titles of the panels in the order in which Tab goes through them from the loss curve and back to it."""
    for key in (b"\t", b"\x1b[Z"):  # the first one draws everything anew
        terminal.send(key)
        terminal.drain(1.0)
    order = [FIRST]
    while len(order) == 1 or order[-1] != FIRST:
        terminal.output = b""
        terminal.send(b"\t")
        terminal.drain(1.0)
        # What loses the focus is drawn anew like what gets it.
        order += [title for title in TITLES if title != order[-1] and title.encode() in terminal.output]
    return order[1:]


if __name__ == "__main__":
    main()
