"""Files without a header: the roles are guessed from what the columns hold, and that is always said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tunewiz.data.formats.format import Format
from tunewiz.data.opening.left_over import is_text
from tunewiz.data.opening.matching import Match
from tunewiz.data.reading.cells import Table

#: Formats of two texts a row, and the roles of the first and the second.
_TWO_TEXTS: Final = {"pairs": ("query", "positive"), "prompt_completion": ("prompt", "completion")}


_THREE: Final = ("query", "positive", "negative")


#: So many rows, of which each label has five on average, or two where there are words.
_LABELLED_ROWS: Final = 10
_ROWS_A_LABEL: Final = 5
#: A text is longer than a label.
_LABEL_LENGTH: Final = 60


def _labelled(format_: Format, table: Table) -> Match | None:
    """Texts beside a column of few values, wherever it stands: the texts together, and that as their label."""
    if len(table.rows) < _LABELLED_ROWS:
        return None
    filled = [column for column in table.columns if table.filled(column) >= 0.5 and table.varied(column)]
    labels = [column for column in filled if _few(table, column)]
    texts = [column for column in filled if column not in labels and table.kind(column) == "text"]
    if not labels or not texts:
        return None
    # Words say more than the numbers that often stand beside them.
    label = next((column for column in labels if table.kind(column) == "text"), labels[0])
    return Match(format_, {"text": tuple(texts), "label": (label,)}, 0, 0, {})


def _few(table: Table, column: str) -> bool:
    values = [str(value).strip() for value in table.values(column)]
    different = len(set(values))
    return 2 <= different <= len(values) / _ROWS_A_LABEL and max(map(len, values)) <= _LABEL_LENGTH


def match_unnamed(formats: Mapping[str, Format], table: Table) -> Match | None:
    """Two columns of text are a pair, with one of few numbers beside them a scored pair; anything else stays open.

    Three are a query with a right and a wrong answer where the file's name or its lists say so. The first column is the
    query. None where the second is the shorter one by far, as then the order is doubtful.
    """
    if "classification" in formats:
        labelled = _labelled(formats["classification"], table)
        if labelled is not None:
            return labelled
    texts = [column for column in table.columns if table.kind(column) == "text" and table.varied(column)]
    numbers = [column for column in table.columns if table.kind(column) == "number" and table.varied(column)]
    texts = [column for column in texts if table.filled(column) >= 0.5] or texts
    if "pairs" in formats:
        whole = [column for column in texts if is_text(table, column)]
        texts = whole if len(whole) > 1 else texts
    if len(texts) == 3 and not numbers and "triplets" in formats and _are_triplets(table):
        return Match(formats["triplets"], {role: (name,) for role, name in zip(_THREE, texts, strict=True)}, 0, 0, {})
    if len(texts) != 2 or len(numbers) > 1:
        return None
    # Questions and answers of one length are common, questions twice as long as what answers them are not.
    if table.mean_length(texts[0]) > 2 * table.mean_length(texts[1]):
        return None
    if numbers:
        values = {str(value) for value in table.values(numbers[0])}
        mapping = {"sentence1": (texts[0],), "sentence2": (texts[1],), "score": (numbers[0],)}
        # More than ten different numbers are ids, prices or years rather than grades.
        return Match(formats["scored"], mapping, 0, 0, {}) if len(values) <= 10 and "scored" in formats else None
    for name, (asked, answered) in _TWO_TEXTS.items():
        if name in formats:
            return Match(formats[name], {asked: (texts[0],), answered: (texts[1],)}, 0, 0, {})
    return None


def _are_triplets(table: Table) -> bool:
    """Lists of three (sentence-transformers' data) and MS MARCO's ``triples``: anchor, positive, negative."""
    lists = table.source.container in ("json", "jsonl") and len(table.source.columns) == 3
    return lists or "tripl" in table.source.path.name.casefold()
