"""Files whose rows have different layouts: each row is read by the format that fits its fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from tunewiz.data.formats.conversations import ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.opening.refusals import kinds_of_rows
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import BadData, Report, note, say, warning


class Mixed(ConversationFormat):
    """Rows that share no field at all."""

    name: ClassVar[str] = "mixed"
    title: ClassVar[str] = N_("Rows of several layouts")
    description: ClassVar[str] = N_("Rows with different fields; each is read by the layout that its fields show.")
    roles: ClassVar[tuple[Role, ...]] = ()

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Never by columns: see :meth:`takes`."""
        return False

    def takes(self, source: Source, table: Table) -> Detection | None:
        """Rows without a field in common, of which some can be read."""
        count, shown = kinds_of_rows(table)
        if count < 2:
            return None
        fields = {tuple(row.values): row for row in reversed(table.rows)}
        readable = [found for keys, row in fields.items() if (found := _detected(source, keys, row)) is not None]
        if not readable:
            return None
        message = say(
            "The rows have {count} different sets of fields and none in common: {kinds}.", count=count, kinds=shown
        )
        names = ", ".join(sorted({found.format.name for found in readable}))
        each = say("Each row is read by its own layout: {formats}.", formats=names)
        problems = (warning("mixed-rows", message, source.at()), note("mixed-formats", each, source.at()))
        return Detection(self, source, {}, 0.7, problems)  # each row is guessed from its own fields

    def conversations(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Conversation]:
        """Each row by the format of its fields; rows of unknown fields are reported and left out."""
        known: dict[tuple[str, ...], Detection | None] = {}
        for row in rows:
            keys = tuple(row.values)
            if keys not in known:
                known[keys] = _detected(detection.source, keys, row)
            found = known[keys]
            if found is None:
                message = say("The fields {fields} are those of no layout; the row is left out.", fields=tuple(keys))
                report(warning("unknown-fields", message, detection.source.at(row.line)))
            elif isinstance(found.format, ConversationFormat):
                conversation = found.format.conversation(ChatCells(found.source, row, report, found))
                if conversation is not None:
                    yield conversation

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """Not by the columns of one detection."""
        return next(self.conversations(cells.detection, [cells.row], cells.report), None)


#: No layout has so many fields: where the keys are data (ids, words), each row would be tried for nothing.
_FIELDS: Final = 100


def _detected(source: Source, keys: tuple[str, ...], row: Row) -> Detection | None:
    """The format of rows with these fields."""
    from tunewiz.data.formats.format import formats
    from tunewiz.data.opening.detection import detect_rows

    if len(keys) > _FIELDS:
        return None
    known = {name: item for name, item in formats("llm").items() if name != Mixed.name}
    try:
        return detect_rows(source.altered(columns=keys, format="auto", mapping={}), [row], {}, known)
    except BadData:
        return None
