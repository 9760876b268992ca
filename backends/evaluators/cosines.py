"""How far apart right and wrong pairs lie: cosines of judged pairs, random pairs, and the best unjudged ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backends.encoding import Vectors
    from backends.evaluators.metrics import Qrels, Rankings

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS: Final = 200
_MOST: Final = 20_000  # pairs of a kind
_UNJUDGED: Final = 5  # of the best-ranked a query


def distributions(
    queries: Vectors,
    query_ids: Sequence[str],
    documents: Vectors,
    row_of: Mapping[str, int],
    qrels: Qrels,
    rankings: Rankings,
    seed: int,
) -> dict[str, Any]:
    """Count, mean, quantiles and histogram of the cosines of three kinds of pairs.

    ``positive``: judged relevant; ``random``: a query with a document drawn at random that is not relevant to it;
    ``hard``: the five best-ranked documents that are not relevant. Histograms have 200 bins from -1 to 1.
    """
    import numpy as np

    draw = np.random.default_rng(seed)
    positive: list[tuple[int, int]] = []
    chance: list[tuple[int, int]] = []
    hard: list[tuple[int, int]] = []
    for place, name in enumerate(query_ids):
        relevant = {row_of[key] for key, grade in qrels.get(name, {}).items() if grade > 0 and key in row_of}
        positive += [(place, row) for row in sorted(relevant)]
        drawn = draw.integers(0, len(documents), max(1, len(relevant))).tolist()
        chance += [(place, row) for row in drawn if row not in relevant]
        best = (row_of[key] for key, _ in rankings.get(name, ()))
        hard += [(place, row) for row in dict.fromkeys(best) if row not in relevant][:_UNJUDGED]
    kinds = {"positive": positive, "random": chance, "hard": hard}
    return {kind: _described(_cosines(queries, documents, pairs)) for kind, pairs in kinds.items()}


def _cosines(queries: Vectors, documents: Vectors, pairs: list[tuple[int, int]]) -> NDArray[np.float64]:
    import numpy as np

    if not pairs:
        return np.zeros(0)
    left, right = np.array(pairs[:: max(1, len(pairs) // _MOST)]).T
    cosines: NDArray[np.float64] = np.einsum(
        "ij,ij->i", queries[left].astype(np.float64), documents[right].astype(np.float64)
    )
    return cosines


def _described(cosines: NDArray[np.float64]) -> dict[str, Any]:
    import numpy as np

    histogram, _ = np.histogram(cosines.clip(-1, 1), BINS, (-1.0, 1.0))
    found = len(cosines) > 0
    return {
        "count": len(cosines),
        "mean": float(cosines.mean()) if found else None,
        "quantiles": dict(zip(map(str, QUANTILES), np.quantile(cosines, QUANTILES).tolist(), strict=True))
        if found
        else {},
        "histogram": histogram.tolist(),
    }
