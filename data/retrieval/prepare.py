"""From what the user points to, to the rows a run trains on and the collection it is measured on.

A test collection (BEIR folder) is taken as it is, so that its numbers compare with others'; rows of plain files are
cleaned if asked, split by query, and searched in a corpus made of their own passages unless one is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tunewiz.data import blending
from tunewiz.data.reading.source import resolve
from tunewiz.data.retrieval.evaluation import EvaluationSet, evaluation_set, weak_evaluation
from tunewiz.data.retrieval.prepared import Plan, Prepared, load, save
from tunewiz.data.retrieval.several import datasets_of, read_rows
from tunewiz.data.retrieval.splitting import Split, split
from tunewiz.data.rows.examples import Example, Group, ScoredPair, query_of
from tunewiz.data.text.duplicates import normal
from tunewiz.files import sha256
from tunewiz.problems import Findings, Report, report_findings, say, stop_on_errors, warning

__all__ = ["Plan", "Prepared", "load", "prepare", "save"]

#: Validation is carved out by itself from this many training queries on: a tenth of them, but fifty at least and a
#: fifth at most, and never more than 500, since it is measured again and again. Of fewer queries none is spared.
#: A reranker needs it sooner: it can make a search worse, and nothing but held-out queries tells.
AUTO_VALIDATION_FROM: Final = {"embedding": 500, "reranker": 200}
AUTO_VALIDATION: Final = (0.1, 0.2)
FEWEST_VALIDATION: Final = 50
MOST_VALIDATION: Final = 500


def prepare(plan: Plan, report: Report) -> Prepared:
    """Read, check, clean and split. A kind of finding is reported once, with its first place and how many there were.

    Raises :class:`BadData` when something is not there, a row cannot be read, or nothing usable is left.
    """
    with report_findings(report) as findings:
        return _prepare(plan, findings)


def _prepare(plan: Plan, findings: Findings) -> Prepared:
    read = read_rows(plan, findings)
    data, rows = read.first.data, read.rows
    measured_on = evaluation_set(plan, data, rows, read.first.split, findings)
    stop_on_errors(findings)
    if not measured_on.evaluation.qrels:
        message = say("There is nothing to measure on: no held-out query has a relevant document.")
        findings(
            warning("no-evaluation", message, data.source.at(), say("Set data.evaluation.data or a fraction above 0."))
        )
    else:
        for problem in weak_evaluation(measured_on.evaluation, data.source.at()):
            findings(problem)
    parts = _validation(plan, measured_on.train)
    hashes = read.hashes() | {name: value for one in measured_on.sources for name, value in one.hashes().items()}
    if plan.corpus is not None and plan.corpus not in hashes:
        hashes[plan.corpus] = sha256(resolve(plan.corpus))
    datasets = datasets_of(plan)
    if not blending.blended(datasets):
        return _prepared(parts, measured_on, len(rows), hashes)
    drawn = replace(parts, train=blending.draw(parts.train, datasets, plan.seed))
    trained = set(map(id, measured_on.train))
    held_out = [row for row in rows if id(row) not in trained]
    sides = {"kept": rows, "held_out": held_out, "validation": parts.held_out}
    counts = blending.counts_of(datasets, [part.rows for part in read.parts], sides | {"train": drawn.train})
    findings(blending.told(counts))
    return replace(_prepared(drawn, measured_on, len(rows), hashes), sources=counts)


def _validation(plan: Plan, rows: Sequence[Example]) -> Split[Example]:
    """Training rows, and those kept from them to watch training by."""
    fraction = plan.validation
    if fraction is None:
        queries = len({normal(query_of(example)) for example in rows})
        least, most = AUTO_VALIDATION
        enough = queries >= AUTO_VALIDATION_FROM[plan.task]
        fraction = min(most, max(least, FEWEST_VALIDATION / queries)) if enough else 0.0
    # Another seed than the evaluation's, so that the two draws are independent.
    return split(rows, fraction, plan.seed + 1, MOST_VALIDATION)


def _prepared(parts: Split[Example], measured_on: EvaluationSet, read: int, hashes: dict[str, str]) -> Prepared:
    groups, pairs = _by_shape(parts.train)
    validation_groups, validation_pairs = _by_shape(parts.held_out)
    evaluation = measured_on.evaluation
    counts = {
        "rows": read,
        "train": len(parts.train),
        "train_queries": len({normal(query_of(example)) for example in parts.train}),
        "validation": len(parts.held_out),
        "evaluation_queries": len(evaluation.queries),
        "documents": len(evaluation.corpus),
        "judgments": sum(map(len, evaluation.qrels.values())),
    }
    return Prepared(
        shape="groups" if groups else "scored",
        groups=groups,
        pairs=pairs,
        validation_groups=validation_groups,
        validation_pairs=validation_pairs,
        evaluation=evaluation,
        corpus=measured_on.corpus,
        counts=counts,
        hashes=hashes,
    )


def _by_shape(examples: Sequence[Example]) -> tuple[list[Group], list[ScoredPair]]:
    groups = [example for example in examples if isinstance(example, Group)]
    return groups, [example for example in examples if isinstance(example, ScoredPair)]
