"""Two spaces of the same texts as two pictures that may be compared: t-SNE from one layout (van der Maaten, 2008).

Laid out one after the other, the second picture would be turned, mirrored and shuffled for no reason, and one that
begins where the first ended has been refined for longer. So both begin from one layout of both models' cosines, each
counted half, and are refined for the same number of steps by their own cosines alone. Two equal models give two equal
pictures. Measured on three collections of 335 to 673 texts, each side keeps as many of its ten nearest neighbours as a
layout of its own (0.47 and 0.46 where layouts of their own kept 0.48 and 0.46).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tunewiz.backends.space.record import Cosines

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

_PERPLEXITY: Final = 30.0  # neighbours that count, roughly; scikit-learn's own
#: Steps of the common layout, the first 250 of them exaggerated, and of each side; fewer where there are many points,
#: which stay within a minute on two cores then and keep as many neighbours.
_STEPS: Final = (750, 500)
_STEPS_OF_MANY: Final = (500, 250)
_MANY: Final = 2000
_ANGLE: Final = 0.6  # of Barnes and Hut's approximation; 0.5 takes a fifth longer and keeps no more
_NEIGHBOURS: Final = 10
_ALONE: Final = 1500  # points below which a second thread waits for longer than it computes
_ROWS: Final = 1024  # compared with all at a time, so that memory stays small


def perplexity_for(points: int) -> float:
    """Below a third of the points, as there are no more neighbours."""
    return max(2.0, min(_PERPLEXITY, (points - 1) / 3))


def lay_out(
    before: Vectors, after: Vectors, seed: int, progress: Callable[[int, int], None]
) -> tuple[Vectors, Vectors]:
    """The places of unit vectors ``before`` and ``after`` (texts, dimension of its own each): two of (texts, 2).

    ``progress`` is told of steps done and in all. The same vectors and seed give the same places.
    """
    import numpy as np

    common, own = _STEPS if len(before) <= _MANY else _STEPS_OF_MANY
    total = common + 2 * own
    progress(0, total)
    # The cosine of two texts, each the vectors of both models end to end, is the mean of the models' cosines.
    together = np.hstack([before, after]) / np.sqrt(np.float32(2))
    start = _fitted(together.astype(np.float32), "pca", seed, common, 12.0)
    progress(common, total)
    first = _fitted(before, start, seed, own, 1.0)
    progress(common + own, total)
    second = _fitted(after, start, seed, own, 1.0)
    progress(total, total)
    return first, second


def _fitted(vectors: Vectors, start: Vectors | str, seed: int, steps: int, exaggeration: float) -> Vectors:
    import numpy as np

    # Threads that wait should not spin: where others compute too, two of them took seven times as long as one. Read
    # by the library's OpenMP when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    method = TSNE(
        perplexity=perplexity_for(len(vectors)),
        early_exaggeration=exaggeration,
        learning_rate="auto",
        max_iter=steps,
        angle=_ANGLE,
        n_iter_without_progress=steps,  # all go the same way
        init=start,
        metric="euclidean",  # of unit vectors: its square is 2 - 2 cosine, and that is what t-SNE takes
        random_state=seed,
        n_jobs=None,
    )
    with threadpool_limits(1 if len(vectors) < _ALONE else None, "openmp"):
        places: Vectors = np.asarray(method.fit_transform(vectors), np.float32)
    return places


def cosines(
    vectors: Vectors, places: Vectors, queries: int, answers: list[tuple[int, int]], texts: list[str] | None = None
) -> Cosines:
    """The numbers of one side; the first ``queries`` vectors are queries, ``answers`` pairs of query and document.

    A document with the text of an answer (``texts`` are the documents') answers the query as well.
    """
    import numpy as np

    documents = vectors[queries:]
    found = vectors[:queries] @ documents.T
    right = np.zeros(found.shape, bool)
    rows, columns = (np.array(side, np.int64) for side in zip(*answers, strict=True))
    right[rows, columns] = True
    if texts is not None:
        alike: dict[str, list[int]] = {}
        for place, text in enumerate(texts):
            alike.setdefault(text, []).append(place)
        for row, column in answers:
            right[row, alike[texts[column]]] = True
    wrong = ~right
    nearest = np.where(wrong, found, -np.inf).max(axis=1) if wrong.any() else np.zeros(0)
    nearest = nearest[np.isfinite(nearest)]
    return Cosines(
        positive=float(found[rows, columns].mean()),
        negative=float(found[wrong].mean()) if wrong.any() else 0.0,
        nearest=float(nearest.mean()) if len(nearest) else 0.0,
        kept=_kept(vectors, places),
    )


def _kept(vectors: Vectors, places: Vectors) -> float:
    """The share of each point's nearest in the space that are among its nearest in the picture."""
    import numpy as np

    count = min(_NEIGHBOURS, len(vectors) - 2)
    shared, squares = 0, (places**2).sum(axis=1)
    for begin in range(0, len(vectors), _ROWS):
        rows = np.arange(begin, min(len(vectors), begin + _ROWS))
        own = (np.arange(len(rows)), rows)
        near = -vectors[rows] @ vectors.T
        drawn = squares[None, :] - 2 * places[rows] @ places.T
        near[own] = drawn[own] = np.inf
        for one, other in zip(np.argpartition(near, count, 1), np.argpartition(drawn, count, 1), strict=True):
            shared += len(np.intersect1d(one[:count], other[:count], assume_unique=True))
    return shared / (len(vectors) * count)
