"""One engine's run whose small disk fills up in every stage: ``python -m tests.torture.full_disk CASE FOLDER MODEL N``.

To be started in a mount namespace of its own (``unshare --mount``): a disk in memory is put over FOLDER. In each stage
it is full from one of N file operations on. Prints one JSON object a line: the stage, its operations, and how each of
the runs ended.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from tests.torture.cases import LANGUAGE, RETRIEVAL, copied, finished, libraries
from tests.torture.killing import Child
from tests.torture.test_matrix import Case, resumed, spread
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.events import STAGES, Failed
from tunewiz.backends.runs.follow import EventReader

SIZE: Final = 192  # MiB: room for a run that nobody touched and one that is at work, and few blocks to fill


def main(name: str, folder: Path, model: Path, most: int) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "small-disk", str(folder)], check=True)
    made = RETRIEVAL.get(name) or LANGUAGE[name]
    run = create(made(folder, model), folder / "runs", "x").directory
    with Child(*libraries(name)) as child:
        begun = time.monotonic()
        whole = finished(child, copied(run, "whole"))
        case = Case(name, child, run, whole, time.monotonic() - begun)
        for stage in STAGES:
            watched = copied(run, f"{stage}-watched")
            operations = child.run(watched, stage).operations
            shutil.rmtree(watched.parent)
            ends = [filled(case, stage, number, folder / "filler") for number in spread(len(operations), most)]
            print(json.dumps({"stage": stage, "operations": len(operations), "ends": ends}), flush=True)  # noqa: T201


def filled(case: Case, stage: str, number: int, filler: Path) -> dict[str, Any]:
    """The run whose disk is full from the operation ``number`` of ``stage`` on: how it ended, and how it went on."""
    run = copied(case.run, f"{stage}-{number}")
    end = case.child.run(run, stage, number, filler=filler)
    last = EventReader(run / "events.jsonl").read()[-1]  # a line that was begun where there was no room is passed over
    # Without any room, not even for a word, it can neither go on nor lose what is there.
    again = case.child.run(run) if end.status else end
    filler.unlink()
    found = {
        "at": number,
        "status": end.status,
        "again": again.status,
        "codes": [problem["code"] for problem in last.problems] if isinstance(last, Failed) else [],
        "log": (run / "output.log").read_text("utf-8")[-1500:],
    }
    same, bits, left = resumed(case, run)
    return found | {"same": same, "bits": bits, "left": left}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
