"""Turns in other shapes than a list of who speaks: segments that are learned or not, and turns under their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tunewiz.data.dialogues.markup import split_dialogue, spoken, without_control
from tunewiz.data.dialogues.roles import Part, part_of

_NUMBERED: Final = re.compile(r"\D*(\d{1,4})")


def listed(value: Any) -> Any:
    """Turns that stand in an object under their numbers (MOSS: ``{"turn_1": {…}, "turn_2": {…}}``) as a list of them.

    Any other object is a list of that one; all else stays what it is.
    """
    if not isinstance(value, Mapping):
        return value
    numbers = [_NUMBERED.fullmatch(str(key)) for key in value]
    if value and all(numbers) and all(isinstance(item, Mapping) for item in value.values()):
        order = sorted((int(found[1]), place) for place, found in enumerate(numbers) if found)
        items = list(value.values())
        return [items[place] for _, place in order]
    return [value]


def langchain_turn(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A message as LangChain writes it down, ``{"type": "human", "data": {…}}`` or by its class; None for others."""
    held, kind = item.get("data", item.get("kwargs")), item.get("type")
    if kind == "constructor" and isinstance(item.get("id"), list) and item["id"]:
        kind = str(item["id"][-1]).removesuffix("Chunk").removesuffix("Message")
    if not isinstance(held, Mapping):
        held = item
    if not isinstance(kind, str) or "content" not in held or part_of(kind) is None:
        return None
    beside = {key: value for key, value in held.items() if key in _OF_LANGCHAIN}
    more = held.get("additional_kwargs")
    calls = held.get("tool_calls") or (more.get("tool_calls") if isinstance(more, Mapping) else None)
    return {"role": kind, "content": held["content"], **beside, **({"tool_calls": calls} if calls else {})}


_OF_LANGCHAIN: Final = ("name", "id", "tool_call_id")


def is_segments(value: Sequence[Any]) -> bool:
    """Whether a list holds axolotl's segments: texts with a label that says whether each is learned."""
    return bool(value) and all(
        isinstance(item, Mapping) and isinstance(item.get("text"), str) and learned(item) is not None for item in value
    )


def learned(segment: Mapping[str, Any]) -> bool | None:
    """Whether the label of a segment says that it is learned; None where it says nothing of that."""
    label = segment.get("label")
    if isinstance(label, bool):
        return label
    alone = segment.keys() == {"label", "text"}
    return {"true": True, "1": True, "false": False, "0": False}.get(str(label).casefold()) if alone else None


def turns_of_segments(segments: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Part, str, bool]]:
    """Who speaks, what, and whether it is learned: what is not learned asks, or is a dialogue that is written out.

    Neighbouring segments with one label are one text, as axolotl puts them together.
    """
    for text, is_learned in _joined(segments):
        text = text.lstrip().removeprefix("<s>")
        written = split_dialogue(f"{text.rstrip()}\n") if not is_learned else None
        if written is not None:
            yield from ((part, said, part != "assistant") for part, said in written if said or part != "assistant")
            continue
        bare = without_control(text).strip()
        part, said = spoken(bare)
        if is_learned:
            yield "assistant", said if part == "assistant" else bare, True
        elif bare:
            yield (part if part in ("system", "user") else "user"), (said if part in ("system", "user") else bare), True


def _joined(segments: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
    kept: list[str] = []
    for place, item in enumerate(segments):
        kept.append(item["text"])
        if place + 1 == len(segments) or learned(segments[place + 1]) != learned(item):
            yield "".join(kept), bool(learned(item))
            kept = []
