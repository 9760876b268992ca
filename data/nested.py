"""Lists and objects in cells, also where a table holds them as text; calls of tools among them."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

_LIMIT: Final = 1 << 22


def nested(value: Any) -> Any:
    """The list or object that a cell holds, as itself, as JSON or as a Python literal; else ``value`` unchanged."""
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple) else value
    text = value.strip()
    if not text or text[0] + text[-1] not in ("[]", "{}") or len(text) > _LIMIT:
        return value
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return value
    return found if isinstance(found, (list, dict)) else value


def tool_list(value: Any) -> str | None:
    """The tools a conversation may call, as a JSON list of objects with a name; "" for none, None if it is no such.

    OpenAI's ``{"type": "function", "function": {...}}`` becomes the inner object.
    """
    found = nested(value)
    if found is None or found in ("", [], {}):
        return ""
    listed = found if isinstance(found, list) else [found]
    inner = [tool.get("function", tool) if isinstance(tool, Mapping) else tool for tool in listed]
    if not all(isinstance(tool, Mapping) and isinstance(tool.get("name"), str) for tool in inner):
        return None
    return json.dumps(inner, ensure_ascii=False)


def call_text(value: Any) -> str | None:
    """Calls of tools as JSON text: an object with name and arguments, or a list of several; None if it is no such."""
    found = nested(value)
    listed = found if isinstance(found, list) else [found]
    calls = [_call(item) for item in listed]
    good = [call for call in calls if call is not None]
    if not good or len(good) < len(calls):
        return None
    return json.dumps(good[0] if len(good) == 1 else good, ensure_ascii=False)


def _call(item: Any) -> dict[str, Any] | None:
    inner = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        return None
    arguments = nested(inner.get("arguments", inner.get("parameters")))
    return {"name": inner["name"], "arguments": {} if arguments in (None, "") else arguments}


def text_of(value: Any) -> str | None:
    """The text of a turn: a text, or a list of parts that are all text; None where a part is something else."""
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return _part(value)
    if isinstance(value, Sequence):
        parts = [_part(part) for part in value]
        texts = [part for part in parts if part is not None]
        return "\n".join(texts) if len(texts) == len(parts) else None
    return None


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "input_text", "output_text"):
        return None
    text = part.get("text", part.get("value"))
    return text if isinstance(text, str) else None
