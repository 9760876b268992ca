"""Close calls: which mark parts the cells, what quotes mean, and whether the first line names the columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset, Source
from tunewiz.problems import Problem


def opened(
    folder: Path, text: str, name: str = "rows.csv", **told: str
) -> tuple[Source, list[list[str]], dict[str, int]]:
    """The source of a file with ``text``, the cells of its rows, and the line of each problem by its code."""
    path = folder / name
    path.write_bytes(text.encode())
    source = discover(Dataset(str(path), **told))  # type: ignore[arg-type]
    problems: list[Problem] = []
    rows = [list(row.values.values()) for row in read(source, problems.append)]
    return source, rows, {problem.code: problem.where.line for problem in (*source.notes, *problems)}


# The mark between cells.


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("rows.csv", ["first 0", " then\tanswer 0"]),
        ("rows.tsv", ["first 0, then", "answer 0"]),
        ("rows.TAB", ["first 0, then", "answer 0"]),
        ("rows.tsv.txt", ["first 0, then", "answer 0"]),
        ("rows.txt", ["first 0", " then\tanswer 0"]),
    ],
)
def test_the_name_decides_where_two_marks_are_equally_regular(tmp_path: Path, name: str, first: list[str]) -> None:
    """Each line has one comma and one tab."""
    text = "".join(f"first {number}, then\tanswer {number}\n" for number in range(6))
    _, rows, told = opened(tmp_path, text, name, header="no")
    assert (rows[0], len(rows)) == (first, 6)
    assert "delimiter-detected" not in told


def test_known_column_names_outweigh_a_mark_that_is_more_regular(tmp_path: Path) -> None:
    """Every answer has one comma, and two of eleven lines a semicolon too many; but the header says what it is."""
    lines = ["问题;答案", *(f"问 {number};先检查, 再重启" for number in range(10))]
    lines[3] += ";"
    lines[7] = "问 6;先检查, 再;重启"
    _, rows, told = opened(tmp_path, "\n".join(lines) + "\n")
    assert rows[0] == ["问 0", "先检查, 再重启"]
    assert (len(rows), told["ragged-row"], told["delimiter-detected"]) == (9, 8, 0)


def test_one_known_column_name_outweighs_the_name_of_the_file(tmp_path: Path) -> None:
    text = "query,what to do\tand when\n" + "".join(f"case {n},do this\tor that {n}\n" for n in range(4))
    source, rows, told = opened(tmp_path, text, "rows.tsv")
    assert (source.delimiter, rows[0]) == (",", ["case 0", "do this\tor that 0"])
    assert "delimiter-detected" in told


def test_of_marks_equally_regular_the_one_with_more_cells_parts_them(tmp_path: Path) -> None:
    text = "".join(f"red {number}|green; or blue {number}|grey\n" for number in range(6))
    _, rows, _ = opened(tmp_path, text, header="no")
    assert rows[0] == ["red 0", "green; or blue 0", "grey"]


def test_more_cells_do_not_outweigh_the_name_of_the_file(tmp_path: Path) -> None:
    text = "".join(f"{', '.join('abcdefghijkl')}{number}\tanswer {number}\n" for number in range(6))
    _, rows, _ = opened(tmp_path, text, "rows.tsv", header="no")
    assert rows[0] == ["a, b, c, d, e, f, g, h, i, j, k, l0", "answer 0"]


@pytest.mark.parametrize(
    "lines",
    [
        ["one text", "another, with a comma", "a third text", "a fourth text"],
        ["a, b", "a, b, c", "alone", "a, b, c, d", "c, d", "e, f, g", "one more, e, f, g"],
    ],
)
def test_texts_with_commas_are_not_cut_in_a_file_of_one_column_named_tsv(tmp_path: Path, lines: list[str]) -> None:
    source, rows, told = opened(tmp_path, "\n".join(lines) + "\n", "rows.tsv", header="no")
    assert rows == [[line] for line in lines]
    assert (source.container, told) == ("tsv", {})


def test_a_delimiter_that_is_given_stays_even_where_nothing_is_parted(tmp_path: Path) -> None:
    source, rows, told = opened(tmp_path, "one, text\nand, more\n", delimiter=";", header="no")
    assert (source.delimiter, rows, told) == (";", [["one, text"], ["and, more"]], {})
    source, _, told = opened(tmp_path, "query\tpositive\na\tb\n", delimiter="tab")
    assert (source.delimiter, told) == ("\t", {})


def test_the_line_for_excel_names_any_mark_but_the_user_knows_better(tmp_path: Path) -> None:
    _, rows, _ = opened(tmp_path, "sep=~\nquery~positive\na~b, c\n")
    assert rows == [["a", "b, c"]]
    source, rows, told = opened(tmp_path, "sep=;\nquery,positive\na;b,c\n", delimiter=",")
    assert (source.delimiter, source.columns, rows) == (",", ("query", "positive"), [["a;b", "c"]])
    assert "ragged-row" not in told


@pytest.mark.parametrize(
    ("name", "mark", "told"),
    [("a.csv", "\t", True), ("a.tsv", ",", True), ("a.csv", ";", True), ("a.txt", "\t", False), ("a.csv", ",", False)],
)
def test_a_mark_unlike_the_name_is_told(tmp_path: Path, name: str, mark: str, told: bool) -> None:
    text = "".join(mark.join(cells) + "\n" for cells in (["query", "positive"], ["a", "b"], ["c", "d"]))
    assert ("delimiter-detected" in opened(tmp_path, text, name)[2]) is told


# What quotes mean.


def test_quotes_in_a_tab_file_are_text_where_other_cells_of_the_line_have_none(tmp_path: Path) -> None:
    """Both readings are equally regular: only the neighbours tell."""
    _, rows, told = opened(tmp_path, 'query\tpositive\nsay\t"hello"\nand\tgo\n', "rows.tsv")
    assert rows[0] == ["say", '"hello"']
    assert not told


@pytest.mark.parametrize("line", ['"say"\t"hello, you"', '"say"\t"hello, ""you"""', 'say\t"hello, ""you"""'])
def test_quotes_in_a_tab_file_quote_where_all_cells_have_them_or_some_are_doubled(tmp_path: Path, line: str) -> None:
    _, rows, _ = opened(tmp_path, f"query\tpositive\n{line}\nand\tgo\n", "rows.tsv")
    assert rows[0] == ["say", 'hello, "you"' if '""' in line else "hello, you"]


