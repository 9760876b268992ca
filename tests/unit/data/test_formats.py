from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.formats import format
from tunewiz.data.formats.format import Detection
from tunewiz.data.opening import detection, opened
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.problems import BadData, Problem


def detected(folder: Path, rows: list[dict[str, Any]] | str, name: str = "rows.jsonl", **said: Any) -> Detection:
    text = rows if isinstance(rows, str) else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return detection.detect(discover(Dataset(str(path), **said)))


def examples(detection: Detection) -> tuple[list[Any], list[Problem]]:
    problems: list[Problem] = []
    return list(opened.examples_of(detection, read(detection.source, problems.append), problems.append)), problems


def refused(folder: Path, rows: list[dict[str, Any]] | str, name: str = "rows.jsonl", **said: Any) -> Problem:
    with pytest.raises(BadData) as stopped:
        detected(folder, rows, name, **said)
    return stopped.value.problems[0]


def table(*columns: str, count: int = 12, **values: Any) -> str:
    """A CSV in which every cell is a different text, unless ``values`` names the column's cell."""
    rows = [[str(values.get(c, f"some {c} text {i}")) for c in columns] for i in range(count)]
    return "\n".join(",".join(row) for row in [list(columns), *rows]) + "\n"


def codes(problems: tuple[Problem, ...] | list[Problem], severity: str = "warning") -> dict[str, int]:
    return dict(Counter(problem.code for problem in problems if problem.severity == severity))


def test_every_format_describes_itself() -> None:
    known = format.formats()
    assert set(known) == {"pairs", "triplets", "ntuples", "query_pos_neg", "scored", "beir", "squad"} or len(known) > 7
    for name, item in known.items():
        assert item.name == name
        assert item.title
        assert item.description
        assert item.tasks <= {"embedding", "reranker", "llm"}
    assert format.formats("nothing") == {}


@pytest.mark.parametrize(
    ("columns", "format_", "mapping", "sure"),
    [
        ("query positive", "pairs", {"query": "query", "positive": "positive"}, True),
        ("question answer category url", "pairs", {"query": "question", "positive": "answer"}, True),
        ("问题 答案", "pairs", {"query": "问题", "positive": "答案"}, True),
        ("问 答", "pairs", {"query": "问", "positive": "答"}, True),
        ("标准问 答案", "pairs", {"query": "标准问", "positive": "答案"}, True),
        ("标准问 相似问", "pairs", {"query": "相似问", "positive": "标准问"}, False),
        ("标准问 相似问 答案", "pairs", {"positive": "答案", "similar": "相似问"}, True),
        ("Question Answer", "pairs", {"query": "Question", "positive": "Answer"}, True),
        ("question context answer", "pairs", {"query": "question"}, False),
        ("query response", "pairs", {"query": "query", "positive": "response"}, False),
        ("sentence1 sentence2", "pairs", {"query": "sentence1", "positive": "sentence2"}, False),
        ("anchor positive negative", "triplets", {"query": "anchor", "negative": "negative"}, True),
        ("问题 正例 负例", "triplets", {"query": "问题", "positive": "正例", "negative": "负例"}, True),
        ("query pos neg", "triplets", {"query": "query", "positive": "pos", "negative": "neg"}, True),
        ("query doc_id positive", "pairs", {"document_id": "doc_id"}, True),
    ],
)
def test_columns_by_name(tmp_path: Path, columns: str, format_: str, mapping: dict[str, str], sure: bool) -> None:
    found = detected(tmp_path, table(*columns.split()), "rows.csv")
    assert found.format.name == format_
    for role, column in mapping.items():
        assert found.mapping[role] == (column,)
    assert (not codes(found.problems)) is sure
    got, problems = examples(found)
    assert len(got) == (24 if "similar" in found.mapping else 12)  # each similar question asks as well
    assert not problems


