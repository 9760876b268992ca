"""What to try next: the telling advice first, nothing that the task or the preset cannot do, in either language."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.playing import a_run
from tunewiz.backends.evaluate.records import CosineSpread, Measured
from tunewiz.backends.evaluate.verdict import Comparison
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.reports.next_steps import MOST, Known, known_of, next_steps, steps_of_report
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import Curve, RunState, Status
from tunewiz.presets import tasks
from tunewiz.presets.preset import Preset

RUN = Run(Path("/runs/a run"))
OWN: dict[str, dict[str, Any]] = {
    "embedding": {"loss": "multiple_negatives_ranking"},
    "reranker": {"loss": "binary_cross_entropy"},
    "pipeline": {"loss": "binary_cross_entropy"},
    "comparison": {"loss": "binary_cross_entropy"},
    "llm": {},
}
GAINS = {"WIN": 0.1, "MARGINAL": 0.001, "UNPROVEN": 0.1, "REGRESSION": -0.1}


def preset(task: str, **changes: Any) -> Preset:
    own = {"name": "x", "model": {"id": "BAAI/bge-small-zh-v1.5"}, "data": {"train": "a.csv"}, **OWN[task]}
    return tasks.catalogue()[task].model_validate(own | changes)


def compared(verdict: str, certain: bool = True, queries: int = 500, before: float = 0.5) -> Comparison:
    gain = GAINS[verdict]
    low, high = (gain - 0.0001, gain + 0.0001) if certain and verdict != "UNPROVEN" else (-0.5, 0.5)
    return Comparison("ndcg@10", before, before + gain, gain, low, high, 60, 40, queries - 100, queries)


def metrics(verdict: str, **more: Any) -> MetricsFile:
    primary = compared(verdict) if verdict in GAINS else None
    told = {"run": RUN.name, "verdict": verdict, "comparison": primary, "counts": {"train": 5000}, "after": {"a": 0.5}}
    return MetricsFile(**(told | more))


def advice(
    settings: Preset | None, numbers: MetricsFile, status: Status = "finished", state: RunState | None = None
) -> list[str]:
    ended = replace(state or RunState(), status=status, verdict=numbers.verdict or "")
    return [step.text("en") for step in next_steps(Known(RUN, ended, settings, numbers))]


def has(steps: Sequence[str], words: str) -> bool:
    return any(words in step for step in steps)


# Nothing that cannot be done.


def everything() -> list[tuple[str, Preset | None, MetricsFile]]:
    """Runs of every task, verdict and method, with whatever else makes a rule speak."""
    found: list[tuple[str, Preset | None, MetricsFile]] = []
    cosines = {"after": {"positive": CosineSpread(mean=0.3), "hard": CosineSpread(mean=0.6)}}
    recalls = {"recall@1": 0.2, "recall@10": 0.9, "invalid": 0.2}
    for task, verdict, method in itertools.product(OWN, (*GAINS, "NONE"), ("full", "lora")):
        for strategy, rows in itertools.product(("none", "dense"), (50, 5000)):
            data = {"train": "a.csv"} | ({} if task == "llm" else {"negatives": {"strategy": strategy}})
            more = {
                "counts": {"train": rows},
                "after": recalls,
                "corpus": "none" if task == "llm" else "built",
                "cosines": cosines if task == "embedding" else {},
                "reranking": compared(verdict) if task == "reranker" and verdict in GAINS else None,
            }
            found.append((task, preset(task, method=method, data=data), metrics(verdict, **more)))
    return [*found, *(("llm", None, metrics(verdict)) for verdict in GAINS)]


@pytest.mark.parametrize("status", ["finished", "stopped", "failed", "lost"])
def test_advice_is_short_and_told_once(status: Status) -> None:
    for task, settings, numbers in everything():
        for code in (None, 2, 4):
            state = RunState(task=task, exit_code=code)
            steps = advice(settings, numbers, status, state)
            assert 0 < len(steps) <= MOST or (settings is None and status == "finished"), (task, numbers.verdict)
            assert len(set(steps)) == len(steps)


def test_a_language_model_is_not_advised_to_search() -> None:
    for task, settings, numbers in everything():
        steps = advice(settings, numbers, state=RunState(task=task))
        words = ("negatives", "corpus", "quer", "passages", "reranker", "prompts")
        assert not (task == "llm" and any(has(steps, word) for word in words)), steps
        assert not (task != "llm" and (has(steps, "tunewiz try") or has(steps, "answers are no label"))), steps


def test_what_is_so_already_is_not_advised() -> None:
    for _, settings, numbers in everything():
        steps = advice(settings, numbers)
        method = getattr(getattr(settings, "method", None), "type", "")
        assert not (method == "lora" and has(steps, "method.type: lora"))
        assert not (method == "full" and has(steps, "method.type: full"))
        mined = getattr(getattr(getattr(settings, "data", None), "negatives", None), "strategy", "none") != "none"
        assert not (mined and has(steps, "Mine hard negatives"))
        assert not (not mined and has(steps, "relative_margin"))


def test_a_reranker_is_not_advised_to_add_a_reranker() -> None:
    numbers = metrics("WIN", after={"recall@1": 0.2, "recall@10": 0.9})
    assert has(advice(preset("embedding"), numbers), "a reranker over those 10")
    for task in ("reranker", "pipeline"):
        assert not has(advice(preset(task), numbers), "a reranker over those")


# The telling advice first.


def test_a_regression_begins_with_the_learning_rate_and_ends_with_the_method() -> None:
    steps = advice(preset("embedding", training={"learning_rate": 3e-5}), metrics("REGRESSION"))
    assert "to a third (1e-05), or train for fewer epochs" in steps[0]
    assert "queries that lost most" in steps[1]
    assert has(steps, "method.type: lora")
    few = advice(preset("embedding", training={"max_steps": 20}), metrics("REGRESSION"))
    assert "fewer steps" in few[0]


def test_mined_negatives_are_doubted_where_training_did_harm() -> None:
    mined = {"train": "a.csv", "negatives": {"strategy": "bm25", "relative_margin": 0.1}}
    assert has(advice(preset("embedding", data=mined), metrics("REGRESSION")), "relative_margin (0.1) or set skip_top")
    assert not has(advice(preset("embedding", data=mined), metrics("WIN")), "relative_margin")
    skipped = mined | {"negatives": {"strategy": "bm25", "skip_top": 10}}
    steps = advice(preset("embedding", data=skipped), metrics("REGRESSION"))
    assert has(steps, "relative_margin (0.05), and look at")
    assert not has(steps, "skip_top")


def test_a_fresh_head_that_harms_is_told_of_models_that_rerank_already() -> None:
    hurts = metrics("REGRESSION", reranking=compared("REGRESSION"), systems={"search": Measured(metrics={})})
    assert "Start from a model that reranks already" in advice(preset("reranker"), hurts)[0]
    measured = hurts.model_copy(update={"systems": {"before": Measured(metrics={})}})
    assert not has(advice(preset("reranker"), measured), "Start from a model")
    known = preset("reranker", model={"id": "BAAI/bge-reranker-v2-m3"})
    assert not has(advice(known, hurts), "Start from a model")


def test_a_difference_that_may_be_chance_asks_for_what_gives_more_of_it() -> None:
    numbers = metrics("WIN", comparison=compared("WIN", certain=False))
    assert (
        "not certain on 500 queries: measure on more (data.evaluation.fraction"
        in advice(preset("embedding"), numbers)[0]
    )
    own = preset("embedding", data={"train": "a.csv", "evaluation": {"data": "b.csv"}})
    assert "(larger evaluation data)" in advice(own, numbers)[0]
    assert "(larger evaluation data)" in advice(preset("embedding"), numbers.model_copy(update={"corpus": "given"}))[0]
    assert "500 held-out rows: measure on more (evaluation.rows)" in advice(preset("llm"), numbers)[0]
    unchanged = compared("MARGINAL", certain=False)
    same = numbers.model_copy(update={"comparison": replace(unchanged, wins=0, losses=0, ties=500)})
    assert not has(advice(preset("embedding"), same), "not certain")


def test_few_queries_an_easy_collection_and_wrong_above_right_are_seen() -> None:
    numbers = metrics("WIN", comparison=compared("WIN", queries=20))
    assert advice(preset("embedding"), numbers)[0].startswith("20 queries are few")
    easy = metrics("MARGINAL", comparison=compared("MARGINAL", before=0.97), corpus="built")
    steps = advice(preset("embedding"), easy)
    assert has(steps, "was 0.970 before training")
    assert not has(steps, "passages of the data only")
    assert not has(steps, "higher learning rate")
    cosines = {"after": {"positive": CosineSpread(mean=0.3), "hard": CosineSpread(mean=0.6)}}
    assert has(advice(preset("embedding"), metrics("WIN", cosines=cosines)), "Wrong passages score above right ones")


def test_no_verdict_says_what_was_missing() -> None:
    none = preset("embedding", evaluation={"baseline": False})
    assert advice(none, metrics("NONE"))[0].startswith("There was no baseline")
    assert advice(preset("llm"), metrics("NONE", after=None))[0].startswith("Nothing was held out")
    measured = RunState(measured={"after:retrieval": {"ndcg@10": 0.5}})
    assert advice(none, metrics("NONE", after=None), state=measured)[0].startswith("There was no baseline")


def test_a_loss_that_still_falls_asks_for_more_unless_unseen_rows_say_otherwise() -> None:
    falling = Curve(tuple(range(60)), tuple(2.0 - step / 40 for step in range(60)))
    state = RunState(curves={"loss": falling})
    for task in ("embedding", "llm"):
        assert has(advice(preset(task, training={"epochs": 2}), metrics("WIN"), state=state), "train longer (4 epochs)")
    limited = preset("embedding", training={"max_steps": 30})
    assert has(advice(limited, metrics("MARGINAL"), state=state), "train longer (60 steps)")
    assert not has(advice(limited, metrics("MARGINAL"), state=state), "higher learning rate")
    assert not has(advice(limited, metrics("MARGINAL"), state=state), "gentler")
    by_heart = RunState(curves={"loss": falling, "eval_loss": Curve((1, 2, 3), (1.0, 0.8, 1.2))})
    assert not has(advice(preset("embedding"), metrics("WIN"), state=by_heart), "train longer")


@pytest.mark.parametrize("verdict", ["MARGINAL", "UNPROVEN"])
def test_where_little_changed_both_directions_are_named_with_numbers(verdict: str) -> None:
    strong = {"epochs": 5, "learning_rate": 5e-5}
    steps = advice(preset("embedding", training=strong), metrics(verdict))
    assert has(steps, "gentler (training.epochs 1, training.learning_rate 2e-05)") and has(
        steps, "higher learning rate"
    )
    assert has(advice(preset("llm", method="lora", training=strong), metrics(verdict)), "gentler (training.epochs 1)")
    assert not has(
        advice(preset("embedding", training={"epochs": 1, "learning_rate": 2e-5}), metrics(verdict)), "gentler"
    )


def test_a_win_is_there_to_be_used_as_it_was_exported() -> None:
    assert has(advice(preset("embedding"), metrics("WIN")), "its prompts are saved with it")
    assert has(advice(preset("reranker"), metrics("WIN")), "loads by path, as its README shows")
    adapter = preset("embedding", method="lora", export={"merge": False})
    assert has(advice(adapter, metrics("WIN")), "model/adapter")
    assert has(advice(preset("llm"), metrics("WIN")), f"Talk with it: tunewiz try {shlex.quote(RUN.name)}")


def test_the_best_variant_of_a_comparison_decides() -> None:
    settings = preset("comparison", strategies=["random", "bm25"])
    worse = metrics("REGRESSION", counts={"train": 40})
    whole = MetricsFile(verdict="REGRESSION", best="bm25", variants={"random": metrics("WIN"), "bm25": worse})
    steps = advice(settings, whole)
    assert has(steps, "relative_margin")  # what the best strategy needs, whatever the preset's own is
    assert has(steps, "40 training rows are few")


# Runs that did not come to their end, and what is not known.


def test_an_early_end_is_gone_on_with_by_commands_that_are_whole() -> None:
    resume = f"tunewiz run --resume {shlex.quote(RUN.name)}`"
    clone = f"tunewiz run {shlex.quote(str(RUN.preset_file))} --set"
    stopped = advice(None, MetricsFile(), "stopped")
    assert resume in stopped[0]
    assert clone in stopped[1]
    lost = advice(None, MetricsFile(), "lost")
    assert "gone without a word" in lost[0]
    assert has(lost, resume)
    assert has(lost, str(RUN.log_file))


def test_settings_that_failed_are_not_tried_again_as_they_are() -> None:
    def failed(code: int) -> list[str]:
        return advice(None, MetricsFile(), "failed", RunState(exit_code=code))

    assert has(failed(2), "--set KEY=VALUE")
    assert not has(failed(2), "--resume")
    places = [next(place for place, step in enumerate(failed(4)) if word in step) for word in ("--set", "--resume")]
    assert places == sorted(places)
    assert "wait until they are gone" in failed(4)[places[1]]
    assert "--resume" in failed(1)[1]


def test_while_a_run_goes_on_there_is_no_advice_but_its_report_has_it() -> None:
    for status in ("waiting", "running"):
        assert advice(preset("embedding"), metrics("REGRESSION"), status) == []  # type: ignore[arg-type]
    numbers = metrics("REGRESSION")
    for state in (RunState(status="running"), RunState(status="lost")):  # a run inside another one looks lost
        steps = steps_of_report(RUN, state, preset("embedding"), numbers)
        assert [step.text("en") for step in steps] == advice(preset("embedding"), numbers)


def test_what_the_directory_does_not_tell_is_left_out(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    ended = RunState(status="finished", verdict="REGRESSION", task="embedding")
    assert has([step.text("en") for step in next_steps(known_of(run, ended))], "to a third (7e-06)")
    assert known_of(run, replace(ended, task="llm")).preset is None  # a preset that is not the run's
    for content in ("", "{", "task: embedding\nmethod: 3", "task: nothing"):
        run.preset_file.write_text(content)
        steps = [step.text("en") for step in next_steps(known_of(run, ended))]
        assert "to a third, or" in steps[0]
    run.preset_file.unlink()
    assert known_of(run, ended).preset is None


def test_it_is_read_in_the_language_in_use() -> None:
    (first, *_) = next_steps(Known(RUN, RunState(status="finished", verdict="REGRESSION"), None, MetricsFile()))
    assert first.text("en").startswith("It got worse")
    assert first.text("zh").startswith("结果变差了")
