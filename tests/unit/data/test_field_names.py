"""The same layouts under other names and in another order: read alike, or asked about."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.test_field_retrieval import (
    PAIRS,
    advice_in,
    codes,
    dpr,
    dureader,
    groups_of,
    jsonl,
    looked,
    rejected,
    scores_of,
    swift,
    table,
    tevatron,
    told,
    uniem,
    wrong,
)

Named = Callable[[str, int], str]
#: Ways to write a name that mean the same.
ALIKE: dict[str, Named] = {
    "capitals": lambda name, _: name.upper(),
    "camel": lambda name, _: "".join(word.title() for word in name.split("_")),
    "before": lambda name, _: f"my_{name}",
    "starred": lambda name, _: f"*{name}（必填）",
}
LAYOUTS: list[Callable[[int], dict[str, Any]]] = [dpr, dureader, rejected, swift, tevatron, uniem]


def renamed(row: dict[str, Any], way: Named, seed: int) -> dict[str, Any]:
    names = {name: way(name, place) for place, name in enumerate(row)}
    order = list(row)
    random.Random(seed).shuffle(order)
    return {names[name]: row[name] for name in order}


@pytest.mark.parametrize("way", ALIKE)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(3))
def test_names_written_otherwise_mean_the_same(tmp_path: Path, way: str, layout: Any, seed: int) -> None:
    rows = [layout(place) for place in range(len(PAIRS))]
    plain = groups_of(jsonl(tmp_path / "plain.jsonl", rows))
    path = jsonl(tmp_path / "renamed.jsonl", [renamed(row, ALIKE[way], seed) for row in rows])
    found = groups_of(path)
    assert [(one.query, one.positives, one.negatives) for one in found] == [
        (one.query, one.positives, one.negatives) for one in plain
    ]


def test_what_people_add_to_a_header_is_no_part_of_the_name(tmp_path: Path) -> None:
    for names in (("问题[必填]", "答案[必填]"), ("*Question (required)", "*Answer (required)"), ("＊问题", "＊答案")):
        path = table(tmp_path / "rows.csv", names, PAIRS)
        assert [(one.query, one.positives[0]) for one in groups_of(path)] == PAIRS


LABELLED: dict[str, Callable[[int], Any]] = {
    "classes": lambda place: place % 3,
    "known": lambda place: ("relevant", "not relevant")[place % 2],
    "letters": lambda place: "ESCI"[place % 4],
}


@pytest.mark.parametrize("names", [("x0", "x1", "x2"), ("原句", "结论", "判断"), ("phrase", "claim", "verdict")])
@pytest.mark.parametrize("labels", LABELLED)
@pytest.mark.parametrize("seed", range(3))
def test_labels_under_odd_names_are_never_passed_over(
    tmp_path: Path, names: tuple[str, str, str], labels: str, seed: int
) -> None:
    rows = [dict(zip(names, (*pair, LABELLED[labels](n)), strict=True)) for n, pair in enumerate(PAIRS)]
    path = jsonl(tmp_path / "rows.jsonl", [renamed(row, lambda name, _: name, seed) for row in rows])
    found = looked(path)
    assert not found.usable
    assert codes(found, "error") == [
        {"classes": "label-order", "unknown": "label-words"}.get(labels, "unmapped-columns")
    ]
    mapping, worth = advice_in(told(found, codes(found, "error")[0]))
    after = looked(path, columns=mapping, labels=worth)
    assert after.usable and after.format == "scored" and after.counts["examples"] == len(PAIRS)
    if labels == "known":
        assert set(scores_of(path, columns=mapping)) == {0.0, 1.0}


@pytest.mark.parametrize("seed", range(6))
def test_three_texts_under_odd_names_are_all_mapped(tmp_path: Path, seed: int) -> None:
    rows = [{"x0": query, "x1": answer, "x2": wrong(place)} for place, (query, answer) in enumerate(PAIRS)]
    path = jsonl(tmp_path / "rows.jsonl", [renamed(row, lambda name, _: name, seed) for row in rows])
    line = told(looked(path), "unmapped-columns")
    mapping, _ = advice_in(line)
    assert mapping["query"] == "x0" and set(mapping.values()) == {"x0", "x1", "x2"}
    assert "the other way round" in line  # which of the two is right stands nowhere
    assert looked(path, columns=mapping).usable
