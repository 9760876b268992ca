"""Turns a row that stand apart or have no names: put together by their times, or by what tells where one begins."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.dialogues.times import sort_keys
from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

CHATS = [(f"Where is parcel {n}?", f"Parcel {n} is in Oslo.", f"When will {n} come?", f"On day {n}.") for n in range(8)]
CHATS_ZH = [(f"第{n}个包裹在哪？", f"第{n}个在北京。", f"第{n}个几时到？", f"周{n}到。") for n in range(8)]
Turn = tuple[int, int, str, str]


def turns(chats: Sequence[tuple[str, ...]], asks: str, answers: str) -> list[Turn]:
    """Conversation, number of the turn, who, what."""
    return [(n, k, (asks, answers)[k % 2], text) for n, chat in enumerate(chats) for k, text in enumerate(chat)]


def look(folder: Path, rows: Sequence[Mapping[str, Any]], task: str = "llm") -> Inspection:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return inspect(Dataset(str(path)), task)


TIMES: dict[str, Callable[[int, int], object]] = {
    "iso": lambda n, k: f"2024-03-0{n + 1} 09:0{k}:00",
    "zulu": lambda n, k: f"2024-03-0{n + 1}T09:{8 + k}:00.5Z",
    "uneven": lambda n, k: f"2024/3/{n + 5} 9:{8 + k}",
    "american": lambda n, k: f"3/{n + 10}/2024 {10 + k}:30 AM" if k < 2 else f"3/{n + 10}/2024 {k}:30 PM",
    "day first": lambda n, k: f"{n + 20}.3.2024 9:{8 + k}",
    "chinese": lambda n, k: f"2024年3月{n + 5}日 下午{k + 1}时5分",
    "words": lambda n, k: f"Mon, {n + 5} Mar 2024 09:{8 + k}:00 +0100",
    "seconds": lambda n, k: 1709287200 + 86400 * n + k,
    "clock": lambda n, k: f"{9 + n}:{10 + k}:00",
}


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("order", ["shuffled", "newest first", "interleaved"])
def test_logs_are_put_together_by_name_and_time(tmp_path: Path, name: str, order: str) -> None:
    log = turns(CHATS, "user", "assistant")
    if order == "shuffled":
        random.Random(len(name)).shuffle(log)
    elif order == "newest first":
        log.reverse()
    else:
        log.sort(key=lambda turn: turn[1])
    rows = [{"created_at": TIMES[name](n, k), "session_id": f"s{n}", "sender": who, "message": what}
            for n, k, who, what in log]  # fmt: skip
    found = look(tmp_path, rows)
    assert found.format == "turn_rows" and found.counts["examples"] == len(CHATS)
    talk = [turn.text for turn in found.conversations[0].turns]
    assert tuple(talk) in CHATS
    told = next(one for one in found.findings if one.code == "turns-joined").first[0].line("en")
    assert "session_id" in told and "created_at" in told
    pairs = look(tmp_path, rows, "embedding")
    assert pairs.counts["examples"] == 2 * len(CHATS)
    assert all((row["query"], row["positive"]) in {chat[k : k + 2] for chat in CHATS for k in (0, 2)}
               for row in pairs.preview)  # fmt: skip


def test_chinese_columns_in_a_table(tmp_path: Path) -> None:
    log = sorted(turns(CHATS_ZH, "客户", "客服"), key=lambda turn: turn[1])
    lines = [f"2024/3/{n + 1} 9:{8 + k},S{n},{who},{what}" for n, k, who, what in log]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["发送时间,会话ID,发送方,消息内容", *lines]), encoding="utf-8")
    found = inspect(Dataset(str(path)), "llm")
    assert found.counts["examples"] == len(CHATS_ZH)
    assert tuple(turn.text for turn in found.conversations[0].turns) == CHATS_ZH[0]


@pytest.mark.parametrize(("who", "first"), [(("customer", "agent"), 1), (("客户", "客服"), 0)])
def test_the_number_of_the_turn_tells_where_one_begins(tmp_path: Path, who: tuple[str, str], first: int) -> None:
    rows = [{"turn": k + first, "speaker": name, "text": what} for _, k, name, what in turns(CHATS, *who)]
    found = look(tmp_path, rows)
    assert found.counts["examples"] == len(CHATS)
    assert tuple(turn.text for turn in found.conversations[1].turns) == CHATS[1]
    numbered = [{**row, "turn": number} for number, row in enumerate(rows, first)]  # tells nothing
    assert [one.code for one in look(tmp_path, numbered).findings if one.severity == "error"] == ["turn-a-row"]


def test_blank_lines_part_conversations_and_line_ends_in_cells_do_not(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    chats = [
        "\n".join(f'{("user", "assistant")[k % 2]},"{what}\nBye."' for k, what in enumerate(chat)) for chat in CHATS
    ]
    path.write_text("role,content\n" + "\n\n".join(chats) + "\n", encoding="utf-8")
    found = inspect(Dataset(str(path)), "llm")
    assert found.counts["examples"] == len(CHATS) and len(found.conversations[0].turns) == 4
    path.write_text("role,content\n" + "\n".join(chats) + "\n", encoding="utf-8")
    assert not inspect(Dataset(str(path)), "llm").usable


def test_a_question_and_the_answer_behind_it_are_a_pair_whatever_conversation_they_are_of(tmp_path: Path) -> None:
    rows = [{"role": who, "content": what} for _, _, who, what in turns(CHATS, "user", "assistant")]
    assert look(tmp_path, rows, "embedding").counts["examples"] == 2 * len(CHATS)
    assert not look(tmp_path, rows).usable  # for a language model it matters where one begins
    mixed = [{"role": who, "content": what, "chat_id": n}
             for n, _, who, what in sorted(turns(CHATS, "user", "assistant"), key=lambda turn: turn[1])]  # fmt: skip
    for task in ("embedding", "llm"):  # nothing tells the order of what stands apart
        assert [one.code for one in look(tmp_path, mixed, task).findings if one.severity == "error"] == ["turn-a-row"]


def test_a_limit_cuts_no_conversation_in_two(tmp_path: Path) -> None:
    rows = [{"ts": k, "chat_id": n, "role": who, "text": what}
            for n, k, who, what in sorted(turns(CHATS, "user", "assistant"), key=lambda turn: turn[1])]  # fmt: skip
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = inspect(Dataset(str(path), limit=22), "llm")
    assert found.counts["examples"] == 5
    assert tuple(turn.text for turn in found.conversations[0].turns) == CHATS[0]


def test_times_sort_and_what_is_none_is_not_guessed() -> None:
    assert sort_keys(["12:05 AM", "11:00 AM", "12:30 PM", "1:00 PM"]) == sorted(
        sort_keys(["12:05 AM", "11:00 AM", "12:30 PM", "1:00 PM"]) or [1.0, 0.0]
    )
    assert sort_keys(["1/2/2024", "13/2/2024"]) is not None  # day first, as 13 tells
    for none in (["yesterday", "2024-01-01"], ["99/99/2024"], [""], [None], []):
        assert sort_keys(none) is None
