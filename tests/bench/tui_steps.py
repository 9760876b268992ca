"""From a key to the next step of the wizard: ``python -m tests.bench.tui_steps``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.terminal import Terminal, load, quantile
from tunewiz.presets.drafts.draft import Draft
from tunewiz.tui.wizard.machine import look
from tunewiz.tui.wizard.step import Step, steps_for

DATA: Final = {"embedding": "sample:faq-zh", "llm": "sample:instructions-zh", "reranker": "sample:faq-zh"}


def main() -> None:
    """Print a table; the goal is 150 ms for each step. ``ROUNDS`` in the environment: times through all of them."""
    rounds = int(os.environ.get("ROUNDS", "2"))
    print(load())
    print(
        f"{'task':10} {'fields':8} {'screen':8} {'median':>8} {'worst':>8} {'goal':>7} {'processor':>10}  slowest step"
    )
    for task in ("embedding", "llm"):
        for advanced in (False, True):
            for columns, rows in ((80, 24), (200, 50)):
                times, work = measure(task, advanced, columns, rows, rounds)
                seconds = [one for found in times.values() for one in found]
                slowest = max(times, key=lambda name: min(times[name]))
                print(f"{task:10} {'advanced' if advanced else 'simple':8} {f'{columns}x{rows}':8} "
                      f"{quantile(seconds, 0.5) * 1000:5.0f} ms {max(map(min, times.values())) * 1000:5.0f} ms "
                      f"{'150 ms':>7} {work * 1000:7.0f} ms  {slowest}", flush=True)  # fmt: skip


def measure(task: str, advanced: bool, columns: int, rows: int, rounds: int) -> tuple[dict[str, list[float]], float]:
    """Seconds from Alt and a number to the first words of each step, by its name; and processor seconds a change."""
    folder = Path(tempfile.mkdtemp())
    draft = Draft(answers={"task": task, "data": {"train": DATA[task]}})
    steps = steps_for(draft, look())
    environment = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    terminal = Terminal(wizard(folder, draft, advanced), columns, rows, environment)
    terminal.until(begin(steps[0]))
    terminal.drain(8.0)  # the machine and the data are looked at meanwhile
    times: dict[str, list[float]] = {step.name: [] for step in steps}
    count, before = 0, terminal.processor
    for _ in range(rounds):
        for number, step in [*enumerate(steps, 1)][::-1]:
            terminal.output = b""
            asked = terminal.now
            terminal.send(f"\x1b{number}".encode())
            times[step.name].append(terminal.until(begin(step)) + terminal.begun - asked)
            count += 1
            terminal.drain(0.7)
    work = (terminal.processor - before) / count
    terminal.close()
    return times, work


def begin(step: Step) -> str:
    """The first words of a step, which no other one begins with."""
    return "What happens" if step.name == "review" else step.intro[:24]  # the one that begins with a summary


def wizard(folder: Path, draft: Draft, advanced: bool) -> str:
    """Code that opens the wizard at its first step."""
    return (
        "from pathlib import Path; from tunewiz.tui.app import run_screen; "
        "from tunewiz.tui.screens.messages import WizardWanted; from tunewiz.presets.drafts.draft import Draft; "
        f"from tunewiz.presets.drafts.kept import Kept; kept = Kept(Path({str(folder / 'draft.json')!r}), "
        f"Draft(answers={dict(draft.answers)!r}), 'task', {advanced}); "
        f"run_screen(Path({str(folder / 'runs')!r}), WizardWanted(kept))"
    )


if __name__ == "__main__":
    main()
