"""The rows of a source that can be used: read, cleaned if asked, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from data import opening
from data.characters import encodable
from data.checks import watch
from data.checks.base import Example, Setting
from data.cleaning import DONE, Cleaner
from data.examples import ScoredPair
from data.findings import Findings
from data.opening import Opened
from data.plan import Plan
from data.problems import BadData, Message, note, say


def rows(data: Opened, plan: Plan, findings: Findings, split_name: str = "") -> list[Example]:
    """Usable examples of ``data``. Rows of files are cleaned; what a collection says stays as it is."""
    examples: Iterator[Example] = map(_encodable, opening.examples(data, findings, split_name))
    if plan.clean and not data.is_collection:
        examples = _cleaned(examples, data, findings)
    return [
        example
        for example in watch(examples, Setting(data.source.name), findings)
        if isinstance(example, ScoredPair) or (example.query.strip() and example.positives)
    ]


def _encodable(example: Example) -> Example:
    if isinstance(example, ScoredPair):
        return replace(example, first=encodable(example.first), second=encodable(example.second))
    positives, negatives = tuple(map(encodable, example.positives)), tuple(map(encodable, example.negatives))
    return replace(example, query=encodable(example.query), positives=positives, negatives=negatives)


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
    """Raise :class:`BadData` with the first errors of each kind, if there are any."""
    wrong = [problem for finding in findings.summary() if finding.severity == "error" for problem in finding.first]
    if wrong:
        raise BadData(*wrong)
