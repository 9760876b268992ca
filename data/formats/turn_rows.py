"""Conversations written down a turn a row, as help desks and databases export them: who speaks, what, in which one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.dialogues.times import sort_keys
from tunewiz.data.formats.asked_turns import AskedTurns, OfColumns, told_as_pairs
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


class AskedTurnRows(OfColumns, AskedTurns):
    """The same for retrieval: each question with its answer is a pair."""

    name: ClassVar[str] = "asked_turn_rows"
    title: ClassVar[str] = N_("Questions and answers of conversations, a turn a row")
    description: ClassVar[str] = N_("A turn in each row; each question is a query, its answer the text.")
    roles: ClassVar[tuple[Role, ...]] = TurnRows.roles

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Wherever it is known who speaks: an answer stands behind its question, whatever conversation both are of."""
        return tells_who(table, mapping["speaker"][0]) and ("conversation" in mapping or not _are_mixed(table))

    def takes(self, source: Source, table: Table) -> Detection | None:
        """As :meth:`TurnRows.takes`; that these are pairs is told."""
        found = turn_columns(table)
        found = found if found is not None and self.accepts(found, table) else None
        return (
            Detection(self, source, found, 0.8, (_told(source, found, True), told_as_pairs(source))) if found else None
        )

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each conversation, see :func:`joined`; without names for each question with its answer."""
        return joined(detection, report, each="conversation" not in detection.mapping)

    def turns_in(self, detection: Detection) -> str:
        """Where :func:`joined` puts them."""
        return _TOGETHER


def _whole(table: Table) -> Mapped | None:
    found = turn_columns(table)
    return found if found is not None and _are_whole(found, table) else None


def _are_whole(mapping: Mapped, table: Table) -> bool:
    who = mapping["speaker"][0]
    order = next(iter(mapping.get("order", ())), "")
    return tells_who(table, who) and ("conversation" in mapping or _begins_anew(table, who, order))


def _told(source: Source, found: Mapped, pairs: bool = False) -> Problem:
    who, what = found["speaker"][0], found["content"][0]
    message = say("Each row is one turn: {who} tells who speaks, {text} what is said.", who=who, text=what)
    order = next(iter(found.get("order", ())), "")
    if "conversation" in found:
        fix = say("Rows with the same {column} are one conversation.", column=found["conversation"][0])
        if order:
            fix = say("Rows with the same {column} are one conversation, in the order of {order}.",
                      column=found["conversation"][0], order=order)  # fmt: skip
    elif order:
        fix = say("A conversation begins where {order} begins anew.", order=order)
    elif pairs:
        fix = say("An answer belongs to the question before it.")
    else:
        fix = say("A conversation begins where the system speaks, or after a blank line.")
    return note("turns-joined", message, source.at(), fix)


def joined(detection: Detection, report: Report, each: bool = False) -> Iterator[Row]:
    """A row for each conversation, its turns as a list of messages; ``line`` is that of the first.

    With ``each``, a new one begins with every question that stands behind an answer.
    """
    for name, turns in _questions(detection, report) if each else _conversations(detection, report):
        values: dict[str, Any] = {_TOGETHER: [_turn(row, detection) for row in turns]}
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
    orders = [guess.column for guess in guesses("llm_order", free) if sorts(table, guess.column)]
    named = [guess.column for guess in guesses("llm_conversation", free) if guess.column not in orders]
    named += [guess.column for guess in guesses("llm_conversation", free) if guess.column in orders]
    ids = [column for column in named if stand_together(table, column)]
    # Turns that stand apart can be put together only where something else tells their order.
    apart = [column for column in named if orders and come_again(table, column)]
    if ids or apart:
        own = max(ids, key=lambda column: len({str(value) for value in table.values(column)})) if ids else apart[0]
        found["conversation"] = (own,)
        orders = [column for column in orders if column != own]
        if not ids and not orders:
            return {role: columns for role, columns in found.items() if role != "conversation"}
    elif orders:
        orders = [column for column in orders if _begins_anew(table, who, column)]
    return found | ({"order": (orders[0],)} if orders else {})


def stand_together(table: Table, column: str) -> bool:
    """Whether equal cells follow each other, several turns under each."""
    values = [str(value_at(row.values, column)) for row in table.rows]
    runs = sum(1 for _ in groupby(values))
    return runs == len(set(values)) and runs < len(values)


def _are_mixed(table: Table) -> bool:
    """Whether turns of several conversations stand between each other, so that an answer is to an earlier question."""
    named = [guess.column for guess in guesses("llm_conversation", table.columns)]
    return any(come_again(table, column) and not stand_together(table, column) for column in named)


def come_again(table: Table, column: str) -> bool:
    """Whether a column names conversations of several turns each: every cell is filled, and most come again."""
    values = [str(value) for value in table.values(column)]
    return len(values) == len(table.rows) and 1 < len(set(values)) <= len(values) // 2


def sorts(table: Table, column: str) -> bool:
    """Whether turns can be put in order by a column: numbers, times, or texts that all are as long."""
    values = table.values(column)
    if len(values) < len(table.rows):
        return False
    return sort_keys(values) is not None or len({len(str(value)) for value in values}) == 1


def _begins_anew(table: Table, who: str, order: str) -> bool:
    """Whether something tells where the next conversation begins, although none has a name.

    The system speaks first and again; the number of the turn begins anew; or lines are left blank between them.
    """
    parts = [part_of(value_at(row.values, who), table.source.speakers) for row in table.rows]
    if parts[:1] == ["system"]:
        return parts.count("system") > 1
    begins = [place for place in range(1, len(parts)) if _stands_apart(table.rows[place - 1], table.rows[place])]
    if order:
        numbers = [number_of(value_at(row.values, order)) for row in table.rows]
        begins = [place for place in range(1, len(parts)) if _counts_anew(numbers[place - 1], numbers[place])]
        if numbers[0] not in (0, 1) or any(numbers[place] != numbers[0] for place in begins):
            return False
    return bool(begins) and all(parts[place] == parts[0] == "user" for place in (0, *begins))


def _counts_anew(before: float | None, now: float | None) -> bool:
    return before is not None and now is not None and now < before


def _stands_apart(before: Row, row: Row) -> bool:
    """Whether a line between two rows is blank; a cell may go on over several."""
    inside = sum(value.count("\n") for value in before.values.values() if isinstance(value, str))
    return row.line - before.line > inside + 1


def _conversations(detection: Detection, report: Report) -> Iterator[tuple[Any, Sequence[Row]]]:
    """The rows of each conversation, in order, with its id."""
    source, order = detection.source, detection.column("order")
    if "conversation" not in detection.mapping:
        yield from _by_beginnings(detection, report)
    elif order and source.size <= _GATHERED and not source.compression:
        yield from _gathered(detection, report)
    else:
        for name, turns in _as_they_stand(detection, report):
            yield name, _sorted(turns, order)


#: Bytes of a file whose rows are all held, to be put together whatever stands between them.
_GATHERED: Final = 128 << 20


def _gathered(detection: Detection, report: Report) -> Iterator[tuple[Any, Sequence[Row]]]:
    """All turns of a name, wherever they stand, by their times; of a limit no conversation is cut in two."""
    source, named = detection.source, detection.column("conversation")
    held: dict[str, list[Row]] = {}
    for row in read(source.altered(limit=None), report):
        held.setdefault(str(value_at(row.values, named)), []).append(row)
    given = 0
    for turns in held.values():
        given += len(turns)
        if source.limit is not None and given > source.limit:
            return
        yield value_at(turns[0].values, named), _sorted(turns, detection.column("order"))


def _by_beginnings(detection: Detection, report: Report) -> Iterator[tuple[Any, Sequence[Row]]]:
    """Conversations without names, each up to where the next one begins: see :func:`_begins_anew`."""
    source, order = detection.source, detection.column("order")
    held: list[Row] = []
    by_system, number = False, 0
    for row in read(source, report):
        number += 1
        by_system = by_system or (number == 1 and _is_system(row, detection))
        if held and _begins(held[-1], row, order, by_system, detection):
            yield None, held
            held = []
        held.append(row)
    if held and number != source.limit:
        yield None, held


def _questions(detection: Detection, report: Report) -> Iterator[tuple[Any, Sequence[Row]]]:
    """The rows from a question to before the next one that stands behind an answer."""
    source = detection.source
    held: list[Row] = []
    spoken: str | None = None
    for row in read(source, report):
        part = part_of(value_at(row.values, detection.column("speaker")), source.speakers)
        if held and spoken == "assistant" and part != "assistant":
            yield None, held
            held = []
        held.append(row)
        spoken = part
    if held:
        yield None, held


def _begins(before: Row, row: Row, order: str, by_system: bool, detection: Detection) -> bool:
    if by_system:
        return _is_system(row, detection)
    if order:
        return _counts_anew(number_of(value_at(before.values, order)), number_of(value_at(row.values, order)))
    return _stands_apart(before, row)


def _as_they_stand(detection: Detection, report: Report) -> Iterator[tuple[Any, list[Row]]]:
    """The rows of each conversation with its id; a conversation that comes back later is told and read as another."""
    source, named = detection.source, detection.column("conversation")
    ended: set[str] = set()
    held: list[Row] = []
    name: Any = None
    number = 0
    for row in read(source, report):
        number += 1
        own = value_at(row.values, named)
        if held and own != name:
            yield name, held
            ended.add(str(name))
            held = []
            if str(own) in ended:
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
    """Turns in the order that their column says; as they stand where it says none.

    Where the newest stand first, those of one minute do so too.
    """
    if not order:
        return turns
    cells = [value_at(row.values, order) for row in turns]
    keys: Sequence[Any] = sort_keys(cells) or [str(cell) for cell in cells]
    falling = keys[0] > keys[-1] and all(one >= other for one, other in pairwise(keys))
    places = range(len(turns))
    return [turns[place] for place in sorted(reversed(places) if falling else places, key=lambda place: keys[place])]


def _turn(row: Row, detection: Detection) -> dict[str, Any]:
    """A row as a turn: who, what, and whatever else it tells of the turn."""
    used = {column for columns in detection.mapping.values() for column in columns}
    beside = {name: value for name, value in row.values.items() if name not in used}
    who, what = detection.column("speaker"), detection.column("content")
    return {**beside, "role": value_at(row.values, who), "content": value_at(row.values, what)}
