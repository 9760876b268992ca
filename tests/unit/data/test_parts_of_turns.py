"""Turns whose content is a list of parts: calls, what tools gave back, thoughts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.test_other_layouts import asked, looked, said, spoke, user


@pytest.mark.parametrize("called", [
    ({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
     {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"v": 2}}}]}),
    ({"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}]},
     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": '{"v": 2}'}]}),
    ({"role": "assistant", "content": [{"type": "tool_call", "value": '{"name": "f", "arguments": {"a": 1}}'}]},
     {"role": "tool", "content": [{"type": "text", "value": '{"v": 2}'}]}),
])  # fmt: skip
def test_calls_among_the_parts_of_a_turn(tmp_path: Path, called: tuple[dict[str, Any], dict[str, Any]]) -> None:
    tools = [{"functionDeclarations": [{"name": "f", "parameters": {}}]}]
    found = looked(tmp_path, "llm", lambda n: {"tools": tools, "messages": [
        user(asked(n)), *called, {"role": "assistant", "content": said(n)}]})  # fmt: skip
    assert spoke(found)[1:3] == [("call", '{"name": "f", "arguments": {"a": 1}}'), ("tool", '{"v": 2}')]
    assert json.loads(found.conversations[0].tools)[0]["name"] == "f"


@pytest.mark.parametrize("part", [
    {"type": "reasoning", "value": "why"}, {"type": "thinking", "thinking": "why", "signature": "x"},
    {"text": "why", "thought": True},
])  # fmt: skip
def test_thoughts_among_the_parts_of_an_answer(tmp_path: Path, part: dict[str, Any]) -> None:
    found = looked(tmp_path, "llm", lambda n: {"messages": [
        user(asked(n)), {"role": "assistant", "content": [part, {"type": "text", "text": said(n)}]}]})  # fmt: skip
    assert spoke(found)[1] == ("assistant", f"<think>\nwhy\n</think>\n\n{said(0)}")
