"""Questions answered by SQL: the schema goes with the question, whatever the columns are called, or is missed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

ASKED, ASKED_ZH = "How many ships carry more than {} tons?", "载重超过{}吨的船有多少艘？"
QUERY, TABLE = "SELECT count(*) FROM ships WHERE tons > {}", "CREATE TABLE ships_{} (id INT, tons INT)"
Row = dict[str, Any]


def look(folder: Path, make: Callable[[int], Row], task: str = "llm") -> Inspection:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(make(n), ensure_ascii=False) + "\n" for n in range(9)), encoding="utf-8")
    return inspect(Dataset(str(path)), task)


WITH: dict[str, Callable[[int], Row]] = {
    "context": lambda n: {"question": ASKED.format(n), "context": TABLE.format(n), "answer": QUERY.format(n)},
    "query is the answer": lambda n: {"schema": TABLE.format(n), "question": ASKED.format(n), "query": QUERY.format(n)},
    "ddl": lambda n: {"ddl": TABLE.format(n), "nl": ASKED.format(n), "sql_query": QUERY.format(n)},
    "sql_*": lambda n: {"id": n, "domain": "sea", "sql_prompt": ASKED.format(n), "sql_context": TABLE.format(n),
                        "sql": QUERY.format(n)},
    "objects": lambda n: {"phase": 1, "question": ASKED.format(n), "table": {"header": ["id", "tons", f"c{n}"]},
                          "sql": {"human_readable": QUERY.format(n), "sel": 0}},
    "instruction": lambda n: {"instruction": "Write SQL.", "input": ASKED.format(n), "response": QUERY.format(n),
                              "db_schema": TABLE.format(n)},
    "list of columns": lambda n: {"utterance": ASKED.format(n), "column_names": ["id", "tons", "captain", f"c{n}"],
                                  "gold_sql": QUERY.format(n)},
    "表结构": lambda n: {"表结构": TABLE.format(n), "问题": ASKED_ZH.format(n), "SQL": QUERY.format(n)},
    "数据库": lambda n: {"数据库": TABLE.format(n), "提问": ASKED_ZH.format(n), "SQL语句": QUERY.format(n)},
}  # fmt: skip


@pytest.mark.parametrize("name", WITH)
def test_the_schema_goes_with_the_question(tmp_path: Path, name: str) -> None:
    found = look(tmp_path, WITH[name])
    assert found.usable and found.counts["examples"] == 9, found.findings
    asked, answered = (turn.text for turn in found.conversations[0].turns)
    assert answered == QUERY.format(0)
    assert (ASKED.format(0) in asked or ASKED_ZH.format(0) in asked) and ("ships_0" in asked or "tons" in asked[10:])
    assert "sql-without-schema" not in {one.code for one in found.findings}
    pairs = look(tmp_path, WITH[name], "embedding")
    assert pairs.detection is not None and pairs.usable
    assert pairs.preview[0]["positive"] == QUERY.format(0) and pairs.preview[0]["query"].endswith(("?", "？"))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {"db_id": f"d{n % 3}", "question": ASKED.format(n), "query": QUERY.format(n)},
        lambda n: {"question_id": n, "db_id": "d", "question": ASKED.format(n), "evidence": f"{n} tons", "SQL":
                   QUERY.format(n), "difficulty": "simple"},
        lambda n: {"数据库名": f"库{n % 3}", "问题": ASKED_ZH.format(n), "SQL查询": QUERY.format(n)},
    ],
)  # fmt: skip
def test_a_schema_that_is_missing_is_missed(tmp_path: Path, make: Callable[[int], Row]) -> None:
    found = look(tmp_path, make)
    (told,) = [one for one in found.findings if one.code == "sql-without-schema"]
    assert found.usable and told.severity == "warning"
    names = {"db_id", "数据库名"} & make(0).keys()
    assert names.pop() in told.first[0].line("en")
    if "evidence" in make(0):
        assert "0 tons" in found.conversations[0].turns[0].text


@pytest.mark.parametrize("verb", ["Select", "With", "Update"])
def test_sentences_that_begin_like_statements_are_none(tmp_path: Path, verb: str) -> None:
    found = look(
        tmp_path, lambda n: {"question": f"What then, {n}?", "answer": f"{verb} care go on to the next step {n}."}
    )
    assert found.detection is not None and found.detection.mapping == {
        "prompt": ("question",),
        "completion": ("answer",),
    }
    assert "sql-without-schema" not in {one.code for one in found.findings}
