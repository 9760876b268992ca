"""Deciding which format a source has, and saying how that was decided."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from tunewiz.data.formats.collections import CollectionFormat
from tunewiz.data.formats.conversations import ConversationFormat
from tunewiz.data.formats.format import Detection, Format, Mapped, formats
from tunewiz.data.formats.raw_text import PROSE
from tunewiz.data.opening.matching import Match, match, match_unnamed
from tunewiz.data.opening.refusals import (
    llm_layout,
    mixed_rows,
    refuse,
    refuse_collection,
    refuse_llm,
    refuse_llm_columns,
    refuse_pictures,
    refuse_retrieval,
)
from tunewiz.data.reading.cells import Table, score_of, word_score
from tunewiz.data.reading.columns import USUAL, columns_of, guesses, list_columns, mapping_problems
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.problems import BadData, Problem, Where, error, note, say, warning

#: Rows that formats are judged by: even a column filled in one row of a hundred is seen seven times of eight.
SAMPLE_ROWS: Final = 200


def detect(
    source: Source,
    sample: Sequence[Row] | None = None,
    columns: Mapping[str, str] | None = None,
    task: str | None = None,
) -> Detection:
    """Which format ``source`` has and which column plays which role.

    ``sample`` defaults to the first 200 records, ``columns`` to ``source.mapping``; ``task`` narrows the choice, which
    without one is among the formats for retrieval, and any that ``source.format`` names. Raises :class:`BadData`,
    naming the columns and the ``--map role=column`` that would help, rather than guess in silence.
    """
    known = _known(source, task)
    mapping = source.mapping if columns is None else columns
    for item in known.values():
        if isinstance(item, CollectionFormat):
            found = item.detect(source, mapping)
            if found is not None:
                return found
    if source.container == "beir":
        raise refuse_collection(source)
    rows = list(islice(read(source, lambda _problem: None), SAMPLE_ROWS)) if sample is None else sample
    try:
        return detect_rows(source, rows, mapping, known)
    except BadData:
        plain = None if mapping else _plain(source, known)
        if plain is None:
            raise
        return plain


def _plain(source: Source, known: Mapping[str, Format]) -> Detection | None:
    """A file without rows, read as running text."""
    for name, item in known.items():
        if isinstance(item, ConversationFormat) and source.format in ("auto", name):
            found = item.plain(source)
            if found is not None:
                return found
    return None


def _known(source: Source, task: str | None) -> dict[str, Format]:
    known = formats(task)
    if task is not None or (source.format in known and known[source.format].shape == "conversations"):
        return known
    return {name: item for name, item in known.items() if item.shape != "conversations"}


#: More different values than this are hardly labels.
_LABELS: Final = 10


def detect_rows(
    source: Source, sample: Sequence[Row], mapping: Mapping[str, str], known: Mapping[str, Format]
) -> Detection:
    """The format of a source that has rows. ``known`` are the formats to choose from, by name."""
    columns = tuple(dict.fromkeys([*source.columns, *(key for row in sample for key in row.values)]))
    table = Table(source, columns, sample)
    candidates = _candidates(source, known)
    given = _given(source, table, mapping, candidates)
    found = _matches(candidates, table, given)
    if not given and source.format in ("auto", "mixed"):
        taken = next(filter(None, (item.takes(source, table) for item in candidates.values())), None)
        if taken is not None:
            return taken
    for_llm = any(item.shape == "conversations" for item in candidates.values())
    (_refuse_for_llm if for_llm else _refuse_for_retrieval)(source, table, found, given)
    prose = for_llm and source.path.suffix.casefold() in PROSE and source.container == "csv"
    if not found and not (source.header or given or prose) and source.container in ("csv", "tsv", "xlsx"):
        positional = match_unnamed(candidates, table)
        found = [positional] if positional else []
    if not found:
        missing = _missing(candidates, given) if given or source.format != "auto" else ()
        raise (refuse_llm_columns if for_llm else refuse)(source, table, missing)
    best = found[0]
    _refuse_word_labels(source, table, best, given)
    return Detection(
        format=best.format,
        source=source,
        mapping=best.mapping,
        confidence=best.confidence,
        problems=tuple(_told(source, table, best, found[1:], given)),
        alternatives=tuple(item.format.name for item in found[1:]),
        scale=_scale(table, best),
    )


def _refuse_for_retrieval(source: Source, table: Table, found: Sequence[Match], given: Mapped) -> None:
    """Rows for language models are no pairs unless the user maps them."""
    if given or source.format != "auto":
        return
    layout, marks = llm_layout(table.columns)
    if layout and not any(item.weakest > 1 and len(item.mapping) >= 3 for item in found):
        raise refuse_llm(source, table, layout, marks)


def _refuse_for_llm(source: Source, table: Table, found: Sequence[Match], given: Mapped) -> None:
    """Pictures cannot be trained on, and rows for retrieval are no conversations unless the user maps them."""
    refuse_pictures(source, table)
    if not given and source.format == "auto":
        refuse_retrieval(source, table)


def _candidates(source: Source, known: Mapping[str, Format]) -> dict[str, Format]:
    rows = {name: item for name, item in known.items() if item.shape != "collection"}
    if source.format == "auto":
        return rows
    if source.format in rows:
        return {source.format: rows[source.format]}
    names = ", ".join(known)
    near = difflib.get_close_matches(source.format, known, n=1)
    fix = say("Did you mean {name}?", name=near[0]) if near else None
    message = say(
        "There is no format {format} for such a file; the formats are {names}.", format=source.format, names=names
    )
    raise BadData(error("unknown-format", message, Where(key="format", file=source.name), fix))


def _given(source: Source, table: Table, mapping: Mapping[str, str], candidates: Mapping[str, Format]) -> Mapped:
    """What the user mapped, by role; raises :class:`BadData` with everything that is wrong with it."""
    roles = list(dict.fromkeys(role.name for item in candidates.values() for role in item.roles))
    synonyms = [name for item in candidates.values() for name in item.synonyms()]
    known = [*roles, *(name for name in synonyms if name not in roles)]
    wrong = mapping_problems(mapping, table.columns, known, source.at())
    if wrong:
        raise BadData(*wrong)
    return {role: columns_of(value, table.columns) for role, value in mapping.items()}


def _matches(candidates: Mapping[str, Format], table: Table, given: Mapped) -> list[Match]:
    """Formats that fit, best first: the one that puts the most, and the most surely named, columns to use."""
    found = []
    for item in candidates.values():
        renamed = _renamed(item, given)
        if renamed is not None:
            matched = match(item, table, renamed)
            if matched is not None:
                found.append(matched)
    return sorted(found, key=lambda matched: -matched.strength)


def _renamed(item: Format, given: Mapped) -> Mapped | None:
    """``given`` in the role names of the format; None if it has no such role."""
    names = {role.name for role in item.roles}
    synonyms = item.synonyms()
    renamed = {role if role in names else synonyms.get(role, ""): columns for role, columns in given.items()}
    return renamed if "" not in renamed and len(renamed) == len(given) else None


def _missing(candidates: Mapping[str, Format], given: Mapped) -> list[str]:
    """Roles that the nearest format still needs."""
    open_roles = []
    for item in candidates.values():
        renamed = _renamed(item, given)
        if renamed is not None:
            open_roles.append([role.name for role in item.roles if role.required and role.name not in renamed])
    return min((roles for roles in open_roles if roles), key=len, default=[])


def _refuse_word_labels(source: Source, table: Table, best: Match, given: Mapped) -> None:
    """Sentence pairs with a label in words (entailment, contradiction) are not all positives."""
    if given or best.weakest > 1 or best.format.shape != "groups":
        return
    for problem in _word_labels(source, table, best):
        raise BadData(error("label-words", problem.message, source.at(), problem.fix))


def _word_labels(source: Source, table: Table, best: Match) -> list[Problem]:
    """A warning for each column that is called like a label, holds words, and is not used."""
    if best.format.shape != "groups":
        return []
    free = [column for column in table.columns if (column,) not in best.mapping.values()]
    found = []
    for guess in guesses("score", free):
        values = list(dict.fromkeys(str(value) for value in table.values(guess.column)))
        if table.kind(guess.column) == "text" and len(values) <= _LABELS:
            message = say(
                "The labels in {column} are words: {values}.", column=guess.column, values=", ".join(values[:4])
            )
            fix = say("Keep the rows that are positives, or write the labels as numbers.")
            found.append(warning("label-words", message, source.at(), fix))
    return found


def _told(source: Source, table: Table, best: Match, others: Sequence[Match], given: Mapped) -> list[Problem]:
    used = ", ".join(f"{role} = {' + '.join(columns)}" for role, columns in best.mapping.items())
    told: list[Problem] = []
    open_roles = [role for role in best.mapping if role not in given]
    override = say("If that is wrong, say which is which: --map role=column (data.columns in a preset).")
    if best.sure and open_roles and best.weakest > 0:
        told.append(
            note("columns-guessed", say("Read as {format}: {used}.", format=best.format.name, used=used), source.at())
        )
    elif open_roles:
        guess = say("Guessed, please check: {format} with {used}.", format=best.format.name, used=used)
        told.append(warning("columns-uncertain", guess, source.at(), override))
    for role, rivals in best.rivals.items():
        message = say("{role} could also be {columns}.", role=role, columns=", ".join(rivals))
        told.append(warning("columns-ambiguous", message, source.at(), override))
    told += _other_reading(source, table, best, others, given)
    spare = [column for column in table.columns if not any(column in columns for columns in best.mapping.values())]
    if spare:
        told.append(note("columns-unused", say("Not used: {columns}.", columns=list_columns(spare)), source.at()))
    if not table.rows:
        told.append(error("no-rows", say("There are columns and no row."), source.at()))
    return [*told, *mixed_rows(source, table), *_label_words(source, table, best), *_word_labels(source, table, best)]


def _other_reading(source: Source, table: Table, best: Match, others: Sequence[Match], given: Mapped) -> list[Problem]:
    """A column of numbers beside a query and an answer may be votes rather than labels."""
    pairs = next((item for item in others if item.format.shape == "groups" and item.weakest >= USUAL), None)
    if best.format.shape != "scored" or pairs is None or "score" in given:
        return []
    column = best.mapping["score"][0]
    message = say("{column} is read as a label, so a low one means not relevant.", column=column)
    fix = say("If all rows are positives, say so: --format {format}.", format=pairs.format.name)
    many = len({score_of(value) for value in table.values(column)}) > _LABELS
    return [(warning if many else note)("score-column", message, source.at(), fix)]


def _label_words(source: Source, table: Table, best: Match) -> list[Problem]:
    column = next(iter(best.mapping.get("score", ())), "")
    words = sorted({str(value) for value in table.values(column) if word_score(value) is not None}) if column else []
    if not words:
        return []
    scale = _scale(table, best)
    if scale and scale[1] > 1:
        message = say(
            "{column} mixes words ({words}) with scores up to {high}.",
            column=column,
            words=", ".join(words),
            high=scale[1],
        )
        return [warning("mixed-labels", message, source.at(), say("Rows with a word are left out: write numbers."))]
    message = say("Words in {column} are read as 1 (yes) and 0 (no): {words}.", column=column, words=", ".join(words))
    return [note("label-words", message, source.at())]


def _scale(table: Table, best: Match) -> tuple[float, float] | None:
    column = next(iter(best.mapping.get("score", ())), "")
    scores = [score for value in table.values(column) if (score := score_of(value)) is not None] if column else []
    return (min(scores), max(scores)) if scores else None
