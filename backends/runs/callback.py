"""The bridge from a transformers Trainer to a run: its logs become events, a stop request becomes a checkpoint."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.ranks.place import agreed, here, waited
from tunewiz.backends.runs.checkpoints import prune, weights_faults
from tunewiz.backends.runs.events import Evaluated, Progress, Saved
from tunewiz.backends.runs.manifest import write_manifest
from tunewiz.backends.runs.run import Run
from tunewiz.problems import error, say, warning

_TELL_EVERY = 1.0  # seconds between two progress events that carry no numbers
_NAMES = {"loss": "loss", "eval_loss": "eval_loss", "grad_norm": "grad_norm", "learning_rate": "learning_rate"}


class LossNotFinite(ArithmeticError):
    """The loss became nan or infinite: going on would only waste the machine."""


#: Logged losses of 0.0 from the start on that are told of while training still goes on.
_ZEROS: Final = 10


class Pace:
    """Samples and tokens trained a second, counting only time inside steps (not evaluating, not saving)."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._seconds = 0.0
        self._samples = 0
        self._tokens = 0

    def begin(self) -> None:
        """A step begins."""
        self._begun = time.perf_counter()

    def end(self, samples: int, tokens: int = 0) -> None:
        """A step of ``samples`` examples, of ``tokens`` tokens in all where they are counted, ended."""
        self._seconds += time.perf_counter() - self._begun
        self._samples += samples
        self._tokens += tokens

    def take(self) -> dict[str, float]:
        """``samples_per_second`` since the last call (0.0 when nothing was trained), and ``tokens_per_second``."""
        seconds = self._seconds or float("inf")
        rates = {"samples_per_second": self._samples / seconds}
        rates |= {"tokens_per_second": self._tokens / seconds} if self._tokens else {}
        self._seconds, self._samples, self._tokens = 0.0, 0, 0
        return rates


def memory() -> dict[str, float]:
    """Bytes this process uses: ``memory`` now and ``memory_peak``; of the GPU if torch has one, else resident."""
    import torch

    if torch.cuda.is_available():
        return {
            "memory": float(torch.cuda.memory_reserved()),
            "memory_peak": float(torch.cuda.max_memory_reserved()),
        }
    import resource

    import psutil

    # ru_maxrss is in KiB on Linux (getrusage(2)).
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"memory": float(psutil.Process().memory_info().rss), "memory_peak": float(peak)}


#: Points that a curve of a short run has at least.
_POINTS: Final = 20


