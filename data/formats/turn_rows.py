"""Conversations written down a turn a row, as help desks and databases export them: who speaks, what, in which one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.formats.asked_turns import AskedTurns, told_as_pairs
from tunewiz.data.formats.conversations import ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.reading.cells import Table, number_of
from tunewiz.data.reading.columns import guesses
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import Problem, Report, note, say, warning

_FEW: Final = 4  # turns of which one cannot tell who speaks
_KNOWN: Final = 0.9  # share of the turns whose speaker has to be known
_TOGETHER: Final = "messages"  # where the turns of a conversation are put, as the layout of that name has them


class TurnRows(ConversationFormat):
    """One turn a row; rows of one conversation stand together under its id, or begin where the system speaks."""

    name: ClassVar[str] = "turn_rows"
    title: ClassVar[str] = N_("A turn a row")
    description: ClassVar[str] = N_("Who speaks and what is said in each row, and which conversation it belongs to.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("speaker", names="llm_speaker"),
        Role("content", names="llm_said"),
        Role("conversation", required=False, names="llm_conversation"),
        Role("order", required=False, names="llm_order"),
    )

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Only where it is known where a conversation begins."""
        return _are_whole(mapping, table)

    def takes(self, source: Source, table: Table) -> Detection | None:
        """Columns of who speaks and what is said, and one of conversations whose rows stand together."""
        found = _whole(table)
        return Detection(self, source, found, 0.9, (_told(source, found),)) if found else None

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each conversation; see :func:`joined`."""
        return joined(detection, report)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The turns that :meth:`rows` put together."""
        return cells.supervised(cells.talk(cells.row.values[_TOGETHER], answered=True))


