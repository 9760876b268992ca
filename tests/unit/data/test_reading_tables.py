from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset, Row, Source
from tunewiz.problems import BadData, Problem


def written(folder: Path, data: str | bytes, name: str = "rows.csv", encoding: str = "utf-8") -> Dataset:
    path = folder / name
    path.write_bytes(data.encode(encoding) if isinstance(data, str) else data)
    return Dataset(str(path))


def rows_of(dataset: Dataset) -> tuple[Source, list[Row], list[Problem]]:
    problems: list[Problem] = []
    source = discover(dataset)
    return source, list(read(source, problems.append)), problems


def codes(problems: list[Problem]) -> dict[str, int]:
    return dict(Counter(problem.code for problem in problems))


def test_line_is_where_the_record_starts_also_after_quoted_newlines(tmp_path: Path) -> None:
    text = 'query,positive\r\nfirst,"one\ntwo\nthree"\r\nsecond,four\r\n'
    source, rows, problems = rows_of(written(tmp_path, text))
    assert [(row.line, row.values) for row in rows] == [
        (2, {"query": "first", "positive": "one\ntwo\nthree"}),
        (5, {"query": "second", "positive": "four"}),
    ]
    assert source.newline == "CRLF"
    assert not problems


@pytest.mark.parametrize(
    ("name", "mark"), [("a.csv", ";"), ("a.csv", "|"), ("a.txt", "\t"), ("a.tsv", "\t"), ("a.csv", "\t"), ("a", ",")]
)
def test_delimiters(tmp_path: Path, name: str, mark: str) -> None:
    cells = [["query", "positive"], *(["what, exactly, is it?", f"it is {i}, or so"] for i in range(5))]
    quote = '"' if mark == "," else ""
    text = "".join(mark.join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in cells)
    source, rows, problems = rows_of(written(tmp_path, text, name))
    assert source.delimiter == mark
    assert source.container == ("tsv" if mark == "\t" else "csv")
    assert all(set(row.values) == {"query", "positive"} for row in rows)
    assert not problems


def test_given_delimiter_and_header(tmp_path: Path) -> None:
    path = written(tmp_path, "a~b\nc~d\n").path
    source, rows, _ = rows_of(Dataset(path, delimiter="~", header="no"))
    assert source.columns == ("column_1", "column_2")
    assert [row.values["column_2"] for row in rows] == ["b", "d"]
    with pytest.raises(BadData) as refused:
        discover(Dataset(path, delimiter="ab"))
    assert refused.value.problems[0].code == "bad-delimiter"


def test_the_line_that_tells_excel_the_delimiter(tmp_path: Path) -> None:
    source, rows, problems = rows_of(written(tmp_path, "sep=;\r\nquery;positive\r\na;b, c\r\n"))
    assert (source.delimiter, source.columns, problems) == (";", ("query", "positive"), [])
    assert [(row.line, row.values["positive"]) for row in rows] == [(3, "b, c")]
    assert discover(written(tmp_path, "sep=;\n", "only.csv")).columns == ()


def test_backslash_quotes_and_blanks_before_quotes(tmp_path: Path) -> None:
    _, rows, problems = rows_of(written(tmp_path, 'query,positive\nq1,"say \\"hi, you\\""\nq2,"a, b"\n' * 1))
    assert rows[0].values["positive"] == 'say "hi, you"'
    _, rows, problems = rows_of(written(tmp_path, 'query, positive\nq1, "a, b"\nq2, "c, d"\n'))
    assert [row.values["positive"] for row in rows] == ["a, b", "c, d"]
    assert not problems


def test_stray_quotes_in_a_tab_file_are_text(tmp_path: Path) -> None:
    text = 'score\tsentence1\tsentence2\n1\t"Gigolo" he said\tb\n2\tx "y\tz\n3\t"open\tend\n'
    _, rows, problems = rows_of(written(tmp_path, text, "a.tsv"))
    assert [row.values["sentence1"] for row in rows] == ['"Gigolo" he said', 'x "y', '"open']
    assert not problems


