"""Several runs on one machine: turns on the processor, cards that no two runs share, whoever's the runs are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.children.test_command import Shell, shell, training, wait_until
from tests.children.test_nvml import COMPILER, ROOT, library
from tunewiz.backends.machine import places
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run

__all__ = ["library", "shell"]  # fixtures


def named(shell: Shell, name: str) -> Run:
    return next(run for run in all_runs(shell.runs) if run.name.startswith(name))


def spans(run: Run) -> tuple[float, float]:
    """When the run's child began and when it ended."""
    events = [json.loads(line) for line in run.events_file.read_text(encoding="utf-8").splitlines()]
    return (
        next(event["time"] for event in events if event["event"] == "started"),
        next(event["time"] for event in events if event["event"] in ("finished", "failed", "stopped")),
    )


def test_a_queue_takes_turns_and_goes_on_where_it_was_left(shell: Shell) -> None:
    def preset(name: str, settings: Callable[[str], str] = str) -> str:
        file = shell.folder / f"{name}.yaml"
        text = shell.preset.read_text(encoding="utf-8").replace("name: tiny", f"name: {name}")
        file.write_text(settings(text.replace("device: cuda", "device: cpu")), encoding="utf-8")
        return str(file)

    long = preset("long", lambda text: text.replace("epochs: 2", "epochs: 1000"))
    empty = preset("empty", lambda text: text.replace("rows.jsonl", "none.jsonl"))
    (shell.folder / "none.jsonl").write_text('{"query": "a"}\n', encoding="utf-8")
    short, last = preset("short"), preset("last")

    wrong = shell("run", short, str(shell.folder / "missing.yaml"))
    assert (wrong.returncode, all_runs(shell.runs)) == (2, [])

    front = shell.start("run", long, empty, short, last)
    wait_until(lambda: len(all_runs(shell.runs)) == 4 and training(named(shell, "long")), 600)
    assert [read_state(named(shell, name)).status for name in ("empty", "short", "last")] == ["waiting"] * 3
    listed = shell("runs").stdout
    assert listed.count("waiting") == 3
    assert "The queue of this machine" in listed
    place = listed[listed.index("The queue of this machine") :]
    order = [place.index(f"({name}-") for name in ("long", "empty", "short", "last")]
    assert order == sorted(order)

    assert shell("stop", named(shell, "last").name).returncode == 0
    assert (read_state(named(shell, "last")).status, alive(named(shell, "last"))) == ("stopped", False)
    front.send_signal(signal.SIGINT)
    out, told = front.communicate(timeout=240)
    assert front.returncode == 130, told
    assert "waits for its turn, after processor" in told
    assert [line.split()[1] for line in out.splitlines()] == ["stopped"] * 4
    assert read_state(named(shell, "long")).exit_code == 130

    again = [word for name in ("empty", "short") for word in ("--resume", named(shell, name).name)]
    done = shell("run", *again)
    assert [read_state(named(shell, name)).status for name in ("empty", "short")] == ["failed", "finished"]
    assert done.returncode == read_state(named(shell, "empty")).exit_code == 3, done.stderr
    assert spans(named(shell, "empty"))[1] <= spans(named(shell, "short"))[0]


USER = """
import json, os, sys, threading, time
from tunewiz.backends.machine import places
number, runs, log = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
cards = tuple(f"gpu-{card.index}" for card in places.gpus())
if os.getuid() == 0:
    os.umask(0o077)
    os.setgid(20001 + number); os.setuid(20001 + number)
out = os.open(log, os.O_WRONLY | os.O_APPEND)

def carry(run, count):
    turn = places.Turn(places.Wish(run, cards, count))
    while (place := turn.take()) is None:
        time.sleep(0.01)
    turn.close()
    assert place.environment()["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, place.cards))
    os.write(out, (json.dumps([os.getuid(), run, "takes", place.cards]) + "\\n").encode())
    time.sleep(0.02)
    os.write(out, (json.dumps([os.getuid(), run, "gives", place.cards]) + "\\n").encode())
    for descriptor in place.descriptors:
        os.close(descriptor)

threads = [threading.Thread(target=carry, args=(f"run-{number}-{one}", 3 if one == 2 else 1)) for one in range(runs)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def environment(library: Path, folder: Path, used: str, gpus: int = 8) -> dict[str, str]:
    own = {
        "LD_LIBRARY_PATH": str(library), "FAKE_GPUS": str(gpus), "FAKE_USED": used, "PYTHONPATH": str(ROOT),
        "TUNEWIZ_PLACES": str(folder / "places"), "TUNEWIZ_LANG": "en",
    }  # fmt: skip
    return {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | own


@pytest.mark.skipif(COMPILER is None, reason="no C compiler here")
def test_the_runs_of_three_users_never_share_a_card(library: Path, tmp_path: Path) -> None:
    """Card 5 is never taken: somebody without Tunewiz computes there."""
    shared = Path(tempfile.gettempdir())
    for folder in (*(one for one in tmp_path.parents if one.is_relative_to(shared) and one != shared), library):
        folder.chmod(0o755)
    tmp_path.chmod(0o1777)
    log = tmp_path / "log"
    log.touch()
    log.chmod(0o666)
    own = environment(library, tmp_path, "0,500,0,0,0,40000,0,0")
    users = [
        subprocess.Popen([sys.executable, "-c", USER, str(user), "9", str(log)], env=own, stderr=subprocess.PIPE)
        for user in range(3)
    ]
    assert [(user.wait(240), user.stderr.read() if user.stderr else b"") for user in users] == [(0, b"")] * 3
    taken: dict[int, str] = {}
    runs, most = set(), 0
    for user, run, what, cards in map(json.loads, log.read_text().splitlines()):
        runs.add((user, run))
        for card in cards:
            if what == "takes":
                assert card not in taken, (run, taken)
                taken[card] = run
            else:
                assert taken.pop(card) == run
        most = max(most, len(taken))
        assert 5 not in taken
    assert (len(runs), taken) == (27, {})
    assert most > 3
    assert len({user for user, _ in runs}) == (3 if os.getuid() == 0 else 1)


HOLD = """
import sys, time
from tunewiz.backends.machine import places
turn = places.Turn(places.Wish(sys.argv[1], ("gpu-0", "gpu-1"), int(sys.argv[2])))
place = turn.take()
print(*(place.cards if place else ["waits"]), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(COMPILER is None, reason="no C compiler here")
def test_what_a_killed_run_held_is_free_and_its_ticket_gone(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = environment(library, tmp_path, "0,0", gpus=2)
    monkeypatch.setenv("TUNEWIZ_PLACES", own["TUNEWIZ_PLACES"])

    def start(run: str, cards: int) -> tuple[subprocess.Popen[str], str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, run, str(cards)], env=own, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        return child, child.stdout.readline().strip()

    first, got = start("first", 1)
    assert got == "0"
    both, got = start("both", 2)
    assert got == "waits"
    behind, got = start("behind", 1)
    assert got == "waits", "the free card is kept for who came before and needs two"
    assert [(one.place, one.run) for one in places.holders()] == [("gpu-0", "first")]
    assert [one.run for one in places.waiting()][-2:] == ["both", "behind"]
    for child in (both, first):
        child.kill()
        child.wait()
    assert places.holders() == ()
    assert [one.run for one in places.waiting()] == ["behind"]
    later, got = start("later", 1)
    assert got == "1", "the first of the two free cards belongs to who waits"
    for child in (behind, later):
        child.kill()
        child.wait()
