"""One training: from prepared rows and a loaded model to a tuned model in ``run.checkpoints / "tuned"``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from backends import adapters, trackers
from backends.encoding import Encoding
from backends.loading import device_of, load_encoder, prompts
from backends.precision import Precision, choose
from backends.runs.callback import run_callback
from backends.runs.run import Run
from backends.sampling import BatchPlan
from backends.sentence_transformers import callbacks, fit, out_of_memory, rows, tokens, validation
from backends.sentence_transformers.arguments import Length, measured_at, schedule, settings
from backends.sentence_transformers.checkpoints import newest, save_tuned
from backends.sentence_transformers.losses import built
from backends.sentence_transformers.pieces import CPU_PIECE, in_pieces
from backends.sentence_transformers.trainer import trainer
from data.prepared import Prepared
from data.problems import BadPreset, Problem, note, say, warning
from presets.sections.method import Lora
from presets.tasks.embedding import EmbeddingPreset


@dataclass(frozen=True)
class Training:
    """Everything a training needs. ``folder`` holds the untouched model."""

    run: Run
    preset: EmbeddingPreset
    prepared: Prepared
    folder: Path

    def start(self) -> Path:
        """Train, from the newest checkpoint if there is one; the folder of the tuned model.

        Raises :class:`StopRequested` after saving a checkpoint when asked to stop, :class:`OutOfMemory` with advice,
        and :class:`BadPreset` when rows and loss do not fit.
        """
        found = fit.problems(self.preset.loss, rows.available(self.prepared))
        if found:
            raise BadPreset(*found)
        _prepare_process(self.preset, self.device)
        with out_of_memory.explained(self.preset, self.device):
            model = self._model()
            running = self._trainer(model)
            with in_pieces(model, CPU_PIECE if self.device == "cpu" else 0):
                resumed = newest(self.run.checkpoints)
                running.train(resume_from_checkpoint=str(resumed) if resumed else None)
        self.run.check_stop()
        running.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        self._tell_best(running)
        return save_tuned(model, self.run.checkpoints)

    @cached_property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return device_of(self.preset.launch)

    @cached_property
    def precision(self) -> Precision:
        """What is computed in; the run is told why."""
        chosen, why = choose(self.preset.training.precision, self.device)
        self.run.notice(note("precision", say("Training in {precision}: {why}.", precision=chosen, why=why)))
        return chosen

    def _model(self) -> Any:
        model = load_encoder(self.folder, self.preset, self.device)
        if isinstance(self.preset.method, Lora):
            layers = adapters.add_lora(model, self.preset.method)
            trained, all_weights = adapters.trainable(model)
            told = say(
                "LoRA on {layers}: {trained} of {all_weights} weights are trained ({percent} %).",
                layers=", ".join(layers),
                trained=trained,
                all_weights=all_weights,
                percent=round(100 * trained / all_weights, 2),
            )
            self.run.notice(note("lora-layers", told))
        return model.train()

    def _trainer(self, model: Any) -> Any:
        from datasets import Dataset

        table = rows.table(self.preset.loss, self.prepared, self.preset.training.seed)
        for problem in table.notes:
            self.run.notice(problem)
        data = _Batches.of(model, table)
        plan = self._plan(table, data.lengths)
        if plan.left_out:
            self.run.notice(_left_out(plan, len(table)))
        length = Length.of(self.preset.training, len(plan))
        metric = validation.metric_of(self.prepared, self.preset.evaluation.metric)
        if metric is None and self.preset.training.evaluations:
            self.run.notice(_unwatched(self.preset.training.early_stopping.enabled))
        return trainer(
            plan,
            model=model,
            args=self._arguments(length, metric, data.prompts),
            train_dataset=Dataset.from_dict(data.columns),
            loss=built(self.preset.loss, model),
            evaluator=self._evaluator() if metric else None,
            data_collator=data.collator,
            callbacks=self._callbacks(length, metric),
        )

    def _plan(self, table: rows.Table, lengths: Sequence[int]) -> BatchPlan:
        training = self.preset.training
        apart = self.preset.loss.core.in_batch_negatives
        return BatchPlan(
            rows.sampling(table, lengths), training.batch_size, training.seed, training.group_by_length, apart
        )

    def _arguments(self, length: Length, metric: str | None, texts: dict[str, str]) -> Any:
        from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(self.run.checkpoints),
            run_name=self.run.name,
            project=self.preset.tracking.project,
            prompts=texts,
            **settings(self.preset, self.precision, self.device),
            **schedule(self.preset.training, length, metric),
        )
        # One process, one GPU: torch's DataParallel would split each batch, and the in-batch negatives with it.
        arguments._n_gpu = min(1, arguments.n_gpu)
        return arguments

    def _evaluator(self) -> Any:
        how = Encoding(precision="bf16" if self.precision == "bf16" else "fp32")
        primary, seed = self.preset.evaluation.metric, self.preset.training.seed
        return validation.evaluator(self.prepared, primary, how, lambda: None, seed)

    def _callbacks(self, length: Length, metric: str | None) -> list[Any]:
        from transformers import EarlyStoppingCallback

        training = self.preset.training
        measured = bool(metric and training.evaluations)
        steps = measured_at(length.steps, training.evaluations or 1)
        result = [
            callbacks.measured_at(steps, measured),
            run_callback(self.run),
            *trackers.callbacks(self.run, self.preset.tracking),
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
        told = say(
            "The model of step {step} of {steps} is kept: it measured best on the validation queries ({value}).",
            step=Path(state.best_model_checkpoint).name.rsplit("-", 1)[-1],
            steps=state.global_step,
            value=round(best, 4),
        )
        self.run.notice(note("best-checkpoint", told))
        before = next((entry[name] for entry in state.log_history if name in entry), None)
        if before is not None and best <= before:
            told = say(
                "On the validation queries no checkpoint is better than the untouched model ({value}).",
                value=round(before, 4),
            )
            fix = say("Look at the data first; then try a lower training.learning_rate, or hard negatives.")
            self.run.notice(warning("validation-no-gain", told, fix=fix))


@dataclass(frozen=True)
class _Batches:
    """What the Trainer is given: columns of a dataset, how they become tensors, prompts it still has to apply."""

    columns: dict[str, list[Any]]
    lengths: Sequence[int]
    collator: Any
    prompts: dict[str, str]

    @classmethod
    def of(cls, model: Any, table: rows.Table) -> _Batches:
        """Tokenized once, or, for a model that takes more than token ids, texts for the library's own collator."""
        import numpy as np

        texts = prompts(model)
        try:
            made = tokens.columns(model, table, texts)
        except tokens.NotCacheable:
            labels = {"label": table.labels} if table.labels else {}
            named = {name: texts[0] if role == "query" else texts[1] for name, role in table.roles.items()}
            return cls({**table.columns, **labels}, (), None, {name: text for name, text in named.items() if text})
        lengths = np.sum([column.lengths() for column in made], axis=0)
        collator = tokens.Collator(made, table.labels, tokens.Padding.of(model.tokenizer))
        return cls({"row": list(range(len(table)))}, lengths.tolist(), collator, {})


def _unwatched(early_stopping: bool) -> Problem:
    told = say("No training queries are set aside to watch training by: the last checkpoint is kept, not the best.")
    fix = say("Set data.evaluation.validation_fraction, for example to 0.1, to choose by measure.")
    return warning("no-validation", told, fix=fix) if early_stopping else note("no-validation", told, fix=fix)


def _left_out(plan: BatchPlan, rows_in_all: int) -> Problem:
    told = say(
        "Each epoch leaves out about {count} of {rows} rows, every time others: they would stand in a batch with "
        "hardly anything to compare them with.",
        count=plan.left_out,
        rows=rows_in_all,
    )
    return note("rows-left-out", told, fix=say("A smaller training.batch_size takes in more of them."))


def _prepare_process(preset: EmbeddingPreset, device: str) -> None:
    """Seeds, threads, and deterministic kernels where the GPU has them."""
    import torch
    from transformers import set_seed

    if preset.launch.threads:
        torch.set_num_threads(preset.launch.threads)
    if device != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    set_seed(preset.training.seed)
