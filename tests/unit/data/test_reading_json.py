from __future__ import annotations

import itertools
import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from tunewiz.data.inspection import inspect
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset, Row, Source
from tunewiz.problems import Problem


def rows_of(folder: Path, data: str | bytes, name: str) -> tuple[Source, list[Row], list[Problem]]:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    problems: list[Problem] = []
    source = discover(Dataset(str(path)))
    return source, list(read(source, problems.append)), problems


def told(problems: list[Problem]) -> list[tuple[str, int]]:
    return [(problem.code, problem.where.line) for problem in problems]


GOOD = '{"query": "a", "positive": "b"}'


def test_every_damage_of_json_lines_is_named_with_its_line(tmp_path: Path) -> None:
    lines = [
        "// exported",
        GOOD,
        GOOD + ",",
        "",
        "{'query': 'it\\'s', 'positive': 'b'}",
        GOOD + GOOD,
        '{"query": "a", "positive": "one',
        'two"}',
        '{"query": "a", "positive": NaN}',
        '{"query": "a", "positive": "cut off he',
        GOOD,
        '{"query": "a", "positive": "b",}',
        '{"query": a}',
        '["a", "b"]',
        '{"query": "half \\ud83d", "positive": "b"}',
        GOOD,
    ]
    _, rows, problems = rows_of(tmp_path, "\n".join(lines), "rows.jsonl")
    assert told(problems) == [
        ("comment-line", 1),
        ("trailing-comma", 3),
        ("blank-line", 4),
        ("single-quotes", 5),
        ("two-objects-on-a-line", 6),
        ("raw-newline", 7),
        ("nan-literal", 9),
        ("bad-json", 10),
        ("trailing-comma", 12),
        ("bad-json", 13),
        ("not-an-object", 14),
    ]
    assert [row.line for row in rows] == [2, 3, 5, 6, 6, 7, 9, 11, 12, 15, 16]
    assert rows[2].values["query"] == "it's"
    assert rows[5].values["positive"] == "one\ntwo"
    assert rows[6].values["positive"] is None
    assert rows[9].values["query"] == "half \ufffd"
    severities = {problem.code: problem.severity for problem in problems}
    assert severities["bad-json"] == severities["not-an-object"] == "error"
    assert severities["trailing-comma"] == severities["single-quotes"] == "warning"


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.txt", "rows.csv"])
def test_json_lines_under_any_name(tmp_path: Path, name: str) -> None:
    source, rows, problems = rows_of(tmp_path, f"{GOOD}\n{GOOD}\n", name)
    assert (source.container, len(rows), problems) == ("jsonl", 2, [])


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_know_the_line_of_each_row(tmp_path: Path, name: str, indent: int | None) -> None:
    made = [{"query": f"q{i}", "positive": "x\ny"} for i in range(3)]
    source, rows, problems = rows_of(tmp_path, json.dumps(made, indent=indent), name)
    assert (source.container, source.columns, problems) == ("json", ("query", "positive"), [])
    assert [row.values for row in rows] == made
    assert [row.line for row in rows] == ([1, 2, 3] if indent is None else [2, 6, 10])  # one line: by number


def test_rows_under_a_key(tmp_path: Path) -> None:
    made = {"version": "1", "meta": {"a": [1]}, "data": [{"query": "a"}, {"query": "b"}], "other": [{"x": 1}]}
    source, rows, _ = rows_of(tmp_path, json.dumps(made), "rows.json")
    assert source.rows_under == "data"
    assert [row.values for row in rows] == made["data"]
    assert {problem.code for problem in source.notes} == {"rows-under-key", "other-lists"}


def test_one_row_with_nested_lists_is_a_row(tmp_path: Path) -> None:
    made = {"conversations": [{"from": "human", "value": "a"}], "id": 1}
    for text in (json.dumps(made), json.dumps(made, indent=1), json.dumps(made, indent=1) * 2):
        source, rows, _ = rows_of(tmp_path, text, "rows.json")
        assert source.rows_under == ""
        assert rows[0].values == made


def test_objects_back_to_back(tmp_path: Path) -> None:
    text = "".join(json.dumps({"query": f"q{i}", "positive": "p"}, indent=2) for i in range(4))
    source, rows, problems = rows_of(tmp_path, text, "rows.json")
    assert (source.container, problems) == ("json", [])
    assert [(row.line, row.values["query"]) for row in rows] == [(1, "q0"), (4, "q1"), (7, "q2"), (10, "q3")]


def test_reading_goes_on_behind_a_damaged_row_of_an_array(tmp_path: Path) -> None:
    made = [json.dumps({"query": f"q{i}", "parts": [{"a": 1}, {"a": 2}]}, indent=1) for i in range(6)]
    made[2] = made[2].replace(":", "", 1)
    made[4] = made[4].replace('"q4"', '"q4')
    _, rows, problems = rows_of(tmp_path, "[" + ",\n".join(made) + "]", "rows.json")
    assert [row.values["query"] for row in rows] == ["q0", "q1", "q3", "q5"]
    assert {problem.code for problem in problems} == {"bad-json"}


