"""What is done when a run has ended, and where its checkpoints and results are copied; a real shell, a real server."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.playing import a_run, closing, opening, training
from tunewiz.backends.outside import copying as outside
from tunewiz.backends.outside.copying import Copies, Target, copying, target_problems
from tunewiz.backends.outside.finishing import finish
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.manifest import write_manifest
from tunewiz.backends.runs.run import Run

pytestmark = pytest.mark.usefixtures("in_english")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run with two checkpoints, of which the newer one is not whole."""
    found = a_run(tmp_path / "runs")
    for event in (*opening(found, 1000.0), *training(10, 1010.0, 1.0), *closing(1080.0, 0.07)):
        found.emit(event)
    for step in (10, 20):
        folder = found.checkpoints / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "trainer_state.json").write_text(str(step), encoding="utf-8")
        if step == 10:
            write_manifest(folder)
    found.report.mkdir(exist_ok=True)
    (found.report / "report.md").write_text("# Report\n", encoding="utf-8")
    return found


def wanting(run: Run, text: str) -> Run:
    run.preset_file.write_text(text, encoding="utf-8")
    return run


def told(run: Run) -> dict[str, Any]:
    problem: dict[str, Any] = json.loads(run.events_file.read_text(encoding="utf-8").splitlines()[-1])["problem"]
    return problem


def words(run: Run) -> str:
    values = told(run)["message"]
    return str(values)


def test_the_command_knows_how_the_run_ended_and_what_it_prints_holds_no_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz0123456789")
    command = 'echo "$TUNEWIZ_RUN_NAME $TUNEWIZ_VERDICT $TUNEWIZ_EXIT_CODE $TUNEWIZ_STATUS" > told; echo $MY_API_TOKEN'
    finish(wanting(run, f"on_finish: {json.dumps(command)}\n"), read_state(run), 0)
    assert (run.directory / "told").read_text() == f"{run.name} WIN 0 finished\n"
    assert told(run)["code"] == "on-finish"
    everything = run.log_file.read_text() + run.events_file.read_text()
    assert "hf_abcdef" not in everything
    assert "==> on_finish" in everything
    assert read_state(run).status == "finished"


@pytest.mark.parametrize(
    ("command", "why"), [("exit 3", "status 3"), ("sleep 60 & sleep 60", "more than 1 seconds"), ("/no/such", "127")]
)
def test_a_command_that_fails_or_hangs_is_told_and_changes_nothing(run: Run, command: str, why: str) -> None:
    finish(wanting(run, f"on_finish: {command}\n"), read_state(run), 0, limit=1.0)
    assert told(run)["code"] == "on-finish-failed"
    assert why in words(run)
    assert (read_state(run).status, read_state(run).exit_code) == ("finished", 0)


class Hook(BaseHTTPRequestHandler):
    heard: list[dict[str, Any]] = []
    status = 200

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the screen."""


@pytest.fixture
def address() -> Iterator[str]:
    Hook.heard, Hook.status = [], 200
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/services/T0/secret"
        server.shutdown()


def test_a_web_address_is_told_and_never_shown(run: Run, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_WEBHOOK", address)
    finish(wanting(run, "on_finish: $MY_WEBHOOK\n"), read_state(run), 5)
    (heard,) = Hook.heard
    assert (heard["name"], heard["verdict"], heard["exit_code"]) == (run.name, "WIN", 5)
    assert heard["measured"]["after:retrieval"]
    assert "127.0.0.1 was told" in words(run)
    Hook.status = 404
    finish(wanting(run, f"on_finish: {address}\n"), read_state(run), 0)
    assert "127.0.0.1 answered 404" in words(run)
    assert "secret" not in run.events_file.read_text()


def test_no_wish_does_nothing(run: Run) -> None:
    before = run.events_file.read_text()
    for text in ("name: x\n", "on_finish: ''\n", "[", "on_finish: {a: 1}\nname: ["):
        finish(wanting(run, text), read_state(run), 0)
    assert run.events_file.read_text() == before


def test_whole_checkpoints_and_results_are_copied_to_a_folder(run: Run, tmp_path: Path) -> None:
    away = tmp_path / "away"
    with copying(wanting(run, f"checkpoints: {{sync: {away}}}\n")):
        pass
    copied = away / run.name
    assert (copied / "checkpoints/checkpoint-10/trainer_state.json").read_text() == "10"
    assert not (copied / "checkpoints/checkpoint-20").exists(), "a checkpoint without its manifest is not whole"
    assert (copied / "result/report/report.md").is_file()
    assert (copied / "result/events.jsonl").is_file()
    assert not (run.directory / ".copying").exists()
    assert told(run)["code"] == "synced"


def test_a_copy_that_fails_is_told_and_tried_again(run: Run, tmp_path: Path) -> None:
    blocked = tmp_path / "away"
    blocked.write_text("a file where a folder should be")
    copies = Copies(run, Target("folder", str(blocked)))
    copies.newest()
    assert told(run)["code"] == "sync-failed"
    blocked.unlink()
    copies.newest()
    assert told(run)["code"] == "synced"
    before = run.events_file.read_text()
    copies.newest()
    assert run.events_file.read_text() == before, "the same checkpoint is not copied twice"


RSYNC = """#!/bin/sh
echo "$@" > {log}
case "$*" in *fail*) echo "connection refused by hf_abcdefghijklmnopqrstuvwxyz0123456789" >&2; exit 10;; esac
"""


def test_rsync_is_given_the_run_under_its_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    (programs / "rsync").write_text(RSYNC.format(log=log))
    (programs / "rsync").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    Copies(run, Target("rsync", "rsync://host/module/runs")).newest()
    assert log.read_text().endswith(
        f"{run.directory}/.copying/./{run.name}/checkpoints/checkpoint-10/ rsync://host/module/runs/\n"
    )
    assert "ssh" not in log.read_text()
    Copies(run, Target("rsync", "me@host:fail")).newest()
    assert "ssh -o BatchMode=yes" in log.read_text()
    assert "connection refused" in words(run)
    assert "hf_abc" not in words(run)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("rsync://host/module/path", "rsync"), ("me@host:path", "rsync"), ("hf:org/repo", "hf"),
        ("modelscope:org/repo", "modelscope"), ("/mnt/backup", "folder"), ("~/backup", "folder"),
        ("backup", None), ("hf:repo", None), ("s3://bucket/x", None), ("", None),
    ],
)  # fmt: skip
def test_targets_are_told_apart(text: str, kind: str | None) -> None:
    target = Target.of(text)
    assert (target.kind if target else None) == kind


def test_a_target_is_checked_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside.shutil, "which", lambda _name: None)
    given = ("", "s3://x", "rsync://h/m", str(tmp_path / "new"), "hf:o/r")
    found = [[one.code for one in target_problems(text)] for text in given]
    (tmp_path / "file").write_text("")
    assert found == [[], ["sync-target"], ["sync-no-rsync"], [], []]
    assert [one.code for one in target_problems(str(tmp_path / "file" / "x"))] == ["sync-not-writable"]
