"""What a run is measured on: a test collection that is given, or one made from rows held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tunewiz.data import blending
from tunewiz.data.opening import opened
from tunewiz.data.opening.opened import Opened
from tunewiz.data.reading.columns import guesses
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.built_corpus import Passages, collection_from_groups, collection_from_pairs
from tunewiz.data.retrieval.cleaning import usable_rows as rows_of
from tunewiz.data.retrieval.own_documents import own_documents
from tunewiz.data.retrieval.prepared import CorpusKind, Plan
from tunewiz.data.retrieval.splitting import leaks, split
from tunewiz.data.rows.examples import Collection, Document, Example, Group, ScoredPair, scale_of
from tunewiz.data.text.cleaning import identifier
from tunewiz.problems import BadData, Findings, Problem, Where, error, note, say, warning


@dataclass(frozen=True)
class EvaluationSet:
    """What is trained on once the evaluation is known, and the evaluation."""

    train: list[Example]
    evaluation: Collection
    corpus: CorpusKind
    sources: tuple[Opened, ...] = ()


def evaluation_set(plan: Plan, data: Opened, rows: list[Example], split_name: str, findings: Findings) -> EvaluationSet:
    """What to measure on, in this order: the files of the plan, its evaluation data, another split, held-out rows.

    ``rows`` are the examples of ``data`` (of its split ``split_name``, for a collection).
    """
    if plan.qrels or plan.queries:
        other = _given_files(plan, data, findings)
        return _from_other(plan, other, rows, data, split_name, findings)
    if plan.evaluation is not None:
        other = opened.open_dataset(plan.evaluation, findings, plan.task)
        return _from_other(plan, other, rows, data, split_name, findings)
    if data.is_collection and not blending.blended((plan.train, *plan.others)):
        name = opened.measured_split(data, plan.evaluation_split, split_name)
        if name and name != split_name:
            evaluation = opened.read_collection(data, name, findings, told=True)
            _report_leaks(rows, evaluation, data, split_name, findings)
            return EvaluationSet(rows, evaluation, "given")
        return _held_out_of_collection(plan, data, rows, split_name, findings)
    beside = _split_beside(plan, data, findings)
    if beside is not None:
        other = opened.open_dataset(beside, findings, plan.task)
        return _from_other(plan, other, rows, data, split_name, findings)
    return _held_out(plan, data, rows, findings)


def _split_beside(plan: Plan, data: Opened, findings: Findings) -> Dataset | None:
    """The split to measure on, of a folder of files that has one beside that which is trained on."""
    if data.is_collection or plan.others:
        return None
    others = [name for name in data.source.splits if name not in (data.source.split, "train")]
    wanted = [plan.evaluation_split] if plan.evaluation_split != "auto" else opened.MEASURED
    name = next((name for name in wanted if name in others), "")
    if not name:
        return None
    message = say("The split {split} is measured on.", split=name)
    fix = say("To hold rows of the training split out instead, name its file: data.train.")
    findings(note("measured-split", message, data.source.at(), fix))
    return replace(plan.train, split=name, limit=None)


#: Fewer queries than this, and one answered by chance is two points of the mean; a gain is seldom beyond chance.
_FEW_QUERIES: Final = 50
#: In a corpus of fewer documents than the deepest usual cut-off nearly everything is found, by any model.
_FEW_DOCUMENTS: Final = 20


def weak_evaluation(evaluation: Collection, where: Where) -> Iterator[Problem]:
    """What keeps the measure from saying much: few queries, few documents, queries that are documents themselves."""
    queries, documents = len(evaluation.queries), len(evaluation.corpus)
    if queries < _FEW_QUERIES:
        message = say("Only {count} queries are measured on: a change may well be chance.", count=queries)
        fix = say("Hold out more (data.evaluation.fraction), or name evaluation data (data.evaluation.data).")
        yield warning("few-queries", message, replace(where, key="data.evaluation.fraction"), fix)
    if documents < _FEW_DOCUMENTS:
        message = say("Only {count} documents are searched: nearly every model finds the right one.", count=documents)
        fix = say("Name a corpus as large as the one that you search (data.evaluation.corpus).")
        yield warning("few-documents", message, replace(where, key="data.evaluation.corpus"), fix)
    own = own_documents(evaluation)
    if own:
        message = say("{count} queries are documents themselves; no query finds its own, as in BEIR.", count=len(own))
        yield note("own-documents", message, where)


def _given_files(plan: Plan, data: Opened, findings: Findings) -> Opened:
    """The files named in the plan; what is missing is taken from the train folder."""
    own = {role: str(part.path) for role, part in data.source.parts.items()}
    paths = {role: getattr(plan, role) or own.get(role) for role in ("corpus", "queries", "qrels")}
    missing = [role for role, path in paths.items() if path is None]
    if missing:
        message = say(
            "An evaluation from files needs corpus, queries and qrels; missing: {roles}.", roles=tuple(missing)
        )
        raise BadData(error("incomplete-evaluation", message, Where(key=f"data.evaluation.{missing[0]}")))
    corpus, queries, qrels = (Dataset(str(paths[role])) for role in ("corpus", "queries", "qrels"))
    return opened.open_files(corpus, queries, qrels, findings)


def _from_other(
    plan: Plan, other: Opened, rows: list[Example], data: Opened, split_name: str, findings: Findings
) -> EvaluationSet:
    """Measure on data of its own; a plain file is searched in the passages of both files."""
    if other.is_collection:
        wanted = plan.evaluation.split if plan.evaluation else "auto"
        name = opened.measured_split(other, wanted if wanted != "auto" else plan.evaluation_split)
        evaluation = opened.read_collection(other, name or opened.train_split(other, "auto", findings), findings)
        kind: CorpusKind = "given"
    else:
        held_out = rows_of(other, plan, findings)
        evaluation = _built(held_out, rows, _passages(plan, findings))
        _tell_threshold(held_out, [], other, findings)
        kind = _tell_corpus(plan, evaluation, other, findings)
    _report_leaks(rows, evaluation, data, split_name, findings)
    return EvaluationSet(rows, evaluation, kind, (other,))


def _held_out_of_collection(
    plan: Plan, data: Opened, rows: list[Example], split_name: str, findings: Findings
) -> EvaluationSet:
    """Divide the only split by query; the whole corpus is searched."""
    parts = split(rows, plan.fraction, plan.seed)
    _report_all(parts.problems, data, findings)
    whole = opened.read_collection(data, split_name, _quiet)
    names = {example.query_id for example in parts.held_out if isinstance(example, Group)}
    qrels = {name: judged for name, judged in whole.qrels.items() if name in names}
    queries = {name: whole.queries[name] for name in qrels}
    return EvaluationSet(parts.train, Collection(whole.corpus, queries, qrels), "given")


def _held_out(plan: Plan, data: Opened, rows: list[Example], findings: Findings) -> EvaluationSet:
    """Divide the rows by query; search the passages of all of them."""
    parts = split(rows, plan.fraction, plan.seed)
    _report_all(parts.problems, data, findings)
    evaluation = _built(parts.held_out, parts.train, _passages(plan, findings))
    _tell_threshold(parts.held_out, parts.train, data, findings)
    kind = _tell_corpus(plan, evaluation, data, findings)
    return EvaluationSet(parts.train, evaluation, kind)


def _built(held_out: Sequence[Example], others: Sequence[Example], passages: Passages) -> Collection:
    groups = [example for example in held_out if isinstance(example, Group)]
    pairs = [example for example in held_out if isinstance(example, ScoredPair)]
    other_groups = [example for example in others if isinstance(example, Group)]
    other_pairs = [example for example in others if isinstance(example, ScoredPair)]
    if groups:
        for pair in other_pairs:
            passages.add(pair.second)
        return collection_from_groups(groups, other_groups, passages)
    for group in other_groups:
        passages.add_group(group)
    return collection_from_pairs(pairs, other_pairs, passages)


def _tell_corpus(plan: Plan, evaluation: Collection, data: Opened, findings: Findings) -> CorpusKind:
    if plan.corpus is not None:
        return "given"
    if not evaluation.queries:
        return "none"
    message = say(
        "No corpus given: one was built from {documents} passages of the data; {queries} queries search it.",
        documents=len(evaluation.corpus),
        queries=len(evaluation.queries),
    )
    findings(note("corpus-built", message, data.source.at()))
    return "built"


def _tell_threshold(held_out: Sequence[Example], others: Sequence[Example], data: Opened, findings: Findings) -> None:
    scores = [example.score for example in (*held_out, *others) if isinstance(example, ScoredPair)]
    if scores:
        message = say("Pairs with a score of {middle} or more count as relevant.", middle=scale_of(scores).middle)
        findings(note("relevance-threshold", message, data.source.at()))


def _report_all(problems: Iterable[Problem], data: Opened, findings: Findings) -> None:
    for problem in problems:
        findings(replace(problem, where=data.source.at()))


def _report_leaks(
    rows: Sequence[Example], evaluation: Collection, data: Opened, split_name: str, findings: Findings
) -> None:
    for problem in leaks(rows, evaluation, data.rows_file(split_name)):
        findings(problem)


def _quiet(_problem: Problem) -> None:
    """All of the split was told of when its rows were read."""


def _passages(plan: Plan, findings: Findings) -> Passages:
    """The documents of ``plan.corpus``, or none yet."""
    return Passages() if plan.corpus is None else Passages(_corpus(plan.corpus, findings))


def _corpus(path: str, findings: Findings) -> dict[str, Document]:
    """Documents of a file of its own; without an id they go by their line. Raises :class:`BadData` (``no-text``)."""
    source = discover(Dataset(path))
    found = {role: guesses(role, source.columns) for role in ("id", "title", "text")}
    columns = {role: best[0].column for role, best in found.items() if best}
    if "text" not in columns:
        message = say("None of the corpus's columns looks like its text: {columns}.", columns=tuple(source.columns))
        raise BadData(error("no-text", message, source.at(), say("Name the column text.")))
    documents: dict[str, Document] = {}
    for row in read(source, findings):
        values = {role: str(row.values.get(column) or "") for role, column in columns.items()}
        if values["text"].strip():
            name = identifier(values.get("id") or f"line{row.line}")
            documents.setdefault(name, Document(values["text"], values.get("title", "")))
    return documents
