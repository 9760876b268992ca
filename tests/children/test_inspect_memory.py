"""A big file is inspected in bounded memory, in a child process of its own."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = 200_000
CODE = """
import resource, sys
from tunewiz.data.reading.source import Dataset
from tunewiz.data.inspection import inspect
import tunewiz.data.chat.checks, tunewiz.data.retrieval.checks  # all that inspecting imports

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = inspect(Dataset(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(found.counts["examples"], (after - before) // 1024, [f.code for f in found.findings])
"""


@pytest.mark.slow
def test_two_hundred_thousand_rows(tmp_path: Path) -> None:
    draw = random.Random(0)
    words = [f"{draw.randrange(16**5):05x}" for _ in range(5000)]
    path = tmp_path / "big.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(ROWS):
            query = f"{number} {' '.join(draw.choices(words, k=7))}"
            answer = " ".join(draw.choices(words, k=40))
            stream.write(json.dumps({"query": query, "pos": [answer], "neg": [f"not {number}"]}) + "\n")
    megabytes = path.stat().st_size / 2**20
    assert megabytes > 60
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
        timeout=280,
    )
    examples, grown, codes = done.stdout.split(" ", 2)
    assert int(examples) == ROWS, codes
    assert int(grown) < 150, f"{grown} MiB for a file of {megabytes:.0f} MiB"
