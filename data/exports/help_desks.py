"""Tickets and conversations of help desks: Intercom, Zendesk, Freshdesk, Chatwoot. A row for each, with its turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tunewiz.data.exports.texts import plain

Values = Mapping[str, Any]
#: What lies between customer and help desk and is said to neither.
_INTERNAL: Final = ("note", "assignment", "close", "open", "snoozed", "away_mode_assignment", "note_and_reopen")
_BODIES: Final = ("plain_body", "body_text", "body", "content", "text", "html_body", "message")
_CUSTOMERS: Final = (
    "user",
    "lead",
    "contact",
    "customer",
    "end-user",
    "end_user",
    "visitor",
    "requester",
    "incoming",
    "0",
)
_DESK: Final = ("admin", "agent", "bot", "operator", "teammate", "team", "system", "outgoing", "template", "1", "3")


def is_ticket(values: Values) -> bool:
    """Whether a row is a ticket, or a list of them, of a help desk."""
    return any(_parts(ticket) for ticket in _tickets(values))


def turns_of(values: Values) -> Iterator[tuple[dict[str, Any], int]]:
    """Each ticket of a row as plain columns, and how many parts of it were said to no customer."""
    for ticket in _tickets(values):
        turns, hidden = _turns(ticket)
        subject = plain(_at(ticket, "source.subject") or ticket.get("subject"))
        if subject and turns and turns[0]["role"] == "user" and subject not in turns[0]["content"]:
            turns[0]["content"] = f"{subject}\n{turns[0]['content']}"
        yield {"id": ticket.get("id", ""), "messages": turns}, hidden


def _tickets(values: Values) -> list[Values]:
    for key in ("conversations", "tickets", "results"):
        held = values.get(key)
        if isinstance(held, list) and held and isinstance(held[0], Mapping) and _parts(held[0]):
            return [one for one in held if isinstance(one, Mapping)]
    return [values["ticket"]] if isinstance(values.get("ticket"), Mapping) else [values]


def _at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _parts(ticket: Values) -> list[Values]:
    """What is said in a ticket, in order; [] where an object is none."""
    intercom = _at(ticket, "conversation_parts.conversation_parts") or ticket.get("conversation_parts")
    if isinstance(intercom, list):
        first = ticket.get("source") or ticket.get("conversation_message")
        return [one for one in (first, *intercom) if isinstance(one, Mapping)]
    zendesk = ticket.get("comments")
    if isinstance(zendesk, list) and zendesk and "requester_id" in ticket:
        return [one for one in zendesk if isinstance(one, Mapping) and "author_id" in one]
    freshdesk = ticket.get("conversations")
    if isinstance(freshdesk, list) and any(isinstance(one, Mapping) and "incoming" in one for one in freshdesk):
        first = {"body": ticket.get("description_text") or ticket.get("description"), "incoming": True}
        return [first, *(one for one in freshdesk if isinstance(one, Mapping))]
    chatwoot = ticket.get("messages") or ticket.get("payload")
    if isinstance(chatwoot, list) and chatwoot and isinstance(chatwoot[0], Mapping) and "message_type" in chatwoot[0]:
        return [one for one in chatwoot if isinstance(one, Mapping)]
    return []


def _turns(ticket: Values) -> tuple[list[dict[str, Any]], int]:
    found: list[dict[str, Any]] = []
    hidden = 0
    for part in _parts(ticket):
        text = next((text for key in _BODIES if (text := plain(part.get(key)))), "")
        role = _role(part, ticket)
        inside = part.get("public") is False or part.get("private") is True or part.get("part_type") in _INTERNAL[:1]
        if not text or not role or inside:
            hidden += bool(text)
        elif found and found[-1]["role"] == role:
            found[-1]["content"] += f"\n{text}"
        else:
            found.append({"role": role, "content": text})
    return found, hidden


def _role(part: Values, ticket: Values) -> str:
    """Who speaks: the customer is the user; "" for what the program notes down itself."""
    author = part.get("author")
    kind = author.get("type") if isinstance(author, Mapping) else None
    kind = kind if kind is not None else part.get("message_type", part.get("author_type"))
    if kind is not None and str(kind).casefold() in _CUSTOMERS:
        return "user"
    if kind is not None and str(kind).casefold() in _DESK:
        return "assistant"
    if isinstance(part.get("incoming"), bool):
        return "user" if part["incoming"] else "assistant"
    if "author_id" in part and "requester_id" in ticket:
        return "user" if part["author_id"] == ticket["requester_id"] else "assistant"
    return ""
