"""Fingerprints and near-duplicates: what counts as the same, what does not, and the same in every process."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from tunewiz.data.text.duplicates import NearDuplicates, Seen, fingerprint, near_pairs, normal

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("How do I reset it?", "how do i  RESET it"),
        ("显存不足，怎么办？", "显存不足怎么办"),
        ("ＧＰＵ　显存", "gpu显存"),
        ("a\tb\u00a0c", "a b c"),
    ],
)
def test_case_width_spaces_and_punctuation_do_not_matter(first: str, second: str) -> None:
    assert normal(first) == normal(second)


@pytest.mark.parametrize(
    ("first", "second"), [("C++", "C#"), ("3.5", "35"), ("?", "!"), ("50 %", "50"), ("显存", "内存"), ("-", "")]
)
def test_what_carries_meaning_stays(first: str, second: str) -> None:
    assert normal(first) != normal(second)


def test_fingerprints_do_not_depend_on_the_process() -> None:
    code = "from tunewiz.data.text.duplicates import fingerprint; print(fingerprint('查询', 'b'))"
    command = [sys.executable, "-c", code]
    printed = {
        subprocess.run(
            command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {f"{fingerprint('查询', 'b')}\n"}


def test_fingerprint_tells_where_one_text_ends() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint("\ud800") != 0  # an unpaired surrogate is text too


def test_seen_keeps_the_first_value_of_each_key_while_it_grows() -> None:
    seen = Seen()
    keys = [fingerprint(str(number)) for number in range(5000)]
    assert all(seen.first(key, value) is None for value, key in enumerate(keys))
    assert [seen.first(key, 7) for key in keys] == list(range(5000))
    assert len(seen) == 5000
    seen.set(keys[3], 99)
    assert seen.get(keys[3]) == 99
    assert seen.get(fingerprint("never")) is None


def test_near_duplicates_are_found_and_others_are_not() -> None:
    texts = [
        "How do I reset the password of my account?",
        "How do I reset the password of my accounts",
        "Where are the invoices of my account?",
        "显存不足怎么办？",
        "显存不足怎么办呢",
        "内存不足怎么办",
    ]
    assert {(pair.first, pair.second) for pair in near_pairs(texts)} == {(0, 1), (3, 4)}


def test_texts_that_differ_in_a_number_are_different() -> None:
    assert (
        near_pairs(["What does error code 403 of the server mean", "What does error code 404 of the server mean"]) == []
    )


def test_empty_and_tiny_texts_are_taken() -> None:
    assert [(pair.first, pair.second) for pair in near_pairs(["", "", "a", "b", "a"])] == [(2, 4)]


def test_nearly_all_pairs_are_found() -> None:
    draw = random.Random(3)
    words = [f"{a}{b}" for a in ("gpu", "disk", "login", "train", "batch", "price") for b in ("s", "ing", "er", "ly")]
    base = [" ".join(draw.choices(words, k=9)) for _ in range(200)]
    texts = base + [text[:-3] + "x" for text in base]
    found = NearDuplicates()
    for text in texts:
        found.add(text)
    alike = {(one, other) for one, other in combinations(range(len(texts)), 2) if found.similarity(one, other) >= 0.8}
    told = {(pair.first, pair.second) for pair in found.pairs()}
    assert told <= alike
    assert len(told) >= 0.95 * len(alike)
    assert len(alike) >= 150


def test_long_texts_are_compared_by_estimate() -> None:
    draw = random.Random(5)
    words = [str(number * 7919) for number in range(3000)]
    long = " ".join(f"w{word}" for word in draw.sample(words, 400))
    found = NearDuplicates()
    found.add(long)
    found.add(long + " and a little more")
    found.add(" ".join(f"w{word}" for word in draw.sample(words, 400)))
    assert found.similarity(0, 1) > 0.8
    assert found.similarity(0, 2) < 0.5


def test_a_text_is_normal_in_one_way_whether_or_not_it_is_ascii() -> None:
    draw = random.Random(3)
    for _ in range(3000):
        text = "A" + "".join(draw.choices([*map(chr, range(128)), *".,1 ."], k=draw.randint(0, 12)))
        assert normal(f"{text}中") == f"{normal(text)}中", repr(text)
