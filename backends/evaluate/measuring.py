"""Measure any model on any test collection: the baseline, the tuned model, and models outside a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tunewiz.backends.models.adapters import merge_adapter
from tunewiz.backends.models.loading import load_encoder
from tunewiz.data.rows.examples import Collection
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.problems import BadData, error, say

if TYPE_CHECKING:
    from tunewiz.backends.evaluate import Measurement, MetricOptions
    from tunewiz.backends.models.encoding import SearchEncoder


@dataclass(frozen=True)
class MeasureOptions:
    """On which device, how many texts at once, where vectors are kept, who hears of progress, and who may stop it."""

    device: str = "cpu"
    batch_size: int = 64
    cache: Path | None = None
    progress: Callable[[int, int], None] = field(default=lambda _done, _total: None)
    check_stop: Callable[[], None] = field(default=lambda: None)


def search_encoder(
    path: Path, preset: RetrievalPreset | None = None, options: MeasureOptions = MeasureOptions()
) -> SearchEncoder:
    """The model in ``path`` ready to encode queries and passages in fp32; an adapter is merged in memory.

    Raises what :func:`tunewiz.backends.models.loading.load_encoder` raises.

    >>> encoder = search_encoder(Path("my-encoder"))
    >>> cosines = encoder.queries(["gpu memory"]) @ encoder.passages(["gpu memory", "disk port"]).T
    >>> cosines.shape
    (1, 2)
    """
    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.encoding import SearchEncoder, fingerprint

    model = merge_adapter(load_encoder(path, preset, options.device))
    mark = fingerprint(path) if options.cache else ""
    encode_options = EncodeOptions(most=options.batch_size)
    return SearchEncoder(model, encode_options, options.cache, mark, options.progress, options.check_stop)


def measure(
    path: Path,
    collection: Collection,
    wanted: MetricOptions,
    preset: RetrievalPreset | None = None,
    options: MeasureOptions = MeasureOptions(),
) -> Measurement:
    """Search the collection with the model in ``path`` and measure what it finds.

    Raises :class:`BadData` (``nothing-to-measure``) when no query has a relevant document, and what
    :func:`tunewiz.backends.models.loading.load_encoder` raises.

    >>> from tunewiz.backends.evaluate import MetricOptions
    >>> from tunewiz.data.rows.examples import Document
    >>> corpus = {"d1": Document("gpu memory data"), "d2": Document("disk port")}
    >>> collection = Collection(corpus, queries={"q1": "how do i check gpu memory"}, qrels={"q1": {"d1": 1}})
    >>> found = measure(Path("my-encoder"), collection, MetricOptions(cutoffs=(2,)))
    >>> found.metrics["recall@2"], sorted(name for name, _ in found.rankings["q1"])
    (1.0, ['d1', 'd2'])
    """
    return measure_with(lambda: search_encoder(path, preset, options), collection, wanted)


def measure_with(encoder: Callable[[], SearchEncoder], collection: Collection, wanted: MetricOptions) -> Measurement:
    """As :func:`measure`, with the model that ``encoder`` loads once there is something to measure."""
    from tunewiz.backends.evaluate.full_search import Retrieval

    if not any(grade > 0 for grades in collection.qrels.values() for grade in grades.values()):
        raise nothing_to_measure()
    return Retrieval().measure(encoder(), collection, wanted)


def nothing_to_measure() -> BadData:
    """That a collection has no query with a relevant document."""
    message = say("No query of the collection has a relevant document: there is nothing to measure.")
    return BadData(error("nothing-to-measure", message, fix=say("Check the judgments (qrels) against the queries.")))
