"""Small files that ask for much: a cell in the last row, keys without end, a kilobyte that unfolds to gigabytes.

None may take more than some seconds; the limit here is far above that, for machines that are busy.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.alarm import soon
from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

THINGS = ("tea", "silk", "paper", "salt", "glass", "ink")
PAIRS = [(f"how is {thing} made?", f"{thing} is made by hand") for thing in THINGS]


def book(path: Path, more: str) -> None:
    """A workbook of six rows, and ``more`` in the XML of its sheet."""
    import openpyxl

    made = openpyxl.Workbook()
    for row in (("question", "answer"), *PAIRS):
        made.active.append(list(row))
    plain = path.with_name("plain.zip")
    made.save(plain)
    with zipfile.ZipFile(plain) as inside, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in inside.namelist():
            text = inside.read(name)
            out.writestr(
                name, text.replace(b"</sheetData>", more.encode() + b"</sheetData>") if "sheet1" in name else text
            )


def cell(place: str, row: int) -> str:
    return f'<row r="{row}"><c r="{place}{row}" t="inlineStr"><is><t>x</t></is></c></row>'


def last_row(path: Path) -> None:
    book(path, cell("A", 1_048_576))


def row_beyond_all(path: Path) -> None:
    book(path, cell("A", 10**9))


def blank_rows(path: Path) -> None:
    book(path, "".join(f'<row r="{number}" ht="12"/>' for number in range(8, 60_000)))


def keys_without_end(path: Path) -> None:
    rows = [{f"k{number}_{place}": f"value {place}" for place in range(2_000)} for number in range(200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def gigabytes(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    def repeated(text: str) -> pyarrow.Array:
        return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 200_000, pyarrow.int32()), [text])

    table = pyarrow.table({"question": repeated("q " + "x" * 10_000), "answer": repeated("a")})
    pyarrow.parquet.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 4_000


def nested(path: Path) -> None:
    path.write_text(('{"a":' * 900 + "1" + "}" * 900 + "\n") * 20)


def many(found: Inspection) -> None:
    assert found.counts["rows"] == 200
    assert "unmapped-columns" in [finding.code for finding in found.findings]


def first(found: Inspection) -> None:
    told = {finding.code: finding.first[0].line("en") for finding in found.findings}
    assert f"the first {found.counts['rows']} rows" in told["first-rows-only"]
    assert 0 < found.counts["rows"] < 10_000


def refused(found: Inspection) -> None:
    assert {finding.code for finding in found.findings} == {"no-columns", "bad-json"}


def six(found: Inspection) -> None:
    assert found.counts["examples"] == 6
    assert found.usable


@pytest.mark.parametrize(
    ("name", "make", "right", "task"),
    [
        ("dim.xlsx", last_row, six, "embedding"),
        ("row.xlsx", row_beyond_all, six, "llm"),
        ("blank.xlsx", blank_rows, six, "embedding"),
        ("keys.jsonl", keys_without_end, many, "llm"),
        ("bomb.parquet", gigabytes, first, "embedding"),
        ("deep.jsonl", nested, refused, "llm"),
    ],
)
def test_no_small_file_takes_long(
    tmp_path: Path, name: str, make: Callable[[Path], None], right: Callable[[Inspection], None], task: str
) -> None:
    make(tmp_path / name)
    with soon(300):
        right(inspect(Dataset(str(tmp_path / name)), task=task))
