"""Chats that messengers and help desks save: messages put together into conversations, who answers as the user says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.roles import Part, fold, part_of
from tunewiz.data.dialogues.times import way_of_writing
from tunewiz.data.exports.known import is_chat
from tunewiz.data.exports.logs import log_columns
from tunewiz.data.exports.saved_chats import CHAT, SPEAKER, TEXT, TIME, message
from tunewiz.data.formats.asked_turns import AskedTurns, OfColumns, told_as_pairs
from tunewiz.data.formats.conversations import ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import list_columns
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.meaning import meaningful
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import BadData, Message, Problem, Report, error, note, say, warning

_TURNS: Final = "messages"
#: Seconds of silence after which another conversation begins, and after which an answer is to nothing any more.
_SILENCE: Final = 3600.0
_FORGOTTEN: Final = 24 * _SILENCE
_LOOKED: Final = 20_000  # messages in which those who speak are looked for
_NAMED: Final = 4  # people who are named where it is asked who answers


class SavedChat(ConversationFormat):
    """Messages as a messenger saved them; a conversation ends where there is silence for an hour."""

    name: ClassVar[str] = "saved_chat"
    title: ClassVar[str] = N_("A chat that a messenger saved")
    description: ClassVar[str] = N_("Who wrote what when: WeChat, QQ, WhatsApp, Telegram, Discord, Slack.")
    roles: ClassVar[tuple[Role, ...]] = ()

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Never by columns: see :meth:`takes`."""
        return False

    def takes(self, source: Source, table: Table) -> Detection | None:
        """A chat, once it is known who answers. Raises :class:`BadData` (``who-answers``) where it is not."""
        mapping = _columns(source, table, self.name)
        return None if mapping is None else Detection(self, source, mapping, 0.9, _understood(source, mapping, table))

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each conversation, its turns as a list of messages."""
        return conversations(detection, report)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The turns that :meth:`rows` put together."""
        return cells.supervised(cells.talk(cells.row.values[_TURNS], answered=True))


class AskedSavedChat(OfColumns, AskedTurns):
    """The same for retrieval: each question with its answer is a pair."""

    name: ClassVar[str] = "asked_saved_chat"
    title: ClassVar[str] = N_("Questions and answers of a chat that a messenger saved")
    description: ClassVar[str] = N_("Each question in a saved chat is a query, the answer to it the text.")
    roles: ClassVar[tuple[Role, ...]] = ()

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Never by columns: see :meth:`takes`."""
        return False

    def takes(self, source: Source, table: Table) -> Detection | None:
        """As :meth:`SavedChat.takes`; that these are pairs is told."""
        mapping = _columns(source, table, self.name)
        if mapping is None:
            return None
        return Detection(self, source, mapping, 0.8, (*_understood(source, mapping, table), told_as_pairs(source)))

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each conversation, its turns as a list of messages."""
        return conversations(detection, report)

    def turns_in(self, detection: Detection) -> str:
        """Where :func:`conversations` puts them."""
        return _TURNS


def _columns(source: Source, table: Table, name: str) -> Mapped | None:
    """The columns of a chat by role, none where its rows are messages anyway; None if a source is none."""
    if source.format not in ("auto", name):
        return None
    return {} if is_chat(source) else log_columns(table)


def _understood(source: Source, mapping: Mapped, table: Table) -> tuple[Problem, ...]:
    """What is to be said of who speaks; raises :class:`BadData` where nothing tells who answers."""
    rows = list(islice(_messages(source.altered(limit=None), mapping, lambda _problem: None), _LOOKED))
    counted = Counter(str(row.values[SPEAKER]) for row in rows)
    answering = [name for name in counted if _part(name, source) == "assistant"]
    if not counted:
        raise BadData(error("no-usable-rows", say("There are no rows."), source.at()))
    if not answering:
        raise BadData(_asked(source, counted, rows, mapping))
    others = [name for name in counted if name not in answering]
    if not others:
        message = say("Nobody but {names} speaks: there is no question to answer.", names=tuple(answering[:_NAMED]))
        raise BadData(error("who-answers", message, source.at(), _one_asks(source, counted)))
    apart = say("Another conversation begins after an hour of silence.")
    if not any(row.values[TIME] for row in rows):
        apart = say("Without times, a conversation ends where a line or a title stands between.")
    message = say("A saved chat: {names} answers, all others ask.", names=tuple(answering[:_NAMED]))
    lost = meaningful(table, [column for columns in mapping.values() for column in columns]) if mapping else []
    unused = [column for column in lost if table.kind(column) == "text"]
    left = say("Not used, though it means something: {columns}.", columns=list_columns(unused))
    return (
        note("saved-chat", message, source.at(), apart),
        *([warning("columns-unused", left, source.at())] if unused else []),
    )


def _one_asks(source: Source, counted: Counter[str]) -> Message | None:
    return (
        say("Say who asks, for example: {option}.", option=_option(next(iter(counted)), "user"))
        if len(counted) > 1
        else None
    )


def _option(name: str, part: str) -> str:
    return f'--roles "{name}={part}"'


