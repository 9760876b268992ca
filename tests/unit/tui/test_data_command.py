"""``tunewiz data``: the report on stdout, in both languages, plain in a pipe; exit codes; JSON; the clean copy."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tunewiz.language import translate, use
from tunewiz.problems import BadPreset
from tunewiz.tui.commands.data import run_data

pytestmark = pytest.mark.usefixtures("in_english")


def data(path: Path | str, **given: Any) -> int:
    options = {
        "task": None,
        "mapping": {},
        "encoding": "auto",
        "delimiter": "auto",
        "header": "auto",
        "format_": "auto",
    }
    return run_data(str(path), **(options | {"fix_to": None, "as_json": False} | given))


def faq(path: Path, *extra: dict[str, str]) -> Path:
    rows = [{"问题": f"第{n}步怎么做，具体在哪里", "答案": f"先做{n}，再做{n + 1}" * 20} for n in range(30)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [*rows, *extra]), encoding="utf-8")
    return path


def test_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(faq(tmp_path / "faq.jsonl")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "\x1b" not in out  # plain when it is no terminal
    for part in ("pairs", "query = 问题", "30 read, 30 usable", "P95", "Max length: ", "nothing is wrong with it"):
        assert part in out


def test_nothing_is_wider_than_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data(faq(tmp_path / "faq.jsonl", {"问题": "", "答案": "空"}, {"问题": "长" * 900, "答案": "<p>x</p>"}))
    lines = capsys.readouterr().out.splitlines()[1:]  # the path may be longer
    wide = [sum(1 + (unicodedata.east_asian_width(mark) in "WF") for mark in line) for line in lines]
    assert max(wide) <= 80


def test_hostile_text_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"问题": "[red]\x1b[2J\x1b]0;x\x07", "答案": "left\u202eright\u0000"}
    path = tmp_path / "bad\x1b.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    data(path)
    out = capsys.readouterr().out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)
    assert "[red]" in out


def test_warnings_pass_and_errors_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(faq(tmp_path / "a.jsonl", {"问题": "空的", "答案": ""})) == 0
    assert "warning empty-positive · line 31" in capsys.readouterr().out
    path = faq(tmp_path / "b.jsonl")
    path.write_text(path.read_text(encoding="utf-8") + '{"问题": "半', encoding="utf-8")
    assert data(path) == 3
    out = capsys.readouterr().out
    assert "error bad-json · line 31" in out
    assert "--fix OUT" in out
    assert data(tmp_path / "missing.jsonl") == 3
    assert "no such file" in capsys.readouterr().out


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = faq(tmp_path / "faq.jsonl", {"问题": "空的", "答案": ""})
    assert data(path, as_json=True, fix_to=tmp_path / "clean.jsonl") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["format"] == "pairs"
    assert record["mapping"] == {"query": ["问题"], "positive": ["答案"]}
    assert record["counts"] == {"rows": 31, "examples": 30}
    assert record["source"]["encoding"] == "utf-8"
    finding = next(item for item in record["findings"] if item["code"] == "empty-positive")
    assert (finding["count"], finding["first"][0]["line"]) == (1, 31)
    assert record["lengths"][0]["characters"].keys() == {"50", "90", "95", "99", "100"}
    assert record["fixed"]["kept"] == 30
    assert data(tmp_path / "missing.csv", as_json=True) == 3
    assert json.loads(capsys.readouterr().out)["usable"] is False


def test_the_copy_makes_a_bad_file_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = faq(tmp_path / "faq.jsonl", {"问题": "第1步怎么做，具体在哪里", "答案": "先做1，再做2" * 20})
    path.write_text(path.read_text(encoding="utf-8") + '{"问题": "半', encoding="utf-8")
    assert data(path, fix_to=tmp_path / "clean.jsonl") == 0
    out = capsys.readouterr().out
    assert "Wrote 30 of 31" in out
    assert "repeated rows dropped: 1" in out
    assert "met while reading: bad-json: 1" in out
    assert data(tmp_path / "clean.jsonl") == 0


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = faq(tmp_path / "faq.jsonl")
    for options in ({"task": "vision"}, {"header": "maybe"}, {"fix_to": path}):
        with pytest.raises(BadPreset):
            data(path, **options)


def test_the_report_is_chinese_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use("zh")
    if translate("Findings") == "Findings":
        pytest.skip("the catalogues are not compiled")
    data(faq(tmp_path / "faq.jsonl", {"问题": "空的", "答案": ""}))
    out = capsys.readouterr().out
    for english in ("First rows", "Lengths", "Findings", "warning", "usable", "Max length"):
        assert english not in out
    assert "警告" in out
