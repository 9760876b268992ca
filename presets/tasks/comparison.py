"""The comparison task: one reranker tuned once with each way of finding negatives, on one page."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import about, vary_field
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import Problem, Where, error, say


class ComparisonPreset(RerankerPreset):
    """A reranker's preset, and the strategies for negatives that are compared."""

    PLACE: ClassVar[int] = 5

    task: Literal["comparison"] = vary_field(  # type: ignore[assignment]  # the one word in which it differs
        RerankerPreset,
        "task",
        "comparison",
        description=N_("What is compared: one reranker, tuned with negatives found in several ways."),
    )
    backend: str = vary_field(RerankerPreset, "backend", "comparison")
    strategies: list[str] = Field(
        ["random", "bm25", "dense"],
        min_length=2,
        max_length=8,
        title=N_("Strategies"),
        description=N_("Ways of finding hard negatives; a reranker is tuned with each, all else alike."),
        examples=[["random", "bm25", "dense"], ["bm25", "dense"]],
        json_schema_extra=about(typical=N_("random, bm25 and dense.")),
    )

    def problems(self) -> list[Problem]:
        """Of each variant, told once."""
        found = [problem for strategy in self.strategies for problem in self.variant(strategy).problems()]
        if len(set(self.strategies)) < len(self.strategies):
            message = say("A strategy is named twice.")
            found.append(error("strategies-twice", message, Where("strategies"), say("Name each once.")))
        return list({(one.code, one.where): one for one in found}.values())

    def variant(self, strategy: str) -> RerankerPreset:
        """The reranker's preset with negatives found by ``strategy``."""
        own = self.model_dump(
            exclude={"strategies", "task", "backend", "training", "sweep", "sweep_trials", "variants"}
        )
        own["data"]["negatives"]["strategy"] = strategy
        own["training"] = self.training  # which knows what of it was written
        return RerankerPreset.model_validate({**own, "name": f"{self.name[: 62 - len(strategy)]}-{strategy}"})
