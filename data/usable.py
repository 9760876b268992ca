"""The rows of a source that can be used: read, cleaned if asked, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from data import opening
from data.characters import identifier
from data.checks import watch
from data.checks.base import Example, Setting
from data.cleaning import DONE, Cleaner
from data.examples import ScoredPair
from data.findings import Finding, Findings
from data.opening import Opened
from data.plan import Plan
from data.problems import BadData, Message, Problem, note, say


def rows(data: Opened, plan: Plan, findings: Findings, split_name: str = "") -> list[Example]:
    """Usable examples of ``data``. Rows of files are cleaned; what a collection says stays as it is."""
    examples: Iterator[Example] = map(_identified, opening.examples(data, findings, split_name))
    if plan.clean and not data.is_collection:
        examples = _cleaned(examples, data, findings)
    return [
        example
        for example in watch(examples, Setting(data.rows_file(split_name), plan.max_tokens), findings)
        if isinstance(example, ScoredPair) or (example.query.strip() and example.positives)
    ]


def _identified(example: Example) -> Example:
    """``example`` with ids that a qrels file can hold."""
    if isinstance(example, ScoredPair) or not (example.query_id or example.positive_ids):
        return example
    names = tuple(map(identifier, example.positive_ids))
    return replace(example, query_id=identifier(example.query_id), positive_ids=names)


def _cleaned(examples: Iterable[Example], data: Opened, findings: Findings) -> Iterator[Example]:
    cleaner = Cleaner()
    for example in examples:
        cleaned, _ = cleaner.clean(example)
        if cleaned is not None:
            yield cleaned
    for code, count in sorted(cleaner.done.items()):
        told = say("Cleaning: {what} ({count}).", what=Message(DONE[code]), count=count)
        findings(note(f"cleaned-{code}", told, data.source.at()))


def stop_on_errors(findings: Findings) -> None:
    """Raise :class:`BadData` with the first errors of each kind and their number, if there are any."""
    wrong = [
        problem
        for finding in findings.summary()
        if finding.severity == "error"
        for problem in (_counted(finding), *finding.first[1:])
    ]
    if wrong:
        raise BadData(*wrong)


@contextmanager
def findings_told(report: Callable[[Problem], None]) -> Iterator[Findings]:
    """Where the block puts what it finds; at its end, well or not, each kind but errors is told to ``report`` once."""
    findings = Findings(kept=3)
    try:
        yield findings
    finally:
        for finding in findings.summary():
            if finding.severity != "error":
                report(_counted(finding))


def _counted(finding: Finding) -> Problem:
    """The first problem of a kind, with the number of all if there are more."""
    first = finding.first[0]
    if finding.count == 1:
        return first
    return replace(first, message=say("{first} ({count} such findings)", first=first.message, count=finding.count))
