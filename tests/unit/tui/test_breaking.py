"""Lines are broken between words, and between Chinese characters, wherever rich and Textual break them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import rich._wrap
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from textual.content import Content
from typer.testing import CliRunner

from tunewiz.language import translate, use
from tunewiz.tui import cli
from tunewiz.tui.terminal.breaking import break_between_characters, words
from tunewiz.tui.widgets.drawing import text_of, wrap_text

_PLAIN = rich._wrap.words
_SENTENCE = "用 校园问答.csv 的 54 行来学习，另留 6 行（约一成）在训练前后评测；如果变差了，“结论”里也会如实说明……"


@pytest.fixture(autouse=True)
def broken_so() -> Iterator[None]:
    before = rich._wrap.words
    break_between_characters()
    yield
    rich._wrap.words = before


@given(st.text("ab ,.()x3%[]’“”—…é\t\n", max_size=40))
def test_without_chinese_all_is_as_it_was(text: str) -> None:
    assert list(words(text)) == list(_PLAIN(text))


@given(st.text("ab ,.()（），。你好“”x3%…《》ー\t\U00020001", max_size=40))
def test_nothing_is_lost(text: str) -> None:
    assert "".join(word for _, _, word in words(text)) == (text if text.strip() else "")


@pytest.mark.parametrize("width", range(12, 60, 7))
def test_lines_are_filled_and_no_mark_stands_on_the_wrong_side(width: int) -> None:
    lines = [line.plain.rstrip() for line in Text(_SENTENCE).wrap(Console(width=width), width)]
    assert "".join(lines).replace(" ", "") == _SENTENCE.replace(" ", "")
    for line, following in itertools.pairwise(lines):
        assert cell_len(line) <= width
        assert following[0] not in "，。；、）”…"
        assert line[-1] not in "（“"
        if "csv" not in following[:12]:  # a word of letters stays whole
            assert cell_len(line) >= width - 7


def test_an_apostrophe_is_no_end_of_a_word() -> None:
    assert [word for _, _, word in words("他说 don’t，然后走了")][2:4] == ["don’t，", "然"]


@pytest.mark.parametrize("width", range(12, 60, 7))
def test_what_is_drawn_is_broken_by_the_same_rule(width: int) -> None:
    drawn = [text_of(line) for line in wrap_text(_SENTENCE, width)]
    assert drawn == [line.plain.rstrip() for line in Text(_SENTENCE).wrap(Console(width=width), width)]


def test_textual_breaks_so_too() -> None:
    lines = Content("显存不够用时，先把批大小减半，再打开梯度检查点").wrap(20)
    assert [line.plain for line in lines] == ["显存不够用时，先把批", "大小减半，再打开梯度", "检查点"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_of_every_command_fits_eighty_cells_and_names_no_type_of_the_language(language: str) -> None:
    use(language)
    cli.speak()
    try:
        for command in ([], *([name] for name in cli.COMMANDS)):
            told = CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "80"})
            assert told.exit_code == 0
            assert max(map(cell_len, told.output.splitlines())) <= 80, command
            assert "<" not in told.output.replace("8<=x<=20000", ""), told.output
            assert language == "en" or not {"required", "default", "Who"} & set(told.output.split())
            if not command:
                shown = "".join(told.output.split())
                assert all("".join(translate(does).split()) in shown for does in cli.COMMANDS.values())
    finally:
        use(None)


def test_a_column_of_chinese_leaves_its_neighbours_their_room() -> None:
    """A sentence was one word to tables: beside it names of measures were cut."""
    sentence = Content("正确段落有多少在前 k 个里？")
    assert sentence.get_minimal_width({}) <= 4
    assert Content("Recall@k is one").get_minimal_width({}) == len("Recall@k")
