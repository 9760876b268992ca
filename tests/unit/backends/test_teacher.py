"""A reranker as teacher: what it drops, what is learned of it, who may be one, and what is asked of it once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.children.training_setup import events, groups, new_run, prepared, preset
from tests.playing import a_run
from tunewiz import paths
from tunewiz.backends.evaluate.measuring import MeasureOptions
from tunewiz.backends.negatives import teaching
from tunewiz.backends.negatives.teaching import find_teacher, looked_through, named_problems, with_teacher
from tunewiz.backends.runs.events import Finished, Noticed
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training import loss_rows
from tunewiz.backends.training.encoder_training import EncoderTraining
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group
from tunewiz.presets.sections.data import Teacher
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset, Problem, errors

QUERY = "how do i check gpu memory"
PASSAGES = [
    "the gpu memory is in the driver", "disk and port", "check the server", "lower the learning rate", "why not resume",
    "cuda error of the model", "python data batch", "search index vector score", "install the driver", "stop the run",
]  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A tiny cross-encoder, with a head that knows nothing but gives each pair a score of its own."""
    import torch
    from sentence_transformers import CrossEncoder

    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("teacher") / "model"
    model = CrossEncoder(str(tiny_encoder), num_labels=1, device="cpu")
    torch.nn.init.normal_(model.transformers_model.classifier.weight, std=2.0)
    model.save_pretrained(str(folder))
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def by_library(folder: Path, query: str, passages: list[str]) -> list[float]:
    """What sentence-transformers itself says, before the sigmoid."""
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    found = model.predict([[query, text] for text in passages], activation_fn=torch.nn.Identity())
    return [float(score) for score in found]


def wanted(model: Path, teacher: Path | str, use: str, loss: str = "multiple_negatives_ranking") -> EmbeddingPreset:
    told = {"model": str(teacher), "use": use}
    mined = {"strategy": "bm25", "per_query": 20}
    return preset(model, loss, data={"train": "rows.jsonl", "teacher": told, "negatives": mined})


def codes(run: Run) -> dict[str, str]:
    return {event.problem["code"]: event.problem["message"] for event in events(run) if isinstance(event, Noticed)}


