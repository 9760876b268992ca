"""A program as blocks of code with a comment each: written as a script, or as a notebook of one cell a block."""

from __future__ import annotations

import json
import pprint
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tunewiz.data.text.language import is_chinese
from tunewiz.problems import Message

_SOURCES: Final = Path(__file__).resolve().parents[1] / "programs"
#: What begins a block in a file of blocks: the percent format, which editors know.
_MARK: Final = "# %% "
_WIDTH: Final = 110  # columns of a comment; what is wide takes two


@dataclass(frozen=True)
class Block:
    """Code, and what it is for in the user's language."""

    told: Message
    code: str


@cache
def blocks_of(name: str) -> Mapping[str, str]:
    """The blocks of the file ``name``.py.txt by their names."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (_SOURCES / f"{name}.py.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(_MARK):
            lines = found.setdefault(line.removeprefix(_MARK).strip(), [])
        else:
            lines.append(line)
    return {key: "\n".join(own).strip("\n") for key, own in found.items()}


def constants(values: Mapping[str, Any]) -> str:
    """An assignment a line; long ones over several lines."""
    return "\n".join(f"{name} = {_written(name, value)}" for name, value in values.items())


def _written(name: str, value: Any) -> str:
    text = repr(value)
    if len(name) + 3 + len(text) <= _WIDTH or not isinstance(value, (dict, list, tuple)):
        return text
    if not isinstance(value, dict):
        return pprint.pformat(value, width=_WIDTH, compact=True, sort_dicts=False)
    lines = "".join(f"    {key!r}: {item!r},\n" for key, item in value.items())
    return "{\n" + lines + "}"


@dataclass(frozen=True)
class Program:
    """``title`` says what it does; ``needs`` are the packages, as pip takes them."""

    title: Message
    needs: tuple[str, ...]
    blocks: tuple[Block, ...]

    def script(self) -> str:
        """As a Python file."""
        head = ["#!/usr/bin/env python3", *comment(self.title.text()), f"# pip install {' '.join(self.needs)}", ""]
        parts = ["\n".join([*comment(block.told.text()), block.code]) for block in self.blocks]
        return "\n".join(head) + "\n" + "\n\n\n".join(parts) + "\n"

    def notebook(self) -> str:
        """As a Jupyter notebook (nbformat 4.5)."""
        install = f"```\npip install {' '.join(self.needs)}\n```"
        cells = [_cell(0, "markdown", f"{self.title.text()}\n\n{install}")]
        for block in self.blocks:
            cells.append(_cell(len(cells), "markdown", block.told.text()))
            cells.append(_cell(len(cells), "code", block.code))
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        told = {"kernelspec": kernel, "language_info": {"name": "python"}}
        whole = {"cells": cells, "metadata": told, "nbformat": 4, "nbformat_minor": 5}
        return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    more: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    source = text.splitlines(keepends=True)
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, **more, "source": source}


def filled(message: Message, **values: object) -> Message:
    """``message`` with ``values`` in it."""
    return Message(message.template, values)


def comment(text: str) -> list[str]:
    """``text`` as lines of a comment."""
    return [f"# {line}" for line in _wrapped(text)]


def _wrapped(text: str) -> Iterator[str]:
    if not is_chinese(text):
        yield from textwrap.wrap(text, _WIDTH - 2, break_on_hyphens=False) or [""]
        return
    line, width = "", 0
    for piece in re.findall(r"[!-~]+|.", text):
        size = len(piece) if piece.isascii() else 2 * len(piece)
        if width + size > _WIDTH - 2 and piece not in "，。：；、）！？":
            yield line.rstrip()
            line, width = "", 0
        line, width = line + piece, width + size
    yield line
