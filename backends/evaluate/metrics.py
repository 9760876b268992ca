"""Metrics of rankings, query by query, by the names of trec_eval; and the rankings they are computed of.

``recall@k`` is the share of the relevant documents among the first k; ``mrr@k`` one over the rank of the first relevant
one, 0 if it is not among the first k; ``ndcg@k`` goes by grades with linear gain, as trec_eval does (Järvelin and
Kekäläinen, 2002); ``map@100`` is average precision over the first 100 ranks, as in MTEB and sentence-transformers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunewiz.files import whole

if TYPE_CHECKING:
    from tunewiz.backends.models.encoding import Vectors


Qrels = Mapping[str, Mapping[str, int]]
Rankings = Mapping[str, list[tuple[str, float]]]
PerQuery = dict[str, dict[str, float]]

#: The depth of average precision (MTEB's and sentence-transformers' map@100), and the least depth of a saved ranking.
DEPTH: Final = 100
_FORM: Final = re.compile(r"(recall|mrr|ndcg|map|hit|precision)(?:@(\d+))?")
#: Our name to trec_eval's; mrr has no cut-off there and gets it below.
_TREC: Final = {"recall": "recall", "ndcg": "ndcg_cut", "map": "map_cut", "hit": "success", "precision": "P"}


def canonical(name: str) -> str:
    """``name`` in lower case with its cut-off: ``map`` becomes ``map@100``, ``mrr`` ``mrr@100``.

    Raises :class:`ValueError` for what is no metric.
    """
    match = _FORM.fullmatch(name.strip().lower())
    if match is None or match.group(2) == "0":
        raise ValueError(name)
    return f"{match.group(1)}@{int(match.group(2) or DEPTH)}"


def metric_names(cutoffs: Iterable[int], also: Iterable[str] = ()) -> list[str]:
    """Every metric to report: recall, mrr and ndcg at each cut-off, ``map@100``, and ``also``."""
    cuts = sorted(set(cutoffs))
    listed = [f"{kind}@{cut}" for kind in ("recall", "mrr", "ndcg") for cut in cuts]
    return list(dict.fromkeys([*listed, f"map@{DEPTH}", *map(canonical, also)]))


def depth_of(metrics: Sequence[str]) -> int:
    """How deep rankings must be for ``metrics``, and at least :data:`DEPTH`."""
    return max([DEPTH, *(int(name.split("@")[1]) for name in metrics)])


def per_query(rankings: Rankings, qrels: Qrels, metrics: Sequence[str]) -> PerQuery:
    """``metrics`` of each query that has a relevant document, by pytrec_eval; 0 where it found nothing.

    >>> per_query({"q1": [("d2", 0.9), ("d1", 0.4)]}, {"q1": {"d1": 1}}, ["mrr@10", "recall@1"])
    {'q1': {'mrr@10': 0.5, 'recall@1': 0.0}}
    """
    import pytrec_eval

    judged = {query: dict(grades) for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    run = {query: dict(rankings.get(query, ())) for query in judged}
    asked = {_trec_name(name) for name in metrics}
    values = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate(run)
    return {query: {name: _value(values.get(query, {}), name) for name in metrics} for query in judged}


def _trec_name(name: str) -> str:
    kind, cut = name.split("@")
    return "recip_rank" if kind == "mrr" else f"{_TREC[kind]}.{cut}"


def _value(values: Mapping[str, float], name: str) -> float:
    kind, cut = name.split("@")
    if kind != "mrr":
        return float(values.get(f"{_TREC[kind]}_{cut}", 0.0))
    reciprocal = float(values.get("recip_rank", 0.0))
    # 1/rank >= 1/cut by a product, which rounding may leave just below 1 (1/49 * 49 is 0.9999999999999999).
    return reciprocal if reciprocal * int(cut) >= 1 - 1e-9 else 0.0


def means(values: PerQuery) -> dict[str, float]:
    """The mean of each metric over the queries."""
    import numpy as np

    if not values:
        return {}
    first = next(iter(values.values()))
    return {name: float(np.mean([row[name] for row in values.values()])) for name in first}


# The best documents of each query, found exactly with FAISS and ordered the way trec_eval orders them.


#: Searched beyond the depth, so that documents tied at the edge are seen together; where more are, all are searched.
_EDGE: Final = 16


def rank(
    queries: Vectors, query_ids: Sequence[str], documents: Vectors, groups: Sequence[Sequence[str]], depth: int
) -> dict[str, list[tuple[str, float]]]:
    """The ``depth`` documents of each query with the highest cosine, with their scores.

    ``queries`` (n, d) and ``documents`` (m, d) are unit vectors; ``groups[i]`` are the ids of the documents whose text
    gave row i. Scores are single precision. Equal scores are ordered by id from high to low, as trec_eval does.
    """
    import faiss

    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(documents)
    reach = min(len(documents), depth + _EDGE)
    scores, rows = index.search(queries, reach)
    rankings = {}
    for place, name in enumerate(query_ids):
        found, where = scores[place], rows[place]
        if reach < len(documents) and found[-1] == found[min(depth, reach) - 1]:
            every, all_rows = index.search(queries[place : place + 1], len(documents))
            found, where = every[0], all_rows[0]
        rankings[name] = best(zip(where.tolist(), found.tolist(), strict=True), groups, depth)
    return rankings


def best(scored: Iterable[tuple[int, float]], groups: Sequence[Sequence[str]], depth: int) -> list[tuple[str, float]]:
    """The ``depth`` best ids of ``scored`` rows, with their scores; ``groups[row]`` are the ids of a row.

    Equal scores are ordered by id from high to low, as trec_eval does.
    """
    ordered = sorted(((score, name) for row, score in scored for name in groups[row]), reverse=True)
    return [(name, score) for score, name in ordered[:depth]]


def without_own(
    rankings: Rankings, own: Mapping[str, frozenset[str]], depth: int
) -> dict[str, list[tuple[str, float]]]:
    """``rankings`` to ``depth``, without each query's own documents."""
    return {
        query: [(name, score) for name, score in ranking if name not in own.get(query, ())][:depth]
        for query, ranking in rankings.items()
    }


def by_text(texts: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """Each different text once, and the ids that have it."""
    groups: dict[str, list[str]] = {}
    for name, text in texts.items():
        groups.setdefault(text, []).append(name)
    return list(groups), list(groups.values())


def write_run(path: Path, rankings: Rankings, tag: str) -> None:
    """Write ``rankings`` in TREC's run format: query, Q0, document, rank (from 1), score, tag; tabs between.

    Scores have nine significant digits, which is every bit of single precision, so that whoever recomputes the metrics
    from the file gets the same numbers. Whitespace in ids, which the format cannot hold, becomes ``_``.
    """
    with whole(path) as stream:
        for query, ranking in rankings.items():
            for place, (document, score) in enumerate(ranking, 1):
                stream.write(f"{_word(query)}\tQ0\t{_word(document)}\t{place}\t{score:.9g}\t{tag}\n")


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """What :func:`write_run` wrote, which every run leaves beside its report: documents and scores of each query.

    >>> from tunewiz.backends.runs.find import find, runs_dir
    >>> rankings = read_run(find("last", runs_dir()).report / "after.run.tsv")
    >>> document, score = next(iter(rankings.values()))[0]
    >>> isinstance(document, str), score <= 1
    (True, True)
    """
    rankings: dict[str, list[tuple[str, float]]] = {}
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            query, _, document, _, score, _ = line.rstrip("\n").split("\t")
            rankings.setdefault(query, []).append((document, float(score)))
    return rankings


def _word(name: str) -> str:
    return "_".join(name.split()) or "_"
