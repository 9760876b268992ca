"""What the user wants of the data (:class:`Plan`), and data ready for a run: how it lies in the run's directory.

``train.jsonl`` and ``validation.jsonl`` hold groups in FlagEmbedding's layout (``query pos neg pos_scores neg_scores``
and ours: ``query_id pos_ids prompt line source``) or scored pairs (``sentence1 sentence2 score line source``);
``corpus.jsonl``, ``queries.jsonl`` and ``qrels.tsv`` are BEIR's; ``counts.json`` holds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from tunewiz.data.blending import SourceCounts
from tunewiz.data.checks.check import DAMAGE, MAX_TOKENS, check_whole
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.examples import Collection, Document, Group, ScoredPair
from tunewiz.files import read_own_json, whole, write_json, write_jsonl
from tunewiz.problems import BadData, Where, error, say


@dataclass(frozen=True)
class Plan:
    """Which data a run uses.

    ``train.limit`` caps the training rows. ``evaluation`` is a file or BEIR folder of its own; without it, and without
    ``corpus``, ``queries`` and ``qrels`` (files), the train folder's ``evaluation_split`` is used, or ``fraction`` of
    the queries is held out. ``validation`` is the share of the training queries to watch training by: 0 for none,
    ``None`` for what :mod:`tunewiz.data.retrieval.prepare` carves out by itself of many. Texts of
    more than ``max_tokens`` (what the model will read) are told of. ``others`` are trained on beside ``train``.
    """

    train: Dataset
    evaluation: Dataset | None = None
    evaluation_split: str = "auto"
    fraction: float = 0.1
    validation: float | None = None
    corpus: str | None = None
    queries: str | None = None
    qrels: str | None = None
    seed: int = 42
    clean: bool = True
    task: str = "embedding"
    max_tokens: int = MAX_TOKENS
    others: tuple[Dataset, ...] = ()


Shape = Literal["groups", "scored"]
CorpusKind = Literal["given", "built", "none"]
_HEADER: Final = "query-id\tcorpus-id\tscore"


@dataclass(frozen=True)
class Prepared:
    """Training rows of one shape, rows to validate on while training, and what the model is measured on.

    ``corpus`` says whether the evaluation's documents came with the data (``given``), were collected from its passages
    (``built``), or there are none. ``counts`` are numbers for the report (``rows train train_queries validation
    evaluation_queries documents judgments``), ``hashes`` the SHA-256 of every input file by the name the user gave;
    ``sources`` tells the same of each of several datasets.
    """

    shape: Shape
    groups: list[Group] = field(default_factory=list)
    pairs: list[ScoredPair] = field(default_factory=list)
    validation_groups: list[Group] = field(default_factory=list)
    validation_pairs: list[ScoredPair] = field(default_factory=list)
    evaluation: Collection = field(default_factory=Collection)
    corpus: CorpusKind = "none"
    counts: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[SourceCounts, ...] = ()

    @property
    def train(self) -> list[Group] | list[ScoredPair]:
        """The training rows, whatever their shape."""
        return self.groups if self.shape == "groups" else self.pairs

    @property
    def validation(self) -> list[Group] | list[ScoredPair]:
        """Rows kept from training to watch it by; often empty."""
        return self.validation_groups if self.shape == "groups" else self.validation_pairs


def save(prepared: Prepared, folder: Path) -> None:
    """Write ``prepared`` into ``folder``, each file whole, ``counts.json`` last."""
    write_jsonl(folder / "train.jsonl", map(record_of, prepared.train))
    write_jsonl(folder / "validation.jsonl", map(record_of, prepared.validation))
    evaluation = prepared.evaluation
    documents = ({"_id": key, "title": item.title, "text": item.text} for key, item in evaluation.corpus.items())
    write_jsonl(folder / "corpus.jsonl", documents)
    write_jsonl(folder / "queries.jsonl", ({"_id": key, "text": text} for key, text in evaluation.queries.items()))
    with whole(folder / "qrels.tsv") as stream:
        stream.write(_HEADER + "\n")
        for query, judged in evaluation.qrels.items():
            stream.writelines(f"{query}\t{document}\t{grade}\n" for document, grade in judged.items())
    record = {
        "shape": prepared.shape,
        "corpus": prepared.corpus,
        "counts": dict(prepared.counts),
        "hashes": dict(prepared.hashes),
        "sources": [asdict(one) for one in prepared.sources],
    }
    write_json(folder / "counts.json", record)


def load(folder: Path) -> Prepared:
    """What :func:`save` wrote. Raises :class:`BadData` (``prepared-data-missing``) when it is not all there."""
    try:
        record = read_own_json(folder / "counts.json")
        shape: Shape = record["shape"]
        train, validation = (list(_rows(folder / f"{name}.jsonl")) for name in ("train", "validation"))
        evaluation = _collection(folder)
        parts = {"train": train, "validation": validation, "documents": evaluation.corpus}
        check_whole(
            {**parts, "evaluation_queries": evaluation.queries, "judgments": evaluation.qrels}, record["counts"]
        )
        return Prepared(
            shape=shape,
            groups=list(map(_group, train)) if shape == "groups" else [],
            pairs=list(map(_pair, train)) if shape == "scored" else [],
            validation_groups=list(map(_group, validation)) if shape == "groups" else [],
            validation_pairs=list(map(_pair, validation)) if shape == "scored" else [],
            evaluation=evaluation,
            corpus=record["corpus"],
            counts=record["counts"],
            hashes=record["hashes"],
            sources=tuple(SourceCounts(**one) for one in record.get("sources", ())),
        )
    except DAMAGE as fault:
        message = say("The prepared data is missing or damaged: {fault}.", fault=repr(fault))
        raise BadData(
            error(
                "prepared-data-missing", message, Where(file=str(folder)), say("Start the run again from its preset.")
            )
        ) from fault


def record_of(example: Group | ScoredPair) -> dict[str, Any]:
    """``example`` as a JSON object; keys without a value are left out."""
    if isinstance(example, ScoredPair):
        pair = {"sentence1": example.first, "sentence2": example.second, "score": example.score, "line": example.line}
        return pair | ({"source": example.source} if example.source else {})
    record = {
        "query": example.query,
        "pos": list(example.positives),
        "neg": list(example.negatives),
        "pos_scores": list(example.positive_scores),
        "neg_scores": list(example.negative_scores),
        "query_id": example.query_id,
        "pos_ids": list(example.positive_ids),
        "prompt": example.instruction,
        "line": example.line,
        "source": example.source,
    }
    return {key: value for key, value in record.items() if value or key in ("query", "pos", "neg")}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield json.loads(line)


def _group(record: dict[str, Any]) -> Group:
    return Group(
        query=record["query"],
        positives=tuple(record["pos"]),
        negatives=tuple(record["neg"]),
        positive_scores=tuple(record.get("pos_scores", ())),
        negative_scores=tuple(record.get("neg_scores", ())),
        query_id=record.get("query_id", ""),
        positive_ids=tuple(record.get("pos_ids", ())),
        instruction=record.get("prompt", ""),
        line=record.get("line", 0),
        source=record.get("source", ""),
    )


def _pair(record: dict[str, Any]) -> ScoredPair:
    return ScoredPair(
        record["sentence1"], record["sentence2"], record["score"], record.get("line", 0), record.get("source", "")
    )


def _collection(folder: Path) -> Collection:
    qrels: dict[str, dict[str, int]] = {}
    with (folder / "qrels.tsv").open(encoding="utf-8", newline="\n") as stream:
        if next(stream, "").rstrip("\n") != _HEADER:
            raise ValueError("qrels.tsv")
        for line in stream:
            query, document, grade = line.rstrip("\n").split("\t")
            qrels.setdefault(query, {})[document] = int(grade)
    return Collection(
        {record["_id"]: Document(record["text"], record["title"]) for record in _rows(folder / "corpus.jsonl")},
        {record["_id"]: record["text"] for record in _rows(folder / "queries.jsonl")},
        qrels,
    )
