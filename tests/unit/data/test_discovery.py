"""Finding and decoding data files: paths, columns, encodings."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tunewiz.data.reading.columns import guesses, is_known, normalise_name, numbered_columns
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.encodings import Encoding, detect_encoding, known_encoding, nearest_encoding
from tunewiz.data.reading.source import Dataset, resolve, samples, sheet_of
from tunewiz.problems import BadData


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


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("https://huggingface.co/datasets/org/faq/blob/main/en/a.csv", "Did you mean hf:org/faq/en/a.csv?"),
        ("www.modelscope.cn/datasets/org/faq/summary", "Did you mean modelscope:org/faq?"),
        ("org/faq", "hf:org/faq, modelscope:org/faq"),
        ("https://example.com/faq.csv", "bring the file here first"),
        ("s3://bucket/faq.csv", "bring the file here first"),
        ("file:///data/faq%201.csv", "Did you mean /data/faq 1.csv?"),
        ("D:\\data\\faq.csv", "another computer"),
        ("'faq.csv' ", "Did you mean faq.csv?"),
    ],
)
def test_what_else_a_path_may_mean(path: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faq.csv").write_text("query,positive\na,b\n")
    monkeypatch.chdir(tmp_path)
    assert told in refused(path)


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
    assert normalise_name("\ufeffQuestion_1 ") == normalise_name("question 1") == "question1"
    assert normalise_name("ＱＵＥＲＹ") == "query"
    assert is_known("Negative-3")
    assert not is_known("怎么退货？")
    assert [guess.column for guess in guesses("positive", ["response", "答案", "positive"])] == [
        *("positive", "答案", "response")
    ]
    assert numbered_columns("negative", ["neg_10", "x", "负例2", "negative_1"]) == ["negative_1", "负例2", "neg_10"]


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


CHINESE = "问题,答案\n怎么退货？,七天内可以办理退货，请保留小票。\n"
GERMAN = "Müller fährt über die Brücke, größer als früher. Straße, schön.\n"
FRENCH = "Où est la clé ? C’est à côté de l’hôtel, déjà vu… 5 €\n"


def detect(data: bytes, given: str = "auto") -> Encoding:
    return detect_encoding(io.BytesIO(data), given)


@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "gbk", "gbk"),
        (CHINESE + "好😀的", "gb18030", "gb18030"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (CHINESE, "utf-16-be", "utf-16-be"),
        (CHINESE, "utf-32", "utf-32"),
        ("問題,答案\n怎麼退貨？,七天內可以辦理退貨。\n", "big5", "big5"),
        (GERMAN, "cp1252", "cp1252"),
        (FRENCH, "cp1252", "cp1252"),
        ("name,text\nJosé,It costs £5\n", "cp1252", "cp1252"),
        ("a,b\nc,中\n", "gbk", "gbk"),
        ("query,positive\nhow,so\n", "utf-16-le", "utf-16-le"),
    ],
)
def test_detected_and_readable(text: str, written: str, found: str) -> None:
    encoding = detect(text.encode(written))
    assert encoding.name == found
    assert text.encode(written).decode(encoding.name) == text
    assert 0 <= encoding.confidence <= 1


def test_plain_ascii_is_utf8_for_sure() -> None:
    assert detect(b"query,positive\n") == Encoding("utf-8", "ascii", 1.0, "LF")


def test_evidence_far_behind_the_first_kilobytes_counts() -> None:
    padding = b"plain,ascii,line\n" * 200_000  # 3.4 MB without one high byte
    assert detect(padding + CHINESE.encode("gbk")).name == "gbk"
    assert detect(padding + GERMAN.encode("cp1252")).name == "cp1252"
    assert detect(padding + CHINESE.encode()).name == "utf-8"


def test_utf8_with_a_few_bad_bytes_stays_utf8() -> None:
    encoding = detect(CHINESE.encode() * 10 + b"\xff\xfe\n")
    assert (encoding.name, encoding.basis) == ("utf-8", "plausible")
    assert encoding.damaged > 0


def test_korean_is_not_taken_for_chinese() -> None:
    korean = "질문,대답\n어떻게 반품하나요?,칠일 이내에 반품할 수 있습니다.\n" * 4
    encoding = detect(korean.encode("euc-kr"))
    assert korean.encode("euc-kr").decode(encoding.name) == korean
    assert encoding.basis == "uncertain"


@pytest.mark.parametrize(
    ("data", "newline"),
    [(b"a\nb\n", "LF"), (b"a\r\nb\r\n", "CRLF"), (b"a\rb\r", "CR"), (b'a\r\n"b\nc"\r\n', "mixed"), (b"a", "")],
)
def test_newlines(data: bytes, newline: str) -> None:
    assert detect(data).newline == newline


def test_given_encoding_wins_but_the_mark_is_never_text() -> None:
    assert detect(CHINESE.encode("gbk"), "cp1252").name == "cp1252"
    assert detect(CHINESE.encode("utf-8-sig"), "utf8").name == "utf-8-sig"
    assert detect(CHINESE.encode("utf-16"), "utf-16-le").name == "utf-16"


def test_known_encodings() -> None:
    assert known_encoding("UTF8") == "utf-8"
    assert known_encoding("GB 18030") == "gb18030"
    for name in ("base64", "rot13", "nonsense", "", "undefined", "punycode", "a\0b"):
        assert known_encoding(name) is None
    assert nearest_encoding("gb1803") == "gb18030"