class AskedTurnRows(AskedTurns):
    """The same for retrieval: each question with its answer is a pair."""

    name: ClassVar[str] = "asked_turn_rows"
    title: ClassVar[str] = N_("Questions and answers of conversations, a turn a row")
    description: ClassVar[str] = N_("A turn in each row; each question is a query, its answer the text.")
    roles: ClassVar[tuple[Role, ...]] = TurnRows.roles

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Any cells that are no lists; those of who speaks are looked at as a whole."""
        return table.kind(column) in ("text", "number", "empty")

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Only where it is known where a conversation begins."""
        return _are_whole(mapping, table)

    def takes(self, source: Source, table: Table) -> Detection | None:
        """As :meth:`TurnRows.takes`; that these are pairs is told."""
        found = _whole(table)
        return Detection(self, source, found, 0.8, (_told(source, found), told_as_pairs(source))) if found else None

    def plain(self, source: Source) -> Detection | None:
        """Never: it needs columns."""
        return None

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each conversation; see :func:`joined`."""
        return joined(detection, report)

    def turns_in(self, detection: Detection) -> str:
        """Where :func:`joined` puts them."""
        return _TOGETHER


def _whole(table: Table) -> Mapped | None:
    found = turn_columns(table)
    return found if found is not None and _are_whole(found, table) else None


def _are_whole(mapping: Mapped, table: Table) -> bool:
    who = mapping["speaker"][0]
    return tells_who(table, who) and ("conversation" in mapping or _begins_anew(table, who))


def _told(source: Source, found: Mapped) -> Problem:
    who, what = found["speaker"][0], found["content"][0]
    message = say("Each row is one turn: {who} tells who speaks, {text} what is said.", who=who, text=what)
    fix = say("A conversation begins where the system speaks.")
    if "conversation" in found:
        fix = say("Rows with the same {column} are one conversation.", column=found["conversation"][0])
    return note("turns-joined", message, source.at(), fix)


def joined(detection: Detection, report: Report) -> Iterator[Row]:
    """A row for each conversation, its turns as a list of messages; ``line`` is that of the first."""
    order = detection.column("order")
    for name, turns in _conversations(detection, report):
        values: dict[str, Any] = {_TOGETHER: [_turn(row, detection) for row in _sorted(turns, order)]}
        if name is not None:
            values[detection.column("conversation")] = name
        yield Row(turns[0].line, values)


def tells_who(table: Table, column: str) -> bool:
    """Whether the cells of a column are names of who speaks, the user and the assistant among them."""
    parts = [part_of(value, table.source.speakers) for value in table.values(column) if isinstance(value, str)]
    known = [part for part in parts if part is not None]
    return len(parts) >= _FEW and len(known) >= _KNOWN * len(parts) and {"user", "assistant"} <= set(known)


def turn_columns(table: Table) -> Mapped | None:
    """The columns of a table with a turn a row, by role; None if it is none. Conversation and order may be missing."""
    who = next((column for column in table.columns if tells_who(table, column)), "")
    texts = [column for column in table.columns if column != who and table.kind(column) == "text"]
    if not who or not texts:
        return None
    said = [guess.column for guess in guesses("llm_said", texts)]
    what = max(said or texts, key=table.mean_length)
    found = {"speaker": (who,), "content": (what,)}
    free = [column for column in table.columns if column not in (who, what)]
    ids = [guess.column for guess in guesses("llm_conversation", free) if _stand_together(table, guess.column)]
    if ids:
        found["conversation"] = (max(ids, key=lambda column: len({str(value) for value in table.values(column)})),)
        orders = [guess.column for guess in guesses("llm_order", [column for column in free if column != ids[0]])]
        sorting = next((column for column in orders if _sorts(table, column)), "")
        if sorting:
            found["order"] = (sorting,)
    return found


def _stand_together(table: Table, column: str) -> bool:
    """Whether equal cells follow each other, several turns under each."""
    values = [str(value_at(row.values, column)) for row in table.rows]
    runs = sum(1 for _ in groupby(values))
    return runs == len(set(values)) and runs < len(values)


def _sorts(table: Table, column: str) -> bool:
    """Whether turns can be put in order by a column: numbers, or times written so that they sort as texts."""
    values = table.values(column)
    if len(values) < len(table.rows):
        return False
    return all(number_of(value) is not None for value in values) or len({len(str(value)) for value in values}) == 1


def _begins_anew(table: Table, who: str) -> bool:
    """Whether the system speaks first, and again where the next conversation begins."""
    parts = [part_of(value_at(row.values, who), table.source.speakers) for row in table.rows]
    return parts[:1] == ["system"] and parts.count("system") > 1


def _conversations(detection: Detection, report: Report) -> Iterator[tuple[Any, list[Row]]]:
    """The rows of each conversation with its id; a conversation that comes back later is told and read as another."""
    source, named = detection.source, detection.column("conversation")
    ended: set[str] = set()
    held: list[Row] = []
    name: Any = None
    number = 0
    for row in read(source, report):
        number += 1
        own = value_at(row.values, named) if named else None
        begins = own != name if named else _is_system(row, detection)
        if held and begins:
            yield name, held
            ended.add(str(name))
            held = []
            if named and str(own) in ended:
                message = say("Turns of one conversation stand apart ({name}); they are read as several.", name=own)
                fix = say("Sort the file by {column}.", column=named)
                report(warning("conversation-apart", message, source.at(row.line), fix))
        name = own
        held.append(row)
    if held and (number != source.limit or not ended):  # what a limit cuts in two is left out
        yield name, held


def _is_system(row: Row, detection: Detection) -> bool:
    return part_of(value_at(row.values, detection.column("speaker")), detection.source.speakers) == "system"


def _sorted(turns: Sequence[Row], order: str) -> Sequence[Row]:
    """Turns in the order that their column says; as they stand where it says none."""
    if not order:
        return turns
    keys = [value_at(row.values, order) for row in turns]
    numbers = [number_of(key) for key in keys]
    told: Sequence[Any] = [str(key) for key in keys] if None in numbers else numbers
    return [turns[place] for place in sorted(range(len(turns)), key=lambda place: told[place])]


def _turn(row: Row, detection: Detection) -> dict[str, Any]:
    """A row as a turn: who, what, and whatever else it tells of the turn."""
    used = {column for columns in detection.mapping.values() for column in columns}
    beside = {name: value for name, value in row.values.items() if name not in used}
    who, what = detection.column("speaker"), detection.column("content")
    return {**beside, "role": value_at(row.values, who), "content": value_at(row.values, what)}
