"""Dumps of databases, subtitles, answers of forms, and headers in traditional Chinese."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

N = 9
ASKED = [f"How do I return thing {n}?" for n in range(N)]
TOLD = [f"Press button {n}; it's (really) quick." for n in range(N)]


def look(folder: Path, name: str, text: str, task: str = "llm", encoding: str = "utf-8", **roles: str) -> Inspection:
    (folder / name).write_text(text, encoding=encoding)
    return inspect(Dataset(str(folder / name), roles=roles), task)


def told(found: Inspection) -> dict[str, str]:
    return {one.code: one.first[0].line("en") for one in found.findings}


def said(found: Inspection, row: int = 0) -> list[str]:
    return [turn.text for turn in found.conversations[row].turns]


def quoted(text: str, mark: str = "''") -> str:
    return "'" + text.replace("'", mark) + "'"


MYSQL = (
    "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `faq`;\nCREATE TABLE `faq` (\n"
    "  `id` int NOT NULL AUTO_INCREMENT,\n  `question` text COMMENT 'a, (b); c',\n  `answer` text,\n"
    "  PRIMARY KEY (`id`)\n"
    ") ENGINE=InnoDB;\nLOCK TABLES `faq` WRITE;\nINSERT INTO `faq` VALUES "
    + ",".join(f"({n},{quoted(ASKED[n])},{quoted(TOLD[n] + chr(92) + 'nBye.', chr(92) + chr(39))})" for n in range(N))
    + ";\nUNLOCK TABLES;\nINSERT INTO `log` (`at`) VALUES (NULL);\n"
)
POSTGRES = (
    "--\n-- PostgreSQL database dump\n--\nSET x = 1;\nCREATE TABLE public.faq (id integer, question text);\n"
    "COPY public.faq (id, question, answer) FROM stdin;\n"
    + "".join(f"{n}\t{ASKED[n]}\t{TOLD[n]}\\nBye.\n" for n in range(N))
    + "\\.\n\nSELECT 1;\n"
)
SQLITE = "BEGIN TRANSACTION;\nCREATE TABLE faq(id INTEGER PRIMARY KEY, question TEXT, answer TEXT);\n" + "".join(
    f"INSERT INTO faq VALUES({n},{quoted(ASKED[n])},{quoted(TOLD[n] + chr(10) + 'Bye.')});\n" for n in range(N)
)


@pytest.mark.parametrize("dump", [MYSQL, POSTGRES, SQLITE])
@pytest.mark.parametrize("task", ["llm", "reranker"])
def test_the_rows_of_a_dump_are_read(tmp_path: Path, dump: str, task: str) -> None:
    found = look(tmp_path, "dump.sql", dump, task)
    assert found.usable and found.counts["examples"] == N and "faq" in told(found)["table-chosen"]
    if task == "llm":
        assert said(found) == [ASKED[0], f"{TOLD[0]}\nBye."]
    assert dump is not MYSQL or "log" in told(found)["table-chosen"]


def test_a_dump_without_rows_says_so(tmp_path: Path) -> None:
    found = look(tmp_path, "dump.sql", "CREATE TABLE faq (id int);\nCREATE TABLE log (id int);\n")
    assert "no statement of it fills a table" in told(found)["no-columns"]
    cut = look(tmp_path, "cut.sql", MYSQL[:400])
    assert not cut.usable and told(cut)


def cue(n: int, text: str, point: str = ",") -> str:
    return f"{n + 1}\n00:00:{n:02}{point}000 --> 00:00:{n:02}{point}900\n{text}\n\n"


def test_subtitles_with_names_are_dialogues(tmp_path: Path) -> None:
    lines = [(who, text) for n in range(N) for who, text in (("ANN", ASKED[n]), ("BOB", TOLD[n]))]
    for name, text in (
        ("a.srt", "".join(cue(n, f"{who}: {text}") for n, (who, text) in enumerate(lines))),
        ("a.vtt", "WEBVTT\n\n" + "".join(cue(n, f"<v {who}>{text}</v>", ".") for n, (who, text) in enumerate(lines))),
    ):
        assert '--roles "BOB=assistant"' in told(look(tmp_path, name, text))["who-answers"]
        assert said(look(tmp_path, name, text, BOB="assistant"))[:2] == [ASKED[0], TOLD[0]]


def test_subtitles_without_names_are_text_only_where_asked_for(tmp_path: Path) -> None:
    text = "".join(cue(n, f"<i>{ASKED[n]}</i>") for n in range(N))
    assert "--format text" in told(look(tmp_path, "a.srt", text))["subtitles-nameless"]
    raw = inspect(Dataset(str(tmp_path / "a.srt"), format="text"), "llm")
    assert [one.text for one in raw.conversations[:2]] == ASKED[:2] and raw.counts["stage:pretrain"] == N


def test_the_questions_of_a_form_are_its_header(tmp_path: Path) -> None:
    rows = "Timestamp,Email Address,1. What would you ask us?,2. What should we say?\n" + "".join(
        f"2024/01/{n + 1} 9:00:00 AM GMT+8,a{n}@b.org,{ASKED[n]},{TOLD[n]}\n" for n in range(N)
    )
    fix = told(look(tmp_path, "form.csv", rows))["unmapped-columns"]
    assert '--map prompt="1. What would you ask us?" --map completion="2. What should we say?"' in fix


def test_headers_in_traditional_chinese(tmp_path: Path) -> None:
    rows = "問題,答案,類別\n" + "".join(f"如何退第{n}件？,按第{n}鍵。,售後\n" for n in range(N))
    found = look(tmp_path, "faq.csv", rows, encoding="big5")
    assert said(found) == ["如何退第0件？", "按第0鍵。"]
    assert look(tmp_path, "faq.csv", rows, "embedding").counts["examples"] == N


def test_questions_under_the_name_of_a_number_are_not_passed_over(tmp_path: Path) -> None:
    rows = "index,content\n" + "".join(f"{ASKED[n]},{TOLD[n]}\n" for n in range(N))
    assert "--map prompt=index --map completion=content" in told(look(tmp_path, "kb.csv", rows))["text-beside"]


def test_objects_that_hold_nothing_are_no_part_of_a_question(tmp_path: Path) -> None:
    rows = "inputs,query,answer\n" + "".join(f"{{}},{ASKED[n]},{TOLD[n]}\n" for n in range(N))
    assert said(look(tmp_path, "log.csv", rows))[0] == ASKED[0]


def test_an_empty_column_is_never_taken_for_what_is_to_be_found(tmp_path: Path) -> None:
    rows = "question,document,body\n" + "".join(f"{text},,{TOLD[0]}{n}\n" for n, text in enumerate(ASKED + ASKED))
    found = look(tmp_path, "rows.csv", rows, "embedding")
    assert "document" not in (found.detection.column("positive") if found.detection else "")
