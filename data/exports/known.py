"""Whose way of writing rows are in, and those rows as plain ones.

An export is known by keys that no other layout has. What the user maps is of the columns that come out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from tunewiz.data.exports import help_desks, questions, stores
from tunewiz.data.exports.messengers import MESSENGERS, Message, messages_of, messenger_of
from tunewiz.data.exports.saved_chats import CHAT, SPEAKER, TEXT, TIME, media, notice
from tunewiz.data.reading.source import Row, Source
from tunewiz.language import N_
from tunewiz.problems import BadData, Report, error, note, say
from tunewiz.problems import Message as Said


class _Rewritten(NamedTuple):
    """A way of writing a row: whether one is written so, the row as plain columns, what is said of it."""

    fits: Callable[[Mapping[str, Any]], bool]
    plain: Callable[[Mapping[str, Any]], dict[str, Any]]
    title: str


_ROWS: Final[Mapping[str, _Rewritten]] = {
    "multi-hop": _Rewritten(
        questions.is_multi_hop, questions.multi_hop,
        N_("HotpotQA's layout: paragraphs that supporting_facts names are right, the others are not."),
    ),
    "voted": _Rewritten(
        questions.is_voted, questions.voted,
        N_("ELI5's layout: the title and what is said below it ask; each answer stands beside its score."),
    ),
    "evidences": _Rewritten(
        questions.is_evidences, questions.evidences,
        N_("WebQA's layout: an evidence that holds an answer is right; the answer is the one that most hold."),
    ),
    "page": _Rewritten(
        questions.is_page, questions.page,
        N_("Natural Questions' layout: of a page's paragraphs the long answer is right; the short one is the answer."),
    ),
    "trivia": _Rewritten(
        questions.is_trivia, questions.trivia,
        N_("TriviaQA's layout: a page counts as right where a name of the answer stands in it."),
    ),
    "hit": _Rewritten(
        stores.is_hit, stores.hit,
        N_("Documents of Elasticsearch: what _source holds is read; the score of the search is left out."),
    ),
    "record": _Rewritten(
        stores.is_record, stores.record,
        N_("Records of Argilla: what fields holds is read, with the first answers that were submitted."),
    ),
    "choice": _Rewritten(
        stores.is_choice,
        stores.choice,
        N_("Tasks of Prodigy: the options that were accepted are the label."),
    ),
    "trace": _Rewritten(
        stores.is_trace, stores.trace,
        N_("Inputs and outputs as tracers write them: what both hold is read as columns."),
    ),
}  # fmt: skip
_DESK: Final = "help-desk"
_LOOKED: Final = 20  # rows


def is_chat(source: Source) -> bool:
    """Whether the rows are messages, each with who says it when and in which chat."""
    if source.container == "files":
        return all(map(is_chat, source.parts.values()))
    return source.container == "chat" or source.layout in MESSENGERS


def known_export(rows: Iterable[Mapping[str, Any]]) -> str:
    """The name of the way that all of the first ``rows`` are written in; "" where none is known."""
    first = list(islice(rows, _LOOKED))
    if not first:
        return ""
    if stores.is_action(first[0]):  # between the lines of actions stand the documents, bare
        return "hit"
    name = _named(first[0])
    return name if name and all(_named(row) == name for row in first) else ""


def _named(values: Mapping[str, Any]) -> str:
    if name := messenger_of(values):
        return name
    if help_desks.is_ticket(values):
        return _DESK
    return next((name for name, one in _ROWS.items() if one.fits(values)), "")


def told(name: str) -> Said:
    """What is said of rows in the way of this name."""
    if name in MESSENGERS:
        return say("These are messages as {program} exports them.", program=name.capitalize())
    if name == _DESK:
        return say("These are conversations of a help desk: who wrote in is the user, who answers the assistant.")
    return say(_ROWS[name].title)


def plain_rows(source: Source, rows: Iterable[Row], report: Report) -> Iterator[Row]:
    """``rows`` that were written in the way of ``source.layout``; those that are not stay as they are."""
    number = 0
    for row in rows:
        if source.layout in MESSENGERS:
            for one in messages_of(row.values, source.layout):
                number += 1
                found = _message(source, row.line if source.container == "jsonl" else number, one, report)
                if found is not None:
                    yield found
        elif source.layout == _DESK:
            for values, hidden in help_desks.turns_of(row.values) if help_desks.is_ticket(row.values) else ():
                if hidden:
                    message = say("Notes that no customer reads are left out.")
                    report(note("internal-notes", message, source.at(row.line)))
                yield Row(row.line, values)
        elif source.layout != "hit" or not stores.is_action(row.values):
            known = _ROWS[source.layout]
            yield Row(row.line, known.plain(row.values)) if known.fits(row.values) else row


def _message(source: Source, line: int, one: Message, report: Report) -> Row | None:
    if one.media:
        report(media(source.at(line)))
    elif one.notice:
        report(notice(source.at(line)))
    else:
        return Row(line, {CHAT: one.chat, SPEAKER: one.speaker, TEXT: one.text, TIME: one.time})
    return None


def refuse_half(source: Source, columns: Collection[str]) -> None:
    """Raise :class:`BadData` for one of the two files of a batch, whose rows are found together by ``custom_id``."""
    asked, answered = {"body", "url"} <= set(columns), bool({"response", "result"} & set(columns))
    if "custom_id" not in columns or asked == answered:
        return
    message = say("These are the requests of a batch; the answers to them lie in another file.")
    if answered:
        message = say("These are the answers of a batch; the requests that they answer lie in another file.")
    fix = say('Put both together by custom_id: {{"messages": [… the request\'s], "completion": "… the answer"}} a row.')
    raise BadData(error("batch-half", message, source.at(), fix))
