"""Random strings typed into every kind of field of the wizard in a real terminal, on a busy machine: none differs.

``TUNEWIZ_TYPED=1000 python -m pytest tests/terminal/test_typing.py`` types as many as one has time for, and keeps the
machine busy meanwhile; without it two are typed into each field, and what keeps it busy are the other tests.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.terminal.tmux import PATIENCE, TMUX, Tmux

ROOT: Final = Path(__file__).resolve().parents[2]
TYPED: Final = int(os.environ.get("TUNEWIZ_TYPED", "10"))
LETTERS: Final = "abcxyz 0159e-.,_/~=校园问答微调数据😀🚀é"
#: The step, the title and the key of a field of each kind: text, path, number, a list, a mapping.
FIELDS: Final = (
    (4, "Learning rate", "training.learning_rate"),
    (7, "Name", "name"),
    (2, "Training data", "data.train"),
    (6, "Cut-offs", "evaluation.k"),
    (2, "Columns", "data.columns"),
)

pytestmark = [pytest.mark.skipif(TMUX is None, reason="no tmux here"), pytest.mark.slow]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path)
    idle = (os.cpu_count() or 1) - int(os.getloadavg()[0])  # where others keep the machine busy, nothing is added
    idle = idle if "TUNEWIZ_TYPED" in os.environ else 0
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(max(0, idle))]
    yield server
    server.call("kill-server")
    for child in busy:
        child.kill()
        child.wait()


def shown(terminal: Tmux, key: str) -> str:
    """What stands in the field of ``key``, without blanks, which terminals draw as they like around wide letters."""
    lines = [line for line in terminal.screen().splitlines() if line.rstrip().endswith(f" {key}") or f" {key} " in line]
    return "".join(lines[0].rpartition(f" {key}")[0].split()) if lines else "nothing"


def bursts(draw: random.Random, text: str) -> Iterator[str]:
    while text:
        length = draw.randint(1, 20)
        yield text[:length]
        text = text[length:]


@pytest.mark.timeout(7200)
def test_what_is_typed_stands_there_as_it_was_typed(terminal: Tmux, tmp_path: Path) -> None:
    code = (
        "from tunewiz.tui.wizard import machine; machine.batch_system = lambda: False; "  # no step of the launch
        "from pathlib import Path; from tunewiz.tui.app import run_screen; "
        "from tunewiz.tui.screens.messages import WizardWanted; from tunewiz.presets.drafts.draft import Draft; "
        f"from tunewiz.presets.drafts.kept import Kept; kept = Kept(Path({str(tmp_path / 'draft.json')!r}), "
        "Draft(answers={'task': 'embedding'}), 'method', True); "
        f"run_screen(Path({str(tmp_path / 'runs')!r}), WizardWanted(kept))"
    )
    terminal.start(
        [sys.executable, "-c", code], (98, 60), PYTHONPATH=str(ROOT), XDG_CONFIG_HOME=str(tmp_path),
        XDG_STATE_HOME=str(tmp_path), LANG="C.UTF-8", TUNEWIZ_LANG="en", HF_HUB_OFFLINE="1", TERM="screen-256color",
    )  # fmt: skip
    terminal.until(lambda screen: "training.learning_rate" in screen)
    draw, different = random.Random(TYPED), []
    for number, (step, title, key) in enumerate(FIELDS):
        go_to(terminal, step, title, key)
        for _ in range((TYPED - number + len(FIELDS) - 1) // len(FIELDS)):
            text = "".join(draw.choice(LETTERS) for _ in range(draw.randint(1, 20)))
            terminal.keys("C-e", "C-u")
            terminal.until(lambda _screen, key=key, title=title: not typed(terminal, key, title, default=True))
            for burst in bursts(draw, text):
                terminal.call("send-keys", "-t", "main", "-l", "--", burst)
                time.sleep(draw.choice((0, 0.005, 0.03)))
            wanted, end = "".join(text.split()), time.monotonic() + PATIENCE
            while wanted and typed(terminal, key, title) != wanted and time.monotonic() < end:
                time.sleep(0.05)
            if wanted and typed(terminal, key, title) != wanted:
                different.append((key, text, typed(terminal, key, title), terminal.screen()))
    assert different == [], "\n".join(map(str, different)) + different[0][3]


_DEFAULTS: dict[str, str] = {}


def typed(terminal: Tmux, key: str, title: str, default: bool = False) -> str:
    """What was typed; with ``default`` nothing where only the default stands there."""
    found = shown(terminal, key).removeprefix(title.replace(" ", ""))
    if default:
        _DEFAULTS.setdefault(key, found)
        return "" if found == _DEFAULTS[key] else found
    return found


def go_to(terminal: Tmux, step: int, title: str, key: str) -> None:
    terminal.keys(f"M-{step}")
    terminal.until(lambda screen: key in screen)
    terminal.go_to("Name: Names the run" if key == "name" else f"{title}: ")
