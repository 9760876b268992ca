"""Reranking 100 candidates of each query: our scorer beside ``CrossEncoder.predict`` with its defaults.

    python -m tests.bench.reranking_speed --data FOLDER [--model FOLDER] [--queries 5] [--threads 2]

FOLDER is a BEIR folder; the candidates are BM25's. Without ``--model`` the starter encoder gets a random head, which is
the hardest case for rounding: its scores lie close together. Prints seconds, the factor, and Kendall's tau of each
query's order, mean and least.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def candidates(folder: Path, queries: int, depth: int) -> list[list[tuple[str, str]]]:
    """Pairs of the first ``queries`` test queries with their BM25 candidates."""
    from tunewiz.backends.evaluate.measuring import MeasureOptions
    from tunewiz.backends.evaluate.two_stage import search_candidates
    from tunewiz.data.opening import opened
    from tunewiz.data.reading.source import Dataset
    from tunewiz.data.rows.examples import Collection
    from tunewiz.presets.sections.data import Candidates

    data = opened.open_dataset(Dataset(str(folder)), lambda _: None)
    whole = opened.read_collection(data, opened.measured_split(data, "auto"), lambda _: None)
    some = Collection(whole.corpus, whole.queries, dict(list(whole.qrels.items())[:queries]))
    found = search_candidates(Candidates(strategy="bm25", depth=depth), some, 42, MeasureOptions()).rankings
    return [[(whole.queries[name], whole.corpus[key].full) for key, _ in ranking] for name, ranking in found.items()]


def starter() -> Path:
    """The folder of the starter encoder."""
    from tunewiz.backends import sources
    from tunewiz.presets.sections.model import EncoderModel

    return sources.fetch(sources.resolve(EncoderModel(id="starter", source="starter")))


def timed(score: Callable[[list[tuple[str, str]]], Any], asked: Sequence[list[tuple[str, str]]]) -> Any:
    """The scores of every query, and the seconds that all of them took, one query at a time."""
    score(asked[0][:8])
    begun = time.perf_counter()
    found = [np.asarray(score(pairs), np.float64) for pairs in asked]
    return found, time.perf_counter() - begun


def told(name: str, found: Any, seconds: float, expected: Any, base: float) -> None:
    from scipy.stats import kendalltau

    taus = [float(kendalltau(ours, theirs).statistic) for ours, theirs in zip(found, expected, strict=True)]
    print(f"{name:10} {seconds:8.2f} s  {base / seconds:5.2f} x  tau {np.mean(taus):.4f} (least {min(taus):.4f})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import torch

    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.loading import load_reranker
    from tunewiz.backends.models.reranking import ready_to_score

    torch.set_num_threads(options.threads)
    asked = candidates(options.data, options.queries, options.depth)
    model = load_reranker(options.model or starter())
    identity = torch.nn.Identity()
    expected, base = timed(lambda pairs: model.predict([list(pair) for pair in pairs], activation_fn=identity), asked)
    print(f"{len(asked)} queries x {options.depth} candidates, {options.threads} threads")
    told("predict", expected, base, expected, base)
    for precision in ("fp32", "bf16"):
        with ready_to_score(model, EncodeOptions(precision)) as scorer:
            found, seconds = timed(scorer.scores, asked)
        told(precision, found, seconds, expected, base)


if __name__ == "__main__":
    main()
