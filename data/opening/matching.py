"""Finding the columns for a format's roles, by their names or by what they hold, and saying how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product

from tunewiz.data.formats.format import Format, Mapped, Role
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import EXACT, USUAL, WEAK, Guess, guesses, numbered_columns
from tunewiz.data.reading.meaning import is_again, is_mark

#: Two required roles with 44 columns each that may play them: beyond, the first (best) ones have been tried anyway.
_TRIED_MAPPINGS = 2_000


#: Of so many rows one at least has something in each column that says anything.
_MANY = 10

#: Roles that say nothing of what is learned: a score beside the texts does, and it is not passed over for them.
_IDS = frozenset(("query_id", "document_id"))


@dataclass(frozen=True)
class Match:
    """A format with a column for each required role.

    ``strength`` sums the strengths of the columns that are used; ``weakest`` is the least of them. ``rivals`` are
    columns that might have played a role as well.
    """

    format: Format
    mapping: Mapped
    strength: int
    weakest: int
    rivals: dict[str, tuple[str, ...]]

    @property
    def sure(self) -> bool:
        """Whether the names say it all."""
        return self.weakest >= USUAL and not self.rivals

    @property
    def confidence(self) -> float:
        """0-1: by the weakest name, lowered where another column might have been meant.

        No probability but an order, in which usual names without rivals stand at 0.9 (``opened._SURE``).
        """
        # A weak name (text, a) is right about as often as not; a column that only its values speak for, less often.
        base = {EXACT: 1.0, USUAL: 0.9, WEAK: 0.5}.get(self.weakest, 0.3)
        return base * (0.6 if self.rivals else 1.0)


def match(format_: Format, table: Table, given: Mapped) -> Match | None:
    """The best mapping of ``table`` to ``format_`` that keeps what is ``given``; None if a required role stays open."""
    taken = {column for columns in given.values() for column in columns}
    free = [column for column in table.columns if column not in taken]
    required = [role for role in format_.roles if role.required]
    choices = [_choices(format_, role, table, free, given) for role in required]
    best: tuple[int, tuple[Guess, ...]] | None = None
    for chosen in islice(product(*choices), _TRIED_MAPPINGS):
        columns = [guess.column for guess in chosen]
        strength = sum(guess.strength for guess in chosen)
        if len(set(columns)) == len(columns) and (best is None or strength > best[0]):
            best = (strength, chosen)
    if best is None:
        return None
    mapping = {role.name: (guess.column,) for role, guess in zip(required, best[1], strict=True)} | dict(given)
    mapping = _several(format_, table, mapping, given)
    used = _settled(format_, table, _optional(format_, table, mapping, given), given)
    if not format_.accepts(used, table) or not (given or format_.assumed(used, table)):
        return None
    guessed = [guess.strength for role, guess in zip(required, best[1], strict=True) if role.name not in given]
    extra = sum(len(columns) - 1 for columns in used.values())
    extra += sum(EXACT for role in used if role not in mapping and role not in _IDS)
    rivals = {
        role: rest
        for role, columns in _rivals(required, choices, best[1], used, given).items()
        if (rest := tuple(column for column in columns if not any(is_again(table, column, own) for own in used[role])))
    }
    return Match(format_, used, best[0] + extra, min(guessed, default=EXACT), rivals)


def _settled(format_: Format, table: Table, mapping: Mapped, given: Mapped) -> Mapped:
    return {**format_.settled(mapping, table), **given}


def _choices(format_: Format, role: Role, table: Table, free: Sequence[str], given: Mapped) -> list[Guess]:
    if role.name in given:
        return [Guess(given[role.name][0], EXACT)]
    named = [guess for guess in guesses(role.known_as, free) if not is_mark(table, guess.column)]
    found = [guess for guess in named if format_.fits(role, guess.column, table)]
    if not found:
        counted = [column for column in numbered_columns(role.known_as, free) if format_.fits(role, column, table)]
        found = [Guess(column, EXACT) for column in counted[:1]]
    filled = [guess for guess in found if table.values(guess.column)]
    return filled or (found if format_.shape == "conversations" or len(table.rows) < _MANY else [])


def _several(
    format_: Format, table: Table, mapping: dict[str, tuple[str, ...]], given: Mapped
) -> dict[str, tuple[str, ...]]:
    """Numbered columns (negative_1, negative_2) join the role that takes many."""
    taken = {column for columns in mapping.values() for column in columns}
    whole = dict(mapping)
    for role in format_.roles:
        if role.many and role.name not in given and role.name in mapping:
            more = [column for column in numbered_columns(role.known_as, table.columns) if column not in taken]
            if role.name == "negative":  # easy and hard ones in columns of their own
                named = [guess.column for guess in guesses("negative", table.columns) if guess.strength == EXACT]
                more += [column for column in named if column not in (*taken, *more) and table.values(column)]
            whole[role.name] = (*mapping[role.name], *(c for c in more if format_.fits(role, c, table)))
    return whole


def _optional(format_: Format, table: Table, mapping: Mapped, given: Mapped) -> Mapped:
    """The mapping with optional roles whose name says so exactly."""
    whole = dict(mapping)
    for role in format_.roles:
        if role.required or role.name in whole:
            continue
        taken = {column for columns in whole.values() for column in columns}
        free = [column for column in table.columns if column not in taken]
        # Names of language models' columns are many, and what is optional there is lost where it is not found.
        least = USUAL if format_.shape == "conversations" else EXACT
        exact = [guess.column for guess in guesses(role.known_as, free) if guess.strength >= least]
        if format_.shape == "groups":  # what lies in objects is reached by an expression
            exact = [column for column in exact if table.kind(column) != "object"]
            exact.sort(key=lambda column: table.kind(column) == "empty")
        if (
            role.name == "similar"
            and not exact
            and whole.get("query", ("",))[0] in numbered_columns("query", table.columns)
            and len(numbered_columns("positive", table.columns)) < 2  # each has an answer of its own
        ):
            # 问题1, 问题2 and 问题3 beside one answer are ways to ask the same.
            more = [column for column in numbered_columns("query", free) if format_.fits(role, column, table)]
            whole |= {"similar": tuple(more)} if more else {}
            continue
        if role.many and not exact:
            exact = numbered_columns(role.known_as, free)[:1]
        if exact:
            whole[role.name] = (exact[0],)
    return _several(format_, table, whole, given)


def _rivals(
    required: Sequence[Role],
    choices: Sequence[Sequence[Guess]],
    chosen: Sequence[Guess],
    mapping: Mapped,
    given: Mapped,
) -> dict[str, tuple[str, ...]]:
    """Unused columns that fit a role as well as the one chosen, by their names alone."""
    used = {column for columns in mapping.values() for column in columns}
    found: dict[str, tuple[str, ...]] = {}
    for role, guesses_, guess in zip(required, choices, chosen, strict=True):
        rest = tuple(g.column for g in guesses_ if g.column not in used and g.strength >= guess.strength)
        if rest and role.name not in given:
            found[role.name] = rest
    return found
