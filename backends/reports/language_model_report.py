"""The report of a language model's run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tunewiz.backends.evaluate.verdict import compare_all
from tunewiz.backends.reports.blocks import (
    Block,
    Heading,
    Paragraph,
    Picture,
    Table,
    advice,
    notices,
    section,
    times,
    verdict,
    write_pages,
)
from tunewiz.backends.reports.facts import LlmFacts, gather_language_model
from tunewiz.backends.reports.forgetting import general_blocks
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.reports.next_steps import steps_of_report
from tunewiz.backends.reports.pictures import CURVES, curve_pictures, loss_picture, of_fonts
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.printable import printable
from tunewiz.problems import Message, say

_SHOWN: Final = 20  # answers side by side
_CHARACTERS: Final = 400
_WIDEST: Final = 30  # labels of a confusion matrix that a page can hold


def write_report(run: Run, preset: LlmPreset) -> str:
    """Write everything into ``run.report``; the verdict. May be called again at any time, in another language too."""
    facts, state = gather_language_model(run, preset), read_state(run)
    run.report.mkdir(parents=True, exist_ok=True)
    picture = loss_picture(state.curves, "eval_loss", run.report / "loss.png")
    more = curve_pictures(state.curves, run.report)
    record = _metrics(facts)
    steps = steps_of_report(run, state, preset, record)
    blocks = list(_contents(facts, state, picture, more, steps))
    write_pages(run.report, blocks, record.advising(steps))
    return facts.verdict


def _contents(
    facts: LlmFacts, state: RunState, picture: Path | None, more: Mapping[str, Path], steps: list[Message]
) -> Iterator[Block]:
    yield Heading(facts.preset.name, 1)
    yield verdict(facts.verdict, facts.comparison)
    yield from numbers(facts)
    yield from _floor(facts)
    if picture:
        yield Picture(picture, translate(N_("Training loss by step")))
    yield from (Picture(more[name], translate(told)) for name, told in CURVES.items() if name in more)
    if picture or more:
        yield from (Paragraph(message.text()) for message in of_fonts())
    yield from _confusion(facts)
    yield from _answers(facts)
    yield from general_blocks(facts)
    yield from advice(steps)
    yield from section(N_("What was noticed"), notices(state))
    yield from section(N_("How it was made"), [line.text() for line in made_from(facts)])
    yield from section(N_("Time and machine"), list(times(facts.record, state)))
    yield Heading(translate(N_("Check the numbers")))
    told = N_("The numbers of each row and the answers lie beside this report in before.json and after.json.")
    yield Paragraph(translate(told))


def numbers(facts: LlmFacts) -> Iterator[Block]:
    """Every measure before and after, and a sentence on the primary one."""
    yield Heading(translate(N_("Before and after")))
    if facts.comparison is None:
        yield Paragraph(translate(N_("It was not measured both before and after.")))
    else:
        yield Paragraph(facts.comparison.sentence(facts.measured_on).text())
    before, after = (side.metrics if side else {} for side in (facts.before, facts.after))
    names = list(after or before)
    titles = (N_("metric"), N_("before"), N_("after"), N_("difference"), N_("95 % interval"))
    rows = [_row(name, before.get(name), after.get(name), facts) for name in names]
    known = facts.after or facts.before
    for label, accuracy in known.majority.items() if known else ():
        told = say("accuracy of always {label}", label=printable(label, 40)).text()
        rows.append([told, f"{accuracy:.4f}", f"{accuracy:.4f}", "–", "–"])
    marked = names.index(facts.primary) if facts.primary in names else -1
    yield Table([translate(title) for title in titles], rows, frozenset(range(1, 5)), marked)
    yield Paragraph(_how(facts, known.queries or 0 if known else 0).text())


def _floor(facts: LlmFacts) -> Iterator[Block]:
    """What counted words reach on the same rows, and whether the tuned model is better."""
    known = facts.floor
    if known is None or "accuracy" not in known.metrics:
        return
    yield Heading(translate(N_("The floor: counted words")))
    told = say(
        "TF-IDF and logistic regression, trained on the same {rows} rows in {seconds} seconds, reach accuracy "
        "{accuracy} and macro-F1 {f1} on the measured rows.",
        rows=facts.counts.get("train", 0),
        seconds=f"{known.seconds:.1f}",
        accuracy=f"{known.metrics['accuracy']:.4f}",
        f1=f"{known.metrics.get('macro_f1', 0.0):.4f}",
    )
    yield Paragraph(told.text())
    if facts.after is None or "accuracy" not in facts.after.metrics:
        return
    options, seed = facts.preset.evaluation, facts.preset.training.seed
    over = compare_all(known.per_query, facts.after.per_query, ["accuracy"], options.bootstrap, seed)["accuracy"]
    numbers_ = {"difference": f"{over.difference:+.4f}", "low": f"{over.low:+.4f}", "high": f"{over.high:+.4f}"}
    if over.low > 0:
        said = say("The tuned model is above it: {difference} accuracy (95 % interval {low} to {high}).", **numbers_)
    elif over.high < 0:
        said = say(
            "The tuned model stays below it: {difference} accuracy (95 % interval {low} to {high}). Counted words are "
            "the cheaper choice for these rows.",
            **numbers_,
        )
    else:
        said = say(
            "The tuned model is not surely better: {difference} accuracy (95 % interval {low} to {high}).", **numbers_
        )
    yield Paragraph(said.text())


def _row(name: str, before: float | None, after: float | None, facts: LlmFacts) -> list[str]:
    cells = ["–" if value is None else f"{value:.4f}" for value in (before, after)]
    difference = f"{after - before:+.4f}" if before is not None and after is not None else "–"
    known = facts.comparisons.get(name)
    return [name, *cells, difference, f"{known.low:+.4f} … {known.high:+.4f}" if known else "–"]


def _how(facts: LlmFacts, count: int) -> Message:
    if facts.primary == "accuracy":
        return say(
            "{count} held-out rows, answered greedily with the template {chat}; an answer that is no label counts "
            "as wrong and as invalid.",
            count=count,
            chat=facts.template,
        )
    return say(
        "{count} held-out rows with the template {chat}; the loss counts the tokens that training counts, in nats "
        "a token, as the mean over rows; smaller is better.",
        count=count,
        chat=facts.template,
    )


def _confusion(facts: LlmFacts) -> Iterator[Block]:
    """Which labels are taken for which, after training."""
    told = facts.after.confusion if facts.after else None
    if not facts.after or not told:
        return
    labels = [label for label in facts.after.labels if label in told]
    yield Heading(translate(N_("Confusion matrix")))
    if len(labels) > _WIDEST:
        worst = [(gold, answer, count) for gold, row in told.items() for answer, count in row.items() if gold != answer]
        rows = [[gold, answer or translate(N_("(invalid)")), str(count)]
                for gold, answer, count in sorted(worst, key=lambda item: -item[2])[:_SHOWN]]  # fmt: skip
        yield Table([translate(N_("label")), translate(N_("answered")), translate(N_("rows"))], rows, frozenset({2}))
        return
    columns = [*labels, *sorted({answer for row in told.values() for answer in row} - set(labels))]
    titles = [translate(N_("label")), *(name or translate(N_("(invalid)")) for name in columns)]
    rows = [[gold, *(str(told[gold].get(answer, 0) or "·") for answer in columns)] for gold in labels]
    yield Table(titles, rows, frozenset(range(1, len(titles))))


def _answers(facts: LlmFacts) -> Iterator[Block]:
    """The same prompts answered before and after; of a classification the wrong answers first."""
    before, after = (side.answers if side else {} for side in (facts.before, facts.after))
    if not after:
        return
    right = {name: told.get("accuracy", 0.0) for name, told in facts.after.per_query.items()} if facts.after else {}
    after = {name: after[name] for name in sorted(after, key=lambda name: right.get(name, 0.0))}
    yield Heading(translate(N_("The same prompts, before and after")))
    titles = (N_("prompt"), N_("expected"), N_("before"), N_("after"))
    rows = []
    for name, told in list(after.items())[:_SHOWN]:
        once = before[name].answer if name in before else "–"
        texts = (told.prompt, told.expected, once, told.answer)
        rows.append([printable(text, _CHARACTERS) for text in texts])
    yield Table([translate(title) for title in titles], rows)


def made_from(facts: LlmFacts) -> Iterator[Message]:
    """The settings that made the model, one line each."""
    preset, training = facts.preset, facts.preset.training
    yield say("Base model: {base}", base=facts.base_model)
    yield say("Data: {data}, {rows} rows trained on", data=facts.data_name, rows=facts.counts.get("train", 0))
    yield from facts.sources
    yield say("Method: {method}, chat template {chat}", method=preset.method.type, chat=facts.template)
    yield say(
        "{epochs} epochs, batches of {batch} x {accumulation}, learning rate {rate}, at most {length} tokens, "
        "seed {seed}",
        epochs=f"{training.epochs:g}",
        batch=training.batch_size,
        accumulation=training.accumulation,
        rate=f"{training.learning_rate:g}",
        length=training.max_length,
        seed=training.seed,
    )
    versions: Mapping[str, str] = facts.record.get("versions", {})
    names = ("llamafactory", "transformers", "torch", "peft")
    yield Message(
        "{versions}", {"versions": ", ".join(f"{name} {versions[name]}" for name in names if name in versions)}
    )


def _metrics(facts: LlmFacts) -> MetricsFile:
    """All numbers for programs."""
    return facts.metrics(
        confusion={name: record.confusion for name, record in facts.sides.items()},
        seconds={name: record.seconds for name, record in facts.sides.items()},
        per_query={name: f"{name}.json" for name in facts.sides},
        template=facts.template,
    )