def test_ragged_rows(tmp_path: Path) -> None:
    text = "query,positive,negative\na,b,c\na,b\na,b,c,d\na,b,c,,\n\n,,\na,b,c\n"
    _, rows, problems = rows_of(written(tmp_path, text))
    assert [(p.code, p.severity, p.where.line) for p in problems] == [
        ("ragged-row", "warning", 3),
        ("ragged-row", "error", 4),
        ("blank-line", "warning", 6),
        ("blank-line", "warning", 7),
    ]
    assert [row.line for row in rows] == [2, 3, 5, 8]


def test_a_quote_never_closed_costs_its_line_only(tmp_path: Path) -> None:
    good = "".join(f"q{i},a{i}\n" for i in range(50))
    _, rows, problems = rows_of(written(tmp_path, f'query,positive\n{good}bad,"never closed\n{good}'))
    assert len(rows) == 100
    assert [(p.code, p.where.line) for p in problems] == [("unclosed-quote", 52)]


def test_a_stray_quote_does_not_merge_rows(tmp_path: Path) -> None:
    good = "".join(f'q{i},"a{i}, yes"\n' for i in range(5))
    _, rows, problems = rows_of(written(tmp_path, f'query,positive\n{good}bad,"open\n{good}'))
    assert len(rows) == 10
    assert codes(problems) == {"unclosed-quote": 1}


def test_bad_bytes_stay_in_their_line(tmp_path: Path) -> None:
    good = "问题,答案\n" + "怎么退货？,七天内可退\n" * 20
    _, rows, problems = rows_of(written(tmp_path, good.encode() + b"x\xff\xfe,y\nlast,row\n"))
    assert codes(problems) == {"bad-encoding": 1}
    assert rows[-1].values == {"问题": "last", "答案": "row"}
    assert rows[-2].values["问题"] == "x\ufffd\ufffd"


def test_old_mac_line_ends_and_nul(tmp_path: Path) -> None:
    _, rows, _ = rows_of(written(tmp_path, "query,positive\ra,b\rc,d\r"))
    assert [(row.line, row.values["query"]) for row in rows] == [(2, "a"), (3, "c")]
    _, rows, _ = rows_of(written(tmp_path, "query,positive\na\0,b\nc,d\ne,f\n", "b.csv"))
    assert rows[0].values["query"] == "a\0"


def test_a_header_repeated_by_joining_files_is_no_row(tmp_path: Path) -> None:
    _, rows, problems = rows_of(written(tmp_path, "问题,答案\n怎么退货？,七天\n" * 3))
    assert len(rows) == 3
    assert [(p.code, p.where.line) for p in problems] == [("repeated-header", 3), ("repeated-header", 5)]


def test_long_cells_are_no_error(tmp_path: Path) -> None:
    _, rows, problems = rows_of(written(tmp_path, f'query,positive\na,"{"long, " * 100_000}"\n'))
    assert len(rows[0].values["positive"]) == 600_000
    assert not problems


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("query,positive\na,b\n", True),
        ("问题,答案\n怎么退货？,七天内可退\n", True),
        ("怎么退货？,七天内可退\n怎么换货？,十五天内可换\n", False),
        ("what is it?,it is a thing\nwho is it?,it is me\n", False),
        ("v1,v2\n" + "ham,some longer message that was sent to somebody\n" * 12, True),
        ("a text,another text,1\nsome text,more text,0\n", False),
        ("text,category\nHow do I pay?,payment\nWhere is it?,delivery\n", True),
    ],
)
def test_header_lines(tmp_path: Path, text: str, header: bool) -> None:
    source = discover(written(tmp_path, text))
    assert source.header is header
    assert ("no-header" in {problem.code for problem in source.notes}) is not header


