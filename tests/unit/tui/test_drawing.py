"""Lines and curves as characters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tunewiz.tui.terminal.characters import in_ascii
from tunewiz.tui.widgets.drawing import changed_cells, fit, join_groups, spread, text_of, width_of, wrap_text
from tunewiz.tui.widgets.plotting import Axes, Series, axes_for, bare_chart, chart, plot, sparkline

texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=40)
values = st.lists(st.floats(-1e12, 1e12) | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=60)


@given(texts, texts, st.integers(0, 60))
def test_fitted_lines_are_exactly_as_wide_as_asked(one: str, other: str, width: int) -> None:
    assert width_of(fit([(one, "plain"), (other, "dim")], width)) == width
    assert width_of(spread([(one, "plain")], [(other, "dim")], width)) == width


@given(texts, st.integers(1, 40))
def test_wrapping_loses_no_word_and_keeps_the_width(text: str, width: int) -> None:
    lines = wrap_text(text, max(2, width))
    assert all(width_of(line) <= max(2, width) for line in lines)
    assert "".join("".join(text_of(line) for line in lines).split()) == "".join(text.split())


def test_chinese_breaks_anywhere_but_before_punctuation() -> None:
    lines = [text_of(line) for line in wrap_text("显存不足，请减小批量大小。", 8)]
    assert all(cell_len(line) <= 8 for line in lines)
    assert not any(line.startswith(("，", "。")) for line in lines)


def test_joined_leaves_out_what_does_not_fit() -> None:
    assert text_of(join_groups([[("abc", "")], [("defg", "")], [("h", "")]], 9)) == "abc  defg"


def test_only_cells_that_differ_are_sent() -> None:
    assert changed_cells([("abcd", "x")], [("ab", "x"), ("cd", "x")]) is None
    assert changed_cells([("abcd", "x")], [("abXd", "x")]) == (2, 1)
    assert changed_cells([("长城", "x")], [("长江", "x")]) == (2, 2)
    assert changed_cells([("abcd", "x")], [("abcd", "y")]) == (0, 4)


@given(values, st.integers(1, 40), st.integers(1, 12), st.booleans(), st.booleans())
def test_any_numbers_can_be_drawn(numbers: list[float], width: int, height: int, log: bool, ascii_only: bool) -> None:
    series = [Series(range(1, len(numbers) + 1), numbers, "raw", ".", dots=True)]
    axes = axes_for(series, 100, log)
    if axes is None:
        return
    for line in plot(series, axes, width, height, ascii_only):
        assert width_of(line) == width
        assert not ascii_only or text_of(line).isascii()
    assert len(chart(series, axes, width + 20, height + 2, ascii_only, 3)) == height + 2
    assert len(bare_chart(series, axes, width, height, ascii_only)) == height


def test_a_falling_line_falls() -> None:
    series = Series(range(11), [10.0 - step for step in range(11)], "raw", "*")
    drawn = [text_of(line) for line in plot([series], Axes(0, 10, 0, 10), 11, 11, ascii_only=True)]
    assert [line.index("*") for line in drawn[:-1]] == sorted(line.index("*") for line in drawn[:-1])
    assert drawn[0].startswith("*")
    assert drawn[-1].rstrip().endswith("*")


def test_one_spike_does_not_flatten_the_rest() -> None:
    axes = axes_for([Series(range(200), [1.0 + step % 2 / 10 for step in range(199)] + [1e9], "raw", ".")])
    assert axes is not None
    assert axes.high < 2


def test_the_scale_moves_seldom() -> None:
    rights = {axes_for([Series(range(step), [1.0] * step, "raw", ".")], 1000).right for step in range(1, 1000)}  # type: ignore[union-attr]
    assert len(rights) < 24


def test_a_growing_curve_fills_its_picture_and_one_that_is_over_ends_with_it() -> None:
    for last in range(16, 1000):
        axes = axes_for([Series([0, last], [1.0, 2.0], "raw", ".")], 1000)
        assert axes is not None
        assert 0.78 < axes.across(last) <= 1
    done = axes_for([Series([0, 137], [1.0, 2.0], "raw", ".")])
    assert done is not None
    assert done.right == 137


def test_sparklines() -> None:
    assert sparkline([0, 50, 100, None], 5) == "  ▄█ "
    assert sparkline([100.0] * 9, 3, ascii_only=True) == "@@@"


@given(texts, st.booleans())
def test_ascii_is_as_wide_as_before(text: str, letters: bool) -> None:
    drawn = in_ascii(text, letters)
    assert letters or drawn.isascii()
    assert cell_len(drawn) == cell_len(text)


def test_ascii_keeps_the_shape_of_things() -> None:
    assert in_ascii("╭─ 损失 ─╮│●✓⣀→…") == "+- ???? -+|*+*>~"
    assert in_ascii("╭─ 损失，低 ─╮", letters=True) == "+- 损失，低 -+"
    assert in_ascii("低，高（▷≡）") == "??, ?? (>=) "


@pytest.mark.parametrize("log", [False, True])
def test_values_far_outside_are_drawn_at_the_edge(log: bool) -> None:
    axes = Axes(0.0, 4.0, 1.0, 2.0, log)
    wild = Series([0, 1, 2, 3, 4], [1e308, -1e308, math.nan, math.inf, 1.5], "raw", "*")
    lines = ["".join(text for text, _ in line) for line in plot([wild], axes, 4, 3, ascii_only=True)]
    assert lines[0][0] == "*" and lines[2][1] == "*"
    assert lines[1].endswith("*")
