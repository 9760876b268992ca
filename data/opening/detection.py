"""Deciding which format a source has, and saying how that was decided."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from tunewiz.data.dialogues.roles import PARTS
from tunewiz.data.formats.collections import CollectionFormat
from tunewiz.data.formats.format import Detection, Format, Mapped, RetrievalFormat, formats
from tunewiz.data.formats.raw_text import PROSE, is_ragged, is_table
from tunewiz.data.opening.advice import (
    how_to_map,
    lost_columns,
    refuse_compared,
    refuse_empty_answers,
    refuse_numbered_turns,
    refuse_single_turns,
    refuse_text_beside,
    told_of_values,
    unread_judgments,
)
from tunewiz.data.opening.choosing import answers_beside, choice_match, first_choice
from tunewiz.data.opening.for_pairs import as_pairs
from tunewiz.data.opening.judged import judged, together, unjudged
from tunewiz.data.opening.labels import (
    clicks_told,
    label_notes,
    labels_of,
    other_reading,
    scale_found,
    score_column,
    unclear_labels,
    with_labels,
)
from tunewiz.data.opening.languages import in_one_language, other_languages
from tunewiz.data.opening.left_over import ids_for_texts, marks_of, several_asked, several_in_a_cell, titled, unused
from tunewiz.data.opening.matching import Match, match
from tunewiz.data.opening.refusals import (
    Works,
    llm_layout,
    mixed_rows,
    refuse,
    refuse_collection,
    refuse_llm,
    refuse_llm_columns,
    refuse_pictures,
    refuse_retrieval,
    refuse_verdicts,
)
from tunewiz.data.opening.statements import sql_match, without_schema
from tunewiz.data.opening.unfolding import unclear_marks, unfolded, with_leaves
from tunewiz.data.opening.unnamed import match_unnamed
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import columns_of, list_columns, mapping_problems
from tunewiz.data.reading.expressions import columns_in
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
        if source.format in ("auto", name):
            found = item.plain(source)
            if found is not None:
                return found
    return None


def _known(source: Source, task: str | None) -> dict[str, Format]:
    known = formats(task)
    if task is not None or (source.format in known and known[source.format].shape == "conversations"):
        return known
    return {name: item for name, item in known.items() if item.shape != "conversations"}


def detect_rows(
    source: Source,
    sample: Sequence[Row],
    mapping: Mapping[str, str],
    known: Mapping[str, Format],
    advise: bool = True,
) -> Detection:
    """The format of a source that has rows. ``known`` are the formats to choose from, by name.

    Where none fits, mappings are tried for the one to ``advise``.
    """
    columns = _columns(source, sample, mapping)
    source, mapping = _speakers(source, mapping, columns)
    table = Table(source, columns, sample)
    if not any(item.shape == "conversations" for item in known.values()):
        mapping = as_pairs(mapping, columns)
    others = {} if mapping else other_languages(table)
    again = {name for names in others.values() for name in names}
    table = replace(table, columns=tuple(name for name in columns if name not in again))
    candidates = _candidates(source, known)
    for_llm = any(item.shape == "conversations" for item in candidates.values())
    if not for_llm:
        table = replace(table, columns=(*table.columns, *unfolded(table)))
    given = _given(source, table, mapping, candidates)
    works: Works | None = (lambda advised: _works(source, sample, advised, known)) if advise else None
    return in_one_language(_detected(table, candidates, given, works, for_llm), others)


def _detected(
    table: Table, candidates: Mapping[str, Format], given: Mapped, works: Works | None, for_llm: bool
) -> Detection:
    source = table.source
    found = _matches(candidates, table, given)
    choice = choice_match(candidates, table, given)
    if choice is not None:
        refuse_pictures(source, table)
        return _detection(source, table, [choice, *found], given, for_llm)
    queried = None if given else sql_match(candidates, table)
    if queried is not None:
        return _detection(source, table, [queried, *found], given, for_llm)
    if not given:
        taken = next(filter(None, (item.takes(source, table) for item in candidates.values())), None)
        if taken is not None:
            return taken
    if for_llm:
        _refuse_for_llm(source, table, given)
    else:
        _refuse_for_retrieval(source, table, found, given, works)
    if found and not for_llm and not given:
        used = found[0].mapping
        wrong = unclear_marks(source, table, used) or ids_for_texts(source, table, used)
        if wrong is not None:
            raise BadData(wrong)
    prose = source.path.suffix.casefold() in PROSE and source.container == "csv" and not is_table(source)
    prose = prose and (for_llm or is_ragged(table))
    if not found and not (given or prose) and has_no_names(source):
        positional = match_unnamed(candidates, table)
        found = [positional] if positional else []
    if not found:
        if for_llm and not given:
            refuse_text_beside(source, table, candidates)
        missing = _missing(candidates, given) if given or source.format != "auto" else ()
        if for_llm:
            raise refuse_llm_columns(source, table, missing, how_to_map(with_leaves(table), candidates))
        raise refuse(source, table, works, missing)
    if for_llm and not given and (beside := answers_beside(candidates, table, found[0])) is not None:
        found = [beside, *found]
    refuse_empty_answers(source, table, found[0])
    return _detection(source, table, found, given, for_llm)


#: Columns that are looked at: rows of a table have fewer, and keys that are data (ids, words) stand in one row each.
_COLUMNS: Final = 1000


def _columns(source: Source, sample: Sequence[Row], mapping: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of the source and the sample; of very many those that most rows have, and what is mapped."""
    every = tuple(dict.fromkeys([*source.columns, *(key for row in sample for key in row.values)]))
    if len(every) <= _COLUMNS:
        return every
    counted = Counter(key for row in sample for key in row.values)
    usual = {key for key, _ in counted.most_common(_COLUMNS)} | {
        name for value in mapping.values() for name in columns_of(value, every)
    }
    return tuple(column for column in every if column in usual)


