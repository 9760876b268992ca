"""Cleaning says what it does, keeps scores with their texts, spares code, and is done after one pass.

Clean copies: what is left out is counted, nothing is overwritten, and the copy is clean.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewiz.data.inspection import fix, inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.cleaning import Cleaner, clean
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.data.text.cleaning import CLEANED, clean_text, strip_markup
from tunewiz.problems import BadData, BadPreset

# Cleaning says what it does, keeps scores with their texts, spares code, and is done after one pass.


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("很抱歉<br/>&nbsp;&lt;b&gt;", "很抱歉\n <b>"),
        ("<script>alert(1)</script>Hi <!-- no --> there", "Hi   there"),
        ('<a href="https://example.org/?a=1&b=2">link</a> text', "link text"),
        ("a < b and c > d", "a < b and c > d"),
        ("List<String> and Map<K, V>", "List<String> and Map<K, V>"),
        ("use the <div> tag", "use the <div> tag"),
        ("use `<b>bold</b>` or <b>this</b>", "use `<b>bold</b>` or this"),
        ("```html\n<p>x</p>\n```", "```html\n<p>x</p>\n```"),
        ("https://example.org/?x=1&copy=2 and AT&T", "https://example.org/?x=1&copy=2 and AT&T"),
        ("if x:\n    y = 1\n", "if x:\n    y = 1"),
        ("a\u00a0b  \r\nc\n\n\n\nd", "a b\nc\n\nd"),
        ("\ufeffzero\u200b\x00width", "zerowidth"),
        ("half \ud83d pair", "half  pair"),
        ("👩‍💻 और", "👩‍💻 और"),
    ],
)
def test_texts(text: str, cleaned: str) -> None:
    assert clean_text(text)[0] == cleaned


@given(st.text(alphabet=st.sampled_from("ab<>/&;p br\n\t\u00a0\x00`x#3lgt!-"), max_size=40))
def test_cleaning_twice_changes_nothing_more_but_entities(text: str) -> None:
    once, _ = clean_text(text)
    assert once == once.strip()
    assert "\x00" not in once
    twice, done = clean_text(once)
    assert twice == once or "html" in done  # "&amp;lt;" spells an entity: its second reading is another


@pytest.mark.parametrize(
    "hostile", ["<" * 30_000, "<p " * 20_000, "<!--" * 20_000, "`" * 30_001, "<a x" + " b" * 20_000]
)
def test_hostile_markup_takes_no_time_to_speak_of(hostile: str) -> None:
    assert isinstance(strip_markup(hostile), str)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("ring the bell&#7; &amp; run", "ring the bell & run"),
        ("<p>zero&#8203;width</p>", "zerowidth"),
        ("first&#13;&#10;second&#160;", "first\nsecond"),
        ("one&#10;&#10;&#10;&#10;two", "one\n\ntwo"),
    ],
)
def test_what_an_entity_spells_is_cleaned_too(tmp_path: Path, text: str, cleaned: str) -> None:
    """An entity may stand for a control character or an odd space: the copy is clean after one pass."""
    path = jsonl(tmp_path / "rows.jsonl", [{"query": "how do i do it", "positive": text}])
    fixed = fix(Dataset(str(path)), tmp_path / "clean.jsonl")
    assert [row["positive"] for row in written(fixed.path)] == [cleaned]
    assert not [finding.code for finding in inspect(Dataset(str(fixed.path))).findings if finding.severity != "note"]


def test_a_group_keeps_scores_and_ids_with_their_texts() -> None:
    messy = Group(
        query=" <b>q</b> ",
        positives=("p &amp; q", "", "q", "p2", "p2"),
        negatives=("p2", "n", "", "n"),
        positive_scores=(0.1, 0.2, 0.3, 0.4, 0.5),
        negative_scores=(1.0, 2.0, 3.0, 4.0),
        positive_ids=("a", "b", "c", "d", "e"),
        query_id="7",
        line=12,
    )
    cleaned, done = clean(messy)
    assert cleaned == Group("q", ("p & q", "p2"), ("n",), (0.1, 0.4), (2.0,), "7", ("a", "d"), "", 12)
    assert set(done) == {
        *("html", "whitespace", "empty-positive", "query-equals-positive", "repeated-text"),
        *("positive-among-negatives", "empty-negative"),
    }


def test_what_cannot_be_used_is_dropped() -> None:
    assert clean(Group("", ("p",))) == (None, ["empty-query"])
    assert clean(Group("q", ("q", " ")))[0] is None
    assert clean(ScoredPair("a", " ", 1)) == clean(ScoredPair("\n", "b", 1)) == (None, ["whitespace", "empty-text"])
    assert clean(ScoredPair("a", "b", 1)) == (ScoredPair("a", "b", 1), [])


def test_repeated_rows_are_dropped_and_counted() -> None:
    cleaner = Cleaner()
    rows = [
        Group("Same query", ("p",), line=1),
        Group("Same query", ("p",), line=2),
        Group("same  query?", ("p",), line=3),
        Group("Same query", ("other",), line=4),
    ]
    kept = [cleaned.line for row in rows if isinstance(cleaned := cleaner.clean(row)[0], Group)]
    assert kept == [1, 4]
    assert cleaner.done == {"duplicate-row": 1, "near-duplicate-row": 1}
    assert cleaner.clean(Group("", ("p",))) == cleaner.clean(Group("", ("p",))) == (None, ["empty-query"])


def test_pairs_with_another_score_are_no_repetition() -> None:
    cleaner = Cleaner()
    assert cleaner.clean(ScoredPair("a", "b", 1))[0] is not None
    assert cleaner.clean(ScoredPair("a", "b", 0))[0] is not None
    assert cleaner.clean(ScoredPair("a", "b", 0))[0] is None


def test_everything_done_has_words() -> None:
    _, done = clean(Group(" <b>q</b>\x00 ", ("", "q", "a", "a"), ("", "a")))
    assert set(done) <= set(CLEANED)


# Clean copies: what is left out is counted, nothing is overwritten, and the copy is clean.


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_gbk_table_becomes_a_clean_utf8_table(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    rows = [
        "问题,答案",
        "怎么重启？,<p>按电源键</p>",
        "怎么重启？,<p>按电源键</p>",
        "怎么关机？,",
        "在哪里登录？,在首页，右上角",
    ]
    path.write_bytes("\r\n".join(rows).encode("gbk"))
    fixed = fix(Dataset(str(path), encoding="gbk"), tmp_path / "clean.csv")
    with fixed.path.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["query", "positive"],
            ["怎么重启？", "按电源键"],
            ["在哪里登录？", "在首页，右上角"],
        ]
    assert (fixed.read, fixed.kept) == (4, 2)
    assert fixed.done == {"html": 2, "whitespace": 2, "duplicate-row": 1}
    assert "empty-positive" in [finding.code for finding in fixed.reading]
    assert not [finding for finding in inspect(Dataset(str(fixed.path))).findings if finding.severity != "note"]


def test_broken_lines_are_left_out_of_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"query": "a one", "positive": "b"}\n{"query": "c", \n{"query": "d two", "positive": "e",}\n')
    assert not inspect(Dataset(str(path))).usable
    fixed = fix(Dataset(str(path)), tmp_path / "clean.jsonl")
    assert written(fixed.path) == [{"query": "a one", "positive": "b"}, {"query": "d two", "positive": "e"}]
    assert inspect(Dataset(str(fixed.path))).usable


def test_lists_keep_their_scores_and_need_json_lines(tmp_path: Path) -> None:
    row = {"query": "q", "pos": ["p", ""], "neg": ["n", "p"], "pos_scores": [1.0, 2.0], "neg_scores": [0.1, 0.2]}
    path = jsonl(tmp_path / "rows.jsonl", [row])
    fixed = fix(Dataset(str(path)), tmp_path / "clean.jsonl")
    found = written(fixed.path)[0]
    assert (found["query"], found["pos"], found["neg"]) == ("q", ["p"], ["n"])
    with pytest.raises(BadPreset) as fault:
        fix(Dataset(str(path)), tmp_path / "clean.csv")
    assert fault.value.problems[0].code == "no-table"
    assert not (tmp_path / "clean.csv").exists()


def test_scored_pairs(tmp_path: Path) -> None:
    rows = [{"sentence1": "a ", "sentence2": "b", "score": 0.5}, {"sentence1": "a", "sentence2": "b", "score": 0.5}]
    fixed = fix(Dataset(str(jsonl(tmp_path / "rows.jsonl", rows))), tmp_path / "clean.tsv")
    assert fixed.path.read_text() == "sentence1\tsentence2\tscore\na\tb\t0.5\n"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "rows.jsonl", [{"query": "q", "positive": "p"}])
    before = path.read_bytes()
    with pytest.raises(BadPreset) as fault:
        fix(Dataset(str(path)), path)
    assert fault.value.problems[0].code == "file-exists"
    assert path.read_bytes() == before


def test_rows_for_language_models_keep_their_columns_and_markup(tmp_path: Path) -> None:
    good = {"instruction": "write html", "input": "", "output": "<p>x</p>", "id": 7}
    rows = [good, good, {"instruction": "empty", "input": "", "output": " "}, {**good, "output": "bell\x07 "}]
    fixed = fix(Dataset(str(jsonl(tmp_path / "rows.jsonl", rows))), tmp_path / "clean.jsonl")
    assert written(fixed.path) == [good, {**good, "output": "bell"}]
    assert fixed.done["duplicate-row"] == 1
    assert "empty-answer" in [finding.code for finding in fixed.reading]


def test_a_collection_becomes_a_folder_whose_judgments_all_fit(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    jsonl(
        folder / "corpus.jsonl",
        [{"_id": "d1", "title": "", "text": " <b>one</b> "}, {"_id": "d2", "title": "", "text": ""}],
    )
    jsonl(folder / "queries.jsonl", [{"_id": "q1", "text": "first"}, {"_id": "q2", "text": "second"}])
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t1\nq2\td9\t1\n")
    fixed = fix(Dataset(str(folder)), tmp_path / "clean")
    assert written(fixed.path / "corpus.jsonl") == [{"_id": "d1", "title": "", "text": "one"}]
    assert (fixed.path / "qrels" / "test.tsv").read_text() == "query-id\tcorpus-id\tscore\nq1\td1\t1\n"
    assert (fixed.read, fixed.kept) == (4, 3)
    assert not [f for f in inspect(Dataset(str(fixed.path))).findings if f.code.startswith("unknown")]


def test_what_cannot_be_read_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadData):
        fix(Dataset(str(tmp_path / "missing.csv")), tmp_path / "clean.csv")
    assert list(tmp_path.iterdir()) == []
