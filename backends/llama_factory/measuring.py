"""Measures of a language model on held-out rows, the same before and after: losses, labels, written answers."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from backends.evaluators.answers import NAMES, closeness
from backends.llama_factory.answering import answers
from backends.llama_factory.encoded import encoded, row_prompt
from backends.llama_factory.labels import named, scores
from backends.llama_factory.loading import Loaded
from backends.llama_factory.losses import row_losses
from data.conversations import Conversation
from data.files import write_json
from data.prepared_llm import PreparedLlm
from presets.sections.llm_evaluation import LlmEvaluation

Told = Callable[[int, int], None]


@dataclass
class Measured:
    """``metrics`` by name, ``per_query`` by row and name, and what was written. Rows are named by their place."""

    metrics: dict[str, float] = field(default_factory=dict)
    per_query: dict[str, dict[str, float]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, rows: Mapping[str, float], name: str) -> None:
        """A measure of each row, and its mean."""
        for row, value in rows.items():
            self.per_query.setdefault(row, {})[name] = value
        if rows:
            self.metrics[name] = fmean(rows.values())

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        whole = {"metrics": self.metrics, "per_query": self.per_query, "queries": len(self.per_query)}
        write_json(file, whole | {"seconds": self.seconds} | self.details)


def drawn(rows: Sequence[Conversation], count: int, seed: int) -> list[int]:
    """At most ``count`` places of ``rows``, in order; the same for the same seed."""
    return sorted(random.Random(seed).sample(range(len(rows)), min(count, len(rows))))


def measure(loaded: Loaded, prepared: PreparedLlm, options: LlmEvaluation, seed: int, told: Told) -> Measured:
    """Every measure that the rows allow."""
    begun, found = time.monotonic(), Measured()
    places = drawn(prepared.evaluation, options.rows, seed)
    rows = {str(place): prepared.evaluation[place] for place in places}
    if prepared.stage == "preference":
        _pairs(loaded, rows, options, found, told)
    elif prepared.stage == "kto":
        _judged(loaded, rows, options, found, told)
    else:
        found.add(_losses(loaded, rows, options, told), "loss")
        if "loss" in found.metrics:
            found.metrics["perplexity"] = math.exp(min(700.0, found.metrics["loss"]))
    if prepared.labels:
        _labels(loaded, rows, prepared.labels, options, found, told)
    elif prepared.stage != "pretrain" and options.answers:
        some = [str(places[place]) for place in drawn([rows[str(place)] for place in places], options.answers, seed)]
        _written(loaded, {name: rows[name] for name in some}, options, found, told)
    found.seconds = time.monotonic() - begun
    return found


def _losses(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, told: Told, side: str = "answer"
) -> dict[str, float]:
    """The loss of each row with tokens that count."""
    tokens = [encoded(loaded, row)[side] for row in rows.values()]
    losses = row_losses(loaded, tokens, options.batch_size, told)
    return {name: loss for name, loss in zip(rows, losses, strict=True) if math.isfinite(loss)}


def _pairs(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, found: Measured, told: Told
) -> None:
    """Whether the chosen answer is the likelier one by the mean of its tokens, and by how much (nats a token)."""
    chosen = _losses(loaded, rows, options, told, "chosen")
    rejected = _losses(loaded, rows, options, told, "rejected")
    both = [name for name in chosen if name in rejected]
    found.add({name: float(rejected[name] > chosen[name]) for name in both}, "preference_accuracy")
    found.add({name: rejected[name] - chosen[name] for name in both}, "preference_margin")
    found.add(chosen, "chosen_loss")


def _judged(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, found: Measured, told: Told
) -> None:
    """How much likelier liked answers are than disliked ones: each row's log-likelihood a token, with its sign."""
    losses = _losses(loaded, rows, options, told)
    signs = {name: 1.0 if rows[name].desirable else -1.0 for name in losses}
    found.add({name: -signs[name] * losses[name] for name in losses}, "kto_margin")
    liked = {name: loss for name, loss in losses.items() if signs[name] > 0}
    if liked:
        found.metrics["liked_loss"] = fmean(liked.values())


def _labels(
    loaded: Loaded,
    rows: Mapping[str, Conversation],
    labels: Sequence[str],
    options: LlmEvaluation,
    found: Measured,
    told: Told,
) -> None:
    """Greedy answers, no longer than the longest label and a little, compared with the labels."""
    longest = max(len(loaded.tokenizer.encode(label, add_special_tokens=False)) for label in labels)
    prompts = [row_prompt(loaded, row) for row in rows.values()]
    written = answers(loaded, prompts, longest + 4, options.batch_size, told)
    given = [named(answer, labels) for answer in written]
    gold = [row.label for row in rows.values()]
    told_of = scores(gold, given, labels)
    found.add({name: float(one == other) for name, one, other in zip(rows, gold, given, strict=True)}, "accuracy")
    found.metrics |= {name: told_of[name] for name in ("macro_f1", "invalid")}
    found.details |= {"confusion": told_of["confusion"], "labels": list(labels)}
    found.details["answers"] = _shown(rows, written)


def _written(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, found: Measured, told: Told
) -> None:
    """Answers beside the expected ones."""
    prompts = [row_prompt(loaded, row) for row in rows.values()]
    written = answers(loaded, prompts, options.max_new_tokens, options.batch_size, told)
    near = {name: closeness(answer, _expected(row)) for (name, row), answer in zip(rows.items(), written, strict=True)}
    for measure in NAMES:
        found.add({name: values[measure] for name, values in near.items()}, measure)
    found.details["answers"] = _shown(rows, written)


def _expected(row: Conversation) -> str:
    return row.chosen or row.answer or (row.turns[-1].text if row.turns else row.text)


def _shown(rows: Mapping[str, Conversation], written: Sequence[str]) -> dict[str, dict[str, str]]:
    shown = {}
    for (name, row), answer in zip(rows.items(), written, strict=True):
        asked = row.turns[-2:-1] if row.stage == "sft" else row.turns[-1:]
        shown[name] = {"prompt": asked[0].text if asked else "", "expected": _expected(row), "answer": answer}
    return shown