@pytest.mark.parametrize(
    "columns",
    [
        "sentence1 sentence2 score",
        "text1 text2 label",
        "question_1 question_2 similar",
        "句子1 句子2 相似度",
        "query doc label",
        "问题 答案 相关性",
        "s1 s2 gold_label",
        "question1 question2 is_duplicate",
    ],
)
def test_scored_columns(tmp_path: Path, columns: str) -> None:
    names = columns.split()
    found = detected(tmp_path, table(*names, **{names[-1]: 1}), "rows.csv")
    assert found.format.name == "scored"
    assert [found.column(role) for role in ("sentence1", "sentence2", "score")] == names
    assert examples(found)[0][3] == ScoredPair(f"some {names[0]} text 3", f"some {names[1]} text 3", 1.0, 5)


def test_numbered_columns_are_ntuples(tmp_path: Path) -> None:
    found = detected(tmp_path, table("query", "positive", "negative_2", "negative_1", "negative_10"), "rows.csv")
    assert found.format.name == "ntuples"
    assert found.mapping["negative"] == ("negative_1", "negative_2", "negative_10")
    assert examples(found)[0][0].negatives == tuple(f"some negative_{n} text 0" for n in (1, 2, 10))


def test_lists_of_negatives_are_ntuples_also_in_a_csv_cell(tmp_path: Path) -> None:
    rows = [{"query": f"q{i}", "positive": f"p{i}", "negatives": ["n", "", "m"]} for i in range(5)]
    found = detected(tmp_path, rows)
    assert found.format.name == "ntuples"
    assert examples(found)[0][0].negatives == ("n", "m")
    text = "query,positive,negative\n" + "".join(f"q{i},p{i},\"['n', 'm']\"\n" for i in range(5))
    assert examples(detected(tmp_path, text, "rows.csv"))[0][0].negatives == ("n", "m")


def test_flagembedding_layout(tmp_path: Path) -> None:
    row = {
        "query": "q",
        "pos": ["p1", "p2"],
        "neg": ["n"],
        "pos_scores": [1, 0.5],
        "neg_scores": [0.1],
        "prompt": "Find: ",
    }
    rows = [row, row | {"neg_scores": [1, 2]}, row | {"pos": []}, row | {"pos": "text"}, row | {"neg": [{"text": "n"}]}]
    found = detected(tmp_path, rows)
    assert found.format.name == "query_pos_neg"
    got, problems = examples(found)
    assert got[0] == Group("q", ("p1", "p2"), ("n",), (1.0, 0.5), (0.1,), instruction="Find: ", line=1)
    assert got[1].negative_scores == ()
    assert got[2].positives == ("text",)
    assert codes(problems) == {"score-count": 3, "empty-positive": 1, "empty-negative": 1}
    assert codes(problems, "error") == {"not-text": 1}


def test_rows_that_give_no_example_are_told(tmp_path: Path) -> None:
    rows = [
        {"query": "a", "positive": "b", "negative": "c"},
        {"query": " ", "positive": "b", "negative": "c"},
        {"query": "a", "positive": None, "negative": "c"},
        {"query": "a", "positive": "b"},
        {"query": "a", "positive": {"text": "b"}, "negative": "c"},
        {"query": 7, "positive": 1.5, "negative": "c"},
    ]
    got, problems = examples(detected(tmp_path, rows))
    assert [group.line for group in got] == [1, 4, 6]
    assert (got[1].negatives, got[2].query, got[2].positives) == ((), "7", ("1.5",))
    assert [(p.code, p.where.line) for p in problems] == [
        ("empty-query", 2),
        ("empty-positive", 3),
        ("empty-negative", 4),
        ("not-text", 5),
        ("empty-positive", 5),
    ]


