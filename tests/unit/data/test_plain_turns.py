"""Plain turns are read by a short cut: it has to give what the long way gives, or leave the row to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.dialogues.plain import plain_talk
from tunewiz.data.formats import supervised
from tunewiz.data.inspection import inspect
from tunewiz.data.opening.opened import conversations_of, open_dataset
from tunewiz.data.reading import turns
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation
from tunewiz.problems import Problem, Where

NAMES = {
    "user": ("user", "human", "User", "USER ", "<|user|>", "用户", "客户", "prompter", "user2", "input"),
    "assistant": ("assistant", "gpt", "Assistant", "[assistant]", "助手", "客服", "bot", "model", "chatgpt"),
    "system": ("system", "System", "developer", "系统"),
}
ODD_NAMES = ("nobody", "", "tool", "function", "observation", "function_call", "店小二", None, 3, ["user"])
TEXTS = (
    *(
        "How long does the clasp keep?",
        "一年。",
        "no",
        "0",
        "nan",
        "null",
        "Two\nlines",
        " padded ",
        "<b>bold</b>",
        "1 < 2",
    ),
    *(
        "[]",
        "{}",
        "[1, 2]",
        '{"name": "rate", "arguments": {}}',
        "Human: hi\nAssistant: hello",
        "User: who?",
        "问：谁？",
    ),
    *(
        "<|im_start|>user\nhi<|im_end|>",
        "[INST] x [/INST] y",
        "Action: look",
        "{{name}}",
        "</s>",
        "</p>",
        "a\u2028b\x1c",
    ),
    *(
        '<tool_call>{"name": "f", "arguments": {}}</tool_call>',
        'So: <tool_call>{"name": "f"}</tool_call>',
        "<tool_call>x",
    ),
    *(
        "<functioncall> {}",
        '<functioncall> {"name": "f", "arguments": {}}',
        "<function=f>",
        "<think>\nwell\n</think>\n\nyes",
        "<tool_response>5</tool_response>",
    ),
)
ODD_TEXTS = (
    "",
    " ",
    "\n\t\u3000",
    None,
    5,
    True,
    ["part"],
    [{"type": "text", "text": "part"}],
    [{"type": "image"}],
    {},
)
EXTRA: tuple[tuple[str, Any], ...] = (
    *(
        ("weight", 0),
        ("weight", 1),
        ("weight", 0.5),
        ("loss", False),
        ("train", None),
        ("masked", True),
        ("name", "Ann"),
    ),
    *(("tool_calls", None), ("tool_calls", [{"function": {"name": "f", "arguments": "{}"}}]), ("tool_calls", [])),
    *(("function_call", {"name": "f", "arguments": {}}), ("tools", [{"name": "f"}]), ("functions", "[]"), ("id", 7)),
    *(
        ("reasoning_content", "well"),
        ("thinking", ""),
        ("mood", "glad"),
        ("mood", None),
        ("text", "beside"),
        ("Role", "x"),
    ),
    *(("from", None), ("from", "gpt"), ("value", None), ("value", "other"), ("content", None), ("role", "user")),
    *(("role", None), ("label", True), ("parts", ["a"]), ("speaker", "user"), ("message", None), ("author", None)),
)


def a_turn(lot: random.Random, part: str, odd: float) -> Any:
    """A turn, with a chance of ``odd`` for each thing that may be odd about it."""
    name: Any = lot.choice(ODD_NAMES) if lot.random() < odd else lot.choice(NAMES[part][: lot.choice((1, 2, 20))])
    text: Any = lot.choice(ODD_TEXTS) if lot.random() < odd else lot.choice(TEXTS)
    usual = lot.random() >= odd
    keys = lot.choice((("role", "content"), ("from", "value")) if usual else (("role", "value"), ("Role", "Content")))
    turn: dict[str, Any] = dict(zip(keys, (name, text), strict=True))
    while lot.random() < 2 * odd:
        key, value = lot.choice(EXTRA)
        if key not in turn or lot.random() < odd:
            turn[key] = value
    if lot.random() < odd / 2:
        return lot.choice(
            (text, [name, text], json.dumps(turn), {}, {name: text} if isinstance(name, str) else turn, None)
        )
    return turn


def a_talk(lot: random.Random) -> Any:
    """A conversation: a third of them plain throughout, the others with something odd about it."""
    odd = lot.choice((0.0, 0.02, 0.2))
    parts = [("user", "assistant")[number % 2] for number in range(lot.choice((0, 1, 2, 2, 2, 2, 3, 4, 4, 6)))]
    parts[:0] = ["system"] * lot.choice((0, 0, 0, 1, 1, 2))
    if lot.random() < 2 * odd and parts:
        parts.insert(lot.randrange(len(parts) + 1), lot.choice(("user", "assistant", "system")))
    whole = [a_turn(lot, part, odd) for part in parts]
    return lot.choice((tuple(whole), json.dumps(whole), {"turns": whole})) if lot.random() < odd else whole


def shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close the short cut."""

    def none(value: Any, answered: bool = True) -> None:
        return None

    for module in (turns, supervised):
        monkeypatch.setattr(module, "plain_talk", none)


