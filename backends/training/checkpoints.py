"""Checkpoints of a training: when they are saved, the newest whole one to go on from, the model at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.models import adapters
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.ranks.place import here
from tunewiz.backends.runs.checkpoints import Choice, choose, prune, set_aside, set_aside_state
from tunewiz.backends.runs.create import record_folder, recorded_faults
from tunewiz.backends.runs.run import Run
from tunewiz.files import discard, replacing
from tunewiz.problems import Problem, Where, say, warning

#: Folder of the tuned model, below ``run.checkpoints``.
TUNED: Final = "tuned"


def resume_from(run: Run) -> Path | None:
    """The checkpoint of ``run`` to go on from; ``None``: from the start.

    The run is told of newer ones that are passed over, and of a lack of the optimizer's state. Both are renamed, so
    that no library reads them: LLaMA-Factory looks for checkpoints itself, and transformers reads what it finds.
    """
    if here().size > 1:
        return here().resume  # chosen once, by who started the ranks
    chosen = choose(run.checkpoints)
    for problem in _resume_problems(chosen):
        run.notice(problem)
    for path, _ in chosen.passed:
        set_aside(path)
    if chosen.checkpoint:
        set_aside_state(chosen.checkpoint, chosen.lacks)
    return chosen.checkpoint


def _resume_problems(chosen: Choice) -> Iterator[Problem]:
    here = chosen.checkpoint
    instead = say("Training goes on from {name}.", name=here.name) if here else say("Training begins anew.")
    for path, why in chosen.passed:
        message = say("{name} is passed over: {why}.", name=path.name, why=why)
        yield warning("checkpoint-passed-over", message, Where(file=path.name), instead)
    if here and chosen.lacks:
        message = say(
            "{name} has no whole state of the optimizer ({files}): training goes on from its weights with a fresh "
            "one, and ends with other numbers than a run that was not interrupted.",
            name=here.name,
            files=tuple(chosen.lacks),
        )
        fix = say("For the same numbers start the run's preset.yaml as a new run.")
        yield warning("optimizer-state-missing", message, Where(file=here.name), fix)


def take_away(run: Run, keep: bool) -> None:
    """Delete the checkpoints of ``run``, or with ``keep`` only those that nobody can use.

    None goes while the run's model is not what was recorded of it.
    """
    if recorded_faults(run, run.model, thorough=False) == []:
        if keep:
            prune(run.checkpoints, sys.maxsize)
        else:
            discard(run.checkpoints)


def restore_weights(model: Any, checkpoint: Path) -> None:
    """Give ``model`` (a SentenceTransformer) the weights saved in ``checkpoint``, or its adapter for LoRA."""
    if not adapters.restore_adapter(model, checkpoint):
        model.load_state_dict(load_encoder(checkpoint, device=str(model.device)).state_dict())


def save_tuned(run: Run, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill the folder that becomes ``run.checkpoints / "tuned"`` once it is whole."""
    target = run.checkpoints / TUNED
    with replacing(target) as part:
        write(part)
    record_folder(run, target)
    return target


@contextmanager
def epochs_through(around: Callable[[Any, Callable[[], None], Mapping[str, Any]], None]) -> Iterator[None]:
    """Let every epoch of a Trainer go through ``around``: the trainer, the epoch as it would run, what it is given."""
    from transformers import Trainer

    theirs = Trainer._run_epoch

    @wraps(theirs)  # others look at what it is given
    def run_epoch(trainer: Any, *arguments: Any, **options: Any) -> None:
        given = signature(theirs).bind(trainer, *arguments, **options).arguments
        around(trainer, lambda: theirs(trainer, *arguments, **options), given)

    Trainer._run_epoch = run_epoch
    try:
        yield
    finally:
        Trainer._run_epoch = theirs


@contextmanager
def no_step_too_many() -> Iterator[None]:
    """Let no Trainer take a step after the last one.

    transformers 5.5 looks whether training is over at the end of a step only: resumed from the checkpoint of the last
    step, in the middle of an epoch, it takes another, and after early stopping it goes on training.
    """

    def unless_over(trainer: Any, epoch: Callable[[], None], _given: Mapping[str, Any]) -> None:
        if _is_over(trainer.state):
            trainer.control.should_training_stop = True
        else:
            epoch()

    with epochs_through(unless_over):
        yield


def _is_over(state: Any) -> bool:
    """Whether all steps are done, or early stopping had lost its patience, by what it left in the trainer's state."""
    told = (state.stateful_callbacks or {}).get("EarlyStoppingCallback", [])
    waited = [
        (one["attributes"]["early_stopping_patience_counter"], one["args"]["early_stopping_patience"])
        for one in (told if isinstance(told, list) else [told])
    ]
    return bool(state.global_step >= state.max_steps or any(count >= patience for count, patience in waited))


# What happens during a training beside the steps: measures and checkpoints at set steps.


def measured_at(steps: Collection[int], measure: bool) -> Any:
    """A callback that saves, and with ``measure`` also evaluates, after each of ``steps``."""
    from transformers import TrainerCallback

    class MeasuredAt(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Sets the flags the Trainer looks at."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step in steps:
                control.should_save = True
                control.should_evaluate = measure

    return MeasuredAt()


def measured_at_the_end() -> Any:
    """A callback that measures after the last step too: even shares of the steps need not end there."""
    from transformers import TrainerCallback

    class MeasuredAtTheEnd(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Sets the flag the Trainer looks at."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps and args.eval_strategy != "no":
                control.should_evaluate = True

    return MeasuredAtTheEnd()
