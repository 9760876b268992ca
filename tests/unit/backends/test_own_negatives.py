"""Wrong documents that the data itself brings: as many an epoch as a query is to have, and memory told for those."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.backends.test_reranker_rows import loss, scored
from tunewiz.backends import readiness
from tunewiz.backends.sources import find_cached
from tunewiz.backends.stages.first_rows import FirstRows
from tunewiz.backends.stages.retrieval import texts_a_row
from tunewiz.backends.training.loss_rows import Own, loss_table, sampling_rows
from tunewiz.backends.training.reranker_rows import Examples, examples
from tunewiz.backends.training.sampling import BatchPlan
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group
from tunewiz.presets.losses.ranking import MultipleNegativesRanking
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.yaml.library import load

JUDGED = 69
QUERIES = [f"question {number}" for number in range(8)]
#: Two grades of right documents and many that were judged to be wrong.
POOLED = scored([
    (query, f"{query} document {number}", {0: 3, 1: 2}.get(number, 0))
    for query in QUERIES for number in range(JUDGED + 2)
])  # fmt: skip
ASKED = [
    Group(query, (f"{query} right",), tuple(f"{query} wrong {n}" for n in range(JUDGED)), query_id=query)
    for query in QUERIES
]
OWN = Own(6, 5)


def read(made: Examples, number: int) -> list[list[tuple[str, str]]]:
    """The documents of each row of an epoch."""
    rows = made.rows([1] * len(made)).of_epoch(number)
    return [[(query, text) for query, text in made.pairs[row]] for row in rows]


@pytest.mark.parametrize("name", ["lambda_loss", "list_net", "cross_entropy", "margin_ranking"])
def test_a_query_has_no_more_wrong_documents_an_epoch_than_it_is_to_have(name: str) -> None:
    made = examples(loss(name), POOLED, 0, OWN)
    for number in range(7):
        rows = read(made, number)
        assert {query for row in rows for query, _ in row} == set(QUERIES)
        assert {sum(int(text.split()[-1]) > 1 for _, text in row) for row in rows} == {6}
    (told,) = (problem for problem in made.notes if problem.code == "negatives-drawn")
    assert f"{JUDGED}" in told.line("en") and told.where.key == "data.negatives.per_query"


def test_epochs_draw_others_until_all_had_their_turn() -> None:
    made = examples(loss("list_net"), POOLED, 0, Own(6, 12))
    epochs = [{text for row in read(made, number) for _, text in row} for number in range(12)]
    assert len(set.union(*epochs)) == len(QUERIES) * (JUDGED + 2)
    assert epochs[0] != epochs[1]
    again, other = (examples(loss("list_net"), POOLED, seed, Own(6, 12)) for seed in (0, 1))
    assert again.pairs == made.pairs and other.pairs != made.pairs


def test_margins_are_learned_of_those_drawn() -> None:
    made = examples(loss("margin_mse"), POOLED, 0, OWN)
    assert [len(read(made, number)) for number in range(5)] == [len(QUERIES) * 2 * 6] * 5


def test_few_are_all_taken_in_every_epoch() -> None:
    few = [Group(one.query, one.positives, one.negatives[:5]) for one in ASKED]
    plain, capped = (examples(loss("cross_entropy"), Prepared("groups", groups=few), 0, own) for own in (Own(), OWN))
    assert capped.pairs == plain.pairs and capped.rounds == () and capped.notes == plain.notes


def test_an_epoch_goes_through_its_own_rows_once() -> None:
    made = loss_table(MultipleNegativesRanking(), Prepared("groups", groups=ASKED), 0, OWN)
    assert made.negatives == 6 and len(made) == len(QUERIES) * 5
    plan = BatchPlan(sampling_rows(made, [1] * len(made)), 4, seed=1)
    assert len(plan) == 2 and plan.left_out == 0
    for number in range(6):
        rows = [row for batch in plan.epoch(number) for row in batch]
        assert sorted(rows) == sorted(made.rounds[number % 5])
        assert {made.columns["anchor"][row] for row in rows} == set(QUERIES)


def judged(folder: Path) -> RetrievalPreset:
    lines = [{"query": pair.first, "document": pair.second, "score": pair.score} for pair in POOLED.pairs]
    (folder / "judged.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    made = load(
        "reranker/starter",
        ["loss=list_net", f"data.train={folder / 'judged.jsonl'}", "launch.device=cpu", "data.negatives.per_query=6"],
    )
    assert isinstance(made, RetrievalPreset)
    return made


def texts_of(preset: RetrievalPreset) -> float:
    found = FirstRows(preset).first
    assert found is not None and found.whole
    return found.texts


def test_memory_is_told_for_the_groups_that_the_data_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = judged(tmp_path)
    texts = texts_of(preset)
    assert texts == texts_a_row(preset, POOLED) == 8  # two right ones and six wrong
    every = preset.model_copy(
        update={"data": preset.data.model_copy(update={"negatives": preset.data.negatives.model_copy(
            update={"per_query": 64, "strategy": "none"})})}
    )  # fmt: skip
    assert texts_of(every) == texts_a_row(every, POOLED) == 66
    located = find_cached(preset.model)
    small, large = (readiness.estimate(preset, located, each) for each in (texts, texts_of(every)))
    assert small and large and large.high > 4 * small.high
    monkeypatch.setattr(readiness, "host_free", lambda: (small.high + large.high) // 2)
    assert readiness.memory_findings(preset, texts) == []
    assert [problem.code for problem in readiness.memory_findings(preset, 66)] == ["memory-tight"]


def test_what_is_wrong_and_what_is_needed_is_told_of_one_reading(tmp_path: Path) -> None:
    preset = judged(tmp_path)
    rows = FirstRows(preset)
    problems = rows.problems
    (tmp_path / "judged.jsonl").unlink()  # a second reading would find nothing
    assert rows.first is not None and rows.first.texts == 8
    assert rows.problems == problems and not [one for one in problems if one.severity == "error"]


def test_data_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    preset = judged(tmp_path)
    (tmp_path / "judged.jsonl").unlink()
    assert FirstRows(preset).first is None
    assert FirstRows(load("llm/starter")).first is None