def test_a_planted_false_negative_is_dropped_and_what_the_data_says_stays(
    teacher: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    scores = dict(zip(PASSAGES, by_library(teacher, QUERY, PASSAGES), strict=True))
    by_score = sorted(PASSAGES, key=scores.__getitem__)
    right, planted = by_score[5], by_score[6:]  # whatever scores above the answer nobody has marked
    own = by_score[9]  # but for one that the data itself calls wrong
    mined = [text for text in PASSAGES if text not in (right, own)]
    run, rows = new_run(tmp_path), Prepared("groups", groups=[Group(QUERY, (right,), (own, *mined))])
    preset_ = wanted(tiny_encoder, teacher, "filter")
    found = with_teacher(run, rows, [1], preset_, MeasureOptions())
    (group,) = found.groups
    assert group.negatives == (own, *(text for text in mined if text not in planted))
    assert group.negative_scores == ()  # nothing is learned of them
    assert found.counts["teacher_dropped"] == 3 and found.counts["negatives_mined"] == 5
    told = codes(run)
    assert told["teacher-filtered"].startswith("3 mined passages") and "10 pairs" in told["teacher-scored"]
    assert told["teacher-doubts"].startswith("The teacher takes 1 wrong")


def test_the_margin_decides_how_much_higher() -> None:
    scores = {("q", name): value for name, value in (("yes", 1.0), ("also", 3.0), ("near", 1.5), ("far", -1.0))}
    group = Group("q", ("yes", "also"), ("near", "far"))
    assert looked_through(group, 0, scores, Teacher(model="x")) == (["near", "far"], 0)  # their mean is 2
    assert looked_through(group, 0, scores, Teacher(model="x", margin=1.0)) == (["far"], 1)
    assert looked_through(group, 1, scores, Teacher(model="x", margin=1.0)) == (["near", "far"], 0)


def test_scores_are_the_librarys_and_asked_once(
    teacher: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Prepared("groups", groups=[Group(QUERY, (PASSAGES[0],), tuple(PASSAGES[1:4]))])
    taught = wanted(tiny_encoder, teacher, "distil", "margin_mse")
    (group,) = with_teacher(new_run(tmp_path), rows, [0], taught, MeasureOptions()).groups
    expected = by_library(teacher, QUERY, PASSAGES[:4])
    assert [*group.positive_scores, *group.negative_scores] == pytest.approx(expected, abs=1e-4)
    assert group.negatives == tuple(PASSAGES[1:4])  # nothing is filtered
    assert list((paths.cache() / "teacher").iterdir())
    monkeypatch.setattr(teaching, "_ask", lambda *_: pytest.fail("known pairs were asked again"))
    again = new_run(tmp_path, "again")
    assert with_teacher(again, rows, [0], taught, MeasureOptions()).groups == [group]
    assert "4 of them were known" in codes(again)["teacher-scored"]


def taught_groups() -> list[Group]:
    """Groups of which each passage has a score, on a scale far from that of cosines."""
    found = []
    for number, group in enumerate(groups(3)):
        below = tuple(-5.0 + (number * 7 + place * 3) % 11 for place in range(3))
        found.append(replace(group, positive_scores=(9.0 + number % 5,), negative_scores=below))
    return found


@pytest.mark.parametrize("name", ["margin_mse", "distill_kl"])
def test_the_loss_is_that_of_the_teachers_scores(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    import torch

    rows = taught_groups()
    training = EncoderTraining(new_run(tmp_path), preset(tiny_encoder, name), prepared(rows), tiny_encoder)
    assert training.problems() == []
    model = training.model()
    parts = training.parts(model)
    numbers = [0, 5, 9, 17]
    batch = parts.collator([{"row": number} for number in numbers])
    labels = batch.pop("label")
    scale = 0.3 / loss_rows.mean_margin(rows)
    expected = [[scale * one for one in (*rows[at].positive_scores, *rows[at].negative_scores)] for at in numbers]
    assert labels.tolist() == [pytest.approx(row) for row in expected]
    margins = labels[:, :1] - labels[:, 1:]
    model.eval()
    texts = [[(row.query, row.positives[0], *row.negatives)[column] for row in (rows[at] for at in numbers)]
             for column in range(5)]  # fmt: skip
    with torch.no_grad():
        query, *others = (torch.nn.functional.normalize(model.encode(some, convert_to_tensor=True)) for some in texts)
        cosines = torch.stack([(query * other).sum(dim=1) for other in others], dim=1)
        if name == "margin_mse":
            hand = ((cosines[:, :1] - cosines[:, 1:] - margins) ** 2).mean()
        else:
            ours, theirs = torch.log_softmax(cosines / 0.05, 1), torch.softmax(labels / 0.05, 1)
            hand = 0.05**2 * torch.nn.functional.kl_div(ours, theirs, reduction="batchmean")
        features = [
            {key.removeprefix(f"{column}_"): value for key, value in batch.items() if key.startswith(f"{column}_")}
            for column in ("anchor", "positive", "negative_1", "negative_2", "negative_3")
        ]
        assert float(parts.loss(features, labels)) == pytest.approx(float(hand), rel=1e-3)


def test_scores_of_another_teacher_train_another_model(tiny_encoder: Path, tmp_path: Path) -> None:
    """Two teachers that order the wrong passages differently leave different weights."""
    rows = taught_groups()
    other = [replace(group, negative_scores=group.negative_scores[::-1]) for group in rows]
    ends = []
    for name, some in (("one", rows), ("other", other)):
        run = new_run(tmp_path, name)
        EncoderTraining(run, preset(tiny_encoder, "margin_mse"), prepared(some), tiny_encoder).start()
        ends.append((run.checkpoints / "tuned" / "model.safetensors").read_bytes())
    assert ends[0] != ends[1]


def test_rows_without_scores_and_teachers_that_know_nothing_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    def found(rows: list[Group]) -> list[Problem]:
        run = new_run(tmp_path, str(len(list(tmp_path.iterdir()))))
        return EncoderTraining(run, preset(tiny_encoder, "distill_kl"), prepared(rows), tiny_encoder).problems()

    assert [one.code for one in found(groups(2))] == ["teacher-scores-missing"]
    wrong = [replace(group, positive_scores=(0.0,), negative_scores=(1.0, 1.0)) for group in groups(2)]
    assert [one.code for one in found(wrong)] == ["teacher-no-better"]
    assert found([*taught_groups(), groups(0)[0]]) == []
    table = loss_rows.loss_table(preset(tiny_encoder, "distill_kl").loss, prepared([*taught_groups(), groups(0)[0]]), 0)
    assert len(table) == 40 and "teacher-left-out" in {one.code for one in table.notes}


def test_a_teacher_is_a_run_a_folder_or_a_hubs_model(teacher: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    assert find_teacher(str(teacher)).folder == teacher
    run = a_run(tmp_path / "runs", "mine-20260101-120000")
    run.preset_file.write_text(dumps(load("reranker/starter")), encoding="utf-8")
    run.model.symlink_to(teacher)
    for name in (str(run.directory), run.name, "mine"):
        found = find_teacher(name, [tmp_path / "runs"])
        assert found.folder == run.model and found.preset is not None
        assert not found.worse
    run.emit(Finished(verdict="REGRESSION"))
    assert "teacher-worse" in {one.code for one in named_problems(Teacher(model=str(run.directory)))}
    with pytest.raises(BadPreset) as caught:
        find_teacher(str(tiny_encoder))
    assert caught.value.problems[0].code == "teacher-no-head"
    embedding = a_run(tmp_path / "runs", "vectors-20260101-120000")
    with pytest.raises(BadPreset) as caught:
        find_teacher(str(embedding.directory))
    assert caught.value.problems[0].code == "teacher-no-reranker"


def test_check_tells_of_the_teacher_and_of_one_that_is_not_there(teacher: Path, tiny_encoder: Path) -> None:
    (found,) = named_problems(Teacher(model=str(teacher)))
    assert (found.code, found.where.key) == ("teacher", "data.teacher.model")
    assert [one.code for one in errors(list(named_problems(Teacher(model="/nowhere/at-all"))))]
    assert [one.code for one in named_problems(Teacher(model=str(tiny_encoder)))] == ["teacher-no-head"]
    assert list(named_problems(Teacher())) == []


def test_prepare_mines_looks_through_and_writes_it_down(teacher: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    from tunewiz.backends.engines.sentence_transformers import SentenceTransformers

    lines = [{"query": group.query, "positive": group.positives[0]} for group in groups()]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    told = {"model": str(teacher), "use": "both"}
    data = {"train": str(tmp_path / "rows.jsonl"), "teacher": told, "evaluation": {"fraction": 0},
            "negatives": {"strategy": "bm25", "per_query": 3, "relative_margin": 0}}  # fmt: skip
    run = new_run(tmp_path)
    run.record_file.write_text("{}")
    SentenceTransformers().prepare(run, preset(tiny_encoder, "margin_mse", data=data))
    rows = [json.loads(line) for line in (run.data / "train.jsonl").read_text().splitlines()]
    assert any(row["neg"] for row in rows) and max(len(row["neg"]) for row in rows) <= 3
    for row in rows:
        assert len(row["neg_scores"]) == len(row["neg"]) if row["neg"] else "neg_scores" not in row
        assert all(score <= row["pos_scores"][0] for score in row.get("neg_scores", ()))
    mined = [json.loads(line) for line in (run.data / "negatives.jsonl").read_text().splitlines()]
    assert [one["negatives"] for one in mined] == [row["neg"] for row in rows]
