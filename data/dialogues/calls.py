"""Calls of tools, whoever wrote them down how, as JSON; and the tools that may be called."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tunewiz.data.reading.cells import parse_nested


def tool_list(value: Any) -> str | None:
    """The tools a conversation may call, as a JSON list of objects with a name; "" for none, None if it is no such.

    OpenAI's ``{"type": "function", "function": {...}}`` becomes the inner object.
    """
    found = parse_nested(value)
    if found is None or found in ("", [], {}):
        return ""
    listed = found if isinstance(found, list) else [found]
    listed = [parse_nested(tool) for tool in listed]
    declared = [one for tool in listed for one in _declared(tool)]
    inner = [tool.get("function", tool) if isinstance(tool, Mapping) else tool for tool in declared]
    if not all(isinstance(tool, Mapping) and isinstance(tool.get("name"), str) for tool in inner):
        return None
    return json.dumps(inner, ensure_ascii=False)


def _declared(tool: Any) -> list[Any]:
    """The functions that a tool of Gemini declares; any other tool by itself."""
    inside = [tool[key] for key in ("functionDeclarations", "function_declarations") if isinstance(tool, Mapping) and
              isinstance(tool.get(key), list)]  # fmt: skip
    return inside[0] if inside else [tool]


def call_text(value: Any) -> str | None:
    """Calls of tools as JSON text: an object with name and arguments, or a list of several; None if it is no such.

    A text of calls as Python writes them (``rate(currency="EUR")``), or between the tags of a template, is read too.
    """
    found = parse_nested(value)
    if isinstance(found, str):
        rest, tagged = calls_in(found)
        return tagged if tagged and not rest else _python_calls(found)
    listed = found if isinstance(found, list) else [found]
    calls = [_call(parse_nested(item)) for item in listed]
    good = [call for call in calls if call is not None]
    if not good or len(good) < len(calls):
        return None
    return json.dumps(good[0] if len(good) == 1 else good, ensure_ascii=False)


def _call(item: Any) -> dict[str, Any] | None:
    inner = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        return None
    arguments = parse_nested(inner.get("arguments", inner.get("parameters", inner.get("args"))))
    return {"name": inner["name"], "arguments": {} if arguments in (None, "") else arguments}


#: Parts of a turn that hold what was thought before the answer, and under what it stands there.
_THINKING: Final = ("reasoning", "thinking", "thought")
_THOUGHT: Final = ("value", "thinking", "reasoning", "thought", "text", "content")


def thoughts_in_parts(content: Any) -> tuple[Any, str]:
    """The parts of a turn without those that are thoughts, and what these say."""
    if not isinstance(content, list) or not any(_thinks(part) for part in content):
        return content, ""
    said = [
        next((part[key] for key in _THOUGHT if isinstance(part.get(key), str)), "") for part in content if _thinks(part)
    ]
    return [part for part in content if not _thinks(part)], "\n".join(said)


def _thinks(part: Any) -> bool:
    return isinstance(part, Mapping) and (part.get("type") in _THINKING or part.get("thought") is True)


def calls_in_parts(content: Any) -> tuple[list[Any], str | None]:
    """The calls among the parts of a turn, and what tools gave back (Gemini, Anthropic); ([], None) where none are."""
    parts = [content] if isinstance(content, Mapping) else content
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        return [], None
    calls = [part[key] for part in parts for key in ("functionCall", "function_call") if part.get(key)]
    calls += [
        {"name": part.get("name"), "arguments": part.get("input")} for part in parts if part.get("type") == "tool_use"
    ]
    # LLaMA-Factory's next version writes a call as text, others as an object or beside its type.
    named = [
        part for part in parts if part.get("type") in ("tool_call", "function_call", "function") and part not in calls
    ]
    calls += [parse_nested(part.get("value", part.get("tool_call", part.get("function", part)))) for part in named]
    given = [part[key] for part in parts for key in ("functionResponse", "function_response") if part.get(key)]
    answers = [one.get("response", one) if isinstance(one, Mapping) else one for one in given]
    answers += [part.get("content", "") for part in parts if part.get("type") == "tool_result"]
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in answers]
    return calls, "\n".join(texts) if answers else None


#: Hermes and Qwen write ``<tool_call>``, Glaive ``<functioncall>`` without an end.
_TAGGED: Final = re.compile(r"<(tool_call|function_call)>(.*?)</\1>|<functioncall>\s*(\{.*\})", re.S)
_RESPONSE: Final = re.compile(r"^\s*<(tool_response|function_response)>(.*)</\1>\s*$", re.S)


def calls_in(text: str) -> tuple[str, str | None]:
    """What stands in ``text`` beside the calls between tags, and those as :func:`call_text` writes them."""
    if "<tool_call>" not in text and "<function" not in text:
        return text, None
    found: list[Any] = []
    for match in _TAGGED.finditer(text):
        call = _call(parse_nested(match[2] or match[3]))
        if call is None:
            return text, None
        found.append(call)
    if not found:
        return text, None
    return _TAGGED.sub("", text).strip(), json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False)


def response_text(text: str) -> str:
    """What a tool gave back, without the tags that a template puts around it again."""
    found = _RESPONSE.match(text)
    return found[2].strip() if found else text


def _python_calls(text: str) -> str | None:
    try:
        calls = list(_parsed(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not calls:
        return None
    try:
        return json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
    except (TypeError, ValueError):  # complex numbers, bytes, sets: no JSON
        return None


def _parsed(text: str) -> Iterator[dict[str, Any]]:
    for statement in ast.parse(text.strip()).body:
        if not isinstance(statement, ast.Expr):
            raise ValueError
        value = statement.value
        for call in value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]:
            if not isinstance(call, ast.Call) or call.args:
                raise ValueError
            named = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
            if len(named) < len(call.keywords):
                raise ValueError
            yield {"name": ast.unparse(call.func), "arguments": named}
