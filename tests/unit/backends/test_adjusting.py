"""Presets of runs that are changed while the run goes on: where memory runs out, and on resume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.runs import worker
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.ends import AGAIN
from tunewiz.backends.runs.events import Adjusted, Failed, Launched, Noticed, Probed, Progress, Stage, parse
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.adjusting import adjust, change
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset


def in_stage(folder: Path, preset: str, stage: str, *settings: str) -> Run:
    """A run of ``preset`` that has measured before and is in ``stage``."""
    run = create(load(preset, settings), folder / "runs", "x")
    for done in ("prepare", "baseline"):
        if done != stage:
            run.emit(Stage(name=done, ended=True))
    run.emit(Stage(name=stage))
    return run


def now(run: Run) -> Any:
    return load(str(run.preset_file))


def told(run: Run, kind: type) -> list[Any]:
    parsed = map(parse, run.events_file.read_text("utf-8").splitlines())
    return [event for event in parsed if isinstance(event, kind)]


def test_a_language_model_goes_down_the_ladder_while_its_result_stays_the_same(tmp_path: Path) -> None:
    run = in_stage(tmp_path, "llm/starter", "train", "training.batch_size=4", "training.accumulation=2",
                   "training.gradient_checkpointing=false", "evaluation.batch_size=2")  # fmt: skip
    (run.checkpoints / "checkpoint-1").mkdir(parents=True)
    assert adjust(run, on_cpu=True)
    training = now(run).training
    assert (training.batch_size, training.accumulation) == (1, 8)
    assert adjust(run, on_cpu=True)
    assert now(run).training.gradient_checkpointing is True
    assert adjust(run, on_cpu=True)
    assert now(run).evaluation.batch_size == 1
    assert not adjust(run, on_cpu=True), "what is left changes the result"
    assert (run.checkpoints / "checkpoint-1").is_dir(), "every one of these steps a checkpoint bears"
    assert [list(event.values) for event in told(run, Adjusted)] == [
        ["training.batch_size", "training.accumulation"],
        ["training.gradient_checkpointing"],
        ["evaluation.batch_size"],
    ]
    assert read_state(run).done == ("prepare", "baseline")
    reasons = [line for line in run.preset_file.read_text("utf-8").splitlines() if line.startswith("#! ")]
    assert [event.problem["message"] for event in told(run, Noticed)] == [line[3:] for line in reasons]
    assert "training.batch_size=1, training.accumulation=8" in reasons[0]


def test_what_changes_the_result_needs_consent_and_measures_again(tmp_path: Path) -> None:
    lean = ("training.batch_size=1", "training.gradient_checkpointing=true", "evaluation.batch_size=1",
            "training.max_length=512")  # fmt: skip
    run = in_stage(tmp_path, "llm/starter", "train", *lean)
    assert not adjust(run, on_cpu=True)
    run = in_stage(tmp_path, "llm/starter", "train", *lean, "launch.on_out_of_memory=shrink")
    (run.checkpoints / "checkpoint-1").mkdir(parents=True)
    assert adjust(run, on_cpu=True)
    assert now(run).training.max_length == 256
    assert not run.checkpoints.exists()
    assert read_state(run).done == ("prepare",)


def test_nothing_is_changed_where_it_is_not_wanted(tmp_path: Path) -> None:
    run = in_stage(tmp_path, "llm/starter", "train", "training.batch_size=4", "launch.on_out_of_memory=stop")
    before = run.preset_file.read_bytes()
    assert not adjust(run, on_cpu=True)
    assert run.preset_file.read_bytes() == before


def test_an_embedding_model_keeps_its_negatives(tmp_path: Path) -> None:
    run = in_stage(tmp_path, "embedding/starter", "train", "loss.name=multiple_negatives_ranking",
                   "training.batch_size=64", "training.gradient_checkpointing=false")  # fmt: skip
    assert adjust(run, on_cpu=True)
    assert now(run).loss.name == "cached_multiple_negatives_ranking"
    for size in (16, 8, 4, 2, 1):
        assert adjust(run, on_cpu=True)
        assert now(run).loss.mini_batch_size == size
    assert not adjust(run, on_cpu=True)
    assert now(run).training.batch_size == 64


@pytest.mark.parametrize(
    ("name", "sizes"), [("reranker/starter", (28, 14, 7, 3, 1)), ("reranker/flag-starter", (16, 8, 4, 2, 1))]
)
def test_a_reranker_scores_its_groups_in_pieces_first(tmp_path: Path, name: str, sizes: tuple[int, ...]) -> None:
    run = in_stage(tmp_path, name, "train", "training.batch_size=8", "training.gradient_checkpointing=false")
    run.emit(Probed(peak=5 << 30, device="cpu", rows=8))
    assert read_state(run).probe == {"peak": 5 << 30}
    before = now(run)
    for size in sizes:
        assert adjust(run, on_cpu=True)
        assert now(run).loss.mini_batch_size == size
    assert now(run).loss == before.loss.model_copy(update={"mini_batch_size": 1})
    assert now(run).training == before.training
    assert read_state(run).probe == {}, "what was tried was of another preset"


def test_single_pairs_are_halved_before_they_are_scored_in_pieces(tmp_path: Path) -> None:
    run = in_stage(tmp_path, "reranker/starter", "train", "loss=binary_cross_entropy", "training.batch_size=16")
    for _ in range(2):
        assert adjust(run, on_cpu=True)
    assert (now(run).training.batch_size, now(run).training.accumulation) == (8, 2)
    assert now(run).loss.mini_batch_size == 4


@pytest.mark.parametrize("stage", ["baseline", "evaluate"])
def test_measuring_takes_fewer_texts_at_once(tmp_path: Path, stage: str) -> None:
    run = in_stage(tmp_path, "embedding/starter", stage, "evaluation.batch_size=8")
    assert adjust(run, on_cpu=False)
    assert (now(run).evaluation.batch_size, now(run).loss.name) == (4, load("embedding/starter").loss.core.name)


def test_the_embedding_model_of_a_pipeline_has_a_preset_of_its_own(tmp_path: Path) -> None:
    run = in_stage(tmp_path, "pipeline/starter", "train")
    run.emit(told(run, Stage)[-1])
    run.emit(Progress(stage="train", step=1, total=2, part="Embedding/train"))
    assert not adjust(run, on_cpu=True)


class Small:
    """An engine that has memory for two rows at once."""

    strategies = frozenset({"ddp"})

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows

    def tidy(self, _run: Run, _preset: Preset) -> None: ...

    def left(self, *_: Any) -> None: ...

    def _nothing(self, _run: Run, _preset: Preset) -> str:
        return ""

    prepare = baseline = evaluate = export = report = _nothing

    def train(self, _run: Run, preset: Preset) -> None:
        self.rows.append(preset.training.batch_size)
        if preset.training.batch_size > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    found: list[int] = []
    monkeypatch.setattr(worker, "engine_of", lambda _preset: Small(found))
    for name in ("_hold", "_prepare_process", "redact_output"):
        monkeypatch.setattr(worker, name, lambda *_: True)
    yield found


def test_a_child_without_memory_asks_for_another_and_tells_no_end(tmp_path: Path, rows: list[int]) -> None:
    run = create(load("llm/starter", ["training.batch_size=8", "training.accumulation=1"]), tmp_path / "runs", "x")
    run.emit(Launched())
    assert worker.main([str(run.directory)]) == AGAIN
    assert not told(run, Failed)
    assert worker.main([str(run.directory)]) == 0
    assert rows == [8, 1]
    assert read_state(run).status == "finished"


def test_where_the_ladder_ends_the_end_is_told(tmp_path: Path, rows: list[int]) -> None:
    settings = ["training.batch_size=8", "launch.on_out_of_memory=stop"]
    run = create(load("llm/starter", settings), tmp_path / "runs", "x")
    run.emit(Launched())
    assert worker.main([str(run.directory)]) == 4
    state = read_state(run)
    assert (state.status, state.exit_code, state.why and state.why["code"]) == ("failed", 4, "gpu-out-of-memory")


def test_a_resumed_run_takes_what_its_checkpoints_bear(tmp_path: Path) -> None:
    run = in_stage(tmp_path, "llm/starter", "train", "training.batch_size=4", "training.accumulation=2")
    change(run, ["training.batch_size=2", "training.accumulation=4", "launch.threads=1", "evaluation.batch_size=1"])
    preset = now(run)
    assert (preset.training.batch_size, preset.training.accumulation, preset.launch.threads) == (2, 4, 1)
    assert read_state(run).done == ("prepare", "baseline")


@pytest.mark.parametrize(
    ("preset", "setting", "key"),
    [
        ("llm/starter", "training.batch_size=16", "training.batch_size"),
        ("llm/starter", "training.learning_rate=0.005", "training.learning_rate"),
        ("llm/starter", "method.rank=64", "method.rank"),
        ("llm/starter", "data.train=other.jsonl", "data.train"),
        ("embedding/starter", "training.max_length=16", "training.max_length"),
    ],
)
def test_and_refuses_the_rest_by_name(tmp_path: Path, preset: str, setting: str, key: str) -> None:
    run = in_stage(tmp_path, preset, "train")
    before = run.preset_file.read_bytes()
    with pytest.raises(BadPreset) as caught:
        change(run, ["launch.threads=1", setting])
    assert [(problem.code, problem.where.key) for problem in caught.value.problems] == [("not-on-resume", key)]
    assert run.preset_file.read_bytes() == before
