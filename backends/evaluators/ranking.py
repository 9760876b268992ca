"""The best documents of each query, found exactly with FAISS and ordered the way trec_eval orders them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from data.files import whole

if TYPE_CHECKING:
    from backends.encoding import Vectors
    from backends.evaluators.metrics import Rankings

#: Searched beyond the depth, so that documents tied at the edge are seen together.
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
    """What :func:`write_run` wrote."""
    rankings: dict[str, list[tuple[str, float]]] = {}
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            query, _, document, _, score, _ = line.rstrip("\n").split("\t")
            rankings.setdefault(query, []).append((document, float(score)))
    return rankings


def _word(name: str) -> str:
    return "_".join(name.split()) or "_"
