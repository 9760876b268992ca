"""``auto`` for batch sizes: numbers by the memory that is free, with as many rows a step, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.machine.hardware import Gpu
from tunewiz.backends.runs.create import add_to_record, create
from tunewiz.backends.training import batch_sizes
from tunewiz.backends.training.batch_sizes import settle, settled
from tunewiz.presets.preset import Preset
from tunewiz.presets.sections.section import Auto
from tunewiz.presets.yaml.library import load, loads
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset
from tunewiz.tui.commands.check import run_check

pytestmark = pytest.mark.usefixtures("in_english")

GB = 1 << 30
AUTO = ["training.batch_size=auto", "evaluation.batch_size=auto"]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    def with_free(free: float) -> None:
        there = (Gpu(0, "NVIDIA A10", memory_total=int(free * GB), memory_used=0),)
        monkeypatch.setattr(batch_sizes, "gpus", lambda: there)
        monkeypatch.setattr(batch_sizes.readiness, "gpus", lambda: there)

    return with_free


def test_auto_is_written_and_read_as_such_and_computed_with_as_the_default() -> None:
    preset = load("embedding/starter", AUTO)
    assert isinstance(preset.training.batch_size, Auto) and preset.training.batch_size == 64
    for brief in (False, True):
        again = loads(dumps(preset, brief))
        assert isinstance(again.training.batch_size, Auto)
        assert again == preset
    assert preset.model_dump(mode="json")["evaluation"]["batch_size"] == "auto"
    with pytest.raises(BadPreset, match="auto, or a whole number from 1 to 65536"):
        load("embedding/starter", ["training.batch_size=automatic"])


@pytest.mark.parametrize(("free", "size"), [(6, 1), (150, 16)])
def test_a_language_models_step_has_as_many_rows_on_every_card(card: Any, free: float, size: int) -> None:
    card(free)
    preset = load("llm/qwen3-0.6b-lora", [*AUTO, "training.accumulation=8", "training.max_length=2048"])
    made, why = settled(preset)
    assert made.training.batch_size == size
    assert made.training.batch_size * made.training.accumulation == 16
    assert f"training.batch_size: auto is {size}, and training.accumulation {16 // size}" in why[-1].text()
    assert not isinstance(made.training.batch_size, Auto) and not isinstance(made.evaluation.batch_size, Auto)


def test_more_memory_never_gives_smaller_batches(card: Any) -> None:
    sizes = []
    for free in (2, 4, 8, 12, 16, 24, 48, 80):
        card(free)
        made = settled(load("llm/qwen3-0.6b-lora", [*AUTO, "training.accumulation=16"])).preset
        sizes.append((made.training.batch_size, made.evaluation.batch_size))
        assert made.training.batch_size * made.training.accumulation == 32
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_rows_that_are_each_others_wrong_answers_stay_together(card: Any) -> None:
    """Where they do not fit they are embedded in mini-batches: the same lesson."""
    card(400)
    large, why = settled(load("embedding/bge-m3", AUTO))
    assert (large.training.batch_size, large.training.accumulation) == (64, 1)
    assert large.loss.name == "multiple_negatives_ranking"
    card(24)
    small, why = settled(load("embedding/bge-m3", AUTO))
    assert (small.training.batch_size, small.training.accumulation) == (64, 1)
    assert small.loss.name == "cached_multiple_negatives_ranking"
    assert "It fits with loss.name=cached_multiple_negatives_ranking" in why[-1].text()
    alone = settled(load("embedding/bge-m3", [*AUTO, "launch.on_out_of_memory=stop"])).preset
    assert alone.loss.name == "multiple_negatives_ranking"


def test_a_processor_gets_no_more_than_its_cores_are_busy_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sizes, "host_free", lambda: 500 * GB)
    monkeypatch.setattr(batch_sizes, "gpus", lambda: ())
    cores = ["launch.device=cpu", "launch.threads=2"]
    made = settled(load("llm/starter", [*AUTO, *cores, "training.accumulation=8"])).preset
    assert (made.training.batch_size, made.training.accumulation) == (8, 2)
    monkeypatch.setattr(batch_sizes, "host_free", lambda: GB)
    made = settled(load("llm/starter", [*AUTO, *cores, "training.accumulation=8"])).preset
    assert (made.training.batch_size, made.training.accumulation) == (1, 16)


def test_a_run_keeps_what_was_chosen_for_it(tmp_path: Path, card: Any) -> None:
    """Measuring before the first stage, training when it begins, with the texts that a row has; on resume the same."""
    card(24)
    preset = load("reranker/starter", AUTO)
    run = create(preset, tmp_path)
    first = settle(run, preset, "prepare")
    assert isinstance(first.training.batch_size, Auto) and not isinstance(first.evaluation.batch_size, Auto)
    add_to_record(run, row_texts=3000.0)
    trained = settle(run, first, "train")
    assert not isinstance(trained.training.batch_size, Auto)
    assert rows(trained) == int(preset.training.batch_size)
    assert trained.training.batch_size < int(preset.training.batch_size)
    kept = load(str(run.preset_file))
    assert kept == trained
    assert run.preset_file.read_text("utf-8").startswith("#! evaluation.batch_size: auto is ")
    card(2000)
    assert settle(run, kept, "train") == kept
    assert settle(run, preset, "train") == kept  # as who carries a run within another gives it


def rows(preset: Preset) -> int:
    return preset.training.batch_size * preset.training.accumulation


def test_what_is_no_auto_is_left_alone(tmp_path: Path) -> None:
    preset = load("embedding/starter")
    run = create(preset, tmp_path)
    before = run.preset_file.read_bytes()
    assert settle(run, preset, "train") is preset
    assert run.preset_file.read_bytes() == before


@pytest.mark.parametrize("name", ["embedding/starter", "reranker/starter"])
def test_of_a_model_that_is_not_known_the_default_is_taken(card: Any, name: str) -> None:
    card(1)
    made, why = settled(load(name, [*AUTO, "model={id: somebody/something, source: huggingface}"]))
    plain = load(name, ["training.batch_size=64"])
    assert rows(made) == made.training.batch_size == int(load(name, AUTO).training.batch_size)
    assert made.loss == plain.loss  # type: ignore[attr-defined]
    assert "nothing is known of the size" in why[-1].text()


def test_a_loss_that_was_changed_for_it_is_kept_too(tmp_path: Path, card: Any) -> None:
    card(16)
    preset = load("embedding/bge-m3", AUTO)
    run = create(preset, tmp_path)
    first = settle(run, preset, "train")
    assert first.loss.name == "cached_multiple_negatives_ranking"  # type: ignore[attr-defined]
    card(2000)
    assert settle(run, preset, "train") == first


def test_a_batch_that_will_fit_is_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sizes.readiness, "host_free", lambda: 6 * GB)
    large = ["launch.device=cpu", "training.precision=fp32"]
    for size, codes in (("64", ["memory-tight"]), ("auto", [])):
        preset = load("reranker/starter", [*large, f"training.batch_size={size}"])
        assert [problem.code for problem in batch_sizes.readiness.memory_findings(preset, 8.0)] == codes


def test_check_shows_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check("llm/starter", [*AUTO, "training.accumulation=4", "launch.device=cpu"], as_json=False) == 0
    told = capsys.readouterr().out
    assert "training.batch_size: auto is " in told and "8 rows a step" in told
    assert "per_device_train_batch_size: auto" not in told
