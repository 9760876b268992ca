"""Which column plays which role, guessed from its name in English or Chinese, or given by the user.

The names themselves, and how strong each is, are in :mod:`data.column_names`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from data.column_names import HEADINGS, NAMES
from data.problems import Message, Problem, Where, error, say

_SEPARATORS: Final = re.compile(r"[\s_\-./()（）:：\"'“”#]+")
_NUMBERED: Final = re.compile(r"^(.*?\D)(\d{1,3})$")


@dataclass(frozen=True)
class Guess:
    """A column that may play a role, and how strongly its name says so."""

    column: str
    strength: int


def normalised(name: str) -> str:
    """A column name without case, width, separators and byte-order mark: ``Question_1`` and ``question 1`` agree."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).strip("\ufeff").casefold())


def is_known(name: str) -> bool:
    """Whether any role goes by this name: a strong sign that a line is a header."""
    plain = normalised(name)
    stem = _NUMBERED.match(plain)
    return plain in HEADINGS or bool(stem and stem.group(1) in HEADINGS)


def guesses(role: str, columns: Sequence[str]) -> list[Guess]:
    """Columns whose name fits ``role``, strongest first; for equal strength in the order of :data:`NAMES`."""
    found: list[Guess] = []
    plain = {column: normalised(column) for column in columns}
    for strength, names in NAMES.get(role, {}).items():
        for name in names:
            found += [Guess(column, strength) for column in columns if plain[column] == name]
    return list({guess.column: guess for guess in reversed(found)}.values())[::-1]


def numbered(role: str, columns: Sequence[str]) -> list[str]:
    """Columns named like the role with a number (``negative_1``, ``neg2``, ``负例3``), in the order of the numbers."""
    stems = {name for names in NAMES.get(role, {}).values() for name in names}
    found: list[tuple[int, str]] = []
    for column in columns:
        match = _NUMBERED.match(normalised(column))
        if match and match.group(1) in stems:
            found.append((int(match.group(2)), column))
    return [column for _, column in sorted(found)]


def columns_of(value: str, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that a mapping's value names: one, or several joined by commas."""
    known = set(columns)
    if value in known or "," not in value:
        return (value,)
    return tuple(part.strip() for part in value.split(",") if part.strip())


def mapping_problems(
    mapping: Mapping[str, str], columns: Sequence[str], roles: Sequence[str], where: Where
) -> list[Problem]:
    """What is wrong with a mapping the user gave: roles that do not exist, columns that are not there."""
    found: list[Problem] = []
    for role, value in mapping.items():
        place = Where(key=f"{role}={value}", file=where.file)
        if role not in roles:
            told = say("There is no role {role}; the roles are {roles}.", role=role, roles=", ".join(roles))
            found.append(error("unknown-role", told, place, _did_you_mean(role, roles)))
        for column in columns_of(value, columns):
            if column not in columns:
                told = say(
                    "There is no column {column}; the columns are {columns}.", column=column, columns=listed(columns)
                )
                found.append(error("unknown-column", told, place, _did_you_mean(column, columns)))
    return found


def listed(columns: Sequence[str]) -> str:
    """Column names for a message, the first dozen."""
    return ", ".join(columns[:12]) + (" …" if len(columns) > 12 else "")


def _did_you_mean(name: str, known: Sequence[str]) -> Message | None:
    plain = {normalised(item): item for item in known}
    near = difflib.get_close_matches(normalised(name), plain, n=1, cutoff=0.5)
    return say("Did you mean {name}?", name=plain[near[0]]) if near else None