def test_quotes_in_a_comma_file_quote_also_where_few_cells_have_them(tmp_path: Path) -> None:
    _, rows, _ = opened(tmp_path, 'query,positive\nsay,"hello"\nand,go\n')
    assert rows[0] == ["say", "hello"]


def test_a_single_stray_quote_in_a_long_tab_file_costs_nothing(tmp_path: Path) -> None:
    lines = [f"question {number}\tanswer {number}" for number in range(300)]
    lines[100] = 'question 100\t"answer'
    _, rows, told = opened(tmp_path, "query\tpositive\n" + "\n".join(lines) + "\n", "rows.tsv")
    assert (len(rows), rows[100], told) == (300, ["question 100", '"answer'], {})


def test_stray_quotes_in_a_short_comma_file_are_text(tmp_path: Path) -> None:
    """Read as quotes they would swallow the ten rows between them, and the result would look as regular."""
    lines = [f"question {number},answer {number}" for number in range(20)]
    lines[4], lines[14] = 'question 4,"answer', 'question 14,"so'
    _, rows, told = opened(tmp_path, "query,positive\n" + "\n".join(lines) + "\n")
    assert (len(rows), rows[4], told) == (20, ["question 4", '"answer'], {})


def test_two_stray_quotes_in_a_long_comma_file_cost_their_lines_and_are_told(tmp_path: Path) -> None:
    lines = [f"question {number},answer {number}" for number in range(300)]
    lines[100], lines[200] = 'question 100,"answer', 'question 200,"so'
    _, rows, told = opened(tmp_path, "query,positive\n" + "\n".join(lines) + "\n")
    assert (len(rows), told) == (298, {"unclosed-quote": 202})
    lines[100], lines[200] = 'question 100,"answer,', 'question 200,so " on'
    _, rows, told = opened(tmp_path, "query,positive\n" + "\n".join(lines) + "\n")
    assert (len(rows), told) == (299, {"unclosed-quote": 102})


