"""A collection searched in a vector store and measured: what an index that is not exact costs of every metric.

``tunewiz eval RUN --data DIR --store milvus`` asks this in its child. The store is built by the program that an export
leaves, in a folder that goes afterwards, or in the server that ``MILVUS_URI`` or ``CHROMA_HOST`` names.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewiz.backends.evaluate import metrics
from tunewiz.backends.evaluate.full_search import judged_queries
from tunewiz.backends.export.stores import Store, program_of, share_found
from tunewiz.backends.export.targets import catalogue, need_packages
from tunewiz.data.retrieval.own_documents import own_documents
from tunewiz.presets.yaml.validation import suggestion
from tunewiz.problems import BadPreset, error, say

if TYPE_CHECKING:
    from tunewiz.backends.evaluate import MetricOptions
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.data.rows.examples import Collection


def store_called(name: str) -> Store:
    """The store of that name. Raises :class:`BadPreset` (``unknown-store``, ``store-packages``)."""
    stores = {one.name: one for one in catalogue().values() if isinstance(one, Store)}
    if name not in stores:
        fix = suggestion(name, list(stores)) or say("Choose one of: {names}.", names=tuple(stores))
        raise BadPreset(error("unknown-store", say("There is no store {name}.", name=name), fix=fix))
    need_packages(stores[name].packages, stores[name].extra, "store-packages")
    return stores[name]


def measure_stored(
    store: Store, encoder: SearchEncoder, collection: Collection, wanted: MetricOptions
) -> dict[str, Any]:
    """``metrics`` of the store's search and ``exact`` ones of the same vectors, ``found``, ``queries`` and so on.

    ``found`` is the share of exact search's best ten that the store finds.
    """
    begun = time.monotonic()
    asked = judged_queries(collection)
    ids = list(collection.corpus)
    texts = [document.full for document in collection.corpus.values()]
    queries, vectors = encoder.queries(list(asked.values())), encoder.passages(texts)
    listed = metrics.metric_names(wanted.cutoffs, wanted.also)
    own = own_documents(collection)
    depth = metrics.depth_of(listed)
    reach = min(len(ids), depth + max(map(len, own.values()), default=0))
    documents = [{"id": name, "text": text} for name, text in zip(ids, texts, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        program = program_of(store, Path(folder))
        program.build(documents, vectors, store.kind)
        hits = program.search(queries, reach)
    rankings = dict(zip(asked, ([*one] for one in hits), strict=True))
    exact = metrics.rank(queries, list(asked), vectors, [[name] for name in ids], reach)
    qrels = {name: collection.qrels[name] for name in asked}
    measured = [
        metrics.means(metrics.per_query(metrics.without_own(found, own, depth), qrels, listed))
        for found in (rankings, exact)
    ]
    return {
        "metrics": measured[0], "exact": measured[1], "store": store.name,
        "found": share_found(rankings, exact), "queries": len(asked), "documents": len(ids),
        "seconds": time.monotonic() - begun,
    }  # fmt: skip
