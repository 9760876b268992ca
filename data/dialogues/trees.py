"""Conversations kept as trees: ChatGPT's exports (messages by id), OpenAssistant's (replies inside replies)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tunewiz.data.reading.cells import Table, parse_nested

#: Contents of a message that are its text; of others (code, thoughts, results of a browser) no turn is made.
_TEXTS: Final = ("text", "multimodal_text", "")
_REPLIES: Final = ("replies", "children")
_DEEPEST: Final = 10_000  # messages: a tree may hold itself


class Branch(NamedTuple):
    """The ``turns`` along one branch of a tree, and what was passed over: kinds of messages, and other ``answers``."""

    turns: list[Any]
    passed: tuple[str, ...]
    answers: int


def branch(value: Any) -> Branch | None:
    """The newest branch of a tree of messages, or the one of the best replies; None where ``value`` is no tree."""
    found = parse_nested(value)
    if not isinstance(found, Mapping) or not found:
        return None
    if _are_nodes(found.values()):
        return _newest(found)
    return _best(found) if _has_replies(found) else None


def tree_column(table: Table) -> str:
    """The column that holds a tree of messages in each row; "" if none does."""
    for column in table.columns:
        values = table.values(column)
        if values and all(branch(value) is not None for value in values):
            return column
    return ""


def _are_nodes(values: Iterable[Any]) -> bool:
    return all(
        isinstance(node, Mapping) and "message" in node and isinstance(node.get("children"), list) for node in values
    )


def _newest(nodes: Mapping[str, Any]) -> Branch:
    """From the root on always the last child: what was written, or asked again, last."""
    turns: list[Any] = []
    passed: dict[str, None] = {}
    name = next((key for key, node in nodes.items() if node.get("parent") not in nodes), next(iter(nodes)))
    others = 0
    for _ in range(min(len(nodes), _DEEPEST)):
        node = nodes[name]
        turn, kind = _turn(node.get("message"))
        turns += [turn] if turn else []
        passed |= {kind: None} if kind else {}
        children = [child for child in node["children"] if child in nodes]
        if not children:
            break
        others += len(children) - 1
        name = children[-1]
    return Branch(turns, tuple(passed), others)


def _turn(message: Any) -> tuple[Mapping[str, Any] | None, str]:
    """A message as a turn; or the kind of what it holds instead of a text, where that says something."""
    if not isinstance(message, Mapping):
        return None, ""
    author, content = message.get("author"), message.get("content")
    role = str(author.get("role", "")) if isinstance(author, Mapping) else str(author or message.get("role", ""))
    hidden = isinstance(message.get("metadata"), Mapping) and message["metadata"].get(
        "is_visually_hidden_from_conversation"
    )
    kind = str(content.get("content_type", "")) if isinstance(content, Mapping) else ""
    parts = content.get("parts") if isinstance(content, Mapping) else content
    listed = parts if isinstance(parts, Sequence) and not isinstance(parts, str) else [parts]
    text = "\n".join(part for part in listed if isinstance(part, str) and part.strip())
    if role == "tool" or kind not in _TEXTS or message.get("recipient", "all") not in ("all", None):
        return None, kind or role
    if hidden or not text:
        return None, ""
    if any(not isinstance(part, str) for part in listed):
        return {"role": role, "content": listed}, ""  # a picture beside it: the row is told of and left out
    return {"role": role, "content": text}, ""


def _has_replies(node: Mapping[str, Any]) -> bool:
    said = isinstance(node.get("text", node.get("content")), str) and "role" in node
    return said and any(isinstance(node.get(key), list) for key in _REPLIES)


def _best(node: Mapping[str, Any]) -> Branch:
    """From the prompt on always the reply of the best rank, or the first."""
    turns: list[Any] = []
    others = 0
    for _ in range(_DEEPEST):
        turns.append({"role": node.get("role"), "content": node.get("text", node.get("content"))})
        replies: list[Any] = next((node[key] for key in _REPLIES if isinstance(node.get(key), list)), [])
        replies = [reply for reply in replies if isinstance(reply, Mapping)]
        if not replies:
            break
        others += len(replies) - 1
        node = min(replies, key=_rank)
    return Branch(turns, (), others)


def _rank(reply: Mapping[str, Any]) -> float:
    rank = reply.get("rank")
    return float(rank) if isinstance(rank, (int, float)) else float("inf")