def has_no_names(source: Source) -> bool:
    """Whether the columns are called column_1 ... for want of names."""
    if source.container in ("csv", "tsv", "xlsx", "html"):
        return not source.header
    return bool(source.columns) and source.columns == tuple(f"column_{n}" for n in range(1, len(source.columns) + 1))


def _detection(source: Source, table: Table, found: Sequence[Match], given: Mapped, for_llm: bool) -> Detection:
    best, others, told = found[0], found[1:], list[Problem]()
    if not for_llm:
        best = with_labels(table, found, given, source)
        unclear = unclear_labels(source, table, best, given)
        if unclear is not None and unclear.severity == "error":
            raise BadData(unclear)
        told += [unclear] if unclear is not None else []
        others = [item for item in found if item.format is not best.format]
        best, more = titled(source, table, best, given)
        told += [*more, *(several_in_a_cell(source, table, best.mapping) if best.format.cuts else ())]
    first, more = first_choice(source, table, best.mapping)
    told += more
    return Detection(
        format=best.format,
        source=source,
        mapping=best.mapping,
        confidence=best.confidence,
        problems=(*told, *_told(source, table, best, others, given)),
        alternatives=tuple(item.format.name for item in others),
        scale=scale_found(source, table, best),
        marks={} if for_llm or not best.format.cuts else marks_of(table, best.mapping),
        labels=labels_of(source, table.values(score_column(best))) if score_column(best) else {},
        first=first,
    )


def _works(source: Source, sample: Sequence[Row], mapping: Mapping[str, str], known: Mapping[str, Format]) -> bool:
    """Whether a mapping, applied to the sample, makes examples of most rows and meets no error."""
    try:
        found = detect_rows(source, sample, mapping, known, advise=False)
    except BadData:
        return False
    if not isinstance(found.format, RetrievalFormat):
        return False
    told: list[Problem] = []
    usable = sum(1 for _ in found.format.examples(found, sample, told.append))
    return 2 * usable > len(sample) and not any(problem.severity == "error" for problem in (*told, *found.problems))