@pytest.mark.parametrize(
    ("labels", "scores", "severity"),
    [
        (["0", "1", 1, 0.0, True], [0, 1, 1, 0, 1], ""),
        (["yes", "no", "TRUE", "是", "否", "１"], [1, 0, 1, 1, 0, 1], "note"),
        (["0", "3", "2", "yes", "TRUE", "no"], [0, 3, 2], "warning"),
        (["0.25", "-1", "5e-1", 0.125], [0.25, -1, 0.5, 0.125], ""),
    ],
)
def test_labels(tmp_path: Path, labels: list[Any], scores: list[float], severity: str) -> None:
    rows = [{"query": f"q{i}", "doc": f"d{i}", "label": label} for i, label in enumerate(labels)]
    found = detected(tmp_path, rows)
    got, _ = examples(found)
    assert [pair.score for pair in got] == scores
    said = [problem.severity for problem in found.problems if problem.code in ("label-words", "mixed-labels")]
    assert said == ([severity] if severity else [])


def test_labels_that_are_none(tmp_path: Path) -> None:
    labels = ["0", "1", "1", "0", "", "?", "nan", "inf"]
    rows = [{"query": f"q{i}", "doc": f"d{i}", "label": label} for i, label in enumerate(labels)]
    got, problems = examples(detected(tmp_path, rows))
    assert len(got) == 4
    assert codes(problems) == {"missing-score": 1}
    assert codes(problems, "error") == {"bad-score": 3}


def test_labels_in_words_are_not_taken_for_positives(tmp_path: Path) -> None:
    rows = [{"sentence1": f"a{i}", "sentence2": f"b{i}", "label": "contradiction"} for i in range(5)]
    assert refused(tmp_path, rows).code == "label-words"


def test_tags_beside_question_and_answer_are_only_unused(tmp_path: Path) -> None:
    found = detected(tmp_path, table("问题", "答案", "标签"), "rows.csv")
    assert found.format.name == "pairs"
    assert "columns-unused" in codes(found.problems, "note")


def test_votes_beside_an_answer_are_doubted(tmp_path: Path) -> None:
    rows = [{"question": f"q{i}", "answer": f"a{i}", "score": i * 3} for i in range(30)]
    found = detected(tmp_path, rows)
    assert "score-column" in codes(found.problems)
    assert detected(tmp_path, rows, format="pairs").format.name == "pairs"


@pytest.mark.parametrize(
    "columns",
    [
        "instruction input output",
        "instruction output",
        "messages",
        "conversations",
        "prompt completion",
        "prompt chosen rejected",
        "system query response",
    ],
)
def test_rows_for_language_models_are_not_pairs(tmp_path: Path, columns: str) -> None:
    assert refused(tmp_path, table(*columns.split()), "rows.csv").code == "llm-layout"


def test_rows_for_language_models_can_be_mapped(tmp_path: Path) -> None:
    found = detected(
        tmp_path, table("instruction", "output"), "rows.csv", columns={"query": "instruction", "positive": "output"}
    )
    assert (found.format.name, found.confidence) == ("pairs", 1.0)
    assert not codes(found.problems)


def test_mixed_rows_are_told(tmp_path: Path) -> None:
    rows = [{"instruction": "a", "output": "b"}, {"messages": []}, {"prompt": "a", "completion": "b"}]
    with pytest.raises(BadData) as stopped:
        detected(tmp_path, rows)
    assert [problem.code for problem in stopped.value.problems] == ["llm-layout", "mixed-rows"]


@pytest.mark.parametrize(
    ("mapping", "code", "told"),
    [
        ({"query": "问題", "positive": "答案"}, "unknown-column", "Did you mean 问题?"),
        ({"qurey": "问题", "positive": "答案"}, "unknown-role", "Did you mean query?"),
        ({"positive": "补充"}, "", ""),
    ],
)
def test_wrong_mappings(tmp_path: Path, mapping: dict[str, str], code: str, told: str) -> None:
    text = table("问题", "补充", "答案")
    if not code:
        found = detected(tmp_path, text, "rows.csv", columns=mapping)
        assert (found.column("query"), found.column("positive")) == ("问题", "补充")
        return
    problem = refused(tmp_path, text, "rows.csv", columns=mapping)
    assert problem.code == code
    assert told in problem.line("en")


