from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.columns import guesses, is_known, normalised, numbered
from data.dataset import Dataset, resolve, samples, sheet_of
from data.discovery import discover
from data.problems import BadData


def refused(path: str) -> str:
    with pytest.raises(BadData) as stopped:
        resolve(path)
    return f"{stopped.value.problems[0].code} {stopped.value.problems[0].line('en')}"


def test_paths_are_relative_to_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faq.csv").write_text("query,positive\na,b\n")
    monkeypatch.chdir(tmp_path)
    assert resolve("faq.csv") == Path("faq.csv")
    source = discover(Dataset("faq.csv"))
    assert source.name == "faq.csv"
    told = refused("fqa.csv")
    assert told.startswith("file-not-found")
    assert "Did you mean faq.csv?" in told


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 5000, "~nobody-at-all/x", "/nowhere/at/all.csv"])
def test_paths_that_cannot_be(path: str) -> None:
    assert refused(path).startswith("file-not-found")


def test_samples() -> None:
    for name in samples():
        assert resolve(f"sample:{name}").exists()
        discover(Dataset(f"sample:{name}"))
    told = refused("sample:faqzh")
    assert told.startswith("unknown-sample")
    assert refused("sample:../reading").startswith("unknown-sample")


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadData) as stopped:
        discover(Dataset(str(tmp_path / "pipe")))
    assert stopped.value.problems[0].code == "not-a-file"


def test_sheets() -> None:
    assert sheet_of("a/book.xlsx#Sheet 2") == ("a/book.xlsx", "Sheet 2")
    assert sheet_of("a#b.csv") == ("a#b.csv", "")


def test_names_of_columns() -> None:
    assert normalised("\ufeffQuestion_1 ") == normalised("question 1") == "question1"
    assert normalised("ＱＵＥＲＹ") == "query"
    assert is_known("Negative-3")
    assert not is_known("怎么退货？")
    assert [guess.column for guess in guesses("positive", ["response", "答案", "positive"])] == [
        *("positive", "答案", "response")
    ]
    assert numbered("negative", ["neg_10", "x", "负例2", "negative_1"]) == ["negative_1", "负例2", "neg_10"]


def test_data_of_the_same_layout_takes_the_columns_mapped_for_another(tmp_path: Path) -> None:
    train, alike, other = (tmp_path / f"{name}.csv" for name in ("train", "alike", "other"))
    train.write_text("q,a,tag\nhow,so,x\n", "utf-8")
    alike.write_text("tag,q,a\ny,why,thus\n", "utf-8")
    other.write_text("query,positive\nwhen,now\n", "utf-8")
    mapped = Dataset(str(train), columns={"query": "q", "positive": "a"})
    assert discover(Dataset(str(alike), like=mapped)).mapping == {"query": "q", "positive": "a"}
    assert not discover(Dataset(str(other), like=mapped)).mapping
    own = Dataset(str(alike), columns={"query": "tag", "positive": "a"}, like=mapped)
    assert discover(own).mapping["query"] == "tag"