def test_an_array_cut_off(tmp_path: Path) -> None:
    _, rows, problems = rows_of(tmp_path, f"[{GOOD},\n{GOOD},", "rows.json")
    assert (len(rows), told(problems)) == (2, [("cut-off", 2)])
    _, rows, problems = rows_of(tmp_path, f"[{GOOD},\n{GOOD[:12]}", "rows.json")
    assert (len(rows), told(problems)) == (1, [("bad-json", 2)])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings_of_json(tmp_path: Path, encoding: str) -> None:
    made = [{"问题": f"怎么退货 {i}？", "答案": "七天内可以办理退货"} for i in range(5)]
    for name, text in (
        ("a.json", json.dumps(made, ensure_ascii=False, indent=1)),
        ("a.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in made)),
    ):
        _, rows, problems = rows_of(tmp_path, text.encode(encoding), name)
        assert [row.values for row in rows] == made
        assert not problems


@pytest.mark.parametrize(
    ("made", "turned"),
    [
        ({"a": {"query": 1}, "b": {"query": 2}}, [{"id": "a", "query": 1}, {"id": "b", "query": 2}]),
        ({"a b": {"query": 1}, "c d": {"query": 2}}, [{"entry": "a b", "query": 1}, {"entry": "c d", "query": 2}]),
        (
            {"query": ["a", "b"], "positive": ["c", "d"]},
            [{"query": "a", "positive": "c"}, {"query": "b", "positive": "d"}],
        ),
        ({"query": "a", "positive": ["c", "d"]}, [{"query": "a", "positive": ["c", "d"]}]),
        ({"columns": ["query"], "data": [["a"], ["b"]]}, [{"query": "a"}, {"query": "b"}]),
    ],
)
def test_an_object_that_holds_all_rows(tmp_path: Path, made: object, turned: list[object]) -> None:
    _, rows, _ = rows_of(tmp_path, json.dumps(made, indent=1), "rows.json")
    assert [row.values for row in rows] == turned
    assert [row.line for row in rows] == list(range(1, len(turned) + 1))


def test_very_deep_and_very_long_numbers_are_bad_rows(tmp_path: Path) -> None:
    text = f'{GOOD}\n{{"a": {"[" * 100_000}\n{{"a": {"9" * 10_000}}}\n{GOOD}\n'
    _, rows, problems = rows_of(tmp_path, text, "rows.jsonl")
    assert len(rows) == 2
    assert Counter(problem.code for problem in problems) == {"bad-json": 2}


def test_one_line_longer_than_a_line_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunewiz.data.reading.streams.LINE_LIMIT", 1000)
    made = [{"query": f"q{i}", "positive": "p" * 40} for i in range(50)]
    _, rows, problems = rows_of(tmp_path, json.dumps(made), "rows.json")
    assert (len(rows), problems) == (50, [])
    long = json.dumps({"query": "q" * 3000})
    _, rows, problems = rows_of(tmp_path, f"{GOOD}\n{long}\n{GOOD}\n", "rows.jsonl")
    assert ([row.line for row in rows], told(problems)) == ([1, 3], [("line-too-long", 2)])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    row = json.dumps({"query": "q" * 400, "positive": "p" * 600})
    path = tmp_path / "big.json"
    path.write_text('{"data": [' + ",".join([row] * 40_000) + "]}", encoding="utf-8")  # 40 MB on one line
    source = discover(Dataset(str(path)))
    tracemalloc.start()
    count = sum(1 for _ in read(source, lambda _problem: None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40_000
    assert peak < 8 << 20


def test_objects_under_their_ids_below_a_key_are_rows(tmp_path: Path) -> None:
    rows = {f"q{number}": {"question": f"what is {number}?", "answer": f"{number} it is"} for number in range(1, 4)}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"version": "1.1", "data": rows}), encoding="utf-8")
    found = inspect(Dataset(str(path)), "embedding")
    assert (found.usable, found.counts) == (True, {"rows": 3, "examples": 3})
    assert found.preview[0] == {"query": "what is 1?", "positive": "1 it is"}
    assert {"rows-under-key", "rows-turned"} <= {finding.code for finding in found.findings}


def test_columns_of_unequal_lengths_are_refused(tmp_path: Path) -> None:
    columns = {"query": ["a b", "c d"], "positive": ["x y"]}
    path = tmp_path / "rows.json"
    for held, task in itertools.product(
        (columns, {"data": columns}, {"v": "1", "rows": columns}), ("embedding", "llm")
    ):
        path.write_text(json.dumps(held, indent=2 if task == "llm" else None), encoding="utf-8")
        found = inspect(Dataset(str(path)), task)
        assert [finding.code for finding in found.findings if finding.severity == "error"] == ["unequal-columns"]
        assert "query 2, positive 1" in found.findings[0].first[0].line("en")


def test_splits_and_columns_below_keys_are_read(tmp_path: Path) -> None:
    rows = {f"id_{number}": {"question": f"what is {number}?", "answer": f"{number} it is"} for number in range(6)}
    columns = {"question": [f"what is {number}?" for number in range(6)], "answer": ["it is"] * 6}
    for held, codes in (({"train": rows, "test": rows}, {"other-lists"}), ({"meta": {"v": 1}, "data": columns}, set())):
        path = tmp_path / "rows.json"
        path.write_text(json.dumps(held), encoding="utf-8")
        found = inspect(Dataset(str(path)), "embedding")
        assert found.counts == {"rows": 6, "examples": 6}
        assert codes | {"rows-under-key", "rows-turned"} <= {finding.code for finding in found.findings}
    named = {"\u7f16\u53f7" + key: row for key, row in rows.items()}
    path.write_text(json.dumps({"data": named}), encoding="utf-8")
    assert "texts-unused" not in {finding.code for finding in inspect(Dataset(str(path)), "embedding").findings}
