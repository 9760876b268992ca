"""What runs took beside each other, and what of it each point gained took."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.playing import a_run
from tunewiz.backends.reports.efforts import effort_facts, efforts
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import write_json

pytestmark = pytest.mark.usefixtures("in_english")


def ended(folder: Path, before: float, after: float, seconds: float, primary: str = "ndcg@10") -> tuple[Run, RunState]:
    run = a_run(folder)
    run.report.mkdir(exist_ok=True)
    change = {
        "metric": primary, "lower_is_better": primary == "loss", "before": before, "after": after,
        "difference": after - before, "low": -1, "high": 1, "wins": 1, "losses": 0, "ties": 0, "queries": 1,
        "certain": True, "verdict": "WIN",
    }  # fmt: skip
    told = {"version": 1, "primary": primary, "comparison": change, "memory": {"training": float(3 << 30)}}
    write_json(run.report / "metrics.json", told)
    return run, RunState(seconds={"train": seconds, "evaluate": seconds})


def test_a_point_has_a_price_where_something_was_gained(tmp_path: Path) -> None:
    pairs = [ended(tmp_path / "a", 0.50, 0.52, 600.0), ended(tmp_path / "b", 0.50, 0.49, 60.0)]
    runs, states = [run for run, _ in pairs], [state for _, state in pairs]
    found = {row.name: row.values for row in efforts(runs, states, 3.0)}
    assert found["time in all"] == ("20m", "2m") and found["training"] == ("10m", "1m")
    assert found["most memory"] == ("3.0 GiB", "3.0 GiB")
    assert found["gain of ndcg@10"] == ("+0.0200", "-0.0100")
    assert found["time per 0.01 gained"] == ("10m", "") and found["cost per 0.01 gained"] == ("0.50", "")
    assert found["cost"] == ("1.00", "0.10")
    assert not any(name.startswith("cost") for name in {row.name for row in efforts(runs, states)})


def test_of_a_loss_a_fall_is_the_gain(tmp_path: Path) -> None:
    run, state = ended(tmp_path, 2.0, 1.5, 100.0, "loss")
    assert effort_facts([run], [state], None)[run.name]["gain"] == pytest.approx(0.5)
    assert dict(efforts([run], [state])[-1].__dict__) == {"name": "time per 0.01 gained", "values": ("4s",)}
