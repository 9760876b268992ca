"""Search in the whole corpus, measured by pytrec_eval."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backends.evaluators import metrics
from backends.evaluators.base import Evaluator, Measurement, Wanted
from backends.evaluators.cosines import distributions
from backends.evaluators.ranking import by_text, rank
from backends.evaluators.refining import Looked, Rows, document_vectors
from data.examples import Collection

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder


class Retrieval(Evaluator["SearchEncoder"]):
    """Recall@k, MRR@k, nDCG@k and MAP of exact cosine search, for every query with a relevant document."""

    name: ClassVar[str] = "retrieval"

    def measure(self, model: SearchEncoder, collection: Collection, wanted: Wanted) -> Measurement:
        """Encode queries and corpus (each text once), rank, evaluate. Progress counts both kinds of texts together."""
        begun, encoder = time.monotonic(), model
        asked = asked_of(collection)
        texts, groups = by_text({name: document.full for name, document in collection.corpus.items()})
        total = len(asked) + len(texts)
        outer = encoder.told
        queries = encoder.telling(lambda done, _: outer(done, total)).queries(list(asked.values()))
        listed = metrics.names(wanted.cutoffs, wanted.also)
        depth = metrics.depth_of(listed)
        qrels = {name: collection.qrels[name] for name in asked}
        row_of = {name: row for row, names in enumerate(groups) for name in names}
        looked = Looked(queries, [_rows(grades, row_of) for grades in qrels.values()], depth)
        telling = encoder.telling(lambda done, _: outer(len(asked) + done, total))
        refined = document_vectors(telling, texts, looked)
        documents = refined.vectors
        rankings = rank(queries, list(asked), documents, groups, depth) if asked else {}
        per_query = metrics.per_query(rankings, qrels, listed)
        facts = {
            "queries": len(asked),
            "documents": len(collection.corpus),
            "max_length": encoder.model.max_seq_length,
            "precision": encoder.how.precision,
            "exact_share": refined.share,
            "cosines": distributions(queries, list(asked), documents, row_of, qrels, rankings, wanted.seed),
        }
        seconds = time.monotonic() - begun
        return Measurement(metrics.means(per_query), per_query, rankings, facts, seconds)


def _rows(grades: Mapping[str, int], row_of: Mapping[str, int]) -> Rows:
    """The rows of the documents judged relevant that are in the corpus."""
    return np.array(sorted({row_of[key] for key, grade in grades.items() if grade > 0 and key in row_of}), np.int64)


def asked_of(collection: Collection) -> dict[str, str]:
    """The queries that have a text and a relevant document; the others cannot be measured."""
    return {
        name: text
        for name, text in collection.queries.items()
        if any(grade > 0 for grade in collection.qrels.get(name, {}).values())
    }
