"""The evaluation: on what and how the model is measured."""

from __future__ import annotations

from data.language import N_
from tui.steps.base import Step


class Evaluation(Step):
    """How the gain is measured."""

    name = "evaluation"
    order = 60
    title = N_("Evaluation")
    intro = N_("How will you know that it got better? It is measured before and after, on data it never learned from.")
    keys = ("evaluation", "data.evaluation", "candidates", "export", "training.evaluations", "training.early_stopping")
    simple = (
        "data.evaluation.fraction",
        "data.evaluation.data",
        "evaluation.metric",
        "evaluation.k",
        "candidates.strategy",
        "candidates.depth",
    )
    lessons = ("metrics", "loss-curve")
    task_lessons = {"llm": ("loss-curve",)}
