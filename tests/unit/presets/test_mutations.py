"""Damaged presets: whatever happens to a shipped file, the answer is a preset or :class:`BadPreset`."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tunewiz.presets.yaml import library, writing
from tunewiz.problems import BadPreset

FILES = [library.find(name) for name in library.names() if name.startswith("embedding/")]
ROUNDS = 5
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\n",
    "\0",
    "\x1b[31m",
    "null",
    "~",
    "yes",
    "=",
    "<<",
    "[",
    "{",
    "]: x",
    "a: b",
    "#",
    "'",
    '"',
    "\\",
    "%",
    "@",
    "`",
    "!",
    "&a",
    "*a",
    "？",
    "：",
    "\u202e",
    "\ufeff",
    "😀",
    "é",
    "\ud800",
    "x" * 5000,
    [],
    {},
    [None],
    [[[[]]]],
    {"": ""},
    {"a": {"b": {"c": {}}}},
    [1, "a", None, {}],
    "../../etc",
    "/" * 300,
    "~nobody/x",
    "2e-5",
    "1_0",
    "1_",
    "0_.",
    "0x10",
    "1e999",
    "9" * 5000,
    ["auto"],
    {"auto": "auto"},
    {"name": []},
    {"type": {}},
]


def _bytes(text: str, chance: random.Random) -> bytes:
    content = bytearray(text.encode())
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(content))
        kind = chance.randrange(3)
        if kind == 0:
            content[place] = chance.randrange(256)
        elif kind == 1:
            del content[place : place + chance.randint(1, 20)]
        else:
            content[place:place] = chance.randbytes(chance.randint(1, 6))
        content = content or bytearray(b"x")
    return bytes(content)


def _lines(text: str, chance: random.Random) -> bytes:
    lines = text.splitlines()
    for _ in range(chance.randint(1, 4)):
        number = chance.randrange(len(lines))
        line = lines[number]
        lines[number : number + 1] = chance.choice(
            [
                [],
                [line, line],
                ["  " + line],
                ["\t" + line],
                [line.lstrip()],
                [line[: len(line) // 2]],
                [line + ":"],
                [line, "---"],
            ]
        ) or [""]
    return "\n".join(lines).encode()


def _characters(text: str, chance: random.Random) -> bytes:
    characters = list(text)
    for _ in range(chance.randint(1, 6)):
        characters[chance.randrange(len(characters))] = chance.choice(
            "：，“”\u3000\u200b\u2028\x85:{}[]\"'#&*!|>%@`-? \t\n\r\0"
        )
    return "".join(characters).encode()


def _values(text: str, chance: random.Random) -> bytes:
    record = yaml.safe_load(text)
    for _ in range(chance.randint(1, 4)):
        _spoil(record, chance)
    return yaml.safe_dump(record, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")


def _spoil(record: dict[str, Any], chance: random.Random) -> None:
    """Change, drop, add or rename one key somewhere in ``record``."""
    key = chance.choice(list(record))
    if isinstance(record[key], dict) and record[key] and chance.random() < 0.7:
        _spoil(record[key], chance)
        return
    kind = chance.randrange(4)
    if kind == 0:
        record[key] = chance.choice(ODD)
    elif kind == 1 and len(record) > 1:
        del record[key]
    elif kind == 2:
        record[chance.choice(["extra", "", "epochs", "名称", "a.b", "<<", "=", "token", "0"])] = chance.choice(ODD)
    else:
        record[key[:-1] or "x"] = record.pop(key)


def _arguments(text: str, chance: random.Random) -> list[str]:
    """``--set`` arguments, sensible and not."""
    keys = [
        "training.epochs",
        "loss",
        "loss.name",
        "method.type",
        "method",
        "data",
        "evaluation.k.0",
        "a.b.c",
        "",
        ".",
        "model.id.x",
    ]
    return [f"{chance.choice(keys)}={chance.choice(ODD)}" for _ in range(chance.randint(1, 3))]


def _try(file: Path, content: bytes, arguments: list[str]) -> None:
    file.write_bytes(content)
    try:
        preset = library.load(file, arguments)
    except BadPreset as fault:
        assert fault.problems
        for problem in fault.problems:
            assert problem.line("en")
            assert problem.line("zh")
        return
    assert library.loads(writing.dumps(preset)) == preset
    assert all(problem.line("en") for problem in preset.problems())


@pytest.mark.parametrize(
    "damage", [_bytes, _lines, _characters, _values], ids=lambda damage: damage.__name__.strip("_")
)
def test_damage_is_told_never_thrown(tmp_path: Path, damage: Callable[[str, random.Random], bytes]) -> None:
    for number, shipped in enumerate(FILES * ROUNDS):
        chance = random.Random(f"{damage.__name__} {number}")
        _try(tmp_path / "x.yaml", damage(shipped.read_text(encoding="utf-8"), chance), [])


def test_odd_arguments_are_told_never_thrown(tmp_path: Path) -> None:
    for number, shipped in enumerate(FILES * ROUNDS):
        text = shipped.read_text(encoding="utf-8")
        _try(tmp_path / "x.yaml", text.encode(), _arguments(text, random.Random(number)))
