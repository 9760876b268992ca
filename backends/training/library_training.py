"""One training by a trainer of sentence-transformers: from rows and a model to ``run.checkpoints / "tuned"``."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from tunewiz.backends import trackers
from tunewiz.backends.machine.precision import Precision, choose_for_run
from tunewiz.backends.models import adapters
from tunewiz.backends.models.loading import device_of
from tunewiz.backends.ranks.place import here, parted
from tunewiz.backends.ranks.plan import estimated, own_batch
from tunewiz.backends.runs.callback import run_callback
from tunewiz.backends.runs.create import add_to_record
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training import checkpoints
from tunewiz.backends.training.arguments import Length, measured_steps, schedule, settings
from tunewiz.backends.training.checkpoints import no_step_too_many, resume_from, save_tuned
from tunewiz.backends.training.interpolating import Between, choose, measured
from tunewiz.backends.training.out_of_memory import explain_out_of_memory
from tunewiz.backends.training.probe import probed
from tunewiz.backends.training.sampling import BatchPlan
from tunewiz.backends.training.sampling import Rows as SamplingRows
from tunewiz.backends.training.trainer import CPU_PIECE, in_pieces, trainer
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.method import Lora
from tunewiz.problems import BadPreset, Problem, note, say, warning

R = TypeVar("R", bound=RetrievalPreset)


@dataclass(frozen=True)
class Parts:
    """What the trainer is made of. ``texts`` are prompts that the library still has to apply."""

    plan: BatchPlan
    columns: Mapping[str, list[Any]]
    collator: Any
    texts: Mapping[str, str]
    loss: Any


class Dropped(NamedTuple):
    """A share of numbers that ``module``, called ``name`` in its model, drops: its ``attribute``."""

    name: str
    module: Any
    attribute: str

    def off(self) -> None:
        """Drop none."""
        setattr(self.module, self.attribute, 0.0)


def dropped(model: Any, dropout: str) -> list[Dropped]:
    """What ``training.dropout`` takes off ``model``: with auto the shares of what attention weighs, with none all.

    torch's fused attention for processors knows no dropout. Beside it the scores of all heads are kept, and a random
    number is drawn for each, by one core: for MiniLM and 32 texts of 256 tokens two thirds of a step.
    """
    if dropout == "model":
        return []
    found = []
    for name, module in model.named_modules():
        if dropout == "auto" and not _attends(module):
            continue
        for part, one in module.named_children():
            behind = dropout == "auto" and "out" in part.replace("dropout", "")  # of what attention gives, as in ALBERT
            if type(one).__name__.endswith("Dropout") and not behind:
                found.append(Dropped(f"{name}.{part}", one, "p"))
        found += [Dropped(name, module, one) for one in vars(module) if "dropout" in one]
    return [one for one in found if _is_share(getattr(one.module, one.attribute, None))]


def _attends(module: Any) -> bool:
    """Whether ``module`` weighs texts' parts itself: it has the matrices for that."""
    import torch

    named = "attention" in type(module).__name__.lower()
    return named and any(isinstance(part, torch.nn.Linear) for part in module.children())


def _is_share(value: object) -> bool:
    return isinstance(value, float) and 0 < value < 1


