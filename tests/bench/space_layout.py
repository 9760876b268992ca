"""How long both sides of a space take to be laid out, and how many neighbours they keep.

``python -m tests.bench.space_layout --points 5000`` draws points around 60 centres of 384 dimensions and moves them a
little; ``--run DIRECTORY`` takes the two models of a run and its test collection instead, and lays each side out by
itself as well, from its own principal components, for comparison.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from tunewiz.backends.space.layout import cosines, lay_out, perplexity_for

_CENTRES: Final = 60
_DIMENSION: Final = 384


def made(points: int, seed: int = 0) -> tuple[Any, Any]:
    """Unit vectors before and after."""
    dice = np.random.default_rng(seed)
    centres = dice.normal(size=(_CENTRES, _DIMENSION))
    before = centres[dice.integers(0, _CENTRES, points)] + 1.2 * dice.normal(size=(points, _DIMENSION))
    after = before + 0.4 * dice.normal(size=before.shape)
    return tuple((one / np.linalg.norm(one, axis=1, keepdims=True)).astype(np.float32) for one in (before, after))  # type: ignore[return-value]


def of_run(directory: Path) -> tuple[Any, Any]:
    """The vectors of a run's test collection by both of its models."""
    from tunewiz.backends.models.run_models import kept_encoder
    from tunewiz.backends.runs.run import Run
    from tunewiz.data.retrieval.prepared import load as load_data
    from tunewiz.presets.tasks.embedding import EmbeddingPreset
    from tunewiz.presets.yaml.library import load

    run = Run(directory)
    preset, collection = load(str(run.preset_file)), load_data(run.data).evaluation
    assert isinstance(preset, EmbeddingPreset)
    sides = []
    for when in ("before", "after"):
        encoder = kept_encoder(run, preset, when, lambda done, total: None)  # type: ignore[arg-type]
        documents = encoder.passages([one.full for one in collection.corpus.values()])
        sides.append(np.concatenate([encoder.queries(list(collection.queries.values())), documents]))
    return sides[0], sides[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--run", type=Path)
    given = parser.parse_args()
    before, after = of_run(given.run) if given.run else made(given.points)
    begun = time.monotonic()
    first, second = lay_out(before, after, 42, lambda done, total: print(f"{done}/{total}", flush=True))
    took = time.monotonic() - begun
    kept = [cosines(vectors, places, 1, [(0, 0)]).kept for vectors, places in ((before, first), (after, second))]
    print(f"{len(before)} points in {took:.1f} s; neighbours kept {kept[0]:.3f} and {kept[1]:.3f}")
    if given.run:
        from sklearn.manifold import TSNE

        alone = [TSNE(perplexity=perplexity_for(len(one)), random_state=42, init="pca").fit_transform(one)
                 for one in (before, after)]  # fmt: skip
        own = [
            cosines(vectors, places, 1, [(0, 0)]).kept for vectors, places in zip((before, after), alone, strict=True)
        ]
        print(f"each laid out by itself: {own[0]:.3f} and {own[1]:.3f}")


if __name__ == "__main__":
    main()
