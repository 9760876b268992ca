"""What a report says of general data: whether the model forgot, measure by measure, with answers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tunewiz.backends.evaluate.general import AFTER, BEFORE, measure_name, told_general
from tunewiz.backends.evaluate.records import Measured
from tunewiz.backends.models.run_models import EMBEDDING
from tunewiz.backends.reports.blocks import Block, Heading, Paragraph, Table
from tunewiz.backends.reports.facts import RunFacts
from tunewiz.language import N_, translate
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.printable import printable
from tunewiz.problems import Message, say

_CHARACTERS: Final = 400


def general_blocks(facts: RunFacts[Any]) -> Iterator[Block]:
    """Nothing where general data was not measured both before and after."""
    if not facts.general:
        return
    yield Heading(translate(N_("Did it forget?")))
    for sentence in told_general(facts.general):
        yield Paragraph(sentence.text())
    titles = (N_("measure"), N_("before"), N_("after"), N_("difference"), N_("95 % interval"))
    rows = [
        [measure_name(name), f"{one.before:.4f}", f"{one.after:.4f}", f"{one.difference:+.4f}",
         f"{one.low:+.4f} … {one.high:+.4f}"]
        for name, one in facts.general.items()
    ]  # fmt: skip
    yield Table([translate(title) for title in titles], rows, frozenset(range(1, 5)))
    first = Measured.read(facts.run.directory / EMBEDDING / "report" / AFTER)
    before, after = (Measured.read(facts.run.report / name) for name in (BEFORE, AFTER))
    if first:
        yield Paragraph(_searched(first).text())
    if before and after:
        yield Paragraph(_how(facts, after).text())
        yield from _answers(before, after)


def _how(facts: RunFacts[Any], after: Measured) -> Message:
    """What was asked, and what it says."""
    if isinstance(facts.preset, LlmPreset):
        return say(
            "{count} everyday prompts with good answers, English and Chinese, that are not part of the training; the "
            "loss in nats a token, smaller is better.",
            count=after.queries or 0,
        )
    if isinstance(facts.preset, EmbeddingPreset):
        return _searched(after)
    return say(
        "{count} questions of the sample {name}, which is not part of the training; the reranker puts the best ten of "
        "{documents} documents by shared words (BM25) in order.",
        **_sizes(after),
    )


def _searched(after: Measured) -> Message:
    return say(
        "{count} questions of the sample {name}, which is not part of the training, searched in {documents} documents.",
        **_sizes(after),
    )


def _sizes(after: Measured) -> dict[str, int | str]:
    name = printable(after.collection, 60)
    return {"count": after.queries or 0, "documents": after.documents or 0, "name": name}


def _answers(before: Measured, after: Measured) -> Iterator[Block]:
    """The same general prompts answered by both models."""
    if not after.answers:
        return
    titles = (N_("prompt"), N_("a good answer"), N_("before"), N_("after"))
    rows = []
    for name, told in after.answers.items():
        once = before.answers[name].answer if name in before.answers else "–"
        rows.append([printable(text, _CHARACTERS) for text in (told.prompt, told.expected, once, told.answer)])
    yield Table([translate(title) for title in titles], rows)