@dataclass(frozen=True)
class LibraryTraining(ABC, Generic[R]):
    """A training by one of the library's trainers. ``folder`` holds the untouched model."""

    run: Run
    preset: R
    prepared: Prepared
    folder: Path
    #: What the model adds to its features.
    output: ClassVar[str]

    def start(self) -> Path:
        """Train, from the newest checkpoint if there is one; the folder of the tuned model.

        Raises :class:`StopRequested` after saving a checkpoint when asked to stop, :class:`OutOfMemory` with advice,
        and :class:`BadPreset` when rows and loss do not fit.
        """
        found = self.problems()
        if found:
            raise BadPreset(*found)
        _prepare_process(self.preset, self.device)
        with explain_out_of_memory(self.preset, self.device):
            model = self.model()
            running = self._trainer(model)
            with self._pieces(model), no_step_too_many(), probed(self.run, self.preset, self.device):
                resumed = resume_from(self.run)
                running.train(resume_from_checkpoint=str(resumed) if resumed else None)
        self.run.check_stop()
        parted()
        if not here().first:
            return self.run.checkpoints / checkpoints.TUNED
        running.accelerator.unwrap_model(running.model, keep_fp32_wrapper=False)
        self._tell_best(running)
        with explain_out_of_memory(self.preset, self.device):
            self._interpolate(model)
        return self._save(running, model)

    def _interpolate(self, model: Any) -> None:
        """Set ``model``'s weights to the share of the tuned ones that the preset or validation wants."""
        wanted, metric = self.preset.training.tuned_share, self._metric()
        if wanted == 1 or not self._knew() or (wanted == "auto" and metric is None):
            return
        between = Between(model, self._untouched().state_dict())
        if wanted == "auto":
            values = self._evaluator().values
            found = measured(between, lambda: values(model), self.run.check_stop)
            choice = choose(found, self.preset.training.seed)
            self.run.notice(choice.told(str(metric)))
            wanted = choice.share
        between.set(wanted)
        add_to_record(self.run, tuned_share=wanted)

    def _knew(self) -> bool:
        """Whether the untouched model could do what it is tuned for: a fresh head could not."""
        return True

    def _untouched(self) -> Any:
        """The model as it was before training, with LoRA layers where the preset wants them."""
        model = self.loaded()
        if isinstance(self.preset.method, Lora):
            adapters.add_lora(model, self.preset.method)
        return model

    def _pieces(self, model: Any) -> AbstractContextManager[None]:
        return in_pieces(model, CPU_PIECE if self.device == "cpu" else 0, self.output)

    def _save(self, running: Any, model: Any) -> Path:
        return save_tuned(self.run, lambda folder: self._write(running, model, folder))

    def _write(self, running: Any, model: Any, folder: Path) -> None:
        """Write the tuned model into ``folder``; for LoRA its adapter, the base by reference."""
        model.save_pretrained(str(folder), create_model_card=False)

    @cached_property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return device_of(self.preset.launch)

    @cached_property
    def precision(self) -> Precision:
        """What is computed in; the run is told why."""
        return choose_for_run(self.run, self.preset.training.precision, self.device)

    @abstractmethod
    def problems(self) -> list[Problem]:
        """What keeps the loss from learning from the rows."""

    def _plan(self, rows: SamplingRows, apart: bool) -> BatchPlan:
        training = self.preset.training
        size = here().size
        together = own_batch(self.preset)[0] * size
        return BatchPlan(rows, together, training.seed, training.group_by_length, apart, size)

    def model(self) -> Any:
        """The model to train, in training mode, with an adapter if the preset wants one."""
        loaded = self.loaded()
        for share in dropped(loaded, self.preset.training.dropout):
            share.off()
        return self.with_adapter(loaded)

    @abstractmethod
    def loaded(self) -> Any:
        """The untouched model, as the preset wants it loaded."""

    @abstractmethod
    def parts(self, model: Any) -> Parts:
        """Rows, batches and loss."""

    @abstractmethod
    def kinds(self) -> tuple[Any, Any]:
        """The library's classes of trainer and training arguments."""

    @abstractmethod
    def _metric(self) -> str | None:
        """The name of the validation metric; ``None`` without validation rows."""

    @abstractmethod
    def _evaluator(self) -> Any:
        """What measures the model while it is trained."""

    def with_adapter(self, model: Any) -> Any:
        """``model`` with LoRA if the preset wants it, ready to be trained."""
        if isinstance(self.preset.method, Lora):
            layers = adapters.add_lora(model, self.preset.method)
            trained, all_weights = adapters.trainable(model)
            message = say(
                "LoRA on {layers}: {trained} of {all_weights} weights are trained ({percent} %).",
                layers=tuple(layers),
                trained=trained,
                all_weights=all_weights,
                percent=round(100 * trained / all_weights, 2),
            )
            self.run.notice(note("lora-layers", message))
        return model.train()

    def _trainer(self, model: Any) -> Any:
        from datasets import Dataset

        if here().size > 1:
            model.register_forward_hook(_as_plain)
        parts = self.parts(model)
        length, metric = self._extent(parts.plan)
        library, arguments = self.kinds()
        return trainer(
            parts.plan,
            library,
            model=model,
            args=self._arguments(arguments, length, metric, parts.texts),
            train_dataset=Dataset.from_dict(dict(parts.columns)),
            loss=parts.loss,
            evaluator=self._evaluator() if metric else None,
            data_collator=parts.collator,
            callbacks=self._callbacks(length, metric),
        )

    def _extent(self, plan: BatchPlan) -> tuple[Length, str | None]:
        """How long training is, and what validation is measured by; the run is told what is left out of either."""
        plan.require_any()
        if plan.left_out:
            self.run.notice(_left_out(plan))
        metric = self._metric()
        if metric is None and self.preset.training.evaluations:
            self.run.notice(_unwatched(self.preset.training.early_stopping.enabled))
        return Length.of(estimated(self.preset, here().size).training, len(plan)), metric

    def _arguments(self, kind: Any, length: Length, metric: str | None, texts: Mapping[str, str] | None = None) -> Any:
        own = {"prompts": dict(texts)} if texts else {}
        arguments = kind(
            output_dir=str(self.run.checkpoints),
            run_name=self.run.name,
            project=self.preset.tracking.project,
            **own,
            **settings(self.preset, self.precision, self.device),
            **schedule(self.preset.training, length, metric),
        )
        # One process, one GPU: torch's DataParallel would split each batch, and the in-batch negatives with it.
        arguments._n_gpu = min(1, arguments.n_gpu)
        return arguments

    def _callbacks(self, length: Length, metric: str | None) -> list[Any]:
        from transformers import EarlyStoppingCallback

        training = self.preset.training
        measured = bool(metric and training.evaluations)
        steps = measured_steps(length.steps, training.evaluations or 1)
        result = [
            checkpoints.measured_at(steps, measured),
            run_callback(self.run),
            *(trackers.callbacks(self.run, self.preset.tracking) if here().first else ()),
        ]
        early = training.early_stopping
        if early.enabled and measured:
            result.append(EarlyStoppingCallback(early.patience, early.threshold))
        return result

    def _tell_best(self, running: Any) -> None:
        state = running.state
        if not state.best_model_checkpoint or not running.args.load_best_model_at_end:
            return
        best, name = float(state.best_metric), running.args.metric_for_best_model
        message = say(
            "The model of step {step} of {steps} is kept: it measured best on the validation queries ({value}).",
            step=Path(state.best_model_checkpoint).name.rsplit("-", 1)[-1],
            steps=state.global_step,
            value=round(best, 4),
        )
        self.run.notice(note("best-checkpoint", message))
        before = next((entry[name] for entry in state.log_history if name in entry), None)
        if before is not None and best <= before:
            message = say(
                "On the validation queries no checkpoint is better than the untouched model ({value}).",
                value=round(before, 4),
            )
            fix = say("Look at the data first; then try a lower training.learning_rate, or hard negatives.")
            self.run.notice(warning("validation-no-gain", message, fix=fix))