def test_odd_headers_are_told(tmp_path: Path) -> None:
    source = discover(written(tmp_path, "query,positive,positive,\na,b,c,d\n"))
    assert source.columns == ("query", "positive", "positive.2", "column_4")
    assert {problem.code for problem in source.notes} == {"duplicate-column", "unnamed-columns"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gbk", "gb18030"])
def test_first_column_name_has_no_mark(tmp_path: Path, encoding: str) -> None:
    source, rows, _ = rows_of(written(tmp_path, "问题,答案\r\n怎么退货？,七天内可退\r\n", encoding=encoding))
    assert source.columns == ("问题", "答案")
    assert rows[0].values["答案"] == "七天内可退"


def test_compressed_and_damaged_archives(tmp_path: Path) -> None:
    text = "query,positive\n" + "".join(f"question {i},answer {i * 7919}\n" for i in range(3000))
    packed = gzip.compress(text.encode())
    source, rows, problems = rows_of(written(tmp_path, packed, "a.csv.gz"))
    assert (source.compression, len(rows), problems) == ("gz", 3000, [])
    _, rows, problems = rows_of(written(tmp_path, packed[: len(packed) // 2], "b.csv.gz"))
    assert 0 < len(rows) < 3000
    assert "damaged-file" in codes(problems)


def test_limit(tmp_path: Path) -> None:
    path = written(tmp_path, "query,positive\n" + "a,b\n" * 10).path
    assert len(rows_of(Dataset(path, limit=3))[1]) == 3


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "a.csv", "empty-file"),
        (b"\n \n", "a.csv", "empty-file"),
        (b"\xef\xbb\xbf", "a.csv", "empty-file"),
        (b"%PDF-1.7 x", "a.csv", "unsupported-file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xls", "unsupported-file"),
        (b"PK\x03\x04other", "a.zip", "unsupported-file"),
        (bytes(range(32)) * 50, "a.csv", "binary-file"),
        (b"PAR1 and no more", "a.parquet", "damaged-file"),
        (b"PK\x03\x04xl/ and no more", "a.xlsx", "damaged-file"),
        (b"\x1f\x8b", "a.gz", "damaged-file"),
    ],
)
def test_refused_files(tmp_path: Path, data: bytes, name: str, code: str) -> None:
    with pytest.raises(BadData) as refused:
        discover(written(tmp_path, data, name))
    assert refused.value.problems[0].code == code


def test_unknown_encoding_names_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path, "query,positive\na,b\n").path
    with pytest.raises(BadData) as refused:
        discover(Dataset(path, encoding="gb1803"))
    assert "gb18030" in refused.value.problems[0].line("en")


def workbook(path: Path, **sheets: list[list[Any]]) -> str:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return str(path)


def test_workbooks(tmp_path: Path) -> None:
    faq = [["问题", "答案", "编号"], ["怎么退货？", "七天内", 1], [None, None, None], ["怎么换货？", "十五天内", 2]]
    path = workbook(tmp_path / "faq.xlsx", Empty=[], FAQ=faq, More=[["query", "positive"], ["a", "b"]])
    source, rows, _ = rows_of(Dataset(path))
    assert (source.container, source.sheet, source.columns) == ("xlsx", "FAQ", ("问题", "答案", "编号"))
    assert [(row.line, row.values["编号"]) for row in rows] == [(2, 1), (4, 2)]
    assert [problem.code for problem in source.notes] == ["sheet-chosen"]
    source, rows, _ = rows_of(Dataset(f"{path}#More"))
    assert [row.values for row in rows] == [{"query": "a", "positive": "b"}]
    with pytest.raises(BadData) as refused:
        discover(Dataset(f"{path}#Nope"))
    assert refused.value.problems[0].code == "no-such-sheet"


def test_parquet_also_compressed(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.Table.from_pylist([{"query": f"q{i}", "pos": [f"p{i}"], "neg": ["n", "m"]} for i in range(2500)])
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    packed = gzip.compress((tmp_path / "rows.parquet").read_bytes())
    for dataset in (Dataset(str(tmp_path / "rows.parquet")), written(tmp_path, packed, "rows.parquet.gz")):
        source, rows, problems = rows_of(dataset)
        assert (source.container, source.columns, problems) == ("parquet", ("query", "pos", "neg"), [])
        assert (len(rows), rows[-1].line, rows[-1].values["neg"]) == (2500, 2500, ["n", "m"])
