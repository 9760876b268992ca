"""The method with its hyperparameters, and the evaluation: steps that are a form and nothing more."""

from __future__ import annotations

from tunewiz.language import N_
from tunewiz.tui.wizard.step import Step

# The method and the hyperparameters, and whatever no other step asks.


class MethodStep(Step):
    """How it is trained."""

    name = "method"
    order = 40
    title = N_("Method")
    intro = N_("How much of the model should change, how far and for how long? The values suggested suit most data.")
    keys = ("method", "training", "launch", "tracking")
    simple = (
        "method",
        "method.rank",
        "method.alpha",
        "method.dropout",
        "method.block_size",
        "method.layers",
        "method.tokens",
        "training.epochs",
        "training.learning_rate",
        "training.batch_size",
        "training.max_length",
    )
    lessons = ("lora", "qlora", "methods", "why-peft", "adapters-prefix-ia3")
    rest = True


# The evaluation: on what and how the model is measured.


class EvaluationStep(Step):
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
