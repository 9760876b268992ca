"""The scores of a search and of a reranker in one order: a weak reranker knows something that the search does not.

Both are standardised over a query's candidates (mean 0, standard deviation 1), for their scales have nothing to do with
each other, and added by their shares. That a reranker gains by it is known from BM25 (Wang et al., 2021, "BERT-based
Dense Retrievers Require Interpolation with BM25 for Effective Passage Retrieval").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def blended(search: Sequence[float], reranker: Sequence[float], share: float) -> list[float]:
    """``share`` (0 to 1) of the search's score and the rest of the reranker's; with 0 the reranker's as they are."""
    if not share:
        return list(reranker)
    mixed = share * _standardised(search) + (1 - share) * _standardised(reranker)
    return [float(score) for score in mixed]


def _standardised(scores: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    spread = values.std() if len(values) else 0.0
    centred: NDArray[np.float64] = values - values.mean() if len(values) else values
    return centred / spread if spread > 0 else centred
