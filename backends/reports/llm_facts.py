"""Everything a report or a model card says about a language model's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from backends.reports.facts import RunFacts
from backends.runs.run import Run
from backends.verdict import Comparison, compare_all
from data.files import read_json
from presets.tasks.llm import LlmPreset

#: Measures that decide, by rank: what was measured first of these is the primary one.
PRIMARY: Final = ("accuracy", "preference_accuracy", "kto_margin", "loss")
#: Measures of which less is better.
LOWER: Final = frozenset({"loss", "perplexity", "chosen_loss", "liked_loss", "invalid"})


@dataclass(frozen=True)
class LlmFacts(RunFacts[LlmPreset]):
    """Of a language model's run."""

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
