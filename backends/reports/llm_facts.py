"""Everything a report or a model card says about a language model's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from backends.reports.facts import model_name, name_of
from backends.runs.run import Run
from backends.verdict import Comparison, Verdict, compare_all
from data.files import read_json
from presets.families import lookup
from presets.tasks.llm import LlmPreset

#: Measures that decide, by rank: what was measured first of these is the primary one.
PRIMARY: Final = ("accuracy", "preference_accuracy", "kto_margin", "loss")
#: Measures of which less is better.
LOWER: Final = frozenset({"loss", "perplexity", "chosen_loss", "liked_loss", "invalid"})


@dataclass(frozen=True)
class LlmFacts:
    """A run's preset, its record (``run.json``), and what was measured before and after (``None`` where it was not)."""

    run: Run
    preset: LlmPreset
    record: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    @property
    def primary(self) -> str:
        """The name of the metric that decides."""
        known = (self.after or self.before or {}).get("metrics", {})
        return next((name for name in PRIMARY if name in known), "loss")

    @cached_property
    def comparisons(self) -> Mapping[str, Comparison]:
        """Each measure of rows taken before and after, paired by row."""
        if not self.before or not self.after:
            return {}
        before, after = self.before["per_query"], self.after["per_query"]
        names = dict.fromkeys(name for row in after.values() for name in row)
        found: dict[str, Comparison] = {}
        for name in names:
            one, other = ({row: told for row, told in side.items() if name in told} for side in (before, after))
            found |= compare_all(
                one, other, [name], self.preset.evaluation.bootstrap, self.preset.training.seed, LOWER
            )  # fmt: skip
        return found

    @property
    def comparison(self) -> Comparison | None:
        """The primary metric before and after."""
        return self.comparisons.get(self.primary)

    @property
    def verdict(self) -> Verdict:
        """One word."""
        return self.comparison.verdict if self.comparison else "NONE"

    @property
    def base_model(self) -> str:
        """The model tuned, never by a path of this machine."""
        return model_name(self.preset.model.id)

    @property
    def licence(self) -> str:
        """The base model's licence, "" if unknown."""
        known = lookup(self.preset.model.id)
        recorded = self.record.get("model", {}).get("licence", "")
        return str(recorded) or (known.family.licence if known else "")

    @property
    def data_name(self) -> str:
        """The training data by the last part of its path."""
        return name_of(self.preset.data.train)

    @property
    def template(self) -> str:
        """The chat template of the run."""
        return str(self.record.get("llm", {}).get("template", self.preset.template))


def gather(run: Run, preset: LlmPreset) -> LlmFacts:
    """The facts of ``run``."""
    return LlmFacts(
        run=run,
        preset=preset,
        record=read_json(run.record_file) or {},
        before=read_json(run.report / "before.json"),
        after=read_json(run.report / "after.json"),
    )
