"""FlagEmbedding's own training code on tiny models: it learns, resumes, distils, and leaves what everybody loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.flag_embedding.models import COLBERT, SPARSE
from backends.flag_embedding.training import LINES, FlagTraining
from backends.loading import load_encoder
from backends.runs.events import Evaluated, Noticed
from backends.runs.run import Run, StopRequested
from backends.sentence_transformers.checkpoints import newest
from data.prepared import Prepared
from data.problems import BadPreset
from tests.children.test_training import CHECKPOINTED, LORA, changed, losses_of, weights
from tests.children.training_setup import events, groups, new_run, prepared, preset

INFO_NCE = {"name": "info_nce", "temperature": 0.05}
M3 = {"name": "m3_unified", "temperature": 0.05}


def flag_preset(model: Path, loss: Any = INFO_NCE, /, **sections: Any) -> Any:
    return preset(model, loss, **sections).model_copy(update={"backend": "flag_embedding"})


def train(run: Run, wanted: Any, rows: Prepared) -> Path:
    return FlagTraining(run, wanted, rows, Path(wanted.model.id)).start()


def taught() -> Prepared:
    """Groups whose teacher knows the right passage and likes the first wrong one too."""
    scores = (0.6, 0.1, 0.0)
    return prepared([replace(group, positive_scores=(1.0,), negative_scores=scores) for group in groups(3)])


@pytest.mark.parametrize(
    "loss",
    [
        INFO_NCE,
        INFO_NCE | {"group_size": 2},
        INFO_NCE | {"batch_negatives": False},
        INFO_NCE | {"distillation": "kl_div"},
        INFO_NCE | {"distillation": "m3_kd_loss"},
        INFO_NCE | {"dimensions": [32, 16]},
        M3,
        M3 | {"distillation": "m3_kd_loss"},
        M3 | {"freeze_encoder": True, "self_distillation": False},
    ],
    ids=str,
)
def test_it_learns(loss: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, loss, training={"max_steps": 30, "learning_rate": 2e-3})
    tuned = train(run, wanted, taught())
    found = losses_of(run)
    assert len(found) == 30
    assert sum(found[-5:]) < sum(found[:5])
    moved = changed(weights(tuned, wanted), weights(tiny_encoder, wanted))
    assert bool(moved) != bool(loss.get("freeze_encoder"))
    assert all((tuned / name).is_file() == (loss["name"] == "m3_unified") for name in (COLBERT, SPARSE))


@pytest.mark.parametrize("loss", [INFO_NCE | {"group_size": 2}, M3 | {"group_size": 2}], ids=["info_nce", "m3"])
@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
def test_stop_then_resume_ends_like_one_run(loss: Any, method: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    """Five steps an epoch, one of three negatives drawn anew in each: the stop is in the middle of the second."""
    wanted = flag_preset(tiny_encoder, loss, method=method, training={"max_steps": 10, "evaluations": 1})
    whole, parts = new_run(tmp_path, "whole"), new_run(tmp_path, "parts")
    expected = train(whole, wanted, taught())
    with pytest.MonkeyPatch.context() as patch:
        seen = iter(range(1, 100))
        patch.setattr(type(parts), "stop_requested", lambda self: next(seen) >= 7)
        with pytest.raises(StopRequested):
            train(parts, wanted, taught())
    saved = newest(parts.checkpoints)
    assert saved is not None and saved.name == "checkpoint-7"
    tuned = train(parts, wanted, taught())
    assert losses_of(parts) == losses_of(whole)
    assert not changed(weights(tuned, wanted), weights(expected, wanted))
    for name in (COLBERT, SPARSE):
        assert loss["name"] == "info_nce" or (tuned / name).read_bytes() == (expected / name).read_bytes()


@pytest.mark.parametrize(
    "training",
    [{"gradient_checkpointing": True}, {"accumulation": 2}, {"workers": 1}, {"precision": "bf16"}],
    ids=lambda training: next(iter(training)),
)
@pytest.mark.parametrize("loss", [INFO_NCE, M3], ids=["info_nce", "m3"])
def test_options_train(loss: Any, training: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, loss, training=training)
    train(run, wanted, prepared(groups(2)))
    assert len(losses_of(run)) == 2
    assert not (run.checkpoints / "rows").exists()


def test_the_teacher_is_listened_to(tiny_encoder: Path, tmp_path: Path) -> None:
    """The wrong passage that the teacher likes ends nearer to the query than without the teacher."""
    near = []
    for kind in ("none", "kl_div"):
        run = new_run(tmp_path, kind)
        loss = INFO_NCE | {"distillation": kind}
        wanted = flag_preset(tiny_encoder, loss, training={"max_steps": 40, "learning_rate": 2e-3})
        model, rows = load_encoder(train(run, wanted, taught()), wanted), taught().groups
        asked, liked = model.encode([row.query for row in rows]), model.encode([row.negatives[0] for row in rows])
        near.append(float((asked * liked).sum(axis=1).mean()))
    assert near[1] > near[0] + 0.1


def test_lines_are_what_the_library_reads(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [*groups(3)[:30], *[replace(group, instruction="answer: ") for group in groups(1)[30:]]]
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, INFO_NCE)
    train(run, wanted, prepared(rows))
    lines = [json.loads(line) for line in (run.data / LINES).read_text("utf-8").splitlines()]
    assert {tuple(line) for line in lines} == {("query", "pos", "neg", "prompt")}
    assert all(len(line["neg"]) == 3 and not set(line["neg"]) & set(line["pos"]) for line in lines)
    assert [line["prompt"] for line in lines[29:31]] == ["", "answer: "]
    codes = {event.problem["code"] for event in events(run) if isinstance(event, Noticed)}
    assert {"group-size", "negatives-filled"} <= codes


def test_validation_measures_and_picks(tiny_encoder: Path, tmp_path: Path) -> None:
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, INFO_NCE, training=CHECKPOINTED)
    train(run, wanted, prepared(groups(2)[8:], groups()[:8]))
    measured = [event for event in events(run) if isinstance(event, Evaluated)]
    assert [event.step for event in measured] == [0, 2, 4, 6]
    assert "best-checkpoint" in {event.problem["code"] for event in events(run) if isinstance(event, Noticed)}


@pytest.mark.parametrize(
    ("loss", "rows", "code"),
    [
        (INFO_NCE | {"group_size": 8}, prepared(groups(3)), "group-too-large"),
        (INFO_NCE | {"distillation": "kl_div"}, prepared(groups(3)), "teacher-scores-missing"),
        (INFO_NCE | {"dimensions": [64]}, prepared(groups(3)), "matryoshka-dimensions"),
    ],
)
def test_what_cannot_be_is_said(loss: Any, rows: Prepared, code: str, tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadPreset) as caught:
        train(new_run(tmp_path), flag_preset(tiny_encoder, loss), rows)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_no_token_reaches_the_log(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    caplog.set_level("INFO")
    train(new_run(tmp_path), flag_preset(tiny_encoder), prepared(groups(1)))
    assert "Model parameters" in caplog.text
    assert "hf_secret" not in caplog.text