@pytest.mark.parametrize("after", ["", " ", ' ,"and more"'])
def test_a_cell_of_several_lines_that_is_closed_well_is_one_cell(tmp_path: Path, after: str) -> None:
    columns = "query,positive" + (",negative" if "," in after else "")
    _, rows, told = opened(tmp_path, f'{columns}\nfirst,"one\ntwo"{after}\nsecond,three{after}\n')
    assert rows[0][:2] == ["first", f"one\ntwo{after if after == ' ' else after[:1]}"]
    assert (len(rows), told) == (2, {})


# Whether the first line names the columns.


def header(folder: Path, *lines: str) -> bool:
    source = discover(Dataset(str(_file(folder, lines))))
    assert ("no-header" in {problem.code for problem in source.notes}) is not source.header
    return bool(source.header)


def _file(folder: Path, lines: tuple[str, ...]) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_number_in_the_first_line_is_data(tmp_path: Path) -> None:
    assert not header(tmp_path, "7,paid at noon", "8,paid late in the evening by card", "9,never paid but promised")


@pytest.mark.parametrize(
    "first",
    [
        "a long first text that goes on and on and on",
        "How do I pay? ",
        '"pay\nlate"',
    ],
)
def test_a_text_in_the_first_line_is_data(tmp_path: Path, first: str) -> None:
    """Much shorter than what stands below it, as a name would be, but no name."""
    rest = [f"{'so it goes on with a very long text ' * 6}{number}" for number in range(5)]
    assert not header(tmp_path, first, *rest)
    assert header(tmp_path, "zusatz", *rest)


def test_a_name_of_forty_letters_is_still_one(tmp_path: Path) -> None:
    rest = [f"{'so it goes on with a very long text ' * 6}{number}" for number in range(5)]
    assert header(tmp_path, "n" * 40, *rest)
    assert not header(tmp_path, "n" * 41, *rest)


def test_one_row_is_enough_to_tell_a_name_by(tmp_path: Path) -> None:
    assert header(tmp_path, "v1,v2", "spam,some longer message that was sent to somebody")


def test_words_over_words_of_their_kind_are_data(tmp_path: Path) -> None:
    assert not header(tmp_path, "red apple,green pear", "blue plum,ripe figs", "dry dates,sour lime")


def test_a_word_over_numbers_is_a_name(tmp_path: Path) -> None:
    notes = [f"{number},paid by card at noon" for number in range(12)]
    assert header(tmp_path, "summe,bemerkung", *notes)
    notes[4] = "n/a,paid by card at noon"
    assert header(tmp_path, "summe,bemerkung", *notes)


def test_a_missing_number_in_the_first_row_is_no_name(tmp_path: Path) -> None:
    """What stands beside it is as long as what stands below: the two signs cancel."""
    assert not header(tmp_path, "n/a,red apples", "12,blue plums", "13,green pears", "14,ripe banana")
    assert not header(tmp_path, "none,bemerkung", *(f"word{number},paid by card at noon" for number in range(3)))


def test_a_word_over_labels_is_a_name(tmp_path: Path) -> None:
    fruits = ("apple", "peach", "grape")
    assert header(tmp_path, "sorte", *(fruits[number % 3] for number in range(15)))
    assert not header(tmp_path, "melon", *(fruits[number % 2] for number in range(4)))
    assert not header(tmp_path, "melon", *((*fruits, "lemon")[number % 4] for number in range(10)))
    assert not header(tmp_path, "melon", *((*fruits, "lemon", "mango")[number % 5] for number in range(10)))


def test_a_word_that_comes_again_in_its_column_is_data(tmp_path: Path) -> None:
    assert not header(tmp_path, "apple", *("apple" if number % 2 else "peach" for number in range(15)))
    assert not header(tmp_path, "text,n/a", "text,12", "more,13")


def test_three_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    source, _, told = opened(tmp_path, "query,a,a,a,\nq,1,2,3,4\n")
    assert source.columns == ("query", "a", "a.2", "a.3", "column_5")
    assert (told["duplicate-column"], told["unnamed-columns"]) == (1, 1)
