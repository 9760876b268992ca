"""Preparing a run's data: where training rows and the evaluation come from, and what is said about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.data.retrieval.prepared import Plan, Prepared, load, save
from tunewiz.data.rows.examples import Group
from tunewiz.data.text.duplicates import normal
from tunewiz.problems import BadData, Problem

WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet")


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def faq(count: int = 100) -> list[dict[str, str]]:
    return [
        {
            "query": f"{WORDS[index % 10]} with {WORDS[index // 10 % 10]} {'and more of it ' * (index // 100)}",
            "positive": f"{WORDS[index // 2 % 10]} answers {WORDS[index // 20 % 10]} {index // 2}",
        }
        for index in range(count)
    ]


def beir(folder: Path, splits: dict[str, range]) -> Path:
    jsonl(
        folder / "corpus.jsonl",
        [{"_id": f"d{n}", "title": f"t{n}", "text": f"text {WORDS[n % 10]} {n}"} for n in range(60)],
    )
    jsonl(folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"{WORDS[n % 10]} {WORDS[n // 10]}"} for n in range(50)])
    (folder / "qrels").mkdir()
    for name, numbers in splits.items():
        lines = "".join(f"q{number}\td{number}\t{1 + number % 2}\n" for number in numbers)
        (folder / "qrels" / f"{name}.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return folder


def prepared(plan: Plan) -> tuple[Prepared, dict[str, Problem]]:
    told: dict[str, Problem] = {}

    def report(problem: Problem) -> None:
        told[problem.code] = problem

    return prepare(plan, report), told


def test_a_plain_file_is_split_and_searched_in_its_own_passages(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "faq.jsonl", faq())
    found, told = prepared(Plan(Dataset(str(path)), fraction=0.2, seed=1))
    assert (found.shape, found.corpus) == ("groups", "built")
    assert len(found.groups) + len(found.evaluation.queries) == 100
    assert len(found.evaluation.queries) == 20
    assert len(found.evaluation.corpus) == 50
    trained = {text for group in found.groups for text in group.positives}
    relevant = {found.evaluation.corpus[name].text for judged in found.evaluation.qrels.values() for name in judged}
    assert not trained & relevant
    assert "50 passages" in told["corpus-built"].line("en")
    assert found.counts == {
        **{"rows": 100, "train": 80, "train_queries": 80, "validation": 0},
        **{"evaluation_queries": 20, "documents": 50, "judgments": 20},
    }
    assert list(found.hashes) == [str(path)]


def test_the_same_plan_gives_the_same_data(tmp_path: Path) -> None:
    plan = Plan(Dataset(str(jsonl(tmp_path / "faq.jsonl", faq()))))
    assert prepared(plan)[0] == prepared(plan)[0]
    assert prepared(replace(plan, seed=7))[0].evaluation.queries != prepared(plan)[0].evaluation.queries


def test_cleaning_is_counted_and_can_be_left_out(tmp_path: Path) -> None:
    rows = [*faq(30), faq(1)[0], {"query": "marked <b>up</b>", "positive": "fish &amp; chips"}]
    path = jsonl(tmp_path / "faq.jsonl", rows)
    found, told = prepared(Plan(Dataset(str(path)), fraction=0.1))
    assert found.counts["rows"] == 31
    assert told["cleaned-duplicate-row"].message.values["count"] == 1
    texts = {item.text for item in found.evaluation.corpus.values()}
    assert "fish & chips" in texts
    raw, told = prepared(Plan(Dataset(str(path)), clean=False))
    assert raw.counts["rows"] == 32
    assert {"duplicate-row", "html"} <= set(told)


def test_validation_is_carved_out_when_asked_or_when_there_is_plenty(tmp_path: Path) -> None:
    small, _ = prepared(Plan(Dataset(str(jsonl(tmp_path / "a.jsonl", faq())))))
    assert small.validation == []
    asked, _ = prepared(Plan(Dataset(str(tmp_path / "a.jsonl")), validation=0.1))
    assert len(asked.validation) in (8, 10)  # two questions share each answer
    big, _ = prepared(Plan(Dataset(str(jsonl(tmp_path / "b.jsonl", faq(800))))))
    assert 60 <= len(big.validation) <= 80
    none, _ = prepared(Plan(Dataset(str(tmp_path / "b.jsonl")), validation=0))
    assert none.validation == []
    sides = [{normal(row.query) for row in side if isinstance(row, Group)} for side in (big.train, big.validation)]
    assert not sides[0] & sides[1]


def test_a_folder_with_splits_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = beir(tmp_path / "set", {"train": range(30), "test": range(30, 50)})
    found, told = prepared(Plan(Dataset(str(folder), split="train")))
    assert len(found.groups) == 30
    assert found.groups[0].positives == ("t0 text alpha 0",)
    assert found.groups[0].positive_ids == ("d0",)
    assert len(found.evaluation.corpus) == 60
    assert list(found.evaluation.queries) == [f"q{number}" for number in range(30, 50)]
    assert found.evaluation.qrels["q31"] == {"d31": 2}
    assert (found.corpus, list(told)) == ("given", ["few-queries"])
    assert len(found.hashes) == 4


def test_a_folder_with_one_split_is_divided_by_query(tmp_path: Path) -> None:
    folder = beir(tmp_path / "set", {"test": range(50)})
    found, told = prepared(Plan(Dataset(str(folder), split="train"), fraction=0.2))
    assert told["only-split"].severity == "note"
    assert (len(found.groups), len(found.evaluation.queries), len(found.evaluation.corpus)) == (40, 10, 60)
    assert {group.query_id for group in found.groups}.isdisjoint(found.evaluation.queries)


def test_the_evaluation_split_can_be_named(tmp_path: Path) -> None:
    folder = beir(tmp_path / "set", {"train": range(20), "dev": range(20, 30), "test": range(30, 50)})
    assert len(prepared(Plan(Dataset(str(folder)), evaluation_split="dev"))[0].evaluation.queries) == 10
    assert len(prepared(Plan(Dataset(str(folder))))[0].evaluation.queries) == 20
    with pytest.raises(BadData) as fault:
        prepare(Plan(Dataset(str(folder)), evaluation_split="nope"), lambda _: None)
    assert fault.value.problems[0].code == "unknown-split"


def test_evaluation_data_of_its_own_is_checked_for_leaks(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", faq(40))
    test = jsonl(tmp_path / "test.jsonl", [faq(1)[0], {"query": "never seen before", "positive": "new answer"}])
    found, told = prepared(Plan(Dataset(str(train)), evaluation=Dataset(str(test))))
    assert len(found.groups) == 40
    assert len(found.evaluation.queries) == 2
    assert len(found.evaluation.corpus) == 21
    assert (told["leak-query"].severity, told["leak-query"].where.line) == ("warning", 1)
    assert told["leak-document"].severity == "note"
    assert set(found.hashes) == {str(train), str(test)}


def test_a_folder_can_measure_a_file(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", faq(40))
    folder = beir(tmp_path / "set", {"test": range(10)})
    found, _ = prepared(Plan(Dataset(str(train)), evaluation=Dataset(str(folder))))
    assert (len(found.evaluation.queries), len(found.evaluation.corpus), found.corpus) == (10, 60, "given")


def test_files_of_a_collection_can_be_named(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", faq(40))
    folder = beir(tmp_path / "set", {"test": range(10)})
    files = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels/test.tsv"}
    named = {role: str(folder / name) for role, name in files.items()}
    found, _ = prepared(Plan(Dataset(str(train)), **named))  # type: ignore[arg-type]
    assert (len(found.evaluation.queries), len(found.evaluation.corpus)) == (10, 60)
    with pytest.raises(BadData) as fault:
        prepare(Plan(Dataset(str(train)), qrels=named["qrels"]), lambda _: None)
    assert fault.value.problems[0].code == "incomplete-evaluation"


def test_a_corpus_of_its_own_is_searched(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", faq(40))
    rows = [{"id": f"p{number}", "text": row["positive"]} for number, row in enumerate(faq(400)[::2])]
    corpus = jsonl(tmp_path / "corpus.jsonl", rows)
    found, told = prepared(Plan(Dataset(str(train)), corpus=str(corpus)))
    assert (len(found.evaluation.corpus), found.corpus) == (200, "given")
    assert set(found.hashes) == {str(train), str(corpus)}
    assert "corpus-built" not in told
    assert all(name.startswith("p") for judged in found.evaluation.qrels.values() for name in judged)


def test_scored_pairs(tmp_path: Path) -> None:
    rows = [
        {"sentence1": f"{one} first", "sentence2": f"{other} second {one}", "score": 3 * ((a + b) % 2)}
        for a, one in enumerate(WORDS)
        for b, other in enumerate(WORDS)
    ]
    found, told = prepared(Plan(Dataset(str(jsonl(tmp_path / "pairs.jsonl", rows))), fraction=0.2))
    assert (found.shape, len(found.pairs), len(found.groups)) == ("scored", 80, 0)
    assert len(found.evaluation.queries) == 2
    assert {grade for judged in found.evaluation.qrels.values() for grade in judged.values()} == {3}
    assert told["relevance-threshold"].message.values == {"middle": 1.0}


@pytest.mark.parametrize("clean", [True, False])
def test_rows_that_say_nothing_are_not_trained_on(tmp_path: Path, clean: bool) -> None:
    good = [{"query": row["query"].strip(), "pos": [row["positive"]], "neg": ["no"]} for row in faq(4)]
    empty = [{"query": " ", "pos": ["so"], "neg": ["no"]}, {"query": "why", "pos": [], "neg": ["no"]}]
    done, told = prepared(Plan(Dataset(str(jsonl(tmp_path / "r.jsonl", [*good, *empty]))), fraction=0, clean=clean))
    assert [row.query for row in done.groups] == [row["query"] for row in good]
    assert {"empty-query", "empty-positive"} <= set(told)


def test_ids_of_rows_fit_a_file_of_judgments(tmp_path: Path) -> None:
    rows = [{"query_id": f"q\t{number}", **row} for number, row in enumerate(faq(20))]
    done, _ = prepared(Plan(Dataset(str(jsonl(tmp_path / "r.jsonl", rows))), fraction=0.2))
    assert {row.query_id for row in done.groups} | set(done.evaluation.queries) == {
        f"q {number}" for number in range(20)
    }
    save(done, tmp_path / "run")
    assert load(tmp_path / "run") == done


def test_what_a_collection_says_is_not_cleaned(tmp_path: Path) -> None:
    folder = beir(tmp_path / "set", {"train": range(10), "test": range(10, 20)})
    texts = [{"_id": f"d{n}", "title": "", "text": f" <b>text</b> {WORDS[n % 10]} {n}"} for n in range(60)]
    jsonl(folder / "corpus.jsonl", texts)
    done, told = prepared(Plan(Dataset(str(folder)), clean=True))
    assert done.groups[0].positives == ("<b>text</b> alpha 0",)
    assert not [code for code in told if code.startswith("cleaned")]


def test_limit_counts_rows_from_the_top(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "faq.jsonl", faq())
    found, _ = prepared(Plan(Dataset(str(path), limit=20), fraction=0.1))
    assert found.counts["rows"] == 20
    folder = beir(tmp_path / "set", {"train": range(30), "test": range(30, 50)})
    assert len(prepared(Plan(Dataset(str(folder), limit=5)))[0].groups) == 5


def test_unpaired_surrogates_never_reach_a_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    lines = [json.dumps(row) for row in faq(20)] + ['{"query": "half \\ud83d pair", "positive": "p \\udc00"}']
    path.write_text("\n".join(lines))
    found, _ = prepared(Plan(Dataset(str(path)), clean=False))
    save(found, tmp_path / "run")
    assert load(tmp_path / "run") == found


def test_odd_ids_and_texts_of_a_collection_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d\\ud800\\n1", "title": "t\\ud800", "text": "x\\ud800"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q\\t1", "text": "a\\udc00"}\n{"_id": "q2", "text": "b"}\n')
    rows = [{"query-id": name, "corpus-id": "d\ud800\n1", "score": 1} for name in ("q\t1", "q2")]
    (tmp_path / "qrels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found, _ = prepared(Plan(Dataset(str(tmp_path), split="all"), fraction=0.5))
    save(found, tmp_path / "run")
    assert load(tmp_path / "run") == found
    assert list(found.evaluation.corpus) == ["d\ufffd 1"]
    assert list(found.evaluation.qrels.values()) == [{"d\ufffd 1": 1}]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("missing.csv", None, "file-not-found"),
        ("empty.csv", "", "empty-file"),
        ("broken.jsonl", '{"query": "a", "positive": "b"}\n{"query": "c", "positive": "d"\n{"query', "bad-json"),
        ("nothing.jsonl", '{"query": "a", "positive": ""}\n{"query": "", "positive": "b"}\n', "no-usable-rows"),
        ("chat.jsonl", '{"messages": [{"role": "user", "content": "x"}]}\n', "llm-layout"),
    ],
)
def test_bad_data_says_what_is_wrong(tmp_path: Path, name: str, text: str | None, code: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadData) as fault:
        prepare(Plan(Dataset(str(path))), lambda _: None)
    assert code in [problem.code for problem in fault.value.problems]
    assert int(fault.value.exit_code) == 3


def test_nothing_to_measure_on_is_said(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "faq.jsonl", faq(20))
    found, told = prepared(Plan(Dataset(str(path)), fraction=0))
    assert (found.corpus, found.evaluation.queries) == ("none", {})
    assert "no-evaluation" in told


SHARED = Path(__file__).resolve().parents[4] / "shared" / "datasets"


@pytest.mark.skipif(not (SHARED / "cranfield").is_dir(), reason="the shared datasets are not here")
def test_cranfield_keeps_its_queries_and_all_of_its_corpus() -> None:
    found, told = prepared(Plan(Dataset(str(SHARED / "cranfield" / "beir"), split="train"), max_tokens=700))
    assert (len(found.groups), len(found.evaluation.queries), len(found.evaluation.corpus)) == (150, 75, 1400)
    assert found.counts["judgments"] == 609
    assert told["leak-document"].severity == "note"  # both search one corpus
    assert "leak-query" not in told
    assert told["too-long"].message.values["count"] < 14


def test_a_folder_of_files_by_split_is_measured_on_the_split_that_is_given(tmp_path: Path) -> None:
    rows = faq()
    jsonl(tmp_path / "set" / "train.jsonl", rows[:70])
    jsonl(tmp_path / "set" / "test.jsonl", rows[70:])
    told: list[Problem] = []
    prepared = prepare(Plan(Dataset(str(tmp_path / "set"))), told.append)
    assert prepared.counts["train"] == 70
    assert set(prepared.evaluation.queries.values()) == {row["query"].strip() for row in rows[70:]}
    assert "measured-split" in {problem.code for problem in told}
    alone = prepare(Plan(Dataset(str(tmp_path / "set" / "train.jsonl"))), told.append)
    assert alone.counts["train"] < 70