def logged_every(wanted: int, steps: int) -> int:
    """Steps between two reports of a training of so many: as many as are ``wanted``, or fewer of a short one.

    >>> logged_every(10, 15), logged_every(10, 100), logged_every(10, 1000)
    (1, 5, 10)
    """
    return max(1, min(wanted, steps // _POINTS))


class Bridge:
    """The call-backs of a Trainer that a run needs; :func:`run_callback` makes a ``TrainerCallback`` of it."""

    def __init__(self, run: Run, stage: str) -> None:
        self.run, self.stage, self.pace = run, stage, Pace()
        self._told = 0.0
        self._rows = 0
        self._tokens: int | None = None
        self._over = False
        self._keep: int | None = None
        self._unsealed: Path | None = None
        self._losses = 0
        self._learns = False

    def _samples(self, args: Any, state: Any) -> int:
        """Examples of the step that ended: as the trainer counted them (``rows_trained``), else full batches."""
        rows = getattr(state, "rows_trained", None)
        if rows is None:
            return int(args.train_batch_size * args.gradient_accumulation_steps * args.world_size)
        before, self._rows = self._rows, rows
        return int(rows - before) * int(args.world_size)

    def _seen(self, state: Any) -> int:
        """Tokens of the step that ended, where the trainer counts them; of the first step they are not known."""
        seen = int(getattr(state, "num_input_tokens_seen", 0) or 0)
        before, self._tokens = self._tokens, seen
        return seen - before if before is not None else 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take over the deletion of old checkpoints; make a resumed training go on as if it had never ended."""
        # The library deletes the older checkpoint before anybody knows that the newer one is whole.
        self._keep, args.save_total_limit = args.save_total_limit, None
        # The flow of the Trainer goes by its state, what measures at logged steps by the arguments.
        args.logging_steps = state.logging_steps = logged_every(state.logging_steps, state.max_steps)
        if state.global_step:
            args.eval_on_start = False  # was measured when it was saved; early stopping would count it twice
            self._find_best(state)

    def _find_best(self, state: Any) -> None:
        """Name the best checkpoint where it is now, as the run may have moved, or none where it is damaged."""
        if not state.best_model_checkpoint:
            return
        best = self.run.checkpoints / Path(state.best_model_checkpoint).name
        faults = weights_faults(best)
        if not faults:
            state.best_model_checkpoint = str(best)
            return
        message = say("{name}, the best until now, is passed over: {why}.", name=best.name, why=faults[0].why)
        fix = say("The best from here on is kept.")
        self.run.notice(warning("best-checkpoint-lost", message, fix=fix))
        state.best_model_checkpoint = state.best_metric = state.best_global_step = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Time the step."""
        self._seal()
        self.pace.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell of the step, at most once a second; turn a stop request into a checkpoint and the end."""
        self.pace.end(self._samples(args, state), self._seen(state))
        if agreed(self.run.stop_requested()):
            control.should_save = True
            control.should_training_stop = True
        if state.is_world_process_zero and time.monotonic() - self._told >= _TELL_EVERY:
            self._tell(Progress(stage=self.stage, step=state.global_step, total=state.max_steps))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Tell of loss, learning rate, gradient norm, speed and memory."""
        if state.is_world_process_zero and "loss" in logs:
            self._tell(_progress(self.stage, state, logs, self.pace.take()))
            _check_finite(self.run, state.global_step, float(logs["loss"]))
            self._look_for_learning(float(logs["loss"]))

    def _look_for_learning(self, loss: float, over: bool = False) -> None:
        """Tell once of a loss that is 0.0 from the first step on."""
        self._losses += not over
        self._learns = self._learns or loss != 0
        if not self._learns and self._losses and (over or self._losses == _ZEROS):
            self._learns = True  # told
            message = say("The loss is 0.0 in every step: nothing is learned.")
            fix = say(
                "Look at the data (tunewiz data FILE): the rows of a batch need right answers that differ, and a batch "
                "needs more than one row (training.batch_size)."
            )
            self.run.notice(warning("loss-zero", message, fix=fix))

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any], **_: Any) -> None:
        """Tell of an evaluation during training; one that a library adds behind it is of another model."""
        if state.is_world_process_zero and not self._over:
            measures = _measures(metrics)
            self.run.emit(Evaluated(when="during", metrics=measures, what="validation", step=state.global_step))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Training is over."""
        if state.is_world_process_zero:
            self._look_for_learning(0.0, over=True)
        self._seal()
        self._over = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What was saved in the last step is whole."""
        self._seal()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Remember a checkpoint; other call-backs may still add to it."""
        self._unsealed = self.run.checkpoints / f"checkpoint-{state.global_step}"

    def _seal(self) -> None:
        """Write the manifest of the checkpoint that was saved last, tell of it, and delete those it replaces."""
        if self._unsealed is None:
            return
        saved, self._unsealed = self._unsealed, None
        waited()  # every rank has written its part
        if not here().first:
            return
        write_manifest(saved)
        self.run.emit(Saved(what="checkpoint", path=self.run.relative(saved)))
        if self._keep:
            prune(self.run.checkpoints, self._keep)

    def _tell(self, progress: Progress) -> None:
        self._told = time.monotonic()
        self.run.emit(progress)


def run_callback(run: Run, stage: str = "train") -> Any:
    """A ``transformers.TrainerCallback`` for ``run``.

    It emits :class:`Progress` at each log, :class:`Evaluated` at each evaluation, :class:`Saved` at each checkpoint,
    and turns a stop request into "save, then stop training" at the end of the step at hand; the caller then asks
    ``run.check_stop()``. A loss that is not finite raises :class:`LossNotFinite`.
    """
    from transformers import TrainerCallback

    # Joined here because the base class lives in a heavy library.
    return type("RunCallback", (Bridge, TrainerCallback), {})(run, stage)


def _progress(stage: str, state: Any, logs: dict[str, Any], rates: dict[str, float]) -> Progress:
    values = {ours: float(logs[theirs]) for theirs, ours in _NAMES.items() if theirs in logs}
    # Trainers of embedding models leave them there (tunewiz.backends.training.cosines).
    values |= getattr(state, "pair_cosines", {})
    values |= {"epoch": float(state.epoch or 0.0)} | rates | memory()
    return Progress(stage=stage, step=state.global_step, total=state.max_steps, values=values)


def _measures(metrics: dict[str, Any]) -> dict[str, float]:
    timing, beside = ("_runtime", "_per_second"), ("epoch", "num_input_tokens_seen")
    numbers = {key: value for key, value in metrics.items() if isinstance(value, (int, float))}
    return {key: float(value) for key, value in numbers.items() if not key.endswith(timing) and key not in beside}


def _check_finite(run: Run, step: int, loss: float) -> None:
    if math.isfinite(loss):
        return
    run.notice(
        warning(
            "loss-not-finite",
            say("The loss at step {step} is {loss}: training has diverged.", step=step, loss=str(loss)),
        )
    )
    raise LossNotFinite(step)


def loss_problem(step: int) -> Any:
    """The :class:`~tunewiz.problems.Problem` that a run which ended in :class:`LossNotFinite` fails with."""
    return error(
        "loss-not-finite",
        say("Training diverged: at step {step} the loss was no finite number.", step=step),
        fix=say(
            "Lower training.learning_rate (try a tenth), use precision bf16 or fp32 in place of fp16, "
            "and look for empty or broken rows in the data."
        ),
    )
