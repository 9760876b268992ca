"""A run on a small disk that fills up at every stage: ``python -m tests.children.small_disk PRESET FOLDER MIB``.

To be started in a mount namespace of its own (``unshare --mount``). Prints one JSON object: how each launch ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.torture.killing import fill
from tunewiz.backends.runs.events import STAGES
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.run import Run
from tunewiz.files import sha256

COMMAND = [sys.executable, "-c", "import sys; from tunewiz.tui.cli import main; sys.exit(main())", "run"]


def main(preset: str, folder: Path, size: int) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "small-disk", str(folder)], check=True)
    runs, ends = folder / "runs", []
    for stage in STAGES:
        resume = ["--resume", "last"] if all_runs(runs) else [preset]
        ends.append(launched([*resume, "--runs-dir", str(runs), "--json"], runs, stage, folder / "filler"))
        if ends[-1]["status"] == "finished":
            break
    if ends[-1]["status"] != "finished":
        ends.append(launched(["--resume", "last", "--runs-dir", str(runs), "--json"], runs, "", folder / "filler"))
    run = all_runs(runs)[-1]
    weights = run.model / "model.safetensors"
    left = [path.relative_to(run.directory).as_posix() for path in run.directory.rglob("*") if ".part" in path.name]
    files = sorted(path.name for path in run.directory.iterdir())
    print(json.dumps({"ends": ends, "left": left, "files": files, "weights": sha256(weights)}))


def launched(arguments: list[str], runs: Path, stage: str, filler: Path) -> dict[str, Any]:
    """Launch or resume the run, fill the disk once it is in ``stage``, wait for the end, and empty the disk again."""
    child = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    run = None
    while child.poll() is None and run is None:
        run = next(iter(all_runs(runs)), None)
        time.sleep(0.01)
    reached = until_in(run, stage, child) if run is not None and stage else ""
    if reached:
        fill(filler)
    out, told = child.communicate()
    again = [*COMMAND, "--resume", "last", "--runs-dir", str(runs)] if reached else ["true"]
    refused = subprocess.run(again, capture_output=True, text=True)
    filler.unlink(missing_ok=True)
    state = Follower(run).update()[0] if run is not None else None
    return {
        "at": reached,
        "code": child.returncode,
        "status": state.status if state else "",
        "problem": dict(state.why or {}) if state else {},
        "after": json.loads(out)["after"] if out.strip() else None,
        "told": told,
        "again": [refused.returncode, refused.stderr],
    }


def until_in(run: Run, stage: str, child: subprocess.Popen[str]) -> str:
    """Wait for ``stage`` (for training: its first checkpoint) and give its name; "" if the run ended before."""
    follower = Follower(run)
    begun = follower.update()[0].stage
    saved = 0
    while child.poll() is None:
        state, events = follower.update()
        saved += sum(type(event).__name__ == "Saved" and event.what == "checkpoint" for event in events)  # type: ignore[attr-defined]
        if state.status == "running" and state.stage == stage != begun and (stage != "train" or saved):
            return stage
        begun = begun if state.stage == begun else ""
        time.sleep(0.01)
    return ""


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
