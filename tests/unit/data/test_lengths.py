"""Lengths: exact on what fits the sample, close on what does not, and sensible advice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tunewiz.data.rows.examples import Group
from tunewiz.data.text.lengths import BINS, Lengths, LengthSample, TokenCount, estimate_tokens


def words(texts: object) -> list[int]:
    assert isinstance(texts, list)
    return [len(text.split()) for text in texts]


def lengths_of(texts: Iterable[str], count: TokenCount | None = None, role: str = "document") -> Lengths:
    """The lengths of ``texts`` as one role."""
    sample = LengthSample(count)
    empty = Lengths(role, 0, {}, {}, count is not None)
    for text in texts:
        sample.add(role, text)
    return next(iter(sample.lengths()), empty)


def test_percentiles_by_nearest_rank() -> None:
    found = lengths_of(["x" * number for number in range(1, 101)], count=lambda texts: [len(text) for text in texts])
    assert found.characters == {50: 50, 90: 90, 95: 95, 99: 99, 100: 100}
    assert found.tokens == found.characters
    assert found.exact
    assert found.count == 100


def test_no_texts() -> None:
    assert lengths_of([]).count == 0
    assert LengthSample().advice() is None


def test_a_sample_is_close_and_always_the_same() -> None:
    texts = [f"{'x' * (number % 1000)}" for number in range(20_000)]
    first, second = LengthSample(size=2_000), LengthSample(size=2_000)
    for text in texts:
        first.add("query", text)
        second.add("query", text)
    found = first.lengths()[0]
    assert second.lengths() == (found,)
    assert found.count == 20_000
    assert abs(found.characters[50] - 500) < 50
    assert abs(found.characters[99] - 990) < 10
    assert found.characters[100] == 999


def test_advice_is_the_next_usual_length_and_says_what_it_cuts() -> None:
    sample = LengthSample(count=words)
    for number in range(1, 101):
        sample.watch(Group("a short one", ("word " * number,)))
    advice = sample.advice()
    assert advice is not None
    assert advice.max_length == 128
    assert advice.cut == 0

    sample = LengthSample(count=words)
    for _ in range(99):
        sample.add("positive", "word " * 20)
    sample.add("positive", "word " * 4000)
    advice = sample.advice()
    assert advice is not None
    assert (advice.max_length, advice.cut) == (32, 0.01)


def test_estimates_of_both_scripts() -> None:
    assert estimate_tokens("") == 2
    assert estimate_tokens("显存不足怎么办") == 9
    assert 8 <= estimate_tokens("How do I free GPU memory?") <= 9
    assert estimate_tokens("internationalization") > estimate_tokens("word")


def test_the_histogram_counts_every_text() -> None:
    found = lengths_of(["a"] * 3 + ["b " * 48], count=lambda texts: [len(text.split()) for text in texts])
    assert len(found.histogram) == BINS
    assert sum(found.histogram) == found.count == 4
    assert (found.histogram[0], found.histogram[-1]) == (3, 1)


def test_a_part_that_knows_the_limit_measures_less_and_changes_nothing() -> None:
    counted: list[int] = []

    def counting(texts: Sequence[str]) -> list[int]:
        counted.append(len(texts))
        return words(texts)

    whole, later = LengthSample(words, 100), LengthSample(words, 100)
    for line in range(1, 601):
        whole.add("query", "a " * (line % 9 + 1), line)
        later.add("query", "a " * (line % 9 + 1), line)
    assert later.limits and later.limits["query"] < 1 << 64
    part = LengthSample(counting, 100, later.limits)
    for line in range(601, 1201):
        whole.add("query", "a " * (line % 7 + 1), line)
        part.add("query", "a " * (line % 7 + 1), line)
    later.take(part)
    assert later.lengths() == whole.lengths()
    assert sum(counted) < 300  # of 600 texts
