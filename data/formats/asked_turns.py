"""Conversations as rows for retrieval: what is asked in a turn is a query, and its answer what is to be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from tunewiz.data.dialogues.trees import tree_column
from tunewiz.data.formats.exchanges import are_written, exchanges, exchanges_in, holds_exchanges
from tunewiz.data.formats.format import Detection, Mapped, RetrievalFormat, Role, Shape
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.turns import Talk, first_turns, talk
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.language import N_
from tunewiz.problems import Problem, Report, say, warning

_ROLE: Final = "turns"


class AskedTurns(RetrievalFormat):
    """Turns of user and assistant a row: each question with its answer is a pair."""

    name: ClassVar[str] = "turns"
    title: ClassVar[str] = N_("Questions and answers of conversations")
    description: ClassVar[str] = N_("A conversation in each row; each question of it is a query, its answer the text.")
    shape: ClassVar[Shape] = "groups"
    roles: ClassVar[tuple[Role, ...]] = (Role(_ROLE, names="llm_turns"),)

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Lists of turns, trees of messages, or dialogues that are written out."""
        return bool(first_turns(table, column)) or are_written(table, column)

    def assumed(self, mapping: Mapped, table: Table) -> bool:
        """Rows for a language model are for one, unless the user says otherwise."""
        return table.source.format == self.name

    def takes(self, source: Source, table: Table) -> Detection | None:
        """A chat program's export of its conversations."""
        column = tree_column(table)
        return Detection(self, source, {_ROLE: (column,)}, 0.8, (told_as_pairs(source),)) if column else None

    def plain(self, source: Source) -> Detection | None:
        """A text file of questions and answers."""
        found = exchanges_in(source)
        if found is None:
            return None
        mapping = {_ROLE: found.source.columns}
        return Detection(self, found.source, mapping, 0.8, (told_as_pairs(source),))

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """Of a text file its exchanges, records of others."""
        source = detection.source
        return exchanges(source, report) if holds_exchanges(source) else read(source, report)

    def turns_in(self, detection: Detection) -> str:
        """The column that holds the turns."""
        return detection.column(_ROLE)

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """A :class:`Group` for each question that is answered."""
        source, column = detection.source, self.turns_in(detection)
        for row in rows:
            found = talk(value_at(row.values, column), source.at(row.line), report, said=source.speakers)
            for asked, answered in _pairs(found) if found else ():
                yield Group(asked, (answered,), line=row.line)


class OfColumns:
    """What makes an :class:`AskedTurns` of a turn a row: columns say who speaks; ``rows`` puts turns together."""

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Any cells that are no lists; what they say together is looked at as a whole."""
        return table.kind(column) in ("text", "number", "empty")

    def plain(self, source: Source) -> Detection | None:
        """Never: it needs columns."""
        return None


def _pairs(found: Talk) -> Iterator[tuple[str, str]]:
    """Each question and the answer to it, whatever tools were called before."""
    asked = ""
    for turn in found.turns:
        if turn.speaker == "user":
            asked = turn.text
        elif turn.speaker == "assistant" and asked:
            yield asked, turn.text
            asked = ""


def told_as_pairs(source: Source) -> Problem:
    """A warning that conversations are taken apart."""
    message = say("Conversations are read as pairs: each question of a user is a query, the answer to it the text.")
    fix = say("Later questions may need what was said before: take out those that cannot be understood alone.")
    return warning("turns-as-pairs", message, source.at(), fix)
