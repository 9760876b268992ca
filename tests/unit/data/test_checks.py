"""Checks of examples: every finding with its line, nothing found where nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tunewiz.data.checks.check import Setting, checks, watch
from tunewiz.data.checks.placed import Placed
from tunewiz.data.rows.examples import Example, Group, ScoredPair
from tunewiz.problems import Findings, Problem

SETTING = Setting("train.jsonl")


def found(examples: Iterable[Example], setting: Setting = SETTING) -> list[Problem]:
    placed, findings = Placed(kept=1000), Findings(kept=1000)
    rows = list(examples)
    assert list(watch(rows, setting, placed)) == rows
    placed.flush(findings)
    return [problem for finding in findings.summary() for problem in finding.first]


def codes(examples: Iterable[Example]) -> list[tuple[str, int]]:
    return [(problem.code, problem.where.line) for problem in found(examples)]


def group(query: str, positive: str, *negatives: str, line: int = 1) -> Group:
    return Group(query, (positive,), negatives, line=line)


def test_good_rows_have_no_findings() -> None:
    rows = [
        group("How much memory does LoRA need?", "About two bytes a parameter, and a little more: a < b.", "No."),
        group("怎么查看显存？", "运行 nvidia-smi，看 Memory-Usage 一列。", "用 df 看磁盘。", line=2),
        group("Which type is it?", "It is `List<String>`; see <string> in the docs & more.", line=3),
    ]
    assert found(rows) == []


def test_every_check_is_found_by_its_file_name() -> None:
    names = {check.__name__ for check in checks()}
    assert {
        "Empty",
        "Repeats",
        "SimilarQueries",
        "Overlap",
        "Length",
        "Html",
        "Characters",
        "Labels",
        "Swapped",
    } <= names


def test_empty_texts() -> None:
    rows: list[Example] = [group(" ", "a"), group("q", "\n", line=2), group("q2", "a2", "", line=3)]
    assert codes(rows) == [("empty-query", 1), ("empty-positive", 2), ("empty-negative", 3)]
    assert codes([ScoredPair("", "b", 1, 4), ScoredPair("a", "b", 0, 5)])[0] == ("empty-text", 4)


def test_duplicates_name_the_first_line() -> None:
    rows = [group("q one two", "p"), group("q one two", "p", line=2), group("Q one  two!", "p", line=3)]
    problems = found(rows)
    assert [(problem.code, problem.where.line) for problem in problems] == [
        ("duplicate-row", 2),
        ("near-duplicate-row", 3),
    ]
    assert problems[0].message.values["line"] == 1
    assert str(problems[0].where) == "train.jsonl:2"


def test_a_query_with_two_positives_in_two_rows_is_fine() -> None:
    assert found([group("same query", "one"), group("same query", "two", line=2)]) == []


def test_near_duplicate_queries() -> None:
    rows = [group("How do I reset the password here", "a"), group("How do I reset the passwords here", "b", line=9)]
    assert codes(rows) == [("near-duplicate-query", 9)]


def test_query_equals_positive() -> None:
    assert codes([group("same", " same ")]) == [("query-equals-positive", 1)]


def test_positive_among_negatives_in_a_row_and_across_rows() -> None:
    assert codes([group("q", "p", "n", "p")]) == [("positive-among-negatives", 1)]
    rows = [group("q", "p", "n"), group("q", "p2", "p", line=2), group("q", "n", "x", line=3)]
    assert codes(rows) == [("positive-among-negatives", 2), ("positive-among-negatives", 3)]


def test_a_negative_of_another_query_is_fine() -> None:
    assert found([group("first one", "p", "n"), group("another thing", "n", "p", line=2)]) == []


def test_too_long_by_estimate_and_by_count() -> None:
    assert codes([group("q", "word " * 600)]) == [("too-long", 1)]
    assert codes([group("q", "长" * 511)]) == [("too-long", 1)]
    counted = Setting("f", max_tokens=8, count=lambda texts: [len(text.split()) for text in texts])
    problems = found([group("q", "one two three four five six seven eight nine")], counted)
    assert problems[0].message.values["tokens"] == 9


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<p>hello</p>", "html"),
        ("one<br/>two", "html"),
        ("fish &amp; chips", "html"),
        ("a\x07bell", "control-characters"),
        ("\x1b[31mred", "control-characters"),
        ("left\u202eright", "control-characters"),
        ("half a pair \ud83d", "control-characters"),
        ("lost \ufffd here", "replacement-character"),
        ("cafÃ© au lait", "mojibake"),
        ("itâ€™s wrong", "mojibake"),
        ("ä¸\xadæ–‡", "mojibake"),
        ("锟斤拷", "mojibake"),
    ],
)
def test_damaged_text(text: str, code: str) -> None:
    assert code in [name for name, _ in codes([group("query", text)])]


@pytest.mark.parametrize(
    "text", ["CAFÉ» naïve Übergröße", "São Paulo, Âge, 5 °C", "emoji 👩‍💻 and नमस्ते", "x<y && y>z", "R&D"]
)
def test_unusual_text_is_not_damage(text: str) -> None:
    assert found([group("query", text)]) == []


def pairs(scores: Iterable[float]) -> list[ScoredPair]:
    return [ScoredPair(f"first {number}", f"second {number}", score, number) for number, score in enumerate(scores, 2)]


def test_single_label_and_skew() -> None:
    assert codes(pairs([1] * 30)) == [("single-label", 0)]
    assert codes(pairs([1] * 39 + [0])) == [("label-skew", 0)]
    assert codes(pairs([0, 1] * 20)) == []


def test_one_sided_scores() -> None:
    assert codes(pairs([0.8 + number / 1000 for number in range(100)])) == [("one-sided-labels", 0)]
    assert codes(pairs([number / 100 for number in range(100)])) == []


def test_mixed_scales_name_a_line() -> None:
    assert codes(pairs([0, 1, 2, 3] * 5 + [0.7])) == [("odd-scale", 22)]
    assert codes(pairs([0, 1, 2, 3] * 5 + [-1])) == [("odd-scale", 22)]
    assert codes(pairs([0, 2.5, 3.2, 5.0] * 5)) == []
    assert codes(pairs([-0.3, 0.9] * 5)) == []


def test_contradicting_labels_name_both_lines() -> None:
    rows = [ScoredPair("a", "b", 1, 2), ScoredPair("c", "d", 0, 3), ScoredPair("a", "b", 0, 4)]
    problem = found(rows)[0]
    assert (problem.code, problem.where.line, problem.message.values["line"]) == ("contradicting-label", 4, 2)


def answers(number: int) -> list[Group]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [letters[index % 26] * 3 + letters[index // 26] * 3 for index in range(number)]
    return [
        group(f"what is {name}", f"{name} is a thing that " + f"does {name} " * 20, line=index)
        for index, name in enumerate(names, 1)
    ]


def test_swapped_rows_and_swapped_columns() -> None:
    rows = answers(30)
    rows[6] = Group(rows[6].positives[0], (rows[6].query,), line=7)
    assert ("swapped-row", 7) in codes(rows)
    assert not any(code.startswith("swapped") for code, _ in codes(answers(30)))
    backwards = [Group(row.positives[0], (row.query,), line=row.line) for row in answers(30)]
    assert ("swapped-columns", 0) in codes(backwards)


def test_findings_keep_the_first_and_count_all() -> None:
    findings = Findings(kept=2)
    for problem in found(group("q" * number, "<b>x</b>" + "y" * number, line=number) for number in range(1, 8)):
        findings(problem)
    html = next(finding for finding in findings.summary() if finding.code == "html")
    assert html.count == 7
    assert [problem.where.line for problem in html.first] == [1, 2]
    assert findings.errors == 0
