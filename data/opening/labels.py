"""What the labels of a column are worth, and asking where it cannot be known which end is right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tunewiz.data.formats.format import Mapped
from tunewiz.data.opening.matching import Match
from tunewiz.data.reading.cells import Table, number_of, score_of
from tunewiz.data.reading.columns import USUAL, guesses, normalise_name, spoken_name
from tunewiz.data.reading.expressions import map_options
from tunewiz.data.reading.scales import INFERENCE, known_labels, label_word, word_worth, words_in
from tunewiz.data.reading.source import Source
from tunewiz.problems import Message, Problem, error, note, say, warning

#: More different values than this are hardly labels.
LABELS: Final = 10
#: Words that mark many things beside relevance: a column of them beside a pair is no label unless its name says so.
_FLAGS: Final = frozenset(("yes", "no", "y", "n", "true", "false", "t", "f", "是", "否"))
#: Columns of two texts of which neither is a query: numbers beside them may be classes as well as grades.
_EVEN: Final = frozenset(
    (
        *("sentence1", "sentencea", "text1", "texta", "sent1", "s1", "premise", "first", "句子1", "句子一", "句子a"),
        *("文本1", "文本一", "文本a", "句1", "前提"),
    )
)
#: Names of numbers of which more is more, whatever they are.
_RISING: Final = ("score", "similarity", "relevance", "grade", "rating", "相似", "相关", "分数", "得分", "评分", "打分")


def labels_of(source: Source, values: Sequence[Any]) -> Mapping[str, float]:
    """What each label is worth: as the user says, or by a known scale where all labels are words; else empty."""
    if source.labels or not any(number_of(value) is not None for value in values):
        return known_labels(values, source.labels)
    return {}


def worth_of(value: object, labels: Mapping[str, float]) -> float | None:
    """A label's worth among ``labels``, else as a number or as a word for yes or no."""
    worth = labels.get(label_word(value)) if labels else None
    return score_of(value) if worth is None else worth


def score_column(best: Match) -> str:
    """The column of scores, or an empty string."""
    return next(iter(best.mapping.get("score", ())), "")


def scale_found(source: Source, table: Table, best: Match) -> tuple[float, float] | None:
    """The lowest and highest score of the sample."""
    values = table.values(score_column(best)) if score_column(best) else []
    labels = labels_of(source, values)
    scores = [score for value in values if (score := worth_of(value, labels)) is not None]
    return (min(scores), max(scores)) if scores else None


def unclear_labels(source: Source, table: Table, best: Match, given: Mapped) -> Problem | None:
    """An error where labels are there and nothing says which of them are right."""
    if best.format.shape == "groups":
        if source.format != "auto" or "score" in given:
            return None
        pair = best.mapping.get("query", ("",))[0], best.mapping.get("positive", ("",))[0]
        known = guesses("sentence1", [pair[0]]) and guesses("sentence2", [pair[1]])
        texts = None if known or not all(pair) else pair
        return next((ask_worth(source, table, name, texts) for name in spare_labels(table, best.mapping)), None)
    column = score_column(best)
    if not column:
        return None
    values = table.values(column)
    unknown = [word for word in words_in(values) if word not in known_labels(values, source.labels)]
    numbers = any(number_of(value) is not None for value in values)
    if unknown and not (numbers and all(word_worth(word) is not None for word in unknown)):
        share = sum(label_word(value) in unknown for value in values) / len(values)
        if share > 0.5 or (source.labels and share > 0):
            return ask_worth(source, table, column)
    return None if source.labels else unclear_order(source, table, column, first=best.mapping["sentence1"][0])


def with_labels(table: Table, found: Sequence[Match], given: Mapped, source: Source) -> Match:
    """The best match; where it passes over labels that another one reads, that one."""
    best = found[0]
    if best.format.shape != "groups" or source.format != "auto" or given:
        return best
    spare = spare_labels(table, best.mapping)
    return next((item for item in found if score_column(item) in spare), best)


def spare_labels(table: Table, mapping: Mapped) -> list[str]:
    """Columns that are not used and hold labels in words, by their names or by a known scale."""
    used = {column for columns in mapping.values() for column in columns}
    free = [column for column in table.columns if column not in used]
    named = {guess.column for guess in guesses("score", free)}
    found = []
    for column in free:
        values = table.values(column)
        words = set(words_in(values)) if table.kind(column) == "text" else set()
        if not 0 < len(words) <= LABELS or 2 * len(words) > max(4, len(values)):
            continue
        known = bool(known_labels(values, {})) or words <= INFERENCE.keys()
        if column in named or (known and not words <= _FLAGS and len(words) > 1):
            found.append(column)
    return found


def ask_worth(source: Source, table: Table, column: str, texts: tuple[str, str] | None = None) -> Problem:
    """An error that asks what each label of a column is worth; ``texts`` are mapped too where no name says more."""
    values = list(dict.fromkeys(str(value).strip() for value in table.values(column)))
    message = say("The labels in {column} are words: {values}.", column=column, values=tuple(values[:LABELS]))
    roles = dict(zip(("sentence1", "sentence2"), texts or (), strict=False)) | {"score": column}
    return error("label-words", message, source.at(), _worth(map_options(roles), values))


