from __future__ import annotations

import io

import pytest

from data.encodings import Encoding, detect_encoding, known_encoding, nearest_encoding

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