def read(value: Any, answered: bool, said: dict[str, str]) -> tuple[turns.Talk | None, list[Problem]]:
    told: list[Problem] = []
    return turns.talk(value, Where(file="t.jsonl", line=3), told.append, answered, said), told


def test_the_short_cut_reads_what_the_long_way_reads_and_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    lot = random.Random(7)
    cases = [(a_talk(lot), lot.random() < 0.8, {}) for _ in range(4_000)]
    cases += [
        (value, True, said) for value, _, _ in cases[:200] for said in ({"user": "assistant"}, {"店小二": "user"})
    ]
    taken = [plain_talk(value, answered) is not None and not said for value, answered, said in cases]
    assert 800 < sum(taken) < 3_000  # both ways are walked
    short = [read(*case) for case in cases]
    shut(monkeypatch)
    for case, found in zip(cases, short, strict=True):
        assert found == read(*case), case
    assert not any(told for by_cut, (_, told) in zip(taken, short, strict=True) if by_cut)


@pytest.mark.parametrize("column", ["messages", "conversations"])
@pytest.mark.parametrize("beside", ["", "system", "tools", "id"])
def test_a_file_read_both_ways_tells_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, beside: str
) -> None:
    lot = random.Random(column + beside)
    keys = ("role", "content") if column == "messages" else ("from", "value")
    first = [dict(zip(keys, turn, strict=True)) for turn in (("user", "What is due?"), ("assistant", "Ten euros."))]
    more: dict[str, Callable[[], Any]] = {
        "system": lambda: lot.choice(("", None, "Be brief.", "SYSTEM: Be kind.")),
        "tools": lambda: lot.choice(("", None, "[]", [{"name": "f"}], "none", "{")),
        "id": lambda: lot.randrange(9),
    }
    rows = [{column: value} for value in ([first] * 5 + [a_talk(lot) for _ in range(300)])]
    rows = [row | ({beside: more[beside]()} if beside else {}) for row in rows]
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")

    def everything() -> tuple[list[Conversation], list[Problem], list[Any]]:
        told: list[Problem] = []
        data = open_dataset(Dataset(str(path)), told.append, "llm")
        found = inspect(Dataset(str(path)), task="llm")
        seen = [found.format, found.counts, found.preview, found.lengths, found.advice, found.findings]
        return list(conversations_of(data.detection, told.append)), told, [*seen, found.conversations]

    short = everything()
    assert len(short[0]) > 50
    shut(monkeypatch)
    long = everything()
    assert short[2][0] == column.replace("conversations", "sharegpt")
    for one, other in zip(short, long, strict=True):
        assert one == other