def _asked(source: Source, counted: Counter[str], rows: Sequence[Row], mapping: Mapped) -> Problem:
    """An error that asks who answers; only those are offered whose words then make conversations."""
    offered: list[str] = []
    for name, _ in counted.most_common():
        part = _part(name, source)
        told = source.altered(speakers={**source.speakers, name: "assistant"})
        if part is None and len(offered) < _NAMED and any(_answered(turns) for _, turns in _sessions(told, rows)):
            offered.append(name)
    wanted = [name for name, part in source.speakers.items() if part == "assistant"]
    shown = tuple(name for name, _ in counted.most_common(2 * _NAMED))
    message = say("{names} speak in this chat, and nothing tells whose words are the answers to learn.", names=shown)
    if wanted:
        message = say("{wanted} says nothing in this chat; {names} speak.", wanted=tuple(wanted), names=shown)
    fix = None
    raw = "--map text=" + mapping["content"][0] if mapping else "--format text"
    if offered:
        options = "  |  ".join(_option(name, "assistant") for name in offered)
        fix = say(
            "Say who answers, one of: {options} (data.roles in a preset); all others then ask. To train a language "
            "model on every word instead: {raw}.",
            options=options,
            raw=raw,
        )
    elif len(counted) == 1:
        fix = say("Only one person speaks: there is nothing to answer.")
    return error("who-answers", message, source.at(), fix)


def _answered(turns: Sequence[dict[str, Any]]) -> bool:
    parts = [turn["role"] for turn in turns]
    return "user" in parts and "assistant" in parts[parts.index("user") :]


@dataclass
class _Open:
    """A conversation that may go on: its first line, its turns, the time of the last."""

    line: int
    turns: list[dict[str, Any]] = field(default_factory=list)
    last: float | None = None

    def add(self, role: str, text: str) -> None:
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += f"\n{text}"
        else:
            self.turns.append({"role": role, "content": text})

    def is_over(self, moment: float | None, role: str) -> bool:
        """Whether what is said then begins anew: an answer may be waited for longer than a question."""
        if moment is None or self.last is None:
            return False
        waited = role == "assistant" and self.turns[-1]["role"] == "user"
        return abs(moment - self.last) > (_FORGOTTEN if waited else _SILENCE)

    def is_forgotten(self, moment: float | None) -> bool:
        """Whether nothing will be said in it any more, seen from ``moment``."""
        return moment is None or self.last is None or moment - self.last > _FORGOTTEN


_TIMED: Final = 200  # messages that tell how times are written


def conversations(detection: Detection, report: Report) -> Iterator[Row]:
    """A row for each conversation of a chat, its turns as a list of messages; messages in a row are one turn."""
    source = detection.source
    for line, turns in _sessions(source, _messages(source, detection.mapping, report)):
        if len(turns) > 1 or turns[0]["role"] == "user":
            yield Row(line, {_TURNS: turns})
        else:
            told = say("The one who answers speaks, and nobody asked; it is left out.")
            report(note("chat-unasked", told, source.at(line)))


def _sessions(source: Source, rows: Iterable[Row]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The conversations, each up to silence; several chats (threads) may stand between each other."""
    coming = iter(rows)
    first = list(islice(coming, _TIMED))
    moment_of = way_of_writing([row.values[TIME] for row in first])
    held: dict[str, _Open] = {}  # the one that was spoken in last stands last
    for row in chain(first, coming):
        role = _role(row.values[SPEAKER], source)
        moment, chat = moment_of(row.values[TIME]), str(row.values[CHAT])
        own = held.pop(chat, None)
        for name in [name for name, one in islice(held.items(), 1) if one.is_forgotten(moment)]:
            ended = held.pop(name)
            yield ended.line, ended.turns
        if own is not None and own.is_over(moment, role):
            yield own.line, own.turns
            own = None
        own = own or _Open(row.line)
        own.add(role, str(row.values[TEXT]))
        own.last = moment
        held[chat] = own
    for own in held.values():
        yield own.line, own.turns


def _role(name: object, source: Source) -> str:
    """Who does not answer asks, unless the user says otherwise."""
    part = _part(name, source)
    return part if part in ("assistant", "system") else "user"


_LETTER: Final = re.compile(r"[a-z]\d{0,2}")


def _part(name: object, source: Source) -> Part | None:
    """The part of who goes by a name; A and B are people here, and A no answer to Q."""
    known = part_of(name, source.speakers)
    said = _LETTER.fullmatch(fold(name)) is None or any(fold(name) == fold(one) for one in source.speakers)
    return known if said else None


def _messages(source: Source, mapping: Mapped, report: Report) -> Iterator[Row]:
    """The messages of a source; those of a table with their columns under the names of a saved chat."""
    if not mapping and source.container == "files":
        yield from islice(_of_each(source, report), source.limit)
        return
    rows = read(source, report)
    if not mapping:
        yield from rows
        return
    columns = {CHAT: "conversation", SPEAKER: "speaker", TEXT: "content", TIME: "order"}
    taken = {name: mapping[role][0] for name, role in columns.items() if role in mapping}
    for row in rows:
        held = {name: value_at(row.values, column) for name, column in taken.items()}
        values = {name: "" if held.get(name) is None else str(held[name]) for name in columns}
        found = message(source, row.line, values, report)
        if found is not None:
            yield found


def _of_each(source: Source, report: Report) -> Iterator[Row]:
    """The messages of all files of a folder, by their number; text files are chats of their own each."""
    number = 0
    for part in source.parts.values():
        for row in read(part.altered(limit=None), report):
            number += 1
            chat = f"{part.name} {row.values[CHAT]}" if part.container == "chat" else row.values[CHAT]
            yield Row(number, {**row.values, CHAT: chat})
