"""The method and the hyperparameters, and whatever no other step asks."""

from __future__ import annotations

from data.language import N_
from tui.steps.base import Step


class Method(Step):
    """How it is trained."""

    name = "method"
    order = 40
    title = N_("Method")
    intro = N_("How much of the model should change, how far and for how long? The values suggested suit most data.")
    keys = ("method", "training", "launch", "tracking")
    simple = ("method", "training.epochs", "training.learning_rate", "training.batch_size", "training.max_length")
    lessons = ("lora", "qlora", "methods")
    rest = True
