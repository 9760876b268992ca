"""What to say when rows are not for a language model: for retrieval, with pictures, or with columns nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from data.column_names import EXACT, USUAL
from data.columns import guesses, normalised
from data.formats.refusals import unclear
from data.nested import nested
from data.problems import BadData, Message, error, say
from data.source import Source
from data.table import Table, is_empty

_PICTURES: Final = frozenset(("image", "images", "video", "videos", "audio", "audios", "图片", "图像", "视频", "音频"))
#: A picture in a text: MS-Swift's ``<img>address</img>`` (HTML's img has no end) and the placeholder of many.
_PICTURE_TAG: Final = re.compile(r"<img>[^<]*</img>|<image>|<video>|<audio>")


def refuse_collection(source: Source) -> BadData:
    """A folder with corpus, queries and qrels holds no conversations."""
    told = say("This is a test collection for retrieval (corpus, queries, qrels), not rows for a language model.")
    return BadData(error("retrieval-layout", told, source.at(), say("Set the task to embedding or reranker.")))


def refuse_retrieval(source: Source, table: Table) -> None:
    """Raise :class:`BadData` for queries with positives or negatives, and for two texts with a score."""
    query = _first(guesses("query", table.columns), USUAL)
    right = _first(guesses("positive", table.columns), EXACT) or _first(guesses("negative", table.columns), EXACT)
    if query and right:
        fix = say(
            "Set the task to embedding or reranker; or map them: --map prompt={first} --map completion={second}.",
            first=query,
            second=right,
        )
        raise _retrieval(source, (query, right), fix)
    pair = [_first(guesses(role, table.columns), USUAL) for role in ("sentence1", "sentence2")]
    score = _first(guesses("score", table.columns), USUAL)
    if all(pair) and score and pair[0] != pair[1]:
        fix = say(
            "Set the task to embedding or reranker; or map them: --map text={first},{second} --map label={score}.",
            first=pair[0],
            second=pair[1],
            score=score,
        )
        raise _retrieval(source, (*pair, score), fix)


def _retrieval(source: Source, columns: Sequence[str], fix: Message) -> BadData:
    told = say("{columns}: this is a layout for retrieval, not rows for a language model.", columns=", ".join(columns))
    return BadData(error("retrieval-layout", told, source.at(), fix))


def _first(found: Sequence[Any], strength: int) -> str:
    return next((str(guess.column) for guess in found if guess.strength >= strength), "")


def refuse_pictures(source: Source, table: Table) -> None:
    """Raise :class:`BadData` for rows with pictures, sound or films beside the text."""
    fix = say("Take those rows out, or train a model of pictures with other software.")
    column = next((name for name in table.columns if normalised(name) in _PICTURES and table.values(name)), "")
    if column:
        line = next(row.line for row in table.rows if not is_empty(row.values.get(column)))
        told = say("The column {column} holds pictures, sound or films; only text can be trained on.", column=column)
        raise BadData(error("pictures", told, source.at(line), fix))
    for row in table.rows:
        for text in _texts(list(row.values.values())):
            found = _PICTURE_TAG.search(text) if "<" in text else None
            if found and (found[0].startswith("<img>") or text.startswith(found[0])):
                told = say('There is a picture in the text: "{tag}"; only text can be trained on.', tag=found[0])
                raise BadData(error("pictures", told, source.at(row.line), fix))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


def refuse_llm_columns(source: Source, table: Table, missing: Sequence[str] = ()) -> BadData:
    """No format for language models fits: say which columns there are and how to map them."""
    if not table.columns:
        told = say("The file holds no rows with named fields.")
        fix = say('Write rows as {{"instruction": "...", "output": "..."}}.')
        return BadData(error("no-columns", told, source.at(), fix))
    odd = _odd_labels(table)
    if odd and not missing:
        told = say("{column} has too many different values for labels, or too long ones.", column=odd)
        fix = say("To train on answers, map them: --map prompt=COLUMN --map completion={column}.", column=odd)
        return BadData(error("unmapped-columns", told, source.at(), fix))
    return BadData(error("unmapped-columns", unclear(table, missing), source.at(), _how(table)))


def _odd_labels(table: Table) -> str:
    """A column that is called a label and holds none."""
    if not guesses("llm_classified", table.columns):
        return ""
    return next((guess.column for guess in guesses("llm_label", table.columns) if guess.strength > 2), "")


def _how(table: Table) -> Message:
    texts = [column for column in table.columns if table.kind(column) == "text" and table.varied(column)]
    turns = [column for column in table.columns if isinstance(nested(next(iter(table.values(column)), None)), list)]
    if turns:
        return say("If {column} holds the turns, say so: --map messages={column}.", column=turns[0])
    if len(texts) < 2:
        return say("Say which is which: --map instruction=COLUMN --map output=COLUMN, or --map text=COLUMN.")
    return say(
        "Say which is which, for example --map prompt={first} --map completion={second}, or for classification "
        "--map text={first} --map label={second}.",
        first=texts[0],
        second=texts[1],
    )
