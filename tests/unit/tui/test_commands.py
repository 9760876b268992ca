"""``tunewiz presets``, ``models``, ``check`` and ``report``, their bodies called in process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.playing import FULL, a_run, closing, opening
from tunewiz.backends import sources
from tunewiz.backends.readiness import estimate
from tunewiz.backends.runs.events import Failed, Stopped
from tunewiz.presets.sections.model import Model
from tunewiz.presets.yaml import library
from tunewiz.problems import BadPreset
from tunewiz.tui.cli import app
from tunewiz.tui.commands import models
from tunewiz.tui.commands.check import run_check
from tunewiz.tui.commands.models import run_models
from tunewiz.tui.commands.presets import run_presets
from tunewiz.tui.commands.report import run_report


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TUNEWIZ_LANG", "en")
    monkeypatch.setenv("COLUMNS", "80")


def test_presets_are_listed_with_their_memory(capsys: pytest.CaptureFixture[str]) -> None:
    broken = library.saved_in() / "broken.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("name: 3")
    assert run_presets(as_json=True) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["embedding/bge-m3"]["memory_expected"] > rows["embedding/bge-m3-lora"]["memory_expected"]
    assert "The key is missing" in rows["broken"]["problem"]
    assert run_presets(as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("embedding/starter ")


def test_where_runs_are_may_be_said_before_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNEWIZ_RUNS", "")
    a_run(tmp_path / "elsewhere", "faq-20260101-120000").emit(Stopped())
    for words in (["--runs-dir", "elsewhere", "runs", "--json"], ["runs", "--runs-dir", "elsewhere", "--json"]):
        app(words, standalone_mode=False)
        assert "faq-20260101-120000" in capsys.readouterr().out
        monkeypatch.setenv("TUNEWIZ_RUNS", "")


def test_models_tell_what_fits_and_what_is_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "free_memory", lambda: 16 * 1024**3)
    assert run_models("embedding", as_json=True) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["BAAI/bge-small-zh-v1.5"]["full"]["fits"] == "yes"
    assert rows["BAAI/bge-m3"]["full"]["fits"] == "no"
    assert rows["BAAI/bge-m3"]["cached"] is None
    starter = sources.find_cached(Model(id="starter"))
    assert rows["sentence-transformers/all-MiniLM-L6-v2"]["cached"] == (starter.place if starter else None)
    assert run_models(None, as_json=False) == 0
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())
    with pytest.raises(BadPreset, match="Did you mean embedding"):
        run_models("embeding", as_json=False)


def test_check_tells_every_problem_and_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check("embedding/starter", ["training.epochs=x", "foo=1"], as_json=True) == 2
    record = json.loads(capsys.readouterr().out)
    assert record["runs"] is False
    assert {problem["key"] for problem in record["problems"]} == {"training.epochs", "foo"}
    assert run_check("embedding/nothing", [], as_json=False) == 2
    assert "no preset of this name" in capsys.readouterr().out


def test_memory_of_a_model_nobody_knows_comes_from_its_config(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    config = {
        "model_type": "bert",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "vocab_size": 500,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"")
    preset = library.load("embedding/starter", [f"model.id={folder}", "model.source=auto"])
    located = sources.resolve(preset.model)
    needed = estimate(preset, located)
    assert needed is not None
    assert needed.trained == 500 * 64 + 2 * (4 * 64 * 64 + 2 * 64 * 128)
    assert estimate(preset, None) is None


def test_a_run_that_ended_without_a_report_is_told_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped, failed = a_run(tmp_path, "one-20260101-110000"), a_run(tmp_path, "two-20260101-120000")
    for run, end in ((stopped, Stopped(time=1020.0)), (failed, Failed(time=1020.0, exit_code=4, problems=(FULL,)))):
        for event in (*opening(run, 1000.0), end):
            run.emit(event)
    with pytest.raises(BadPreset, match=f"tunewiz run --resume {stopped.name}") as caught:
        run_report(stopped.name, tmp_path, json_wanted=False)
    assert [problem.code for problem in caught.value.problems][:2] == ["no-report", "next-step"]
    with pytest.raises(BadPreset, match=f"tunewiz run {failed.preset_file} --set"):
        run_report(failed.name, tmp_path, json_wanted=False)
    assert "The GPU ran out of memory. Halve training.batch_size." in capsys.readouterr().err
    assert run_report(failed.name, tmp_path, json_wanted=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"] is None
    assert told["next"][0] == "Do what its error says."


def test_a_report_in_json_words_the_advice_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run(tmp_path)
    for event in (*opening(run, 1000.0), *closing(1080.0, gain=-0.05)):
        run.emit(event)
    run.report.mkdir()
    (run.report / "metrics.json").write_text(
        json.dumps({"version": 1, "verdict": "REGRESSION", "next": ["结果变差了"]})
    )
    assert run_report(run.name, tmp_path, json_wanted=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"]["next"] == ["结果变差了"]
    assert told["next"][0].startswith("It got worse: lower training.learning_rate to a third (7e-06)")
