"""What the model would have seen in training of the data it is measured on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from data.checks.base import Example
from data.examples import Collection, ScoredPair
from data.fingerprints import Seen, fingerprint, normal
from data.near_duplicates import NearDuplicates
from data.problems import Problem, Where, note, say, warning


def leaks(train: Sequence[Example], evaluation: Collection, file: str) -> Iterator[Problem]:
    """Queries of ``evaluation`` that are in ``train`` of ``file``, exactly or nearly, and relevant documents that are.

    ``leak-query`` and ``leak-near-query`` are warnings, each with the training row. Shared documents are one note
    (``leak-document``): in a corpus that both search, they are meant.
    """
    yield from _queries(train, evaluation.queries.values(), file)
    relevant = {name for judged in evaluation.qrels.values() for name, grade in judged.items() if grade > 0}
    shown = {fingerprint(normal(text)) for example in train for text in _positives(example)}
    documents = (evaluation.corpus[name] for name in relevant if name in evaluation.corpus)
    shared = sum(bool({fingerprint(normal(item.full)), fingerprint(normal(item.text))} & shown) for item in documents)
    if shared:
        told = say(
            "{count} of {total} relevant documents of the evaluation are positives in training too.",
            count=shared,
            total=len(relevant),
        )
        fix = say("Expected with a shared corpus; the score then tells of new queries for known documents.")
        yield note("leak-document", told, Where(file=file), fix)


def _queries(train: Sequence[Example], queries: Iterable[str], file: str) -> Iterator[Problem]:
    trained = Seen()
    near = NearDuplicates()
    lines: list[int] = []
    for example in train:
        if trained.first(fingerprint(normal(_query(example))), example.line) is None:
            near.add(_query(example))
            lines.append(example.line)
    first_measured = len(near)
    texts: list[str] = []
    for text in queries:
        line = trained.get(fingerprint(normal(text)))
        if line is not None:
            told = say('The evaluation\'s query "{query}" is trained on.', query=text)
            fix = say("Take the row out of the training data.")
            yield warning("leak-query", told, Where(file=file, line=line), fix)
        else:
            near.add(text)
            texts.append(text)
    for pair in near.pairs():
        if pair.first < first_measured <= pair.second:
            text = texts[pair.second - first_measured]
            told = say('The evaluation\'s query "{query}" is nearly one that is trained on.', query=text)
            fix = say("Take the row out of the training data if both ask the same.")
            yield warning("leak-near-query", told, Where(file=file, line=lines[pair.first]), fix)


def _query(example: Example) -> str:
    return example.first if isinstance(example, ScoredPair) else example.query


def _positives(example: Example) -> tuple[str, ...]:
    return (example.second,) if isinstance(example, ScoredPair) else example.positives
