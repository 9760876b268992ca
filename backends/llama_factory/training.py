"""One training: LLaMA-Factory's ``run_exp`` with our call-backs, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from backends import trackers
from backends.llama_factory import out_of_memory
from backends.llama_factory.arguments import Places, arguments
from backends.llama_factory.loading import ready_process
from backends.llama_factory.native import dumped
from backends.precision import Precision, chosen
from backends.runs.callback import run_callback
from backends.runs.run import Run
from backends.sentence_transformers.checkpoints import newest
from data.files import write_whole
from data.problems import BadData, error, say
from presets.tasks.llm import LlmPreset

#: The arguments as they were used, beside the run's other records.
CONFIGURATION: Final = "llama_factory.yaml"


def train(run: Run, preset: LlmPreset, places: Places) -> None:
    """Train, from the newest checkpoint if there is one, into ``run.checkpoints``.

    Raises :class:`StopRequested` after saving a checkpoint when asked to stop, :class:`OutOfMemory` with advice, and
    :class:`BadData` when no row is left.
    """
    device = ready_process(preset.launch)
    precision = chosen(run, preset.training.precision, device)
    resumed = newest(run.checkpoints)
    told = arguments(preset, replace(places, resume=str(resumed) if resumed else ""), precision, device)
    write_whole(run.directory / CONFIGURATION, dumped(told))
    from llamafactory.train.tuner import run_exp

    with out_of_memory.explained(preset), computing_in(precision):
        try:
            run_exp(told, callbacks=_callbacks(run, preset))
        except RuntimeError as fault:
            # The library's own words for a dataset of which nothing is left once it is cut to length.
            if "Cannot find" in str(fault) and "samples" in str(fault):
                raise BadData(_nothing_left(preset)) from fault
            raise
    run.check_stop()


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Full precision where that is asked for: on a GPU LLaMA-Factory takes 16 bit wherever it may choose.

    What it chooses would not go with weights in 32 bit: the mask of packed rows would be of another type.
    """
    import torch
    from llamafactory.model import patcher

    theirs = patcher.infer_optim_dtype
    if precision == "fp32":
        patcher.infer_optim_dtype = lambda **_: torch.float32  # asked with model_dtype=
    try:
        yield
    finally:
        patcher.infer_optim_dtype = theirs


def _callbacks(run: Run, preset: LlmPreset) -> list[Any]:
    early = preset.training.early_stopping
    found = [measured_at_the_end(), run_callback(run), *trackers.callbacks(run, preset.tracking)]
    if early.enabled and early.threshold:
        from transformers import EarlyStoppingCallback

        found.append(EarlyStoppingCallback(early.patience, early.threshold))
    return found


def measured_at_the_end() -> Any:
    """A callback that measures after the last step too: even shares of the steps need not end there."""
    from transformers import TrainerCallback

    class MeasuredAtTheEnd(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Sets the flag the Trainer looks at."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps and args.eval_strategy != "no":
                control.should_evaluate = True

    return MeasuredAtTheEnd()


def _nothing_left(preset: LlmPreset) -> Any:
    told = say(
        "No row is left to train on once it is cut to {length} tokens{packed}.",
        length=preset.training.max_length,
        packed=say(" and packed") if preset.training.packing else "",
    )
    fix = say("Raise training.max_length for long prompts; with packing lower it, or switch packing off.")
    return error("no-usable-rows", told, fix=fix)
