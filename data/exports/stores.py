"""Rows that stores of documents and of traces wrap into objects of their own: Elasticsearch, Argilla, LangSmith."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunewiz.data.reading.expressions import parse_nested

Values = Mapping[str, Any]
_ACTIONS: Final = ("index", "create", "update", "delete")


def is_hit(values: Values) -> bool:
    """A document of Elasticsearch or OpenSearch with its index beside it, or the line of a bulk file that names it."""
    return (isinstance(values.get("_source"), Mapping) and "_index" in values) or is_action(values)


def is_action(values: Values) -> bool:
    """Whether a row only tells where the next one goes: ``{"index": {"_index": "faq"}}``."""
    if not values:
        return False
    held = values.get(next(iter(values), ""))
    return len(values) == 1 and next(iter(values)) in _ACTIONS and isinstance(held, Mapping) and (
        not held or any(str(key).startswith("_") for key in held)
    )  # fmt: skip


def hit(values: Values) -> dict[str, Any]:
    """The document; its score says how well it fits what was searched for, which nobody knows any more."""
    if "_source" not in values:
        return dict(values)
    return {"id": values.get("_id", ""), **values["_source"]}


def is_record(values: Values) -> bool:
    """A record of Argilla: what was shown in ``fields``, what was said of it in ``responses``."""
    return isinstance(values.get("fields"), Mapping) and isinstance(values.get("responses"), (list, Mapping))


def record(values: Values) -> dict[str, Any]:
    """The fields, and each answer of the first who submitted any as a column; ``status`` where it was discarded."""
    said = values["responses"]
    found = {str(key): held for key, held in values["fields"].items()}
    if isinstance(said, Mapping):  # {"rating": [{"value": 5, "user_id": …}]}
        answers = {name: one[0] for name, one in said.items() if isinstance(one, list) and one}
    else:
        given = [one for one in said if isinstance(one, Mapping)]
        whole = next((one for one in given if one.get("status", "submitted") == "submitted"), None)
        if whole is None and given:
            found["status"] = given[0].get("status")
        answers = whole.get("values") or {} if whole else {}
    for name, one in answers.items():
        value = one.get("value") if isinstance(one, Mapping) else one
        found[name if name not in found else f"{name}_response"] = value
    return found


def is_choice(values: Values) -> bool:
    """A task of Prodigy with options of which some are accepted."""
    options = values.get("options")
    listed = isinstance(options, list) and bool(options) and all(isinstance(one, Mapping) for one in options)
    return listed and isinstance(values.get("accept"), list) and "text" in values


def choice(values: Values) -> dict[str, Any]:
    """The text, and the words of the accepted options as its label, a list where there are several."""
    chosen = [one.get("text", one.get("id")) for one in values["options"] if one.get("id") in values["accept"]]
    rest = {key: held for key, held in values.items() if key not in ("options", "accept") and not key.startswith("_")}
    return {**rest, "label": chosen[0] if len(chosen) == 1 else chosen}


def is_trace(values: Values) -> bool:
    """A run or an example of LangSmith and its like: objects of what went in and what came out."""
    return all(isinstance(parse_nested(values.get(key)), Mapping) for key in ("inputs", "outputs"))


def trace(values: Values) -> dict[str, Any]:
    """The messages that went in as a prompt and the text that came out; or what lies in both objects, side by side."""
    asked, answered = parse_nested(values["inputs"]), parse_nested(values["outputs"])
    prompt = _flat(asked.get("messages", asked.get("input"))) if isinstance(asked, Mapping) else None
    text = _answer(answered)
    if isinstance(prompt, list) and prompt and text is not None:
        return {"id": values.get("id", ""), "prompt": prompt, "completion": text}
    rest = {f"{name}_output" if name in asked else name: held for name, held in answered.items()}
    return {"id": values.get("id", ""), **asked, **rest}


def _flat(messages: Any) -> Any:
    """The first list of lists of messages: a batch of one."""
    listed = isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], list)
    return messages[0] if listed else messages


def _answer(held: Any) -> Any:
    """The first thing that was generated: a text, or a message."""
    found = held.get("generations", held.get("choices", held.get("messages", held.get("output"))))
    while isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, Mapping) and isinstance(found.get("message"), Mapping):
        found = found["message"] if "content" in found["message"] else found.get("text") or found["message"]
    if isinstance(found, Mapping) and "text" in found:
        return found["text"]
    return [found] if isinstance(found, Mapping) else found if isinstance(found, str) else None
