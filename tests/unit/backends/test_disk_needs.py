"""Room on the disk: what a run will write, whether that fits, and what could go."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.odd_runs import a_whole_run
from tests.unit.backends.test_checkpoints import checkpoint
from tunewiz.backends.runs import disk
from tunewiz.backends.runs.checkpoints import set_aside
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.disk import could_go, disk_problems, full_problems, needs
from tunewiz.backends.runs.find import all_runs
from tunewiz.language import use
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load, loads
from tunewiz.printable import amount
from tunewiz.problems import BadPreset
from tunewiz.tui.commands.check import run_check

#: Eight terabytes of checkpoints.
HUGE = (
    "name: huge\ntask: llm\nmodel: {id: Qwen/Qwen3-8B}\ndata: {train: 'sample:instructions-en'}\nmethod: {type: full}\n"
    "training: {keep_checkpoints: 100, evaluations: 1000}\n"
)
M3 = 568_000_000  # weights of BAAI/bge-m3, about


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("XDG_CONFIG_HOME", "HF_HOME", "MODELSCOPE_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    use("en")
    yield
    use(None)


def embedding(*settings: str, model: str = "BAAI/bge-m3") -> Preset:
    text = (
        f"name: tiny\ntask: embedding\nmodel: {{id: {model}}}\ndata: {{train: 'sample:faq-en'}}\n"
        "loss: multiple_negatives_ranking\n"
    )
    return loads(text, overrides=settings)


def test_a_checkpoint_is_three_times_the_model_and_one_more_than_kept_is_there() -> None:
    told = needs(embedding("training.keep_checkpoints=2", "training.evaluations=9")).expected
    assert told.checkpoints == pytest.approx(3 * 12 * M3, rel=0.02)
    assert told.model == pytest.approx(2 * 4 * M3, rel=0.02)


def test_no_more_checkpoints_are_counted_than_are_written() -> None:
    told = needs(embedding("training.keep_checkpoints=50", "training.evaluations=2")).expected
    assert told.checkpoints == pytest.approx(2 * 12 * M3, rel=0.02)


def test_adapters_are_small_and_the_merged_model_is_not() -> None:
    settings = ("method.type=lora", "method.rank=16")
    merged, alone = (needs(embedding(*settings, f"export.merge={word}")).expected for word in ("true", "false"))
    assert merged.checkpoints == alone.checkpoints < 0.5 * M3
    assert merged.model - alone.model == pytest.approx(4 * M3, rel=0.02)


def test_an_optimizer_in_8_bit_writes_smaller_checkpoints() -> None:
    plain, small = (needs(embedding(f"training.optimizer={name}")).expected for name in ("adamw", "adamw_8bit"))
    assert plain.checkpoints / small.checkpoints == pytest.approx(12 / 6, rel=0.02)


def test_a_language_model_may_be_written_in_16_bit() -> None:
    told = needs(loads(HUGE, overrides=["model.id=Qwen/Qwen3-0.6B"]))
    assert told.low.model < told.expected.model
    assert told.low.checkpoints < told.expected.checkpoints


def test_data_is_counted_by_the_size_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"x" * 1_000_000)
    (tmp_path / "packed.jsonl.gz").write_bytes(b"x" * 1_000_000)
    plain, packed = (
        needs(embedding(f"data.train={tmp_path / name}")).low.data for name in ("rows.jsonl", "packed.jsonl.gz")
    )
    assert (plain, packed) == (1_000_000, 5_000_000)


def test_a_pipeline_and_a_comparison_hold_all_their_models() -> None:
    comparison, pipeline = load("comparison/negatives"), load("pipeline/starter")
    one = needs(comparison.variant("bm25")).expected  # type: ignore[attr-defined]
    all_of_them = needs(comparison).expected
    assert all_of_them.model == len(comparison.strategies) * one.model > 0  # type: ignore[attr-defined]
    assert all_of_them.checkpoints == one.checkpoints
    parts = [needs(part).expected for part in (pipeline.first(), pipeline.reranker())]  # type: ignore[attr-defined]
    assert needs(pipeline).expected.model == sum(part.model for part in parts)


def test_of_a_model_that_is_not_known_only_the_data_is_counted() -> None:
    told = needs(embedding(model="somebody/something"))
    assert (told.low.model, told.low.checkpoints) == (0, 0)
    assert told.expected.data > 0


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    preset = loads(HUGE)
    with pytest.raises(BadPreset) as refused:
        create(preset, tmp_path / "runs")
    problem = refused.value.problems[0]
    assert (problem.severity, problem.code, problem.where.file) == ("error", "disk-too-small", str(tmp_path / "runs"))
    told = problem.line("en")
    assert amount(needs(preset).low.total) in told
    assert "training.keep_checkpoints" in told
    assert not (tmp_path / "runs").exists()


def test_check_tells_of_the_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "huge.yaml"
    file.write_text(HUGE, encoding="utf-8")
    assert run_check(str(file), [], as_json=True) == 2
    assert "disk-too-small" in capsys.readouterr().out


def test_between_the_least_and_the_likely_it_is_told_and_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = embedding()
    low, expected = needs(preset)
    for free, codes in ((expected.total, []), (expected.total - 1, ["disk-tight"]), (low.total, ["disk-tight"])):
        monkeypatch.setattr(disk, "disk_free", lambda _, free=free: free)
        assert [problem.code for problem in disk_problems(preset, tmp_path)] == codes
    monkeypatch.setattr(disk, "disk_free", lambda _: low.total - 1)
    assert disk_problems(preset, tmp_path)[0].code == "disk-too-small"
    monkeypatch.setattr(disk, "disk_free", lambda _: None)
    assert disk_problems(preset, tmp_path) == []


def test_what_could_go_is_named_with_its_size_and_how_to_delete_it(tmp_path: Path) -> None:
    done, own = a_whole_run(tmp_path, "done-20260101-120000"), a_whole_run(tmp_path, "own-20260101-120000")
    for folder, size in (
        (done.checkpoints / "checkpoint-9", 5_000_000),
        (done.directory / "cache", 1_000_000),
        (own.checkpoints / "checkpoint-11", 3_000_000),
    ):
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"x" * size)
    checkpoint(own.checkpoints, 10)  # whole: it is gone on from
    told = [problem.line("en") for problem in could_go(tmp_path, own)]
    paths = (done.checkpoints, own.checkpoints / "checkpoint-11", done.directory / "cache", done.directory)
    assert [line.rpartition("rm -r ")[2] for line in told] == [str(path) for path in paths]
    assert told[0].startswith("5 MiB could go: the checkpoints of done-20260101-120000, which is finished.")
    assert "all of the run done-20260101-120000" in told[3]
    damaged = set_aside(own.checkpoints / "checkpoint-11")
    assert str(damaged) in could_go(tmp_path, own)[1].line("en")
    assert could_go(tmp_path / "nowhere") == []


def test_a_full_disk_is_told_with_what_is_free_and_how_to_go_on(tmp_path: Path) -> None:
    run = create(embedding(), tmp_path / "runs")
    fault = OSError(errno.ENOSPC, "No space left on device", str(run.directory / "x"))
    problem = full_problems(run, fault)[0]
    assert problem.code == "disk-full"
    told = problem.line("en")
    assert "are free, and what is left of the run takes about" in told
    assert f"tunewiz run --resume {run.name}" in told
    quota = full_problems(run, OSError(errno.EDQUOT, "Disk quota exceeded"))[0]
    assert "quota" in quota.line("en")
    run.preset_file.write_text("[", encoding="utf-8")  # nothing of it keeps the end from being told
    assert full_problems(run, fault)[0].code == "disk-full"
    assert all_runs(tmp_path / "runs") == [run]
