"""A vector space drawn with characters."""

from __future__ import annotations

import pytest

from tests.unit.backends.test_space import a_space
from tunewiz.language import use
from tunewiz.tui.panels.space import layout_of, print_space, space_lines
from tunewiz.tui.widgets.drawing import Line, text_of, width_of
from tunewiz.tui.widgets.scatter import Frame, Marks, every, scatter

SQUARE = Frame(0, 10, 0, 10)


def test_shapes_stand_where_their_points_are_and_meet() -> None:
    marks = [Marks([(0.1, 9.9), (5, 5)], "good", "+"), Marks([(9.9, 0.1), (5.2, 5.2)], "smooth", "o")]
    drawn = list(map(text_of, scatter(marks, [], SQUARE, 5, 5, "*", ascii_only=True)))
    assert [row.rstrip() for row in drawn] == ["+", "", "  *", "", "    o"]


def test_dots_give_way_to_lines_and_lines_to_shapes() -> None:
    many = Marks([(step / 4, 5.0) for step in range(40)], "dim")
    ends = Marks([(0.1, 5.0), (9.9, 5.0)], "smooth", "o")
    (line,) = [
        row for row in scatter([many, ends], [((0.1, 5.0), (9.9, 5.0))], SQUARE, 8, 3, "*") if text_of(row).strip()
    ]
    assert [style for _, style in line] == ["smooth", "accent", "smooth"]
    assert text_of(line)[0] == text_of(line)[-1] == "o" and all(
        "\u2800" < one <= "\u28ff" for one in text_of(line)[1:-1]
    )


def test_many_shapes_are_thinned_out_evenly() -> None:
    marks = [Marks([(step % 10, step // 10) for step in range(100)], "good", "+")]
    assert every(marks, 10, 10) == 4
    drawn = scatter(marks, [], SQUARE, 10, 10, "*", ascii_only=True)
    assert sum(text_of(row).count("+") for row in drawn) == 25


@pytest.mark.parametrize(("size", "layout"), [((200, 50), "beside"), ((80, 24), "single"), ((80, 60), "below")])
@pytest.mark.parametrize("labels", [(), ("gpu", "显存")])
def test_every_line_fits_the_screen(size: tuple[int, int], layout: str, labels: tuple[str, ...]) -> None:
    use("en")
    width, height = size
    assert layout_of(width, height) == layout
    lines = space_lines(a_space(labels), width, height, False, "after", 1)
    use(None)
    assert len(lines) <= height and all(width_of(line) <= width for line in lines)
    text = "\n".join(map(text_of, lines))
    assert "after" in text and ("before  " in text) == (layout != "single")
    assert "0.500 → 0.750 +0.250  mean cosine, query and answer" in text
    assert "2/2  0.500 → 0.375  text 1" in text and "text 5" in text  # the chosen query and its answer


def test_ascii_draws_each_kind_with_a_shape_of_its_own() -> None:
    use("en")
    lines = space_lines(a_space(), 80, 24, True)
    use(None)
    canvas = "".join(text_of(line) for line in lines[1:-5])
    assert {"o", "+", "."} <= set(canvas) and canvas.isascii()


def test_the_chosen_query_and_its_answer_stand_out() -> None:
    lines: list[Line] = space_lines(a_space(), 80, 24, False, "before", 0)
    drawn = "".join(text_of(line) for line in lines)
    assert drawn.count("●") == drawn.count("■") == 1


def test_it_is_printed_in_what_the_terminal_knows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TUNEWIZ_CHARACTERS", "ascii")
    use("en")
    print_space(a_space())
    printed = capsys.readouterr().out
    assert printed.isascii() and "\x1b" not in printed
    assert all(len(line) <= 150 for line in printed.splitlines())
    monkeypatch.setenv("TUNEWIZ_CHARACTERS", "unicode")
    print_space(a_space())
    use(None)
    assert "◆" in (told := capsys.readouterr().out) and "t-SNE keeps neighbours together" in told
