"""What the result screen tells of a sweep: every point, the best marked, and what it was chosen on."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.odd_runs import a_whole_run
from tunewiz import language
from tunewiz.backends.runs.follow import read_state
from tunewiz.files import read_object, write_json
from tunewiz.tui.panels.evidence import evidence
from tunewiz.tui.panels.result_story import _sweep
from tunewiz.tui.queueing import worst


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize("chosen_on", ["validation", "held-out"])
def test_every_point_is_told_and_the_best_is_marked(tmp_path: Path, code: language.Language, chosen_on: str) -> None:
    run = a_whole_run(tmp_path)
    file = run.report / "metrics.json"
    own = {"before": {"ndcg@10": 0.5}, "after": {"ndcg@10": 0.57}, "primary": "ndcg@10"}
    points = {"1-a": "training.learning_rate=1.0e-5", "2-b": "training.learning_rate=2.0e-5", "3-c": "broken"}
    write_json(file, read_object(file) | {
        "points": points, "variants": {"1-a": own, "2-b": own | {"after": {"ndcg@10": 0.61}}}, "best": "2-b",
        "chosen_by": "ndcg@10", "chosen_on": chosen_on, "chosen_values": {"1-a": 0.4, "2-b": 0.45},
    })  # fmt: skip
    language.use(code)
    try:
        lines = ["".join(text for text, _ in line) for line in _sweep(evidence(run, read_state(run)), 70)]
    finally:
        language.use(None)
    assert all(cell_len(line) <= 70 for line in lines)
    assert [line[:2] for line in lines[-3:]] == ["  ", "▸ ", "  "]
    assert lines[-2].split()[1:] == ["training.learning_rate=2.0e-5", "0.4500", "0.5000", "0.6100"]
    assert lines[-1].split() == ["broken", "–", "–", "–"]
    hint = {("en", "validation"): "validation data", ("en", "held-out"): "optimistic"}.get((code, chosen_on), "扫参")
    assert hint in "".join(lines[:-3])


def test_a_run_without_a_sweep_has_no_such_section(tmp_path: Path) -> None:
    run = a_whole_run(tmp_path)
    assert _sweep(evidence(run, read_state(run)), 70) == []


@pytest.mark.parametrize(("codes", "code"), [([], 0), ([0, 0], 0), ([0, 5], 5), ([5, 130], 130), ([130, 3, 0], 3),
                                             ([3, 2], 2), ([2, 4], 4), ([4, 1], 1), ([0, 77], 1)])  # fmt: skip
def test_the_exit_code_of_several_runs_is_the_worst(codes: list[int], code: int) -> None:
    assert worst(codes) == code
