"""An encoding that the user names is taken at his word, or refused in words: never with a traceback."""

from __future__ import annotations

import json
from encodings.aliases import aliases
from pathlib import Path

import pytest

from tests.unit.data.test_reading_mutations import survive
from tunewiz.data.inspection import inspect
from tunewiz.data.reading.source import Dataset

ROWS = [{"query": f"how {number}", "positive": f"so {number}, 是"} for number in range(12)]
TABLE = "query,positive\n" + "".join(f'how {number},"so {number}, 是"\n' for number in range(12))
TEXTS = {
    "rows.csv": TABLE,
    "rows.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS),
    "rows.json": json.dumps(ROWS, ensure_ascii=False, indent=1),
}


def codes(path: Path, encoding: str) -> set[str]:
    return {finding.code for finding in inspect(Dataset(str(path), encoding=encoding)).findings}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("family", ["utf-16", "utf-32"])
def test_the_order_of_bytes_is_found_where_no_mark_tells_it(tmp_path: Path, name: str, order: str, family: str) -> None:
    path = tmp_path / name
    path.write_bytes(TEXTS[name].encode(f"{family}-{order}"))
    for given in (family, family.upper().replace("-", "_"), f"{family}-{order}"):
        found = inspect(Dataset(str(path), encoding=given))
        assert found.usable
        assert found.counts["rows"] == 12
    marked = tmp_path / f"marked-{name}"
    marked.write_bytes(TEXTS[name].encode(family))
    assert inspect(Dataset(str(marked), encoding=family)).usable


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("written", ["utf-8", "gb18030", "utf-8-sig"])
def test_what_is_no_utf_16_is_refused_in_words(tmp_path: Path, name: str, written: str) -> None:
    path = tmp_path / name
    path.write_bytes(TEXTS[name].encode(written))
    for given in ("utf-16", "utf-32"):
        found = inspect(Dataset(str(path), encoding=given))
        told = next(problem for finding in found.findings for problem in finding.first if finding.severity == "error")
        assert told.code == "encoding-does-not-fit"
        assert f"does not read as {given}" in told.line("en") and "auto" in told.line("en")


@pytest.mark.parametrize(
    "encoding", sorted({*aliases.values(), "idna", "undefined", "unicode_escape", "utf_8_sig", "utf-7"})
)
def test_no_encoding_of_pythons_ends_in_a_traceback(tmp_path: Path, encoding: str) -> None:
    for name, text in TEXTS.items():
        for written in ("utf-8", "utf-16"):
            path = tmp_path / f"{written}-{name}"
            path.write_bytes(text.encode(written))
            survive(Dataset(str(path), encoding=encoding))
