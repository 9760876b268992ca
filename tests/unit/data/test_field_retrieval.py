"""Layouts of retrieval data that people bring: read as they are meant, or asked about with an advice that works."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, fix, inspect
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.examples import Example, Group, ScoredPair
from tunewiz.problems import Problem

THINGS = ["kettle", "lantern", "hammock", "rowing boat", "telescope", "sewing machine", "bicycle pump", "wheelbarrow"]
ASKED = ["how do I clean a {}", "where can I return my {}", "my {} is broken, who mends it", "what size of {} fits me"]
ANSWERS = [
    "Wipe the {} with a damp cloth and let it dry in the shade for a whole day before you use it again.",
    "Put the {} back into its box and hand it in at any of our shops within thirty days of the purchase.",
    "Bring the {} to the workshop on a weekday morning; small faults are mended while you wait outside.",
    "Measure your garden twice and look the {} up in the chart; between two sizes take the larger one.",
]
PAIRS = [(ask.format(x), answer.format(x)) for x in THINGS for ask, answer in zip(ASKED, ANSWERS, strict=True)]


def wrong(place: int) -> str:
    """A text that does not answer the query at ``place``."""
    return PAIRS[(place + 5) % len(PAIRS)][1]


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows] if header else rows)
    return path


def looked(path: Path, **said: Any) -> Inspection:
    return inspect(Dataset(str(path), **said), "embedding")


def rows_of(path: Path, **said: Any) -> list[Example]:
    told: list[Problem] = []
    data = opened.open_dataset(Dataset(str(path), **said), told.append)
    return list(opened.read_examples(data, told.append, "all"))


def groups_of(path: Path, **said: Any) -> list[Group]:
    return [row for row in rows_of(path, **said) if isinstance(row, Group)]


def scores_of(path: Path, **said: Any) -> list[float]:
    return [row.score for row in rows_of(path, **said) if isinstance(row, ScoredPair)]


def codes(found: Inspection, severity: str = "") -> list[str]:
    return [finding.code for finding in found.findings if severity in ("", finding.severity)]


def told(found: Inspection, code: str) -> str:
    finding = next(finding for finding in found.findings if finding.code == code)
    return finding.first[0].line("en")


# Which end is right.


@pytest.mark.parametrize(
    ("words", "worth"),
    [
        (("relevant", "not relevant"), (1, 0)),
        (("Relevant", "Not_Relevant"), (1, 0)),
        (("good", "ok", "bad"), (2, 1, 0)),
        (("bad", "good"), (0, 1)),
        (("Exact", "Substitute", "Complement", "Irrelevant"), (1, 0.1, 0.01, 0)),
        (("E", "S", "C", "I"), (1, 0.1, 0.01, 0)),
        (("完全相关", "部分相关", "不相关"), (2, 1, 0)),
        (("好", "一般", "差"), (2, 1, 0)),
        (("highly relevant", "relevant", "irrelevant"), (2, 1, 0)),
    ],
)
@pytest.mark.parametrize("header", [("query", "document", "label"), ("user query", "Product document", "esci_label")])
def test_known_scales(tmp_path: Path, words: Sequence[str], worth: Sequence[float], header: Sequence[str]) -> None:
    rows = [(query, answer, words[place % len(words)]) for place, (query, answer) in enumerate(PAIRS)]
    path = table(tmp_path / "rows.csv", header, rows)
    assert scores_of(path) == [worth[place % len(words)] for place in range(len(PAIRS))]
    assert "label-words" in codes(looked(path), "note")


def test_unknown_labels_are_asked_for_and_can_be_told(tmp_path: Path) -> None:
    words = ("azul", "verde", "rojo")
    rows = [(query, answer, words[place % 3]) for place, (query, answer) in enumerate(PAIRS)]
    path = table(tmp_path / "rows.csv", ("query", "document", "label"), rows)
    found = looked(path)
    assert codes(found, "error") == ["label-words"] and "--labels azul=N,verde=N,rojo=N" in told(found, "label-words")
    worth = {"azul": 1.0, "verde": 0.25, "rojo": 0.0}
    assert set(scores_of(path, columns={"score": "label"}, labels=worth)) == {1.0, 0.25, 0.0}
    some = looked(path, columns={"score": "label"}, labels={"azul": 1.0})
    assert codes(some, "error") == ["label-words"]


@pytest.mark.parametrize("names", [("premise", "hypothesis"), ("sentence1", "sentence2"), ("句子1", "句子2")])
def test_classes_of_inference_are_no_grades(tmp_path: Path, names: tuple[str, str]) -> None:
    rows = [(query, answer, place % 3) for place, (query, answer) in enumerate(PAIRS)]
    path = table(tmp_path / "rows.csv", (*names, "label"), rows)
    found = looked(path)
    assert not found.usable and codes(found, "error") == ["label-order"]
    assert "--labels 0=1,1=0,2=0" in told(found, "label-order")
    assert scores_of(path, labels={"0": 1, "1": 0, "2": 0})[:3] == [1, 0, 0]
    graded = table(tmp_path / "graded.csv", (*names, "score"), rows)
    assert scores_of(graded)[:3] == [0, 1, 2]


def test_a_clean_copy_says_which_label_it_lost(tmp_path: Path) -> None:
    rows = [(query, answer if place % 2 else "", place % 2) for place, (query, answer) in enumerate(PAIRS)]
    path = table(tmp_path / "rows.csv", ("query", "document", "label"), rows)
    fixed = fix(Dataset(str(path)), tmp_path / "out.jsonl")
    assert [lost.text("en") for lost in fixed.lost] == ["No row whose label is 0 is left, of 16."]
    whole = table(
        tmp_path / "whole.csv", ("query", "document", "label"), [(*pair, n % 2) for n, pair in enumerate(PAIRS)]
    )
    assert not fix(Dataset(str(whole)), tmp_path / "whole.jsonl").lost


# Texts inside objects.


def dpr(place: int) -> dict[str, Any]:
    query, answer = PAIRS[place]
    return {
        "question": query,
        "answers": ["thirty days"],
        "positive_ctxs": [{"title": f"About {place}", "text": answer, "passage_id": str(place)}],
        "negative_ctxs": [],
        "hard_negative_ctxs": [{"title": "-", "text": wrong(place), "passage_id": "9"}],
    }


def tevatron(place: int) -> dict[str, Any]:
    query, answer = PAIRS[place]
    negative = [{"docid": "n", "title": f"On {place + 1}", "text": wrong(place)}]
    positive = [{"docid": "p", "title": f"On {place}", "text": answer}]
    return {"query_id": str(place), "query": query, "positive_passages": positive, "negative_passages": negative}


def swift(place: int) -> dict[str, Any]:
    query, answer = PAIRS[place]
    said = [[{"role": "assistant", "content": answer}]], [[{"role": "assistant", "content": wrong(place)}]]
    return {
        "messages": [{"role": "user", "content": query}],
        "positive_messages": said[0],
        "negative_messages": said[1],
    }


def dureader(place: int) -> dict[str, Any]:
    query, answer = PAIRS[place]
    documents = [
        {"is_selected": True, "title": "a", "paragraphs": [answer]},
        {"is_selected": False, "title": "b", "paragraphs": [wrong(place)]},
    ]
    return {"question": query, "documents": documents, "answers": [f"short {place}"]}


def marco(place: int) -> dict[str, Any]:
    query, answer = PAIRS[place]
    return {"query": query, "passages": {"is_selected": [0, 1], "passage_text": [wrong(place), answer]}}


def uniem(place: int) -> dict[str, Any]:
    query, answer = PAIRS[place]
    return {"text": query, "text_pos": answer, "text_neg": wrong(place)}


def rejected(place: int) -> dict[str, Any]:
    query, answer = PAIRS[place]
    return {"query": query, "response": answer, "rejected_response": [wrong(place)]}


@pytest.mark.parametrize("layout", [dpr, swift, dureader, marco, uniem, rejected])
def test_nested_layouts(tmp_path: Path, layout: Any) -> None:
    path = jsonl(tmp_path / "rows.jsonl", [layout(place) for place in range(len(PAIRS))])
    groups = groups_of(path)
    assert [(group.query, group.positives) for group in groups] == [(query, (answer,)) for query, answer in PAIRS]
    assert [group.negatives for group in groups] == [(wrong(place),) for place in range(len(PAIRS))]


def test_titles_of_nested_passages_belong_to_them(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "rows.jsonl", [tevatron(place) for place in range(len(PAIRS))])
    first = groups_of(path)[0]
    assert (first.positives, first.negatives) == ((f"On 0 {PAIRS[0][1]}",), (f"On 1 {wrong(0)}",))
    one_sided = looked(jsonl(tmp_path / "dpr.jsonl", [dpr(place) for place in range(len(PAIRS))]))
    assert "titles-unused" in codes(one_sided, "warning")


def test_paths_and_joins_can_be_mapped(tmp_path: Path) -> None:
    rows = [
        {"ask": {"de": query, "x": place}, "hits": [{"head": f"T{place}", "body": {"lines": [answer, "end"]}}]}
        for place, (query, answer) in enumerate(PAIRS)
    ]
    path = jsonl(tmp_path / "rows.jsonl", rows)
    columns = {"query": "ask.de", "positive": "hits[].head + hits[].body.lines[]"}
    first = groups_of(path, columns=columns)[0]
    assert (first.query, first.positives) == (PAIRS[0][0], (f"T0 {PAIRS[0][1]}\nend",))
    missed = looked(path, columns={"query": "ask.fr", "positive": "hits[].head"})
    assert codes(missed, "error") == ["unknown-column"] and "ask.fr" in told(missed, "unknown-column")


def test_a_title_goes_in_front_of_its_text(tmp_path: Path) -> None:
    rows = [(query, f"Leaflet {place}", answer) for place, (query, answer) in enumerate(PAIRS)]
    path = table(tmp_path / "rows.csv", ("question", "title", "content"), rows)
    assert groups_of(path)[0].positives == (f"Leaflet 0 {PAIRS[0][1]}",)
    assert groups_of(path, columns={"positive": "content"})[0].positives == (PAIRS[0][1],)
    assert groups_of(path, columns={"positive": "content + title"})[0].positives == (f"{PAIRS[0][1]} Leaflet 0",)


def test_a_text_that_no_role_takes_is_warned_of(tmp_path: Path) -> None:
    rows = [(query, answer, f"Also note that {wrong(place)}") for place, (query, answer) in enumerate(PAIRS)]
    path = table(tmp_path / "rows.csv", ("question", "answer", "remark"), rows)
    assert "texts-unused" in codes(looked(path), "warning")
    dates = table(tmp_path / "dates.csv", ("question", "answer", "changed"), [(*pair, "2026-01-02") for pair in PAIRS])
    assert codes(looked(dates)) == ["columns-guessed", "columns-unused"]


# Sheets, lists and lines.


def test_each_similar_question_asks(tmp_path: Path) -> None:
    rows = [(query, f"{query} please|tell me {query}", answer) for query, answer in PAIRS]
    path = table(tmp_path / "rows.csv", ("标准问", "相似问", "答案"), rows)
    groups = groups_of(path)
    query, answer = PAIRS[0]
    assert [group.query for group in groups[:3]] == [query, f"{query} please", f"tell me {query}"]
    assert {group.positives for group in groups[:3]} == {(answer,)} and len(groups) == 3 * len(PAIRS)
    alone = table(tmp_path / "alone.csv", ("相似问", "答案"), [row[1:] for row in rows])
    assert len(groups_of(alone)) == 2 * len(PAIRS)
    unnamed = looked(table(tmp_path / "unnamed.csv", ("标准问", "说法", "答案"), rows))
    assert "--map similar=说法" in told(unnamed, "several-questions")


def test_a_sheet_with_a_number_column_has_a_header(tmp_path: Path) -> None:
    rows = [(place, "garden", query, answer, "2026-01-02") for place, (query, answer) in enumerate(PAIRS)]
    path = table(tmp_path / "rows.csv", ("No.", "Group", "Customer question", "Our answer", "Changed"), rows)
    assert [(group.query, group.positives[0]) for group in groups_of(path)] == PAIRS


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_lists_are_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pairs: list[Any] = [list(pair) for pair in PAIRS]
    if name == "rows.json":
        path.write_text(json.dumps(pairs, indent=1), "utf-8")
    else:
        jsonl(path, pairs)
    assert [(group.query, group.positives[0]) for group in groups_of(path)] == PAIRS
    triples = jsonl(tmp_path / "triples.jsonl", [[*pair, wrong(place)] for place, pair in enumerate(PAIRS)])
    assert groups_of(triples)[0].negatives == (wrong(0),)


def test_sets_of_texts_that_mean_the_same(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "rows.jsonl", [{"set": [query, f"please: {query}", f"{query}?"]} for query, _ in PAIRS])
    first = groups_of(path)[0]
    assert (first.query, len(first.positives)) == (PAIRS[0][0], 2)


def test_lines_without_a_header(tmp_path: Path) -> None:
    triples = tmp_path / "triples.train.tsv"
    triples.write_text("".join(f"{q}\t{a}\t{wrong(n)}\n" for n, (q, a) in enumerate(PAIRS)), "utf-8")
    assert groups_of(triples)[1].negatives == (wrong(1),)
    bars = tmp_path / "sts.txt"
    bars.write_text("".join(f"sts-{n}||{q}||{a}||{n % 6}\n" for n, (q, a) in enumerate(PAIRS)), "utf-8")
    assert scores_of(bars)[:6] == [0, 1, 2, 3, 4, 5]
    lines = [f"news\tmain\t2012\t{n:04}\t{n % 50 / 10 + 0.01}\t{q}\t{a}\n" for n, (q, a) in enumerate(PAIRS)]
    (tmp_path / "sts.tsv").write_text("".join(lines), "utf-8")
    found = looked(tmp_path / "sts.tsv")
    assert "--map sentence1=column_6 --map sentence2=column_7 --map score=column_5" in told(found, "unmapped-columns")


# What is advised was tried.


def advice_in(text: str) -> tuple[dict[str, str], dict[str, float]]:
    """The mapping and the labels that a message advises."""
    words = shlex.split(text.replace("'", " "))
    mapping = dict(after.split("=", 1) for word, after in pairwise(words) if word == "--map")
    mapping = {role: column.rstrip(".;,") for role, column in mapping.items()}
    found = re.search(r"--labels (\S+=[\d.]+)", text)
    pairs = [pair.split("=") for pair in found.group(1).rstrip(".").split(",")] if found else []
    return mapping, {label: float(worth) for label, worth in pairs}


def unclear_sheets() -> Mapping[str, list[dict[str, Any]]]:
    each = list(enumerate(PAIRS))
    return {
        "ids": [
            {"qid": f"a{n}", "alpha": q, "doc_no": f"B{n:05}", "beta": a, "at": "2026-01-02"} for n, (q, a) in each
        ],
        "marks": [{"alpha": q, "sku": f"B{n:05}", "beta": a, "verdict": ("E", "S", "I")[n % 3]} for n, (q, a) in each],
        "grades": [{"alpha": q, "year": 2012, "beta": a, "stars": n % 5} for n, (q, a) in each],
        "triple": [{"alpha": q, "beta": a, "gamma": wrong(n)} for n, (q, a) in each],
        "swapped": [{"beta": a * 3, "alpha": q} for n, (q, a) in each],
        "inference": [{"premise": q, "hypothesis": a, "label": n % 3} for n, (q, a) in each],
        "words": [{"premise": q, "hypothesis": a, "label": ("entailment", "neutral")[n % 2]} for n, (q, a) in each],
        "nested": [{"frage": q, "treffer": [{"nr": str(n), "absatz": a}]} for n, (q, a) in each],
        "rest": [{"question": q, "answer": a, "remark": f"Note: {wrong(n)}"} for n, (q, a) in each],
        "titles": [dpr(n) for n, _ in each],
    }


@pytest.mark.parametrize("name", unclear_sheets())
def test_following_the_advice_ends_without_the_message(tmp_path: Path, name: str) -> None:
    path = jsonl(tmp_path / "rows.jsonl", unclear_sheets()[name])
    found = looked(path)
    advised = [finding for finding in found.findings if finding.severity != "note" and finding.first[0].fix]
    assert advised
    for finding in advised:
        fix_ = finding.first[0].fix
        mapping, labels = advice_in(fix_.text("en") if fix_ else "")
        assert mapping or labels, finding.first[0].line("en")
        assert not {"qid", "doc_no", "at", "sku", "year"} & set(mapping.values())
        after = looked(path, columns=mapping, labels=labels)
        assert after.usable and after.counts["examples"] == len(PAIRS)
        assert finding.code not in codes(after)
