"""Canaries: access tokens in the environment, printed by a library in every way there is, are found nowhere on disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.children.test_command import NOUNS, VERBS, Shell
from tests.conftest import DEVICE

#: Several processes after each other, each of which imports torch.
pytestmark = pytest.mark.timeout(900)

CANARIES = {
    "HF_TOKEN": "hf_CanaryQwErTyUiOpAsDfGhJkLzXcVbNm01",
    "MODELSCOPE_API_TOKEN": "ms-ca9a8100-4b5a-6978-8796-a5b4c3d2e1f0",
    "WANDB_API_KEY": "ca9a8100abcdef0123456789abcdef0123456789",
    "OPENAI_API_KEY": "sk-proj-Canary81cvbnMasdfghJkl0-qwe_rty",
    "INTERNAL_PASSWORD": "Canary word 金丝雀",
}

#: A tracker's package as it might be: it prints what it found in the environment, and fails with it in its words.
TRACKIO = """
import logging, os, subprocess, sys, warnings

TOKENS = [os.environ[name] for name in os.environ["CANARIES"].split(",")]


class Config(dict):
    def update(self, *given, **more):
        print("config", {"hub_token": TOKENS[0], "api_key": TOKENS[2]})


config = Config()


def init(**given):
    for token in TOKENS:
        print("logged in as", token)
        for at in (1, 5, len(token) - 1):
            print(token[:at], end="", flush=True)
            print(token[at:], flush=True)
        sys.stderr.write(token)
        sys.stderr.buffer.write(token.encode() + b"\\\\n")
        logging.getLogger("trackio").error("with %s", token)
        warnings.warn(f"https://user:{token}@host/")
        os.write(2, b"raw " + token.encode() + b"\\\\n")
        subprocess.run(["echo", "child", token], check=True)


def log(values):
    if os.environ.get("TRACKIO_ENDS"):
        raise SystemExit(" ".join(TOKENS))
    raise ConnectionError("401 for " + " ".join(TOKENS))


def finish():
    pass
""".replace("\\\\n", "\\n")


@pytest.fixture
def watched(tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell with canaries in its environment, everything it keeps below one folder."""
    package = tmp_path / "site" / "trackio"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(TRACKIO, encoding="utf-8")
    for name, token in CANARIES.items():
        monkeypatch.setenv(name, token)
    monkeypatch.setenv("CANARIES", ",".join(CANARIES))
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HF_HOME", "TMPDIR"):
        (tmp_path / name.lower()).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(package.parent)]).strip(":")
    )
    rows = [
        {"query": f"how do i {verb} the {noun}", "positive": f"to {verb} the {noun} you do it with the server {number}"}
        for number, (verb, noun) in enumerate((verb, noun) for verb in VERBS for noun in NOUNS)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preset = tmp_path / "tiny.yaml"
    preset.write_text(
        f"name: tiny\ntask: embedding\nmodel: {{id: {tiny_encoder}, source: local}}\n"
        "data: {train: rows.jsonl, evaluation: {fraction: 0.25}}\nloss: multiple_negatives_ranking\n"
        "method: {type: lora, rank: 4}\n"
        "training: {batch_size: 8, max_steps: 4, learning_rate: 1.0e-3, max_length: 32, log_every: 1}\n"
        f"launch: {{device: {DEVICE}}}\nevaluation: {{bootstrap: 100, general: false}}\n"
        "tracking: {trackers: [tensorboard, trackio]}\n",
        encoding="utf-8",
    )
    yield Shell(tmp_path, preset)


def found(folder: Path) -> list[tuple[str, str]]:
    """Where a canary, or most of one, lies below ``folder``: file names are looked at too."""
    hits = []
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for name, token in CANARIES.items():
            parts = {token, token[1:], token[5:], token[:-1]}
            if any(part.encode() in content or part in path.name for part in parts):
                hits.append((str(path.relative_to(folder)), name))
    return hits


def silent(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """``done``, of which neither stdout nor stderr told a canary."""
    assert not [name for name, token in CANARIES.items() if token[5:] in done.stdout + done.stderr]
    return done


def test_no_canary_is_written_or_shown_by_a_run_and_what_is_made_of_it(watched: Shell) -> None:
    done = silent(watched("run", str(watched.preset), "--set", f"description=x {CANARIES['OPENAI_API_KEY']}"))
    assert done.returncode == 2 and "secret-in-preset" not in done.stdout
    assert not watched.runs.exists()
    done = silent(watched("run", str(watched.preset)))
    assert done.returncode == 0, done.stderr
    log = watched.last().log_file.read_text(encoding="utf-8")
    assert log.count("logged in as (redacted)") == len(CANARIES)
    assert log.count("raw ***") == log.count("child ***") == len(CANARIES)  # past Python's streams
    events = watched.last().events_file.read_text(encoding="utf-8")
    assert "tracker-failed" in events and "ConnectionError: 401 for (redacted)" in events
    assert silent(watched("export", "last", "--to", "service", "--out", "out/service")).returncode == 0
    for command in ("report", "watch"):
        assert silent(watched(command)).returncode == 0
    shutil.rmtree(watched.folder / "site")
    assert found(watched.folder) == []


@pytest.mark.torture
def test_no_canary_is_left_by_a_run_that_fails_with_it_in_its_words(
    watched: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_ENDS", "1")
    ends = Shell(watched.folder, watched.preset)
    done = silent(ends("run", str(ends.preset), "--json"))
    assert done.returncode == 1
    assert "SystemExit: (redacted)" in done.stdout
    assert "Traceback" in ends.last().log_file.read_text(encoding="utf-8")
    shutil.rmtree(ends.folder / "site")
    assert found(ends.folder) == []


def test_no_canary_is_kept_of_what_was_typed(watched: Shell) -> None:
    command = [sys.executable, "-c", "import sys; from tunewiz.tui.cli import main; sys.exit(main())", "--plain"]
    typed = "\n".join(["", "sample:faq-en", *CANARIES.values(), ""])
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False, cwd=watched.folder)
    assert "(redacted)" in silent(done).stdout
    assert list((watched.folder / "xdg_state_home" / "tunewiz" / "drafts").glob("*.json"))
    shutil.rmtree(watched.folder / "site")
    assert found(watched.folder) == []
