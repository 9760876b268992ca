"""Chats that messengers export as JSON: Telegram, Discord, Slack, Messenger, Google Chat. A row for each message."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tunewiz.data.exports.notices import is_media, is_notice, without_marks
from tunewiz.data.exports.texts import in_pieces

Values = Mapping[str, Any]


class Message(NamedTuple):
    """Who says what when in which chat; ``notice`` where the program does, ``media`` where it is no text."""

    chat: str
    speaker: str
    text: str
    time: str
    notice: bool = False
    media: bool = False


class Messenger(NamedTuple):
    """``fits``: whether an object is one of its messages; ``read``: the message, of a chat of this name."""

    fits: Callable[[Values], bool]
    read: Callable[[Values, str], Message]


def _first(values: Values, *keys: str) -> Any:
    return next((values[key] for key in keys if values.get(key) not in (None, "", [])), "")


def _within(value: Any, *keys: str) -> str:
    return str(_first(value, *keys)) if isinstance(value, Mapping) else str(value or "")


def _telegram(values: Values, chat: str) -> Message:
    media = any(values.get(key) for key in ("photo", "file", "media_type", "location_information", "sticker_emoji"))
    who, text = str(_first(values, "from", "actor", "from_id")), in_pieces(values.get("text"))
    return Message(
        chat, who, text, str(_first(values, "date", "date_unixtime")), values.get("type") != "message", media
    )


def _discord(values: Values, chat: str) -> Message:
    who = _within(values.get("author"), "nickname", "name", "username", "global_name")
    own = values.get("type", "Default") not in ("Default", "Reply", "ThreadStarterMessage", 0, 19, 20)
    media = bool(values.get("attachments") or values.get("embeds") or values.get("stickers"))
    return Message(chat, who, str(values.get("content") or ""), str(values.get("timestamp")), own, media)


_SLACK_SAID: Final = (None, "", "bot_message", "me_message", "thread_broadcast", "file_share", "file_comment")


def _slack(values: Values, chat: str) -> Message:
    who = _within(values.get("user_profile"), "real_name", "display_name", "name") if values.get("user_profile") else ""
    who = who or str(_first(values, "username", "user", "bot_id"))
    text = html.unescape(str(values.get("text") or ""))
    own = values.get("subtype") not in _SLACK_SAID
    media = bool(values.get("files") or values.get("attachments"))
    return Message(str(values.get("thread_ts") or chat), who, text, str(values.get("ts")), own, media)


def _facebook(values: Values, chat: str) -> Message:
    """UTF-8 that was written as if it were Latin-1, the newest first."""
    media = any(values.get(key) for key in ("photos", "videos", "audio_files", "sticker", "gifs", "files", "share"))
    text, who = _mended(str(values.get("content") or "")), _mended(str(values.get("sender_name") or ""))
    seconds = str(int(values["timestamp_ms"]) / 1000)
    return Message(chat, who, text, seconds, "call_duration" in values or bool(values.get("is_unsent")), media)


def _mended(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _google(values: Values, chat: str) -> Message:
    who = _within(values.get("creator"), "name", "email")
    media = bool(values.get("attached_files") or values.get("annotations"))
    return Message(chat, who, str(values.get("text") or ""), str(values.get("created_date")), False, media)


def _has(values: Values, *keys: str) -> bool:
    return all(key in values for key in keys)


#: By name. None of these keys is one of a turn of a conversation for a language model.
MESSENGERS: Final[Mapping[str, Messenger]] = {
    "telegram": Messenger(lambda one: _has(one, "date", "type") and ("from_id" in one or "actor_id" in one), _telegram),
    "discord": Messenger(
        lambda one: _has(one, "timestamp", "content") and isinstance(one.get("author"), Mapping), _discord
    ),
    "slack": Messenger(lambda one: one.get("type") == "message" and "ts" in one and "text" in one, _slack),
    "messenger": Messenger(lambda one: _has(one, "sender_name", "timestamp_ms"), _facebook),
    "google-chat": Messenger(lambda one: "created_date" in one and isinstance(one.get("creator"), Mapping), _google),
}  # fmt: skip

_LISTS: Final = ("messages", "chats", "list", "conversations", "channels")


def chats_in(values: Values, name: str = "", depth: int = 0) -> Iterator[tuple[str, Sequence[Values]]]:
    """The lists of messages in an object, with the name of the chat each is of: at the top, or a few keys down."""
    held = values.get("messages")
    if isinstance(held, list):
        yield name, [one for one in held if isinstance(one, Mapping)]
        return
    for key in _LISTS if depth < 3 else ():
        inside = values.get(key)
        for place, one in enumerate(inside if isinstance(inside, list) else [inside]):
            if isinstance(one, Mapping):
                called = _within(one, "name", "id") if isinstance(inside, list) else name
                yield from chats_in(one, called or f"{name}{place}", depth + 1)


def messenger_of(values: Values) -> str:
    """The messenger whose export a row is, one message or a whole chat; "" where it is none's."""
    found = [values, *(messages[0] for _, messages in chats_in(values) if messages)]
    for one in found[:2]:
        for name, program in MESSENGERS.items():
            if program.fits(one):
                return name
    return ""


def messages_of(values: Values, name: str) -> Iterator[Message]:
    """The messages of a row of the messenger ``name``, oldest first, with what none of people says marked."""
    program = MESSENGERS[name]
    if program.fits(values):
        yield _judged(program.read(values, ""))
        return
    for chat, messages in chats_in(values):
        listed = [_judged(program.read(one, chat)) for one in messages if program.fits(one)]
        falling = len(listed) > 1 and name == "messenger" and float(listed[0].time) > float(listed[-1].time)
        yield from reversed(listed) if falling else listed


def _judged(one: Message) -> Message:
    text = without_marks(one.text).strip()
    media = not one.notice and ((not text and one.media) or is_media(text))
    return one._replace(text=text, media=media, notice=not media and (one.notice or is_notice(one.speaker, text)))
