"""A beginner's way, from ``tunewiz`` to a verdict on one's own file, by keys in a real terminal: keys and seconds.

``python -m tests.bench.beginner_way`` plays every task in both languages at 80×24 and prints a table; ``TASKS`` and
``LANGUAGES`` in the environment (words with commas) narrow it, ``VERDICT=0`` ends each run once it is started. Seconds
are told apart: until the run is started, which is the user's own time, and until the verdict.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.terminal.tmux import Tmux
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import kill

ROOT: Final = Path(__file__).resolve().parents[2]
#: What each task is called on the screen, and how many lines below the proposed one it may stand.
TASKS: Final = ("embedding", "llm", "reranker")
LOCALES: Final = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}
MOST_KEYS: Final = 25
PATIENCE: Final = 7200.0  # seconds until the verdict, of a language model on one thread of a busy machine


@dataclass
class Way:
    """A way that was walked. ``keys`` as they were pressed; seconds until the start and until the verdict."""

    task: str
    language: str
    keys: list[str] = field(default_factory=list)
    started: float = 0.0
    ended: float = 0.0
    verdict: str = ""


def own_file(folder: Path, language: str) -> Path:
    """A small file of questions and answers as people have them."""
    folder.mkdir(parents=True, exist_ok=True)
    if language == "zh":
        places, asks = ("校园卡", "图书证", "宿舍", "选课", "医保"), ("怎么办理", "丢了怎么办", "在哪里", "多少钱")
        rows = [
            f"{place}{ask}第{n}次？,{place}的事请到{n}号窗口，{ask}都由那里答复。"
            for place in places
            for ask in asks
            for n in (1, 2)
        ]
        head, name = "提问内容,回复内容", "校园问答.csv"
    else:
        places, asks = (
            ("card", "library", "dorm", "course", "grant"),
            ("how do i get a", "where is the", "who runs the", "what costs the"),
        )
        rows = [
            f"{ask} {place} number {n}?,The {place} office answers {ask} at desk {n}."
            for place in places
            for ask in asks
            for n in (1, 2)
        ]
        head, name = "question,answer", "faq.csv"
    (folder / name).write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return folder / name


class Walker:
    """Presses keys in a terminal and counts them."""

    def __init__(self, terminal: Tmux, way: Way) -> None:
        self.terminal = terminal
        self.way = way

    def press(self, *keys: str) -> None:
        """One key after the other, as a person would: each is seen before the next."""
        for key in keys:
            self.terminal.keys(key)
            self.way.keys.append(key)
            time.sleep(0.3)

    def until(self, *words: str, patience: float = 300.0) -> str:
        """Wait for any of ``words``."""
        return self.terminal.until(lambda screen: any(word in screen for word in words), patience)


def walk(folder: Path, task: str, language: str, to_the_end: bool = True) -> Way:
    """From the bare command in the folder of the file to the verdict, or to the start of the run."""
    way, terminal = Way(task, language), Tmux(folder)
    own_file(folder / "work", language)
    code = f"import os, sys; os.chdir({str(folder / 'work')!r}); from tunewiz.tui.cli import main; sys.exit(main())"
    begun = time.monotonic()
    try:
        terminal.start(
            [sys.executable, "-c", code], (80, 24), PYTHONPATH=str(ROOT), TUNEWIZ_RUNS=str(folder / "runs"),
            XDG_CONFIG_HOME=str(folder), XDG_STATE_HOME=str(folder), LANG=LOCALES[language], TUNEWIZ_LANG=language,
            PYTHONUTF8="1", HF_HUB_OFFLINE="1", TERM="screen-256color", CUDA_VISIBLE_DEVICES="",
        )  # fmt: skip
        walker = Walker(terminal, way)
        walker.until("Fine-tune on my file", "用我的文件微调")
        walker.press("Enter")
        walker.until("Which file", "用哪个文件")
        walker.press("Down", "Enter")
        walker.until("● embedding")
        walker.until("→ ", "✗ ")
        walker.press(*["Down"] * TASKS.index(task))
        walker.until(f"● {task}")
        walker.until("→ ", "✗ ")
        walker.press("Enter")
        walker.until("Ready to start.", "可以开始")
        walker.press("F5")
        terminal.until(lambda _screen: all_runs(folder / "runs"), 300.0)
        way.started = time.monotonic() - begun
        (run,) = all_runs(folder / "runs")
        if to_the_end:
            walker.until("Tunewiz ▸ Result", "Tunewiz ▸ 结果", patience=PATIENCE)
            way.verdict = read_state(run).verdict or read_state(run).status
            way.ended = time.monotonic() - begun
        else:
            kill(run)
        return way
    finally:
        terminal.call("kill-server")


def main() -> None:
    """Print the table; the goal is 25 keys and 10 minutes of one's own time."""
    wanted = os.environ.get("TASKS", ",".join(TASKS)).split(",")
    languages = os.environ.get("LANGUAGES", ",".join(LOCALES)).split(",")
    print(f"{'task':10} {'language':8} {'keys':>4} {'goal':>4} {'to the start':>13} {'to the verdict':>15}  verdict")
    for task in wanted:
        for language in languages:
            folder = Path(tempfile.mkdtemp())
            way = walk(folder, task, language, os.environ.get("VERDICT") != "0")
            print(f"{task:10} {language:8} {len(way.keys):4} {MOST_KEYS:4} {way.started:11.0f} s {way.ended:13.0f} s  "
                  f"{way.verdict}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
