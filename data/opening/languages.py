"""Columns that hold the same in several languages (``question_zh`` and ``question_en``), told by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tunewiz.data.formats.format import Detection
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import list_columns
from tunewiz.data.reading.expressions import map_options
from tunewiz.data.text.language import language_of_name
from tunewiz.problems import say, warning


def other_languages(table: Table) -> dict[str, list[str]]:
    """By language, the columns of texts that say again what stands beside them in the first language; {} if none do.

    Two columns at least have their like in each language: question and answer.
    """
    named: dict[str, dict[str, str]] = {}
    for column in table.columns:
        stem, language = language_of_name(column)
        if language and table.kind(column) in ("text", "texts"):
            named.setdefault(language, {})[stem.casefold()] = column
    whole = [language for language, stems in named.items() if len(stems) > 1]
    if not whole or len(named) < 2:
        return {}
    first = named[whole[0]]
    return {language: list(stems.values()) for language, stems in named.items()
             if language != whole[0] and len(stems) > 1 and stems.keys() <= first.keys()}  # fmt: skip


def in_language(columns: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """For each of ``columns`` the one of ``others`` that says the same in another language."""
    stems = {language_of_name(name)[0].casefold(): name for name in others}
    return {column: stems[stem] for column in columns if (stem := language_of_name(column)[0].casefold()) in stems}


def in_one_language(found: Detection, others: Mapping[str, Sequence[str]]) -> Detection:
    """``found`` with a warning of columns that say the same in other languages, and how those are read."""
    told = []
    for names in others.values():
        mapping = {role: in_language(columns, names) for role, columns in found.mapping.items()}
        typed = {role: ",".join(columns.values()) for role, columns in mapping.items() if columns}
        message = say("The same in another language is not used: {columns}.", columns=list_columns(names))
        fix = say("To read that instead: {mapping}; for both, name the file twice in data.train, each time with its "
                  "own columns.", mapping=map_options(typed))  # fmt: skip
        told.append(warning("other-language", message, found.source.at(), fix))
    return replace(found, problems=(*found.problems, *told)) if told else found
