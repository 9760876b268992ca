"""The honest floor of a classification: what counting words brings in seconds, trained and measured on the same rows.

TF-IDF of letters and words, and logistic regression over it (scikit-learn, which sentence-transformers brings). A
language model that stays below it is not worth its cost.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from tunewiz.backends.language_models.measures import HeldOutMeasures, drawn, label_scores
from tunewiz.data.chat.prepared import PreparedLlm
from tunewiz.data.rows.conversations import Conversation

#: Pieces of up to four letters know Chinese without its words, and English with its endings.
_LETTERS: Final = (1, 4)
_WORDS: Final = (1, 2)
#: The usual 1 is too strong a bound for TF-IDF vectors, whose length is 1.
_BOUND: Final = 10.0


def measure_floor(prepared: PreparedLlm, rows: int, seed: int) -> HeldOutMeasures | None:
    """``accuracy`` and ``macro_f1`` on the rows that a model is measured on (at most ``rows``, drawn by ``seed``).

    ``None`` where there is nothing to learn: rows without labels, or all with the same one.
    """
    places = drawn(prepared.evaluation, rows, seed)
    gold = [prepared.evaluation[place].label for place in places]
    known = [row.label for row in prepared.train]
    if not prepared.labels or not places or len(set(known)) < 2:
        return None
    begun, found = time.monotonic(), HeldOutMeasures()
    texts = _without_frame([*prepared.train, *(prepared.evaluation[place] for place in places)])
    given = _predicted(texts[: len(known)], known, texts[len(known) :])
    right = {str(place): float(one == other) for place, one, other in zip(places, gold, given, strict=True)}
    found.add(right, "accuracy")
    found.metrics["macro_f1"] = label_scores(gold, given, prepared.labels)["macro_f1"]
    found.seconds = time.monotonic() - begun
    return found


def _without_frame(rows: Sequence[Conversation]) -> list[str]:
    """The texts alone: what all rows begin and end with is the instruction, and says nothing of any label."""
    texts = [row.question for row in rows]
    begin = _shared(texts)
    rest = [text[begin:] for text in texts]
    end = _shared([text[::-1] for text in rest])
    return [text[: len(text) - end] for text in rest]


def _shared(texts: Sequence[str]) -> int:
    """How many letters all ``texts`` begin with."""
    pairs = enumerate(zip(min(texts), max(texts), strict=False))  # the two that differ the most
    return next((place for place, (one, other) in pairs if one != other), len(min(texts)))


def _predicted(texts: Sequence[str], labels: Sequence[str], asked: Sequence[str]) -> list[str]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=_LETTERS, sublinear_tf=True)
    # The library's own pattern leaves words of one letter out, and would raise where there are no others.
    words = TfidfVectorizer(token_pattern=r"\w+", ngram_range=_WORDS, sublinear_tf=True)
    model: Any = make_pipeline(make_union(letters, words), LogisticRegression(C=_BOUND, max_iter=1000))
    return [str(label) for label in model.fit(list(texts), list(labels)).predict(list(asked))]