def test_several_columns_can_be_mapped_to_one_role(tmp_path: Path) -> None:
    text = table("a", "b", "c", "d")
    found = detected(tmp_path, text, "rows.csv", columns={"query": "a", "positive": "b", "negative": "c, d"})
    assert (found.format.name, found.mapping["negative"]) == ("ntuples", ("c", "d"))


def test_mapping_a_score_makes_it_scored(tmp_path: Path) -> None:
    text = table("a", "b", "v", v=1)
    found = detected(tmp_path, text, "rows.csv", columns={"query": "a", "positive": "b", "score": "v"})
    assert (found.format.name, found.column("sentence2")) == ("scored", "b")


def test_unknown_columns_are_listed_with_the_way_out(tmp_path: Path) -> None:
    problem = refused(tmp_path, table("alpha", "beta"), "rows.csv")
    assert problem.code == "unmapped-columns"
    assert "alpha, beta" in problem.line("en")
    assert "--map query=alpha --map positive=beta" in problem.line("en")
    assert refused(tmp_path, table("text"), "rows.csv").code == "unmapped-columns"
    assert "positive" in refused(tmp_path, table("query", "x"), "rows.csv", columns={"query": "query"}).line("en")


def test_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    problem = refused(tmp_path, table("query", "positive"), "rows.csv", format="triplet")
    assert problem.code == "unknown-format"
    assert "Did you mean triplets?" in problem.line("en")
    assert refused(tmp_path, table("query", "positive"), "rows.csv", format="triplets").code == "unmapped-columns"


def test_files_without_header(tmp_path: Path) -> None:
    asked = [f"怎么办理第 {i} 项业务？" for i in range(12)]
    told = [f"请带上第 {i} 份材料，到窗口办理，七天内可取。" for i in range(12)]
    pairs = "".join(f"{q}\t\t{a}\n" for q, a in zip(asked, told, strict=True))
    found = detected(tmp_path, pairs, "rows.tsv")
    assert (found.format.name, found.column("query"), found.column("positive")) == ("pairs", "column_1", "column_3")
    assert "columns-uncertain" in codes(found.problems)
    assert found.confidence < 0.5
    scored = "".join(f"{q}\t{a}\t{i % 2}\n" for i, (q, a) in enumerate(zip(asked, told, strict=True)))
    assert detected(tmp_path, scored, "rows.tsv").format.name == "scored"
    three = "".join(f"{q}\t{a}\t{a}吗？\n" for q, a in zip(asked, told, strict=True))
    assert refused(tmp_path, three, "rows.tsv").code == "unmapped-columns"
    swapped = "".join(f"{a * 3}\t{q}\n" for q, a in zip(asked, told, strict=True))
    assert refused(tmp_path, swapped, "rows.tsv").code == "unmapped-columns"


def test_no_rows(tmp_path: Path) -> None:
    found = detected(tmp_path, "query,positive,negative\r\n", "rows.csv")
    assert found.format.name == "triplets"
    assert codes(found.problems, "error") == {"no-rows": 1}


@pytest.mark.parametrize("columns", ["_id title text", "_id text", "query-id corpus-id score"])
def test_parts_of_a_collection_are_not_pairs(tmp_path: Path, columns: str) -> None:
    assert refused(tmp_path, table(*columns.split(), score=1), "rows.csv").code == "part-of-collection"


def test_conversations_parquet_style_objects_are_no_text(tmp_path: Path) -> None:
    rows = [
        {"question": f"q{i}", "answers": {"text": ["a"], "answer_start": [0]}, "context": f"c{i}"} for i in range(5)
    ]
    found = detected(tmp_path, rows)
    assert (found.column("query"), found.column("positive")) == ("question", "context")
