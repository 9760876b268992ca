"""What a run's models are tried on: the documents it was measured on, and the answers that are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backends.runs.run import Run
from data.fingerprints import normal
from data.prepared import Prepared, load
from data.problems import BadData, error, say

EXAMPLES: Final = 20


@dataclass(frozen=True)
class Corpus:
    """Documents by id, queries to try, and by the normalised text of a query the documents that answer it."""

    ids: Sequence[str]
    texts: Sequence[str]
    queries: Sequence[str] = ()
    answers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def known(self, query: str) -> frozenset[str]:
        """The ids of the documents that answer ``query``, as far as the data says."""
        return self.answers.get(normal(query), frozenset())


def of_run(run: Run) -> Corpus:
    """The documents of the run's evaluation; without one, the passages it was trained on.

    Raises :class:`BadData` when there is neither.
    """
    prepared = load(run.data)
    evaluation = prepared.evaluation
    if evaluation.corpus:
        answers = {
            normal(evaluation.queries[query]): frozenset(key for key, grade in judged.items() if grade > 0)
            for query, judged in evaluation.qrels.items()
            if query in evaluation.queries
        }
        texts = [document.full for document in evaluation.corpus.values()]
        return Corpus(list(evaluation.corpus), texts, _spread(list(evaluation.queries.values())), answers)
    passages = dict.fromkeys(_trained(prepared))
    if not passages:
        told = say("The run {name} has no documents to search in.", name=run.name)
        raise BadData(error("no-documents", told, fix=say("Name some with data.evaluation.corpus in its preset.")))
    return Corpus([str(number) for number in range(1, len(passages) + 1)], list(passages))


def _trained(prepared: Prepared) -> Iterator[str]:
    for group in prepared.groups:
        yield from group.positives
    for pair in prepared.pairs:
        yield pair.second


def _spread(queries: list[str]) -> list[str]:
    """Some of ``queries`` from all over them."""
    return queries[:: max(1, len(queries) // EXAMPLES)][:EXAMPLES]
