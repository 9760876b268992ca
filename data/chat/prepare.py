"""From what the user points to, to the conversations a language model trains on and those it is measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from tunewiz.data import blending
from tunewiz.data.chat.checks import ConversationChecks
from tunewiz.data.chat.cleaning import Placeholders, clean_conversations
from tunewiz.data.chat.labels import ask_for_label, default_prompt, order_labels, prompt_problems
from tunewiz.data.chat.prepared import LlmPlan, PreparedLlm, load, save
from tunewiz.data.chat.repeats import surplus
from tunewiz.data.chat.splitting import Parts, leaks, split_conversations
from tunewiz.data.checks.placed import Placed
from tunewiz.data.opening import opened
from tunewiz.data.opening.opened import Opened
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation, Stage, rows_for_stage
from tunewiz.data.text.cleaning import CLEANED
from tunewiz.problems import (
    BadData,
    BadPreset,
    Findings,
    Message,
    Report,
    Where,
    error,
    note,
    report_findings,
    say,
    stop_on_errors,
    warning,
)

__all__ = ["LlmPlan", "PreparedLlm", "load", "prepare_llm", "save"]

#: Validation is carved out by itself from this many training rows on, so that it has twenty rows at least: a tenth of
#: them, at most 500, since it is computed again and again. Of fewer rows none is spared.
AUTO_VALIDATION_FROM: Final = 200
AUTO_VALIDATION: Final = 0.1
MOST_VALIDATION: Final = 500
#: Answers are written token by token, before and after training. With a thousand of them a share of right answers is
#: known to 3 points either way (95 %, at one half); twice as many would bring it to 2.
MOST_EVALUATION: Final = 1000


def prepare_llm(plan: LlmPlan, told: Report) -> PreparedLlm:
    """Read, check, clean and split. A kind of finding is told once, with its first place and how many there were.

    Raises :class:`BadData` when something is not there, a row cannot be read, rows cannot serve the stage, or nothing
    usable is left; :class:`BadPreset` when the prompt has no place for the text.
    """
    if plan.prompt is not None:
        wrong = prompt_problems(plan.prompt, Where(key="data.prompt"))
        if wrong:
            raise BadPreset(*wrong)
    with report_findings(told) as findings:
        return _prepare(plan, findings)


#: Of fewer held-out rows a change of their loss or their accuracy is mostly chance.
_FEW_ROWS: Final = 20
#: The code of what is told then.
FEW_ROWS: Final = "few-rows"


@dataclass(frozen=True)
class _Read:
    """Usable conversations of one dataset."""

    opened: Opened
    rows: list[Conversation]


def _prepare(plan: LlmPlan, findings: Findings) -> PreparedLlm:
    datasets = (plan.train, *plan.others)
    several = blending.blended(datasets)
    read = _read_all(datasets, plan, findings)
    data = _joined(read, datasets, plan, findings) if several else read[0]
    stage = data.rows[0].stage
    sources = [one.opened for one in read]
    evaluation = plan.evaluation or (None if plan.others else _split_beside(plan, data.opened, findings))
    if evaluation is not None:
        other = _read(evaluation, replace(plan, stage=stage), findings)
        sources.append(other.opened)
        parts = Parts(data.rows, other.rows)
        for problem in leaks(data.rows, other.rows, data.opened.source.name):
            findings(problem)
    else:
        parts = split_conversations(data.rows, plan.fraction, plan.seed, MOST_EVALUATION)
        for problem in parts.problems:
            findings(replace(problem, where=data.opened.source.at()))
    if 0 < len(parts.held_out) < _FEW_ROWS:
        message = say("Only {count} rows are measured on: a change may well be chance.", count=len(parts.held_out))
        fix = say("Hold out more (data.evaluation.fraction), or name evaluation data (data.evaluation.data).")
        findings(warning(FEW_ROWS, message, data.opened.source.at(key="data.evaluation.fraction"), fix))
    if not parts.held_out:
        nothing = say("There is nothing to measure on: no conversation is held out.")
        fix = say("Set data.evaluation.data or a fraction above 0.")
        findings(warning("no-evaluation", nothing, data.opened.source.at(), fix))
    if not parts.train:
        raise _nothing(plan.train, data.opened)
    watched = _validation(plan, parts.train)
    labels = _labels(plan, data, parts, findings)
    hashes = {name: value for source in sources for name, value in source.hashes().items()}
    if not several:
        return _prepared(plan, stage, watched, parts.held_out, labels, len(data.rows), hashes)
    drawn = replace(watched, train=blending.draw(watched.train, datasets, plan.seed))
    sides = {"kept": data.rows, "held_out": [] if evaluation else parts.held_out, "validation": watched.held_out}
    counts = blending.counts_of(datasets, [one.rows for one in read], sides | {"train": drawn.train})
    findings(blending.told(counts))
    return replace(_prepared(plan, stage, drawn, parts.held_out, labels, len(data.rows), hashes), sources=counts)


def _read_all(datasets: Sequence[Dataset], plan: LlmPlan, findings: Findings) -> list[_Read]:
    """Every dataset, for one stage of training: that of the first, unless the plan names one."""
    first: list[Stage] = []

    def read(dataset: Dataset) -> _Read:
        found = _read(dataset, replace(plan, stage=first[0]) if first else plan, findings)
        first.append(found.rows[0].stage)
        return found

    found = blending.read_all(datasets, read)
    if not blending.blended(datasets):
        return found
    named = blending.marked([one.rows for one in found], blending.names_of(datasets))
    return [replace(one, rows=rows) for one, rows in zip(found, named, strict=True)]


def _joined(read: list[_Read], datasets: Sequence[Dataset], plan: LlmPlan, findings: Findings) -> _Read:
    """The rows of all, without those that a dataset before has too; labels stay where all rows have one."""
    rows = [row for one in read for row in one.rows]
    repeated = set(surplus(rows))
    if not plan.clean:  # what repeats within a dataset is told of with it
        starts = accumulate((len(one.rows) for one in read), initial=0)
        repeated -= {start + number for start, one in zip(starts, read, strict=False) for number in surplus(one.rows)}
    kept = [row for number, row in enumerate(rows) if number not in repeated]
    blending.tell_repeats([one.rows for one in read], kept, plan.clean, findings)
    rows = kept if plan.clean else rows
    names = order_labels(Counter(row.label for row in rows if row.label))
    if names and not all(row.label for row in rows):
        prompt = plan.prompt or default_prompt(row.question for row in rows if row.label)
        wanted = plan.labels or names
        rows = [replace(ask_for_label(row, prompt, wanted), label="") for row in rows]
        message = say("Some rows have a label and others do not: the label is asked for as any other answer.")
        findings(note("labels-as-answers", message, Where(key="data.train")))
    return _Read(read[0].opened, rows)


def _split_beside(plan: LlmPlan, data: Opened, findings: Findings) -> Dataset | None:
    """The split to measure on, of a folder that has one beside that which is trained on."""
    names = [name for name in opened.MEASURED if name in data.source.splits and name != data.source.split]
    if data.is_collection or not names:
        return None
    message = say("The split {split} is measured on.", split=names[0])
    fix = say("To hold rows of the training split out instead, name its file: data.train.")
    findings(note("measured-split", message, data.source.at(), fix))
    return replace(plan.train, split=names[0], limit=None)


def _read(dataset: Dataset, plan: LlmPlan, findings: Findings) -> _Read:
    """The conversations of ``dataset``: filled in, of one stage, cleaned, checked."""
    data = opened.open_dataset(dataset, findings, "llm")
    rows: Iterable[Conversation] = opened.conversations_of(data.detection, findings)
    placeholders = Placeholders(plan.placeholders, data.source.name)
    found = [placeholders.fill(_with_system(row, plan)) for row in rows]
    for problem in placeholders.problems():
        if dataset in (plan.train, *plan.others) or problem.code != "placeholder-unused":
            findings(problem)
    found = _of_stage(found, plan, data, findings)
    if plan.clean:
        found, done = clean_conversations(found)
        for code, count in sorted(done.items()):
            if count:
                what = say("Cleaning: {what} ({count}).", what=Message(CLEANED[code]), count=count)
                findings(note(f"cleaned-{code}", what, data.source.at()))
    placed = Placed()
    checks = ConversationChecks(data.source.name, placed, repeats=not plan.clean, placeholders=False)
    for row in found:
        checks.look(row)
    checks.end()
    placed.flush(findings)
    stop_on_errors(findings)
    if not found:
        raise _nothing(dataset, data)
    return _Read(data, found)


def _nothing(dataset: Dataset, data: Opened) -> BadData:
    message = say("No row can be trained on.")
    fix = say("See what is wrong with each: tunewiz data {path}", path=f"{dataset.path} --task llm")
    return BadData(error("no-usable-rows", message, data.source.at(), fix))


def _with_system(row: Conversation, plan: LlmPlan) -> Conversation:
    return replace(row, system=plan.system) if plan.system and not row.system and not row.text else row


def _of_stage(rows: list[Conversation], plan: LlmPlan, data: Opened, findings: Findings) -> list[Conversation]:
    """The rows for the wanted stage, which has to be one."""
    own = Counter(row.stage for row in rows)
    if not own:
        return rows
    stage: Stage = own.most_common(1)[0][0] if plan.stage == "auto" else plan.stage
    if plan.stage == "auto" and len(own) > 1:
        kinds = ", ".join(f"{name} ({count})" for name, count in own.most_common())
        message = say("The rows are for different kinds of training: {kinds}.", kinds=kinds)
        fix = say("Put each kind into a file of its own, or say which to train: stage.")
        raise BadData(error("mixed-stages", message, data.source.at(), fix))
    served: list[Conversation] = []
    for row in rows:
        found = rows_for_stage(row, stage)
        if found is None:
            message = say("The rows are for {own}; they cannot be trained with {stage}.", own=row.stage, stage=stage)
            raise BadData(error("wrong-stage", message, data.source.at(row.line), _needs(stage)))
        served += found
    if own.total() != own[stage]:
        message = say("Rows for {own} are trained with {stage}.", own=tuple(own), stage=stage)
        findings(note("other-stage", message, data.source.at()))
    return served


def _needs(stage: Stage) -> Message:
    needs = {
        "sft": say("It needs questions with answers."),
        "pretrain": say("It needs rows of plain text, in a column text or a .txt file."),
        "preference": say("It needs a chosen and a rejected answer in each row."),
        "kto": say("It needs an answer and whether it is good (true or false) in each row."),
    }
    return needs[stage]


def _validation(plan: LlmPlan, rows: Sequence[Conversation]) -> Parts:
    """Training rows, and those kept from them to watch training by."""
    fraction = plan.validation
    if fraction is None:
        fraction = AUTO_VALIDATION if len(rows) >= AUTO_VALIDATION_FROM else 0.0
    # Another seed than the evaluation's, so that the two draws are independent.
    return split_conversations(rows, fraction, plan.seed + 1, MOST_VALIDATION)


def _labels(plan: LlmPlan, data: _Read, parts: Parts, findings: Findings) -> tuple[str, ...]:
    """The label set in its order; empty unless every row has a label."""
    trained = Counter(row.label for row in parts.train)
    measured = Counter(row.label for row in parts.held_out)
    if "" in trained or "" in measured or not trained:
        return ()
    found = trained + measured
    where = data.opened.source.at()
    if plan.labels is not None:
        unknown = [name for name in order_labels(found) if name not in plan.labels]
        if unknown:
            message = say("Labels of the rows that data.labels does not hold: {labels}.", labels=tuple(unknown[:10]))
            raise BadData(error("unknown-label", message, where, say("Add them to data.labels, or leave it out.")))
    unseen = [name for name in order_labels(measured) if name not in trained]
    if unseen:
        message = say("Labels that are measured and never trained on: {labels}.", labels=tuple(unseen[:10]))
        findings(warning("unseen-label", message, where, say("Add training rows for them.")))
    return plan.labels or order_labels(found)


def _prepared(
    plan: LlmPlan,
    stage: Stage,
    watched: Parts,
    measured: list[Conversation],
    labels: tuple[str, ...],
    read: int,
    hashes: dict[str, str],
) -> PreparedLlm:
    prompt = ""
    if labels:
        prompt = plan.prompt or default_prompt(row.question for row in watched.train)
    train, validation, evaluation = (
        [ask_for_label(row, prompt, labels) for row in part] for part in (watched.train, watched.held_out, measured)
    )
    counts = {
        "rows": read,
        "train": len(train),
        "validation": len(validation),
        "evaluation": len(evaluation),
        "turns": sum(len(row.turns) for row in train),
        "labels": len(labels),
    }
    return PreparedLlm(stage, train, validation, evaluation, labels, prompt, counts, hashes)
