"""Using what was tuned, as a user does: one tiny run, then the commands on it in real child processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.runs.run import Run
from tests.children.test_command import NOUNS, VERBS, Shell
from tests.screens.waiting import seen
from tui.app import TunewizApp
from tui.messages import TrialWanted
from tui.screens.trial import TrialScreen
from tui.settings import Settings


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Shell:
    """A shell in a folder with one finished run of LoRA on the tiny model."""
    folder = tmp_path_factory.mktemp("used")
    rows = [
        {"query": f"how do i {verb} the {noun}", "positive": f"to {verb} the {noun} you do it with the server {number}"}
        for number, (verb, noun) in enumerate((verb, noun) for verb in VERBS for noun in NOUNS)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preset = folder / "tiny.yaml"
    preset.write_text(
        f"name: tiny\ntask: embedding\nmodel: {{id: {tiny_encoder}, source: local}}\n"
        "data: {train: rows.jsonl, evaluation: {fraction: 0.25}}\nloss: multiple_negatives_ranking\n"
        "method: {type: lora, rank: 4}\n"
        "training: {batch_size: 8, epochs: 2, learning_rate: 1.0e-2, max_length: 32}\n"
        "launch: {device: cpu}\nevaluation: {bootstrap: 200}\n",
        encoding="utf-8",
    )
    shell = Shell(folder, preset)
    done = shell("run", str(preset))
    assert done.returncode == 0, done.stderr
    return shell


def a_question(run: Run) -> tuple[str, str]:
    """A held-out query and the document that answers it."""
    query = json.loads((run.data / "queries.jsonl").read_text("utf-8").splitlines()[0])
    judged = [line.split("\t") for line in (run.data / "qrels.tsv").read_text("utf-8").splitlines()[1:]]
    return query["text"], next(document for name, document, _ in judged if name == query["_id"])


def test_try_answers_with_both_models_and_agrees_with_the_measurement(used: Shell) -> None:
    query, answer = a_question(used.last())
    done = used("try", "last", "-q", query, "--k", "3", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["known"] == [answer]
    for when in ("before", "after"):
        ranking = [line.split("\t") for line in (used.last().report / f"{when}.run.tsv").read_text().splitlines()]
        measured = [row[2] for row in ranking if row[0] == ranking[0][0]]
        assert [hit["id"] for hit in told[when]["hits"]] == measured[:3]
        assert told[when]["known_rank"] == measured.index(answer) + 1
        assert [hit["known"] for hit in told[when]["hits"]] == [name == answer for name in measured[:3]]
    assert list((used.last().directory / "cache" / "vectors").glob("*.npz"))


def test_try_says_what_it_cannot_do(used: Shell, tmp_path: Path) -> None:
    wrong = used("try", "last", "-q", "x", "--k", "0")
    assert (wrong.returncode, "--k" in wrong.stderr) == (2, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "preset.yaml").write_bytes(used.last().preset_file.read_bytes())
    untrained = used("try", str(empty), "-q", "x")
    assert untrained.returncode == 3
    assert "prepared data is missing" in untrained.stderr
    assert "Traceback" not in untrained.stderr


async def test_the_screen_asks_both_models_and_ends_its_child(used: Shell) -> None:
    app = TunewizApp(used.runs, Settings(), first=TrialWanted(used.last()))
    async with app.run_test(size=(110, 30)) as pilot:
        for _ in range(1200):
            await pilot.pause(0.1)
            if isinstance(app.screen, TrialScreen) and app.screen.asks:
                break
        screen = app.screen
        assert isinstance(screen, TrialScreen)
        session = screen._session
        assert session is not None
        await pilot.press("f2")
        for _ in range(600):
            await pilot.pause(0.1)
            if screen.exchanges and screen.exchanges[-1]:
                break
        await pilot.pause(0.2)
        text = seen(app)
        assert "untouched" in text
        assert "known answer at rank" in text
        await pilot.press("escape")
        await pilot.pause(0.5)
    assert session._child.wait(20) is not None


def test_compare_pairs_runs_of_the_same_data(used: Shell) -> None:
    first = used.last().name
    done = used("run", str(used.preset), "--set", "training.epochs=1", "--name", "second", "--json")
    second = json.loads(done.stdout)
    told = json.loads(used("compare", first, second["name"], "--json").stdout)
    assert list(told["settings"]["training.epochs"].values()) == ["2", "1"]
    pair = told["paired"][0]
    ndcg = pair["metrics"]["ndcg@10"]
    assert ndcg["other"] == pytest.approx(second["after"]["ndcg@10"])
    assert ndcg["wins"] + ndcg["losses"] + ndcg["ties"] == ndcg["queries"] > 0
    page = used("compare", first, second["name"])
    assert page.returncode == 0
    assert "training.epochs" in page.stdout
    assert used("compare", first).returncode == 2