def _as_plain(_model: Any, _inputs: Any, features: Any) -> Any:
    """A tokenizer's own kind of mapping as a dict.

    torch's DistributedDataParallel looks for what a model gave in dicts, lists and dataclasses; of anything else it
    takes every weight for unused, and fails when gradients come all the same.
    """
    return features if isinstance(features, dict) or not hasattr(features, "items") else dict(features.items())


def _unwatched(early_stopping: bool) -> Problem:
    message = say("No training queries are set aside to watch training by: the last checkpoint is kept, not the best.")
    fix = say("Set data.evaluation.validation_fraction, for example to 0.1, to choose by measure.")
    return warning("no-validation", message, fix=fix) if early_stopping else note("no-validation", message, fix=fix)


def _left_out(plan: BatchPlan) -> Problem:
    message = say(
        "Each epoch leaves out about {count} of {rows} rows, every time others: they would stand in a batch with "
        "hardly anything to compare them with.",
        count=plan.left_out,
        rows=len(plan.rows.of_epoch(0)),
    )
    return note("rows-left-out", message, fix=say("A smaller training.batch_size takes in more of them."))


def _prepare_process(preset: RetrievalPreset, device: str) -> None:
    """Seeds, threads, and deterministic kernels where the GPU has them."""
    import torch
    from transformers import set_seed

    if preset.launch.threads:
        torch.set_num_threads(preset.launch.threads)
    if device != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    set_seed(preset.training.seed)
