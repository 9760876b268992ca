"""A query's own document: where queries are documents of the corpus, each would find itself before anything else."""

from __future__ import annotations

from typing import Final

from tunewiz.data.rows.examples import Collection
from tunewiz.data.text.duplicates import fingerprint, normal

#: So many of the ids that queries and documents share must stand for the same text before ids that are bare numbers
#: say that both are one thing: two files that are each numbered from 0 share their ids by chance.
_SAME: Final = 0.5


def own_documents(collection: Collection) -> dict[str, frozenset[str]]:
    """For each query its own documents: those of its id, or of its very text, that are not judged relevant to it.

    They are left out of the query's ranking, as BEIR (``ignore_identical_ids``) and MTEB do. What is judged relevant
    stays, or the query could not be answered.
    """
    texts: dict[int, list[str]] = {}
    for name, document in collection.corpus.items():
        for text in {document.text, document.full}:
            texts.setdefault(fingerprint(normal(text)), []).append(name)
    alike = {query: texts.get(fingerprint(normal(text)), []) for query, text in collection.queries.items()}
    shared = [query for query in collection.queries if query in collection.corpus]
    same = sum(query in alike[query] for query in shared)
    named = {query for query in shared if same >= _SAME * len(shared) or not query.isdecimal()}
    found = {}
    for query in collection.queries:
        judged = collection.qrels.get(query, {})
        own = {*alike[query], *({query} & named)}
        left = frozenset(name for name in own if judged.get(name, 0) <= 0)
        if left:
            found[query] = left
    return found
