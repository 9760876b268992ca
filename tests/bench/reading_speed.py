"""How long `tunewiz data` takes and how much memory, on rows made up here: short questions, conversations, documents.

Processor seconds are those of the command and its children; they tell more than wall seconds where others work, too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def words(draw: random.Random) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(draw.choices(letters, k=draw.randint(3, 9))) for _ in range(5_000)]


def questions(draw: random.Random, known: list[str]) -> Row:
    return {"question": " ".join(draw.choices(known, k=10)) + "?", "answer": " ".join(draw.choices(known, k=20)) + "."}


def conversations(draw: random.Random, known: list[str]) -> Row:
    said = [" ".join(draw.choices(known, k=draw.randint(8, 40))) for _ in range(4)]
    return {"messages": [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]}


def documents(draw: random.Random, known: list[str]) -> Row:
    return {"text": " ".join(draw.choices(known, k=1_500))}


#: Name, rows of a million, task and what makes a row.
KINDS: tuple[tuple[str, float, str, Callable[[random.Random, list[str]], Row]], ...] = (
    ("questions", 1.0, "embedding", questions),
    ("questions", 1.0, "llm", questions),
    ("conversations", 0.2, "llm", conversations),
    ("documents", 0.01, "llm", documents),
)


def rows(count: int, make: Callable[[random.Random, list[str]], Row]) -> Iterator[str]:
    draw = random.Random(0)
    known = words(draw)
    for _ in range(count):
        yield json.dumps(make(draw, known)) + "\n"


def measured(path: Path, task: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and the peak memory in MB of the largest process."""
    command = [sys.executable, "-m", "tunewiz", "data", str(path), "--task", task]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    million = parser.parse_args().rows
    print("| rows | of | task | MB | wall s | processor s | us a row | peak MB |\n|--:|---|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, share, task, make in KINDS:
            count = int(million * share)
            path = Path(folder) / f"{name}.jsonl"
            with path.open("w", encoding="utf-8") as stream:
                stream.writelines(rows(count, make))
            wall, processor, peak = measured(path, task)
            cells: tuple[str, ...] = (f"{count:,}", name, task, f"{path.stat().st_size / (1 << 20):.0f}")
            cells += (f"{wall:.1f}", f"{processor:.1f}", f"{processor / count * 1e6:.0f}", f"{peak:.0f}")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
