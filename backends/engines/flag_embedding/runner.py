"""FlagEmbedding's runner, dataset, collator and trainer, with what a run needs: batches, checkpoints, measures.

The library computes: its models the loss, its dataset draws passages, its collator makes tensors, its trainer steps.
Ours are the model's loading and saving (so that every other stage reads the same folder), the batches (no known answer
of one query stands as a wrong one of another), and reproducible draws. Its own resume does not restore the weights: a
checkpoint holds the names of the inner model, and is read into the outer one without complaint.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

from tunewiz.backends.ranks.place import here
from tunewiz.backends.training import cosines
from tunewiz.backends.training.sampling import BatchPlan
from tunewiz.backends.training.trainer import epoch_callback, own_part, planned_batches

#: The library's word for wrong answers from all processes.
CROSS_DEVICE: Final = "negatives_cross_device"


class Tuned(Protocol):
    """What is trained: ``model`` computes losses (the library's), ``encoder`` is measured and saved."""

    @property
    def encoder(self) -> Any:
        """A model of sentence-transformers that shares its weights with ``model``."""

    @property
    def model(self) -> Any:
        """The library's."""

    def before_step(self, step: int, inputs: Mapping[str, Any]) -> int:
        """Tell the model of the step it is about to do with ``inputs``; how many rows they are."""

    def save(self, folder: Path) -> None:
        """Write a checkpoint."""

    def restore(self, folder: Path) -> None:
        """Read what :meth:`save` wrote."""


@dataclass(frozen=True)
class Parts:
    """What our runner gives the library's: the model, the batches, the measure of validation and call-backs.

    ``bases`` are the library's classes of runner, dataset and trainer; ``inputs`` go with every batch; ``pair`` makes
    the tokens of a query and a passage where the library reads them as one text.
    """

    tuned: Tuned
    plan: BatchPlan
    seed: int
    measure: Callable[[Any], dict[str, float]] | None
    callbacks: list[Any]
    bases: tuple[Any, Any, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    pair: Callable[[str, str], Any] | None = None


def trainer(parts: Parts, model: Any, data: Any, arguments: Any) -> Any:
    """The library's trainer for ``parts``; ``model``, ``data``, ``arguments`` are its three kinds of arguments."""
    return _runner_class(parts.bases[0])(parts, model, data, arguments).trainer


@cache
def _runner_class(base: Any) -> Any:
    class Runner(base):  # type: ignore[misc]  # the library is untyped at our edge
        """Takes a loaded model, and makes our trainer."""

        def __init__(self, parts: Parts, model: Any, data: Any, arguments: Any) -> None:
            self.parts = parts
            super().__init__(model, data, arguments)

        def load_tokenizer_and_model(self) -> tuple[Any, Any]:
            return self.parts.tuned.encoder.tokenizer, self.parts.tuned.model

        def load_train_dataset(self) -> Any:
            return _dataset_class(self.parts.bases[1])(self.parts, self.data_args, self.tokenizer)

        def load_data_collator(self) -> Any:
            collator = super().load_data_collator()
            return lambda features: {**collator(features), **self.parts.inputs}

        def load_trainer(self) -> Any:
            return _trainer_class(self.parts.bases[2])(
                self.parts,
                model=self.model,
                args=self.training_args,
                train_dataset=self.train_dataset,
                # The Trainer asks for one before it measures; ours measures without.
                eval_dataset=[] if self.parts.measure else None,
                data_collator=self.data_collator,
                processing_class=self.tokenizer,
                callbacks=self.parts.callbacks,
            )

    return Runner


@cache
def _dataset_class(base: Any) -> Any:
    class DrawnRows(base):  # type: ignore[misc]  # the library is untyped at our edge
        """Draws a row's passages by seed, epoch and row, whatever was drawn before: a resumed run draws the same."""

        def __init__(self, parts: Parts, *arguments: Any) -> None:
            self.parts, self.epoch = parts, 0
            super().__init__(*arguments)

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

        def __getitem__(self, item: int) -> Any:
            state = random.getstate()
            random.seed(f"{self.parts.seed} {self.epoch} {item}")
            try:
                return super().__getitem__(item)
            finally:
                random.setstate(state)

        def create_one_example(self, qry_encoding: str, doc_encoding: str) -> Any:
            """As the tuned model will read them; the library makes ids, text of them, and ids again."""
            return self.parts.pair(qry_encoding, doc_encoding) if self.parts.pair else None

    return DrawnRows


class _Epochs:
    """Tells the batches and the draws which epoch it is."""

    def __init__(self, sampler: Any, rows: Any) -> None:
        self._sampler, self._rows = sampler, rows

    def __len__(self) -> int:
        return len(self._sampler)

    def set_epoch(self, epoch: int) -> None:
        self._sampler.set_epoch(epoch)
        self._rows.set_epoch(epoch)


def _loader(trainer: Any, plan: Any) -> Any:
    """The training rows in planned batches, drawn anew each epoch."""
    from torch.utils.data import DataLoader

    rows, args = trainer.train_dataset, trainer.args
    sampler = planned_batches()(rows, batch_size=args.train_batch_size, drop_last=False)
    sampler.plan = plan
    trainer.add_callback(epoch_callback(_Epochs(sampler, rows), args.gradient_accumulation_steps))
    return DataLoader(
        rows,
        batch_sampler=sampler,
        collate_fn=trainer.data_collator,
        num_workers=args.dataloader_num_workers,
        pin_memory=args.dataloader_pin_memory,
    )


@contextmanager
def _encoded(model: Any) -> Iterator[list[Any]]:
    """Collect the dense vectors that the library's model makes of queries, then of passages."""
    found: list[Any] = []
    encode = model.encode

    def keep(features: Any) -> Any:
        made = encode(features)
        # M3 gives dense vectors first, a model of several dimensions the longest first.
        found.append(made[0] if isinstance(made, (tuple, list)) else made)
        return made

    model.encode = keep
    try:
        yield found
    finally:
        del model.encode


@cache
def _trainer_class(base: Any) -> Any:
    class Trainer(base):  # type: ignore[misc]  # the library is untyped at our edge
        """Goes through our batches, measures with our evaluator, saves what sentence-transformers loads."""

        control: Any

        def __init__(self, parts: Parts, **arguments: Any) -> None:
            self.parts = parts
            super().__init__(**arguments)

        def get_train_dataloader(self) -> Any:
            loader = _loader(self, self.parts.plan)
            return self.accelerator.prepare(loader) if here().size == 1 else own_part(self.accelerator, loader)

        def compute_loss(self, *arguments: Any, **options: Any) -> Any:
            """As the library's; its loss over the rows of all processes has gradients of this one's vectors alone.

            Each process computes the whole loss, and gradients are averaged: without the factor they would be as many
            times too small as there are processes. The value stays.
            """
            found = super().compute_loss(*arguments, **options)
            if not getattr(self.parts.tuned.model, CROSS_DEVICE, False):
                return found
            loss, *outputs = found if isinstance(found, tuple) else (found,)
            loss = loss + (here().size - 1) * (loss - loss.detach())
            return (loss, *outputs) if outputs else loss

        def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
            """As the library's; counts the rows of the step, and tells the model which step it is."""
            rows = self.parts.tuned.before_step(self.state.global_step, inputs)
            self.state.rows_trained = getattr(self.state, "rows_trained", 0) + rows
            if "passages" not in inputs or not cosines.is_logged(self.state, self.args):
                return super().training_step(model, inputs, *arguments, **options)
            with _encoded(self.model) as vectors:
                loss = super().training_step(model, inputs, *arguments, **options)
            self.state.pair_cosines = cosines.of_groups(*vectors[:2]) if len(vectors) > 1 else {}
            return loss

        def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
            """Our measure of the validation rows."""
            found = self.parts.measure(self.parts.tuned.encoder) if self.parts.measure else {}
            metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            self.parts.tuned.save(Path(output_dir or self.args.output_dir))

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            self.parts.tuned.restore(Path(resume_from_checkpoint))

        def _load_best_model(self) -> None:
            """From the run's directory as it is now: it may have moved."""
            self.parts.tuned.restore(Path(self.args.output_dir) / Path(self.state.best_model_checkpoint).name)

    return Trainer
