"""Cleaning says what it does, keeps scores with their texts, spares code, and is done after one pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.cleaning import DONE, Cleaner, clean, clean_text
from data.examples import Group, ScoredPair
from data.markup import strip


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
    assert isinstance(strip(hostile), str)


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
    assert clean(ScoredPair("a", " ", 1))[0] is None
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


def test_pairs_with_another_score_are_no_repetition() -> None:
    cleaner = Cleaner()
    assert cleaner.clean(ScoredPair("a", "b", 1))[0] is not None
    assert cleaner.clean(ScoredPair("a", "b", 0))[0] is not None
    assert cleaner.clean(ScoredPair("a", "b", 0))[0] is None


def test_everything_done_has_words() -> None:
    _, done = clean(Group(" <b>q</b>\x00 ", ("", "q", "a", "a"), ("", "a")))
    assert set(done) <= set(DONE)
