"""What does not go together in the training of any task."""

from __future__ import annotations

from collections.abc import Iterator

from data.problems import Problem, Where, error, say, warning
from presets.sections.launch import Launch
from presets.sections.training import Training


def measured(training: Training, validation_fraction: float | str) -> bool:
    """Whether anything is measured while it trains."""
    return training.evaluations > 0 and validation_fraction != 0


def schedule(training: Training, measured: bool) -> Iterator[Problem]:
    """Lengths and early stopping."""
    stopping = training.early_stopping
    if training.max_steps == 0:
        yield error("no-steps", say("0 steps train nothing."), Where("training.max_steps"), say("Use -1 for no limit."))
    if stopping.enabled and not measured:
        told = say("Early stopping needs evaluations during training, on validation data.")
        fix = say("Set training.evaluations to 4 or more and data.evaluation.validation_fraction to auto.")
        yield error("early-stopping-blind", told, Where("training.early_stopping.enabled"), fix)
    elif stopping.enabled and stopping.patience >= training.evaluations:
        told = say(
            "With {evaluations} evaluations a patience of {patience} never stops the training.",
            evaluations=training.evaluations, patience=stopping.patience,
        )  # fmt: skip
        fix = say("Raise training.evaluations or lower the patience.")
        yield warning("patience-too-long", told, Where("training.early_stopping.patience"), fix)


def device(training: Training, launch: Launch) -> Iterator[Problem]:
    """What a CPU cannot do, where one is asked for."""
    if launch.device != "cpu":
        return
    if training.precision == "fp16":
        told = say("A CPU does not train in fp16.")
        yield error("precision-on-cpu", told, Where("training.precision"), say("Use auto, bf16 or fp32."))
    if training.optimizer == "adamw_8bit":
        told = say("The 8-bit optimizer needs a GPU.")
        yield error("optimizer-on-cpu", told, Where("training.optimizer"), say("Use adamw."))
