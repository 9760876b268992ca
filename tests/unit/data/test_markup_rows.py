"""YAML and XML as rows: the layouts people bring, what is refused, and that neither can unfold without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.data.inspection import Inspection, fix, inspect
from tunewiz.data.reading.source import Dataset

PAIRS = [(f"How is part {n} cleaned?", f"With cloth {n} & water <cold>.") for n in range(8)]
PAIRS_ZH = [(f"零件{n}怎么清洗？", f"用{n}号布和冷水。") for n in range(8)]


def look(folder: Path, name: str, text: str, task: str = "llm", encoding: str = "utf-8") -> Inspection:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return inspect(Dataset(str(path)), task)


def codes(found: Inspection) -> set[str]:
    return {one.code for one in found.findings}


def first(found: Inspection) -> tuple[str, ...]:
    return tuple(turn.text for turn in found.conversations[0].turns)


def listed(pairs: list[tuple[str, str]], asks: str, answers: str, before: str = "") -> str:
    lines = [f'{before}- {asks}: "{question}"\n{before}  {answers}: "{answer}"\n' for question, answer in pairs]
    return "".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (listed(PAIRS, "question", "answer"), PAIRS[0]),
        (listed(PAIRS_ZH, "问题", "答案"), PAIRS_ZH[0]),
        ("version: 2\nfaq:\n" + listed(PAIRS, "q", "a", "  "), PAIRS[0]),
        ("数据:\n" + listed(PAIRS_ZH, "提问", "回复", "  "), PAIRS_ZH[0]),
        ("---\n".join(f'instruction: "{asked}"\noutput: "{told}"\n' for asked, told in PAIRS), PAIRS[0]),
        ("categories: [parts]\nconversations:\n" + "".join(f'- - "{q}"\n  - "{a}"\n' for q, a in PAIRS), PAIRS[0]),
        ("".join(f'- question: >\n    {q}\n  answer: |\n    {a}\n' for q, a in PAIRS), PAIRS[0]),
    ],
)  # fmt: skip
def test_questions_and_answers_in_yaml(tmp_path: Path, text: str, expected: tuple[str, str]) -> None:
    found = look(tmp_path, "faq.yml", text)
    assert found.usable and found.counts["examples"] == len(PAIRS)
    assert first(found) == expected
    assert not codes(found) & {"columns-uncertain", "other-lists"}


@pytest.mark.parametrize("intent", ["book", "订座"])
def test_rasas_examples_are_texts_with_their_intent(tmp_path: Path, intent: str) -> None:
    text = (
        f'version: "3.1"\nnlu:\n- intent: {intent}\n  examples: |\n    - a table in [Rome](city)\n'
        '    - two seats [today]{"entity": "day"}\n- intent: bye\n  examples:\n  - no\n  - text: so long\n'
        "- synonym: Rome\n  examples: |\n    - Roma\n"
    )
    found = look(tmp_path, "nlu.yml", text)
    assert found.format == "classification"
    assert [(row["text"], row["label"]) for row in found.preview] == [
        ("a table in Rome", intent), ("two seats today", intent), ("no", "bye"), ("so long", "bye")]  # fmt: skip
    assert {"entities-left-out", "other-lists"} <= codes(found)  # told, not dropped in silence
    fix(Dataset(str(tmp_path / "nlu.yml")), tmp_path / "out.jsonl", "llm")
    assert inspect(Dataset(str(tmp_path / "out.jsonl")), "llm").counts["examples"] == 4


def test_words_of_yaml_stay_words(tmp_path: Path) -> None:
    rows = "".join(f"- text: mail {n}, a text\n  label: {('yes', 'no', 'on')[n % 3]}\n" for n in range(12))
    found = look(tmp_path, "a.yaml", rows)
    assert {row["label"] for row in found.preview} == {"yes", "no", "on"}


BOMB = 'a: &a ["x","x","x","x","x","x","x","x","x"]\n' + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (BOMB, "too-large", 0),
        ("- &a [*a]\n", "too-large", 0),
        ("[" * 2000 + "]" * 2000, "bad-yaml", 1),
        ("- question: a\n  answer: b\n - question: c\n", "bad-yaml", 3),
        ("- question: [a\n", "bad-yaml", 2),
        ("just a text\n", "no-columns", 0),
        ("- !!python/object/apply:os.system ['true']\n", "no-columns", 0),
    ],
)
def test_yaml_that_is_refused_says_where_and_why(tmp_path: Path, text: str, code: str, line: int) -> None:
    found = look(tmp_path, "a.yaml", text)
    (error,) = [one for one in found.findings if one.severity == "error"]
    assert (error.code, error.first[0].where.line) == (code, line)


def tagged(pairs: list[tuple[str, str]], row: str, asks: str, answers: str) -> str:
    def safe(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    return "".join(f"<{row}><{asks}>{safe(q)}</{asks}>\n<{answers}>{safe(a)}</{answers}></{row}>\n" for q, a in pairs)


@pytest.mark.parametrize(
    ("text", "expected", "under"),
    [
        ('<?xml version="1.0"?>\n<faq>' + tagged(PAIRS, "qa", "question", "answer") + "</faq>", PAIRS[0], "faq/qa"),
        ("<问答集>" + tagged(PAIRS_ZH, "条目", "问题", "答案") + "</问答集>", PAIRS_ZH[0], "问答集/条目"),
        ("<d><head><v>1</v></head><list>" + tagged(PAIRS, "e", "q", "a") + "</list></d>", PAIRS[0], "d/list/e"),
        (tagged(PAIRS, "qa", "question", "answer"), PAIRS[0], "qa"),  # nothing around them, as in TREC's files
        ("<c>" + "".join(f'<g name="{n % 2}">' + tagged(PAIRS[2 * n : 2 * n + 2], "qa", "q", "a") + "</g>"
                         for n in range(4)) + "</c>", PAIRS[0], "c/g/qa"),
        ("<r>" + "".join(f'<row Question="{q}" Answer="{a.replace("&", "&amp;").replace("<", "&lt;")}"/>'
                         for q, a in PAIRS) + "</r>", PAIRS[0], "r/row"),
        ("<r>" + "".join(f"<i><question>{q}</question><answer><![CDATA[{a}]]></answer></i>" for q, a in PAIRS)
         + "</r>", PAIRS[0], "r/i"),
        ('<D><QAPairs>' + "".join(f'<QAPair pid="{n}"><Question qid="{n}" qtype="x">{q}</Question><Answer>'
                                  f"{a.replace('<', '&lt;')}</Answer></QAPair>" for n, (q, a) in enumerate(PAIRS))
         + "</QAPairs></D>", PAIRS[0], "D/QAPairs/QAPair"),  # a bare ampersand too
    ],
)  # fmt: skip
def test_questions_and_answers_in_xml(tmp_path: Path, text: str, expected: tuple[str, str], under: str) -> None:
    found = look(tmp_path, "faq.xml", text)
    assert found.usable and found.counts["examples"] == len(PAIRS), found.findings
    assert first(found) == expected
    assert found.source is not None and found.source.rows_under == under
    assert look(tmp_path, "faq.xml", text, "embedding").counts["examples"] == len(PAIRS)


def test_xml_in_another_encoding_with_markup_inside_texts(tmp_path: Path) -> None:
    rows = "".join(f"<qa><question>零件{n}？</question><answer>用<b>冷</b>水&nbsp;{n}</answer></qa>" for n in range(8))
    text = f'<?xml version="1.0" encoding="gb18030"?>\n<!DOCTYPE faq SYSTEM "faq.dtd">\n<faq>\n{rows}</faq>'
    found = look(tmp_path, "faq.xml", text, encoding="gb18030")
    assert first(found)[0] == "零件0？" and first(found)[1].replace(" ", "") == "用冷水\xa00"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY x "y">]>\n<a><b c="1" d="2">&x;</b></a>', "xml-entities", 2),
        ('<!DOCTYPE a [\n<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>', "xml-entities", 2),
        ("<a>\n<qa><q>1</q><a>2</a></qa>\n<qa><q>1</q></a>", "bad-xml", 3),
        ("<a><b>1</b></a>", "no-columns", 0),
        ("<a>" * 5000, "bad-xml", 1),
    ],
)
def test_xml_that_is_refused_says_where_and_why(tmp_path: Path, text: str, code: str, line: int) -> None:
    found = look(tmp_path, "a.xml", text)
    (error,) = [one for one in found.findings if one.severity == "error"][:1]
    assert (error.code, error.first[0].where.line) == (code, line)


def test_comments_that_are_judged_by_words_are_not_all_right(tmp_path: Path) -> None:
    rows = "".join(
        f'<Thread id="{n}"><QBody>{q}</QBody><Comment CGOLD="Good"><CBody>{a.partition(" &")[0]}</CBody></Comment>'
        f'<Comment CGOLD="Bad"><CBody>no idea {n}</CBody></Comment></Thread>' for n, (q, a) in enumerate(PAIRS)
    )  # fmt: skip
    found = look(tmp_path, "forum.xml", f"<xml>{rows}</xml>", "embedding")
    (told,) = [one for one in found.findings if one.severity == "error"]
    mapping = {"query": "QBody", "positive": "Comment[CGOLD].CBody", "negative": "Comment[!CGOLD].CBody"}
    assert all(column in told.first[0].line("en") for column in mapping.values())
    again = inspect(Dataset(str(tmp_path / "forum.xml"), columns=mapping), "embedding")
    assert again.usable and again.counts["examples"] == len(PAIRS)


@pytest.mark.parametrize("tag", ["DOC", "topic"])
def test_trecs_documents_and_topics_alone_are_no_pairs(tmp_path: Path, tag: str) -> None:
    rows = "".join(f"<{tag}><DOCNO>{n}</DOCNO>\n<TEXT>{q} {a}</TEXT></{tag}>\n" for n, (q, a) in enumerate(PAIRS))
    assert "part-of-collection" in codes(look(tmp_path, "docs.xml", rows.replace("<cold>", ""), "embedding"))