def _speakers(source: Source, mapping: Mapping[str, str], columns: Sequence[str]) -> tuple[Source, Mapping[str, str]]:
    """What of ``mapping`` tells who speaks (``assistant=客服``, where that is no column), written into the source."""
    said = {name.strip(): part for part, names in mapping.items() if part in PARTS
            and not set(columns_of(names, columns)) & set(columns) for name in names.split(",")}  # fmt: skip
    if not said:
        return source, mapping
    rest = {role: value for role, value in mapping.items() if role not in said.values()}
    return source.altered(speakers={**source.speakers, **said}), rest


def _refuse_for_retrieval(
    source: Source, table: Table, found: Sequence[Match], given: Mapped, works: Works | None
) -> None:
    """Rows for language models are no pairs unless the user maps them."""
    if given or source.format != "auto":
        return
    refuse_compared(source, table)
    refuse_numbered_turns(source, table)
    if not found:
        refuse_single_turns(source, table)
    layout, marks = llm_layout(table.columns)
    if layout and not any(item.weakest > 1 and len(item.mapping) >= 3 for item in found):
        raise refuse_llm(source, table, layout, marks, works)


def _refuse_for_llm(source: Source, table: Table, given: Mapped) -> None:
    """Pictures cannot be trained on, and rows for retrieval are no conversations unless the user maps them."""
    refuse_pictures(source, table)
    if not given and source.format == "auto":
        refuse_single_turns(source, table)
        refuse_numbered_turns(source, table)
        refuse_verdicts(source, table)
        refuse_compared(source, table)
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
    wrong = mapping_problems(mapping, table.columns, known, source.at()) or _unreached(source, table, mapping)
    if wrong:
        raise BadData(*wrong)
    return {role: columns_of(value, table.columns) for role, value in mapping.items()}


def _unreached(source: Source, table: Table, mapping: Mapping[str, str]) -> list[Problem]:
    """An error for each expression that reaches nothing in any row of the sample."""
    found = []
    for role, value in mapping.items():
        for column in columns_of(value, table.columns):
            if column not in table.columns and table.rows and not table.values(column):
                message = say("Nothing is found at {column} in the first rows.", column=column)
                known = [name for name in table.columns if columns_in(name) != (name,)]
                fix = say("There are: {columns}.", columns=list_columns(known)) if known else None
                found.append(error("unknown-column", message, source.at(key=f"{role}={value}"), fix))
    return found


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


def _told(source: Source, table: Table, best: Match, others: Sequence[Match], given: Mapped) -> list[Problem]:
    used = tuple(
        say("{role} = {columns}", role=role, columns=" + ".join(columns)) for role, columns in best.mapping.items()
    )
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
        message = say("{role} could also be {columns}.", role=role, columns=tuple(rivals))
        told.append(warning("columns-ambiguous", message, source.at(), override))
    told += other_reading(source, table, best, others, given) or clicks_told(source, best, given)
    for_llm = best.format.shape == "conversations"
    wrong = judged(source, table, best.mapping) or unjudged(source, table, best.mapping, given)
    told += [] if wrong else together(source, best.mapping, given)
    told += wrong or (lost_columns(source, table, best) if for_llm else unused(source, table, best.mapping))
    if for_llm:
        asked = next((best.mapping[role][0] for role in ("prompt", "instruction") if role in best.mapping), "")
        told += several_asked(source, table, asked) if asked else []
    told += told_of_values(source, table, best)
    told += without_schema(source, table, best.mapping)
    told += unread_judgments(source, table, best)
    if not table.rows:
        told.append(error("no-rows", say("There are columns and no row."), source.at()))
    return [*told, *mixed_rows(source, table), *label_notes(source, table, best)]
