"""Tables with a message a row whose speakers go by names of their own, as messengers and help desks export them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from tunewiz.data.formats.turn_rows import come_again, sorts, stand_together, tells_who
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import guesses, normalise_name

_FEWEST: Final = 8  # messages of which it can be told that people take turns
#: Names of columns that tell who sends a message, and nothing else.
_SENDERS: Final = 2  # the least strength of a name that needs no conversation beside it
_LONGEST: Final = 300  # characters of an average message
_NAME: Final = 40  # characters of a name
_CHANGES: Final = 0.2  # of the rows are by another than the one before


def log_columns(table: Table) -> Mapping[str, tuple[str, ...]] | None:
    """The columns of a table with a message a row whose speakers go by names of their own; None if it is none."""
    texts = [column for column in table.columns if table.kind(column) == "text"]
    said = [guess.column for guess in guesses("llm_said", texts) if table.mean_length(guess.column) <= _LONGEST]
    if not said or len(table.rows) < _FEWEST:
        return None
    what = max(said, key=table.mean_length)
    free = [column for column in table.columns if column != what]
    orders = [guess.column for guess in guesses("llm_order", free) if sorts(table, guess.column)]
    named = [guess.column for guess in guesses("llm_conversation", free) if guess.strength > 1]
    chats = [column for column in named if stand_together(table, column) or (orders and come_again(table, column))]
    for guess in guesses("llm_speaker", free):
        sure = guess.strength >= _SENDERS and normalise_name(guess.column) not in _OF_ARTICLES
        told = (sure and bool(orders)) or bool(chats)
        if told and guess.column not in chats and _are_people(table, guess.column):
            found: dict[str, tuple[str, ...]] = {"speaker": (guess.column,), "content": (what,)}
            found |= {"conversation": (chats[0],)} if chats else {}
            return found | ({"order": (orders[0],)} if orders else {})
    return None


#: Names of who wrote a text of any kind.
_OF_ARTICLES: Final = frozenset(("author", "authorname", "username", "from", "role", "角色", "身份"))


def _are_people(table: Table, column: str) -> bool:
    """Whether a few names come again and take turns, and they are no roles that are known."""
    values = [str(row.values.get(column, "")) for row in table.rows]
    counted = Counter(value for value in values if value)
    if not 1 < len(counted) <= max(2, len(values) // 3) or max(map(len, counted)) > _NAME:
        return False
    changes = sum(one != other for one, other in pairwise(values))
    return changes >= _CHANGES * len(values) and not tells_who(table, column)
