"""What to try next: rules over what is known of a run, the most telling first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tunewiz.backends.reports.facts import Facts, LlmFacts
from tunewiz.backends.reports.side_by_side import worse
from tunewiz.backends.runs.smoothing import smooth
from tunewiz.backends.runs.state import RunState
from tunewiz.data.retrieval.prepared import CorpusKind
from tunewiz.presets.families import lookup
from tunewiz.printable import operand
from tunewiz.problems import Message, say

MOST: Final = 5
_FEW_QUERIES: Final = 100
_FEW_ROWS: Final = 500
_EASY: Final = 0.95


@dataclass(frozen=True)
class Known:
    """A run's facts, its state, and whether its corpus was given or built from the data."""

    facts: Facts
    state: RunState
    corpus: CorpusKind


def next_steps(known: Known) -> list[Message]:
    """At most :data:`MOST` pieces of advice."""
    return [step for rule in _RULES for step in rule(known)][:MOST]


def _worse(known: Known) -> Iterator[Message]:
    if known.facts.verdict == "REGRESSION":
        rate = known.facts.preset.training.learning_rate
        yield say(
            "It got worse: try a third of the learning rate ({rate}), fewer epochs, and look at the queries that lost "
            "most below: wrong labels in the data show there.",
            rate=f"{rate / 3:.1g}",
        )


def _reranker_hurts(known: Known) -> Iterator[Message]:
    if not worse(known.facts):
        return
    negatives = known.facts.preset.data.negatives
    if negatives.strategy in ("bm25", "dense"):
        yield say(
            "Some mined negatives are probably right answers: raise data.negatives.relative_margin ({margin}) or set "
            "skip_top to 5, and look at data/negatives.jsonl.",
            margin=f"{negatives.relative_margin:g}",
        )
    yield say(
        "Start from a model that reranks already (a bge-reranker or an ms-marco cross-encoder): a fresh head needs "
        "thousands of queries."
    )


def _uncertain(known: Known) -> Iterator[Message]:
    comparison = known.facts.comparison
    if comparison and not comparison.certain and (comparison.wins or comparison.losses):
        yield say(
            "The difference is not certain on {queries} queries: measure on more (data.evaluation.fraction, or "
            "evaluation data of its own).",
            queries=comparison.queries,
        )
    elif comparison and comparison.queries < _FEW_QUERIES:
        yield say("{queries} queries are few to measure on; 200 make a steadier number.", queries=comparison.queries)


def _easy(known: Known) -> Iterator[Message]:
    comparison = known.facts.comparison
    if comparison and comparison.before >= _EASY:
        yield say(
            "{metric} was {before} before training: this collection is too easy to show a gain. Add documents that no "
            "query asks for, or harder queries.",
            metric=comparison.metric,
            before=f"{comparison.before:.3f}",
        )
    elif known.corpus == "built":
        yield say("The search was over passages of the data only. Name a real corpus (data.evaluation.corpus).")


def _negatives(known: Known) -> Iterator[Message]:
    preset = known.facts.preset
    if preset.task == "reranker":
        return
    learns = "triplets" in preset.loss.core.rows
    if learns and preset.data.negatives.strategy in ("none", "random") and known.facts.verdict != "NONE":
        yield say("Mine hard negatives (data.negatives.strategy: dense, or bm25): wrong answers that look right.")


def _still_learning(known: Known) -> Iterator[Message]:
    loss = known.state.curves.get("loss")
    if loss is None or len(loss.values) < 20 or known.facts.verdict == "REGRESSION":
        return
    line = smooth(loss.values)
    earlier, last = line[-len(line) // 4], line[-1]
    if last < 0.93 * earlier:
        yield say("The loss was still falling at the end: train longer ({epochs} epochs).", epochs=_more(known))


def _more(known: Known) -> str:
    return f"{2 * known.facts.preset.training.epochs:g}"


def _few_rows(known: Known) -> Iterator[Message]:
    rows = known.facts.counts.get("train", 0)
    if 0 < rows < _FEW_ROWS:
        yield say("{rows} training rows are few: real questions of users help most, also for known answers.", rows=rows)


def _second_stage(known: Known) -> Iterator[Message]:
    if known.facts.preset.task == "reranker":
        return
    after = (known.facts.after or {}).get("metrics", {})
    recalls = {int(name.split("@")[1]): value for name, value in after.items() if name.startswith("recall@")}
    if len(recalls) < 2 or known.facts.verdict == "REGRESSION":
        return
    widest, narrowest = max(recalls), min(recalls)
    if recalls[widest] - recalls[narrowest] > 0.25:
        yield say(
            "The right answer is often among the first {k} and not first: a reranker over those {k} is the next step.",
            k=widest,
        )


def _larger_model(known: Known) -> Iterator[Message]:
    entry = lookup(known.facts.preset.model.id)
    if known.facts.verdict == "WIN" or entry is None:
        return
    larger = [size for size in entry.family.models if size.parameters > entry.size.parameters]
    if larger:
        smallest = min(larger, key=lambda size: size.parameters)
        yield say("Try a larger model of the family: {model}.", model=smallest.id)


def _lora_to_full(known: Known) -> Iterator[Message]:
    entry = lookup(known.facts.preset.model.id)
    small = entry is not None and entry.size.parameters < 200_000_000
    if known.facts.preset.method.type == "lora" and small and known.facts.verdict != "WIN":
        yield say("A model this small usually learns more with all weights trained (method.type: full).")


_RULES: Final[tuple[Callable[[Known], Iterator[Message]], ...]] = (
    _reranker_hurts,
    _worse,
    _uncertain,
    _easy,
    _negatives,
    _still_learning,
    _few_rows,
    _lora_to_full,
    _second_stage,
    _larger_model,
)


def language_model_steps(facts: LlmFacts) -> Iterator[Message]:
    """What to try next, the most telling first."""
    after = (facts.after or {}).get("metrics", {})
    found = facts.comparison
    if facts.verdict == "REGRESSION":
        yield say("It got worse: lower training.learning_rate to a third, or train fewer epochs.")
    if found and not found.certain and found.queries:
        yield say("The change may be chance: hold out more rows (data.evaluation.fraction), or more data.")
    if after.get("invalid", 0) > 0.05:
        yield say("Some answers are no label: train longer, or name the labels in data.prompt.")
    if facts.counts.get("train", 0) < 500:
        yield say("Few rows: a thousand varied, checked rows usually bring more than any setting.")
    if facts.verdict == "WIN":
        yield say("Talk with it: tunewiz try {name}", name=operand(facts.run.name))
