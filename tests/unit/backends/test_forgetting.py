"""Whether a model forgot: which general data is asked, how both sides are compared, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewiz import language
from tunewiz.backends.evaluate.general import AFTER, BEFORE, compared_general, forgotten, lost, told_general
from tunewiz.backends.evaluate.records import Measured
from tunewiz.backends.reports.facts import gather, gather_language_model
from tunewiz.backends.reports.forgetting import general_blocks
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.reports.next_steps import known_of, next_steps
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.events import Noticed
from tunewiz.backends.runs.follow import EventReader, read_state
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.backends.stages.forgetting import search_beside
from tunewiz.data.general import collection_beside, general_collection, general_rows
from tunewiz.data.reading.source import samples
from tunewiz.data.retrieval.prepared import Prepared, save
from tunewiz.data.rows.examples import Group
from tunewiz.data.text.language import is_chinese
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml import library
from tunewiz.problems import reworded
from tunewiz.tui.panels import result_story
from tunewiz.tui.panels.evidence import evidence

pytestmark = pytest.mark.usefixtures("in_english")


def test_the_prompts_are_varied_and_nobody_is_offered_them_to_train_on() -> None:
    rows = general_rows()
    assert len(rows) == 48
    assert len({row.question for row in rows.values()}) == 48
    assert all(row.stage == "sft" and all(row.answers) for row in rows.values())
    asked = [is_chinese(row.question) for name, row in rows.items() if name.startswith("zh")]
    assert len(asked) == 24 and sum(asked) >= 23
    assert not [name for name in samples() if "general" in name]


def test_the_collection_is_of_the_datas_language_and_never_the_one_trained_on() -> None:
    own = general_collection("faq-zh")
    assert len(own.queries) == len(own.qrels) == 48
    assert len(own.corpus) == 170
    assert general_collection("faq-zh") == own
    assert collection_beside(["它是新的"], "zh") == "faq-zh"
    assert collection_beside(["something new"], "ja") == "faq-en"
    asked = next(iter(own.queries.values()))
    assert collection_beside(["它是新的", asked], "zh") == "faq-en"
    document = next(iter(general_collection("faq-en").corpus.values()))
    assert collection_beside([asked, document.text], "zh") == ""


def of_prompts(change: float, by: Callable[[str], bool] = lambda _name: True) -> dict[str, dict[str, float]]:
    rows = {}
    for place, name in enumerate(general_rows()):
        loss = 2.0 + place / 50 + (change * (1 + place % 3) if by(name) else 0.0)
        rows[name] = {"loss": loss, f"loss_{name[:2]}": loss}
    return rows


def measured(file: Path, per_query: dict[str, dict[str, float]], **more: Any) -> None:
    names = sorted({name for row in per_query.values() for name in row})
    means = {}
    for name in names:
        values = [row[name] for row in per_query.values() if name in row]
        means[name] = sum(values) / len(values)
    Measured(metrics=means, queries=len(per_query), per_query=per_query, **more).write(file)


def sides(folder: Path, before: dict[str, dict[str, float]], after: dict[str, dict[str, float]], **more: Any) -> Path:
    measured(folder / BEFORE, before, **more)
    measured(folder / AFTER, after, **more)
    return folder


def a_run(folder: Path, name: str) -> tuple[Run, Any]:
    preset = library.load(name)
    run = create(preset, folder, "run")
    run.report.mkdir(exist_ok=True)
    return run, preset


def test_a_loss_that_rises_beyond_chance_is_told_with_what_to_do(tmp_path: Path) -> None:
    run, preset = a_run(tmp_path, "llm/starter")
    answers = {"en-1": {"prompt": "What is 17 + 26?", "expected": "43", "answer": "Topic: sums"}}
    sides(run.report, of_prompts(0), of_prompts(0.2, lambda name: name.startswith("zh")), answers=answers)
    found = compared_general(run.report, 500, 1)
    assert list(lost(found)) == ["loss", "loss_zh"]
    assert found["loss_en"].difference == 0
    assert isinstance(preset, LlmPreset)
    problem = forgotten(preset, found, "")
    assert problem is not None
    assert (problem.code, problem.severity) == ("forgotten", "warning")
    assert "On 48 prompts" in problem.message.text()
    assert "the loss of the Chinese prompts" in problem.message.text()
    assert "the loss of the English prompts" not in problem.message.text()
    assert problem.fix is not None
    fix = problem.fix.text()
    assert f"training.learning_rate below {preset.training.learning_rate:g}" in fix
    assert "method: lora" not in fix  # which it does
    record = problem.record()
    language.use("zh")
    told = reworded(record)
    language.use("en")
    assert str(told["message"]).startswith("微调后的模型忘掉了一部分原有能力。在 48 条提示")
    assert "中文提示的损失" in str(told["message"])
    full = preset.model_copy(update={"method": library.load("llm/qwen3-0.6b-full").method})  # type: ignore[attr-defined]
    again = forgotten(full, found, "")
    assert again is not None and again.fix is not None
    assert "method: lora" in again.fix.text()
    blocks = list(general_blocks(gather_language_model(run, preset)))
    assert any("Topic: sums" in str(block) for block in blocks)


def test_what_got_better_or_may_be_chance_is_no_loss(tmp_path: Path) -> None:
    run, preset = a_run(tmp_path, "llm/starter")
    sides(run.report, of_prompts(0), of_prompts(-0.2))
    better = compared_general(run.report, 500, 1)
    assert forgotten(preset, better, "") is None
    assert [sentence.text()[:14] for sentence in told_general(better)] == ["Nothing shows "]
    turned = {name: -0.2 if place % 2 else 0.2 for place, name in enumerate(general_rows())}
    after = {name: {key: value + turned[name] for key, value in row.items()} for name, row in of_prompts(0).items()}
    sides(run.report, of_prompts(0), after)
    assert lost(compared_general(run.report, 500, 1)) == {}
    tiny = {name: {key: value + 0.001 for key, value in row.items()} for name, row in of_prompts(0).items()}
    sides(run.report, of_prompts(0), tiny)  # certain, and less than counts as a win
    assert lost(compared_general(run.report, 500, 1)) == {}


def test_one_side_alone_says_nothing(tmp_path: Path) -> None:
    run, preset = a_run(tmp_path, "embedding/starter")
    measured(run.report / BEFORE, {"q": {"ndcg@10": 1.0}})
    assert isinstance(preset, EmbeddingPreset)
    facts = gather(run, preset)
    assert facts.general == {}
    assert list(general_blocks(facts)) == []
    assert list(told_general({})) == []
    assert "general" not in MetricsFile(run="old").as_json()


def ranked(value: float) -> dict[str, dict[str, float]]:
    return {f"q{place}": {"ndcg@10": value - place / 100, "recall@10": 1.0} for place in range(48)}


def test_the_report_the_advice_and_the_result_screen_say_the_same(tmp_path: Path) -> None:
    run, preset = a_run(tmp_path, "embedding/starter")
    sides(run.report, ranked(0.9), ranked(0.7), collection="faq-zh", documents=170)
    inner = run.directory / "embedding" / "report"
    inner.mkdir(parents=True)
    sides(inner, ranked(0.8), ranked(0.8), collection="faq-zh")
    facts = gather(run, preset)
    assert list(facts.general) == ["embedding ndcg@10", "embedding recall@10", "ndcg@10", "recall@10"]
    assert list(lost(facts.general)) == ["ndcg@10"]
    text = " ".join(map(str, general_blocks(facts)))
    assert text.count("48 questions of the sample faq-zh") == 2
    assert "0 questions" not in text
    assert "ndcg@10 of the embedding model" in text
    facts.metrics(corpus="given").write(run.report / "metrics.json")
    state = read_state(run)
    found = evidence(run, state)
    assert found.forgot
    assert [change.metric for change in found.general if change.certain] == ["ndcg@10"]
    assert "ndcg@10 went from 0.6650 to 0.4650" in found.general_told[0].text()
    lines = ["".join(text for text, _ in line) for line in result_story._general(found, 100)]
    assert lines[0] == "Did it forget?"
    assert any("0.6650   0.4650    -0.2000" in line for line in lines)
    assert result_story._general(type(found)(), 60) == []
    known = known_of(run, state)
    ended = type(known)(run, type(state)(status="finished", verdict="UNPROVEN"), preset, known.metrics)
    steps = [step.text() for step in next_steps(ended)]
    assert any(step.startswith("It forgot some of what it could before.") for step in steps)
    assert not any("higher learning rate" in step for step in steps)
    problem = forgotten(preset, facts.general, "faq-zh")
    assert problem is not None
    record = problem.record()
    language.use("zh")
    assert "个 faq-zh 的问题（不属于训练内容）上：ndcg@10 0.6650 → 0.4650" in str(reworded(record)["message"])
    language.use("en")


class _Broken:
    """An encoder that fails as it is told."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault


def test_a_failure_is_told_and_a_stop_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewiz.backends.evaluate.full_search import Retrieval
    from tunewiz.backends.models.encoding import SearchEncoder

    run, preset = a_run(tmp_path, "embedding/starter")
    save(Prepared("groups", groups=[Group("how", ("so",))], counts={"train": 1}), run.data)

    def failing(_self: object, model: SearchEncoder, *_: object) -> None:
        raise model.model.fault

    monkeypatch.setattr(Retrieval, "measure", failing)
    search_beside(run, preset, SearchEncoder(_Broken(RuntimeError("no such kernel"))), "before")
    told = [event.problem for event in EventReader(run.events_file).read() if isinstance(event, Noticed)]
    assert [one["code"] for one in told] == ["general-not-measured"]
    assert "no such kernel" in told[0]["message"]
    assert not (run.report / BEFORE).exists()
    with pytest.raises(StopRequested):
        search_beside(run, preset, SearchEncoder(_Broken(StopRequested())), "before")
    search_beside(run, preset, SearchEncoder(_Broken(RuntimeError("not asked"))), "after")  # nothing to compare with
    off = preset.model_copy(update={"evaluation": preset.evaluation.model_copy(update={"general": False})})
    search_beside(run, off, SearchEncoder(_Broken(RuntimeError("not asked"))), "before")
    assert len([event for event in EventReader(run.events_file).read() if isinstance(event, Noticed)]) == 1