def _worth(mapping: str, values: Sequence[str]) -> Message:
    words = {label_word(value): value for value in values}
    known = INFERENCE if set(words) <= INFERENCE.keys() else known_labels(values, {})
    numbers = ",".join(f"{value}={known[word]:g}" if known else f"{value}=N" for word, value in words.items())
    labels = f'"{numbers}"' if " " in numbers else numbers
    if known:
        return say(
            "If so many points are meant, say so: {mapping} --labels {labels} (data.columns and data.labels in a "
            "preset); if all rows are right answers: --format pairs.",
            mapping=mapping,
            labels=labels,
        )
    return say(
        "Say what each is worth, from 0 (wrong) to 1 (right), with numbers for N: {mapping} --labels {labels} "
        "(data.columns and data.labels in a preset); if all rows are right answers: --format pairs.",
        mapping=mapping,
        labels=labels,
    )


def unclear_order(source: Source, table: Table, column: str, first: str, mapping: str = "") -> Problem | None:
    """An error about three whole numbers beside two texts, unless the ``first`` one is a query, or the name says it.

    ``mapping`` are options to type before those that say what the numbers are worth.
    """
    name, first_name = normalise_name(spoken_name(column)), normalise_name(spoken_name(first))
    asked = first_name not in _EVEN and bool(guesses("query", [first]))
    scores = sorted({score for value in table.values(column) if (score := number_of(value)) is not None})
    whole = len(scores) == 3 and all(score == int(score) for score in scores) and scores[2] - scores[0] == 2
    if not whole or asked or any(word in name for word in _RISING):
        return None
    low, middle, high = (f"{score:g}" for score in scores)
    message = say(
        "{column} holds {low}, {middle} and {high}, and nothing says which end is right: in natural-language inference "
        "{low} entails and {high} contradicts, and as grades {high} is the best.",
        column=column,
        low=low,
        middle=middle,
        high=high,
    )
    fix = say(
        "Say it: {mapping}--labels {low}=1,{middle}=0,{high}=0 for inference, "
        "{mapping}--labels {low}=0,{middle}=1,{high}=2 for grades (data.labels in a preset).",
        mapping=f"{mapping} " if mapping else "",
        low=low,
        middle=middle,
        high=high,
    )
    return error("label-order", message, source.at(), fix)


def label_notes(source: Source, table: Table, best: Match) -> list[Problem]:
    """How labels in words are read."""
    column = score_column(best)
    values = table.values(column) if column else []
    labels = labels_of(source, values)
    words = sorted({str(value) for value in values if worth_of(value, labels) is not None and number_of(value) is None})
    if not words or source.labels:
        return []
    scale = scale_found(source, table, best)
    if not labels and scale and scale[1] > 1:
        message = say(
            "{column} mixes words ({words}) with scores up to {high}.",
            column=column,
            words=tuple(words),
            high=scale[1],
        )
        return [warning("mixed-labels", message, source.at(), say("Rows with a word are left out: write numbers."))]
    if all(word_worth(word) == worth_of(word, labels) for word in words):
        message = say("Words in {column} are read as 1 (yes) and 0 (no): {words}.", column=column, words=tuple(words))
        return [note("label-words", message, source.at())]
    worth = sorted(((worth_of(word, labels) or 0.0, word) for word in words), reverse=True)
    shown = ", ".join(f"{word} = {points:g}" for points, word in worth)
    fix = say("If that is wrong, say what each is worth with --labels (data.labels).")
    return [
        note("label-words", say("Words in {column} are read as {worth}.", column=column, worth=shown), source.at(), fix)
    ]


#: Words of names of clicks: more of them are more relevant, as far as people saw the document at all.
_CLICKS: Final = re.compile("click|ctr|点击")


def is_clicks(column: str) -> bool:
    """Whether a column is called by clicks."""
    return bool(_CLICKS.search(normalise_name(column)))


def clicks_told(source: Source, best: Match, given: Mapped) -> list[Problem]:
    """A warning that clicks are read as grades: what was shown below, or never, is not clicked either."""
    column = score_column(best)
    if not column or not is_clicks(column) or "score" in given:
        return []
    first, second = (best.mapping[role][0] for role in ("sentence1", "sentence2"))
    message = say(
        "Clicks ({column}) are read as grades: the more, the more relevant {second} is to {first}; rows of one {first} "
        "are judged together.",
        column=column,
        first=first,
        second=second,
    )
    fix = say(
        "If that is meant, say so: {graded}; if every row is a right answer: {plain} --format pairs.",
        graded=map_options({"sentence1": first, "sentence2": second, "score": column}),
        plain=map_options({"query": first, "positive": second}),
    )
    return [warning("clicks-as-grades", message, source.at(), fix)]


def other_reading(source: Source, table: Table, best: Match, others: Sequence[Match], given: Mapped) -> list[Problem]:
    """A column of numbers beside a query and an answer may be votes rather than labels."""
    pairs = next((item for item in others if item.format.shape == "groups" and item.weakest >= USUAL), None)
    if best.format.shape != "scored" or pairs is None or "score" in given or is_clicks(score_column(best)):
        return []
    column = best.mapping["score"][0]
    message = say("{column} is read as a label, so a low one means not relevant.", column=column)
    fix = say("If all rows are positives, say so: --format {format}.", format=pairs.format.name)
    many = len({score_of(value) for value in table.values(column)}) > LABELS
    return [(warning if many else note)("score-column", message, source.at(), fix)]
