"""Tables, JSON and folders as people make them: what stands around the rows is seen, and every row is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.columns import guesses, spellings, stem_of
from tunewiz.data.reading.source import Dataset

CITIES = ("oslo", "rome", "cairo", "lima", "seoul", "quito", "delhi", "tunis", "perth", "paris", "kyoto", "malmo")
ROWS = [{"question": f"where is {city}?", "answer": f"{city} lies on a map"} for city in CITIES]


def looked(path: Path, **said: Any) -> Inspection:
    return inspect(Dataset(str(path), **said), task="llm")


def told(found: Inspection) -> dict[str, str]:
    return {finding.code: finding.first[0].line("en") for finding in found.findings}


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def is_whole(found: Inspection) -> bool:
    """Whether all twelve questions are there and the first is the first."""
    errors = [finding.code for finding in found.findings if finding.severity == "error"]
    first = found.conversations[0].turns[0].text if found.conversations else ""
    return (found.counts.get("examples"), first, errors) == (12, "where is oslo?", [])


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("bom.jsonl", "\ufeff" + lines(ROWS[:5]) + "\ufeff" + lines(ROWS[5:]), "columns-guessed"),
        ("fence.jsonl", "```json\n" + lines(ROWS) + "```\n", "code-fence"),
        ("fence.json", "```\n" + json.dumps(ROWS, indent=1) + "\n```\n", "code-fence"),
        ("lists.json", json.dumps(ROWS[:7]) + json.dumps(ROWS[7:]), "several-lists"),
        ("inside.jsonl", "".join(json.dumps(json.dumps(row)) + "\n" for row in ROWS), "double-encoded"),
        ("whole.json", json.dumps(json.dumps(ROWS)), "double-encoded"),
    ],
)
def test_json_put_together_by_hand(tmp_path: Path, name: str, text: str, code: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = looked(path)
    assert is_whole(found)
    assert code in told(found)


COLUMNS = {key: [row[key] for row in ROWS] for key in ROWS[0]}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "made",
    [
        COLUMNS,
        {key: {str(number): cell for number, cell in enumerate(cells)} for key, cells in COLUMNS.items()},
        {"columns": list(COLUMNS), "index": [*range(12)], "data": [list(row.values()) for row in ROWS]},
        {f"city-{number}": row for number, row in enumerate(ROWS)},
    ],
    ids=["lists", "cells", "split", "by-id"],
)
def test_one_object_with_all_rows_is_turned(tmp_path: Path, made: Any, indent: int | None) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(made, indent=indent))
    found = looked(tmp_path / "rows.json")
    assert is_whole(found)
    assert "rows-turned" in told(found)


def test_texts_under_keys_are_rows_of_which_the_user_says_what_is_what(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({row["question"]: row["answer"] for row in ROWS}))
    assert "--map prompt=entry --map completion=value" in told(looked(path))["unmapped-columns"]
    assert is_whole(looked(path, columns={"prompt": "entry", "completion": "value"}))
    asked = inspect(Dataset(str(path), columns={"query": "entry", "positive": "value"}), task="embedding")
    assert asked.counts["examples"] == 12


def test_lists_of_texts_under_their_labels_are_a_row_each(tmp_path: Path) -> None:
    path = tmp_path / "intents.json"
    made = {
        label: [f"{label} {city}" for city in CITIES[start:]]
        for start, label in enumerate(["go", "stay", "eat", "see", "buy"])
    }
    path.write_text(json.dumps(made))
    assert "--map text=value --map label=entry" in told(looked(path))["unmapped-columns"]
    found = looked(path, columns={"text": "value", "label": "entry"})
    assert (found.format, found.counts["examples"]) == ("classification", sum(map(len, made.values())))


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": {"role": "assistant", "content": "yes"}, "rejected": {"role": "assistant", "content": "no"}},
        {"positive": {"text": "this"}, "negative": {"text": "that"}},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_objects_of_one_row_are_not_taken_for_rows(tmp_path: Path, row: Any, indent: int | None) -> None:
    (tmp_path / "row.json").write_text(json.dumps(row, indent=indent))
    found = looked(tmp_path / "row.json")
    assert found.source
    assert (found.source.columns, found.format) == (tuple(row), "")
    assert "rows-turned" not in told(found)


def test_one_row_alone_stays_one(tmp_path: Path) -> None:
    row = {"instruction": "where?", "input": "", "output": "there", "system": "be kind", "history": []}
    (tmp_path / "row.json").write_text(json.dumps(row, indent=1))
    assert looked(tmp_path / "row.json").counts["examples"] == 1


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("page.txt", "\n<!DOCTYPE html>\n<html><body>a, b</body></html>\n", "HTML"),
    ],
)
def test_markup_is_refused_by_name(tmp_path: Path, name: str, text: str, kind: str) -> None:
    (tmp_path / name).write_text(text)
    assert kind in told(looked(tmp_path / name))["unsupported-file"]


def table(heading: str, rows: list[dict[str, Any]], sign: str = ",") -> str:
    return heading + "\n" + "".join(f"{row['question']}{sign}{row['answer']}\n" for row in rows)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (table("\ufeffquestion,answer", ROWS[:6]) + table("\ufeffquestion,answer", ROWS[6:]), "repeated-header"),
        ("Questions of 2024,\n,\n" + table("question,answer", ROWS), "title-rows"),
        (table("*问题内容（必填）,【回答】（标准）", ROWS), "columns-guessed"),
        (table("问题@@答案", ROWS, "@@"), "delimiter-detected"),
        (table("Ｑｕｅｓｔｉｏｎ,Reference Answer", ROWS), "columns-guessed"),
    ],
)
def test_tables_as_people_make_them(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    found = looked(path)
    assert is_whole(found)
    assert code in told(found)


def test_a_workbook_with_a_cover_a_title_and_merged_cells(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "cover"
    book.active.append(["Questions of our callers"])
    sheet = book.create_sheet("data")
    sheet.append(["Questions of 2024 (12)"])
    sheet.append([])
    sheet.append(["类别", "问题", "标准回答"])
    for number, row in enumerate(ROWS):
        sheet.append(["north" if number == 0 else "south" if number == 6 else None, row["question"], row["answer"]])
    sheet.merge_cells("A1:C1")
    sheet.merge_cells("A4:A9")
    sheet.merge_cells("A10:A15")
    book.save(tmp_path / "rows.xlsx")
    found = looked(tmp_path / "rows.xlsx")
    assert is_whole(found)
    assert {"sheet-chosen", "title-rows"} <= set(told(found))
    labelled = looked(tmp_path / "rows.xlsx", columns={"text": "问题", "label": "类别"})
    assert {key: count for key, count in labelled.counts.items() if key.startswith("label:")} == {
        "label:north": 6, "label:south": 6}  # fmt: skip


def test_names_of_columns_with_what_stands_around_them() -> None:
    assert spellings("*问题（必填）") == ("问题必填", "问题")
    assert (stem_of("用户问题内容"), stem_of("reference_answer"), stem_of("answer")) == ("问题", "answer", "answer")
    assert guesses("llm_prompt", ["客户提问", "other"])[0].column == "客户提问"
    assert guesses("llm_completion", ["A", "B"]) == []


def parquet(path: Path, rows: list[dict[str, Any]], features: dict[str, Any] | None = None) -> None:
    import pyarrow
    import pyarrow.parquet

    made = pyarrow.Table.from_pylist(rows)
    if features:
        made = made.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": features}}).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(made, path)


def test_names_of_classes_in_parquet(tmp_path: Path) -> None:
    rows = [{"text": row["question"], "label": number % 2} for number, row in enumerate(ROWS)]
    parquet(tmp_path / "rows.parquet", rows, {"label": {"names": ["near", "far"], "_type": "ClassLabel"}})
    assert [row.label for row in looked(tmp_path / "rows.parquet").conversations[:2]] == ["near", "far"]


def test_a_repository_of_shards_with_splits(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    for number, part in enumerate((ROWS[:8], ROWS[8:])):
        parquet(tmp_path / "data" / f"train-0000{number}-of-00002.parquet", part)
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", ROWS[:3])
    found = looked(tmp_path)
    assert is_whole(found)
    assert "data.evaluation.data" in told(found)["other-splits"]
    assert looked(tmp_path, split="test").counts["examples"] == 3


def test_splits_and_what_lies_beside_them(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(lines(ROWS))
    (tmp_path / "valid.jsonl").write_text(lines(ROWS[:2]))
    (tmp_path / "LICENSE.txt").write_text("free")
    found = looked(tmp_path)
    assert is_whole(found)
    assert "valid.jsonl" in told(found)["other-splits"]
    (tmp_path / "train_b.csv").write_text(table("question,answer", ROWS))
    assert "which-file" in told(looked(tmp_path))


def test_what_save_to_disk_wrote(tmp_path: Path) -> None:
    import pyarrow

    made = pyarrow.Table.from_pylist(ROWS)
    with (tmp_path / "data-00000-of-00001.arrow").open("wb") as file, pyarrow.ipc.new_stream(file, made.schema) as out:
        out.write_table(made)
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": {}}))
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    assert is_whole(looked(tmp_path))
    (tmp_path / "data-00000-of-00001.arrow").write_bytes(b"no arrow at all")
    assert "damaged-file" in told(looked(tmp_path))


def test_a_folder_for_each_class_and_of_texts(tmp_path: Path) -> None:
    for number, row in enumerate(ROWS):
        folder = tmp_path / ("near" if number % 2 else "far")
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.txt").write_text(row["question"])
    found = looked(tmp_path)
    assert (found.format, found.counts["label:near"], found.counts["label:far"]) == ("classification", 6, 6)
    alone = looked(tmp_path / "near")
    assert (alone.format, alone.counts["examples"]) == ("text", 6)


@pytest.mark.parametrize(
    ("entry", "rows", "expected"),
    [
        ({"columns": {"prompt": "x", "response": "y"}}, [{"x": "ask", "y": "told", "id": 1}], "alpaca"),
        ({"formatting": "sharegpt", "columns": {"messages": "talk"}, "tags": {"user_tag": "guest-a",
                                                                               "assistant_tag": "host-b"}},
         [{"talk": [{"from": "guest-a", "value": "ask"}, {"from": "host-b", "value": "told"}]}], "sharegpt"),
        ({"ranking": True, "columns": {"prompt": "x", "chosen": "y", "rejected": "z"}},
         [{"x": "ask", "y": "told", "z": "no"}], "preference"),
        ({"columns": {"prompt": "x"}}, [{"x": "all of it"}], "text"),
    ],
)  # fmt: skip
def test_the_list_of_llama_factory(
    tmp_path: Path, entry: dict[str, Any], rows: list[dict[str, Any]], expected: str
) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": {"file_name": "mine.json"} | entry}))
    found = looked(tmp_path)
    assert (found.format, found.counts["examples"]) == (expected, 1)
    more = {"mine": {"file_name": "mine.json"} | entry, "other": {"file_name": "mine.json"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(more))
    assert "which-file" in told(looked(tmp_path))
    assert looked(tmp_path, split="mine").format == expected
