"""A third party's package brings a format, a loss and a strategy for negatives by entry points; nothing is forked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tickets"
version = "1.0"
[project.entry-points."tunewiz.formats"]
tickets = "tickets:Tickets"
[project.entry-points."tunewiz.losses"]
steep_ranking = "tickets:SteepRanking"
always_right = "tickets:AlwaysRight"
broken = "tickets:NotThere"
stranger = "tickets:Stranger"
[project.entry-points."tunewiz.negatives"]
first = "tickets:First"
"""
MODULE = '''
"""Support tickets: what was asked stands in "ticket", what helped in "resolution"."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from tunewiz.backends.negatives import Ranked, Strategy
from tunewiz.data.formats.format import Detection, Role
from tunewiz.data.formats.retrieval_rows import GroupFormat
from tunewiz.presets.losses.loss import Loss, RerankerLoss, Rows


class Tickets(GroupFormat):
    name: ClassVar[str] = "tickets"
    title: ClassVar[str] = "Tickets"
    description: ClassVar[str] = "A ticket and its resolution."
    roles: ClassVar[tuple[Role, ...]] = (Role("query"), Role("positive"))

    def takes(self, source, table):
        if {"ticket", "resolution"} <= set(table.columns):
            return Detection(self, source, {"query": ("ticket",), "positive": ("resolution",)}, 1.0)


class SteepRanking(Loss):
    name: Literal["steep_ranking"] = Field("steep_ranking", title="Loss", description="Ranks.")
    steepness: float = Field(50.0, gt=0, title="Steepness", description="How steep.")
    rows: ClassVar[tuple[Rows, ...]] = ("pairs", "triplets")
    in_batch_negatives: ClassVar[bool] = True
    who_for: ClassVar[str] = "For tickets."

    def build(self, model: Any, losses: Any) -> Any:
        return losses.MultipleNegativesRankingLoss(model, scale=self.steepness)


class AlwaysRight(RerankerLoss):
    name: Literal["always_right"] = Field("always_right", title="Loss", description="A reranker's.")

    def build(self, model: Any, losses: Any) -> Any:
        raise NotImplementedError


class Stranger:
    name = "stranger"


class First(Strategy):
    name = "first"

    def index(self, passages):
        self.count = len(passages)

    def search(self, queries, depth):
        import numpy as np

        places = np.tile(np.arange(min(depth, self.count)), (len(queries), 1))
        return Ranked(places, np.zeros(places.shape, dtype="float32"), comparable=False)

    def scores(self, rows, passages):
        import numpy as np

        return np.zeros(len(rows), dtype="float32")
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the third party's package."""
    source, target = tmp_path_factory.mktemp("tickets"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (source / "tickets.py").write_text(MODULE, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    done = subprocess.run([*pip, "--target", str(target), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def tunewiz(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"PYTHONPATH": paths, "TUNEWIZ_RUNS": str(folder / "runs"), "TUNEWIZ_LANG": "en"}
    command = [sys.executable, "-P", "-m", "tunewiz", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def write_tickets(folder: Path, model: Path) -> Path:
    rows = [{"ticket": f"how to {verb} the {noun}", "resolution": f"{verb} {noun} in the server menu"} for verb in
            ("train", "stop", "check", "lower") for noun in ("gpu", "disk", "model", "port")]  # fmt: skip
    (folder / "tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preset = folder / "tickets.yaml"
    preset.write_text(
        f"name: tickets\ntask: embedding\nmodel: {{id: {model}, source: local}}\n"
        "data: {train: tickets.jsonl, evaluation: {fraction: 0.25},\n"
        "       negatives: {strategy: first, per_query: 1, candidates: 8}}\n"
        "loss: {name: steep_ranking, steepness: 30}\n"
        "training: {batch_size: 4, max_steps: 2, max_length: 32}\nlaunch: {device: cpu}\n",
        encoding="utf-8",
    )
    return preset


def test_a_run_trains_with_what_a_plugin_brings(installed: Path, tmp_path: Path, tiny_encoder: Path) -> None:
    preset = write_tickets(tmp_path, tiny_encoder)
    done = tunewiz(installed, tmp_path, "run", str(preset))
    assert done.returncode == 0, done.stderr
    (run,) = all_runs(tmp_path / "runs")
    state = read_state(run)
    assert state.status == "finished"
    as_run = run.preset_file.read_text(encoding="utf-8")
    assert "steepness: 30" in as_run and "strategy: first" in as_run
    told = tunewiz(installed, tmp_path, "data", "tickets.jsonl", "--json")
    assert json.loads(told.stdout)["format"] == "tickets"


def test_without_the_plugin_its_names_are_unknown(tmp_path: Path, tiny_encoder: Path) -> None:
    done = tunewiz(tmp_path / "nothing", tmp_path, "check", str(write_tickets(tmp_path, tiny_encoder)))
    assert done.returncode == 2
    assert "steep_ranking" in done.stdout and "Traceback" not in done.stderr


def test_a_plugin_that_does_not_load_is_told_by_doctor(installed: Path, tmp_path: Path) -> None:
    done = tunewiz(installed, tmp_path, "doctor")
    told = done.stdout + done.stderr
    assert "broken (tickets:NotThere)" in told
    assert "stranger (tickets:Stranger)" in told
    assert "Traceback" not in told


CODE = """
from tunewiz.presets.losses import catalogue
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.registry import problems
import json
print(json.dumps([list(catalogue()), list(catalogue(RerankerLoss)), [one.code for one in problems()]]))
"""


def test_a_plugins_losses_go_to_the_models_they_are_for(installed: Path) -> None:
    paths = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    embedders, rerankers, codes = json.loads(done.stdout)
    assert "steep_ranking" in embedders and "always_right" not in embedders
    assert "always_right" in rerankers and "steep_ranking" not in rerankers
    assert sorted(codes) == ["plugin-broken", "plugin-kind"]
