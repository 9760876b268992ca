"""What a reranker as teacher brings an embedding model: ``python -m tests.bench.teacher --work FOLDER``.

A reranker is tuned by ``reranker/starter`` (or named with ``--teacher``), then ``embedding/starter`` with mined
negatives once without a teacher, once with mined passages filtered by it, and once each with its scores learned. All
else is the same: data, seed, negatives, steps. What is there in FOLDER already is not run again; ``--data`` takes
another collection than the sample, ``--set KEY=VALUE`` goes to every arm,
``--set-teacher`` to the reranker.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.evaluate.verdict import compare
from tunewiz.files import read_json

METRIC: Final = "ndcg@10"
SIDES: Final = ("before", "after")
MINED: Final = ("data.negatives.strategy=dense", "data.negatives.per_query=2")
#: Of the reranker that is tuned here: a quarter of the starter's texts, as a processor reads them in minutes.
TUNED: Final = ("data.negatives.per_query=3", "training.max_length=96")
#: What each arm changes; {teacher} is the reranker's run.
ARMS: Final[dict[str, tuple[str, ...]]] = {
    "no teacher": (),
    "filter": ("data.teacher.model={teacher}", "data.teacher.use=filter"),
    "margin_mse, filter": ("data.teacher.model={teacher}", "data.teacher.use=both", "loss=margin_mse"),
    "distill_kl, filter": ("data.teacher.model={teacher}", "data.teacher.use=both", "loss=distill_kl"),
}


def run(preset: str, folder: Path, name: str, settings: Sequence[str]) -> Path:
    """The directory of a finished run, made if it is not there."""
    there = next((path for path in sorted(folder.glob(f"{name}-*")) if (path / "report/metrics.json").is_file()), None)
    if there is not None:
        return there
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "tunewiz", "run", preset, "--runs-dir", str(folder), "--name", name, "--json"]
    done = subprocess.run([*command, *sets], stdout=subprocess.PIPE, text=True, check=False, env=os.environ)
    if done.returncode:
        raise SystemExit(f"{name}: {done.returncode} {done.stdout[-2000:]}")
    return Path(json.loads(done.stdout)["directory"])


PerQuery = dict[str, dict[str, float]]


def row(name: str, directory: Path, plain: PerQuery | None) -> tuple[list[Any], PerQuery]:
    """A line of the table, and what each query measured after training."""
    sides: list[PerQuery] = [read_json(directory / "report" / f"{when}.json")["per_query"] for when in SIDES]
    mean = [sum(values[METRIC] for values in side.values()) / len(side) for side in sides]
    counts = read_json(directory / "data" / "counts.json")["counts"]
    after = sides[1]
    told = [name, counts.get("teacher_dropped", "–"), counts.get("negatives_mined", 0), *(f"{one:.4f}" for one in mean)]
    if plain is None:
        return [*told, ""], after
    found = compare(plain, after, METRIC)
    return [*told, f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"], after


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", default="")
    parser.add_argument("--teacher", default="")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--set-teacher", action="append", default=[], dest="teacher_settings")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    data = [f"data.train={given.data}"] if given.data else []
    tuning = [*data, *TUNED, *given.teacher_settings]
    teacher = given.teacher or str(run("reranker/starter", given.work, "teacher", tuning))
    print("| arm | dropped | negatives | before | after | against no teacher (95 %) |\n|---|--:|--:|--:|--:|---|")
    plain: PerQuery | None = None
    for name, changes in ARMS.items():
        settings = [*data, *MINED, *given.settings, *(change.format(teacher=teacher) for change in changes)]
        directory = run("embedding/starter", given.work, name.replace(", ", "-").replace(" ", "-"), settings)
        cells, after = row(name, directory, plain)
        plain = plain or after
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
