"""The library's trainer, given our batches, and forward passes in pieces of similar length within one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.models import adapters
from tunewiz.backends.ranks.place import here
from tunewiz.backends.training import cosines
from tunewiz.backends.training.sampling import BatchPlan


def trainer(plan: BatchPlan, library: Any, **arguments: Any) -> Any:
    """A trainer of the class ``library`` whose batches are those of ``plan``; ``arguments`` as for the library's."""
    made = _trainer_class(library)(**arguments)
    made.plan = plan
    return made


@cache
def _trainer_class(library: Any) -> Any:
    class PlannedTrainer(library):  # type: ignore[misc]  # the library is untyped at our edge
        """Takes the batch plan, and leaves out the model card, for which the library would encode samples."""

        plan: BatchPlan

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            pass

        def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
            """As the library's; counts the rows of the step, since batches may be short."""
            counted = (
                len(value) for name, value in inputs.items() if name.endswith("input_ids") or type(value) is list
            )
            rows = next(counted, 0)
            self.state.rows_trained = getattr(self.state, "rows_trained", 0) + rows
            if not hasattr(self.model, "get_embedding_dimension") or not cosines.is_logged(self.state, self.args):
                return super().training_step(model, inputs, *arguments, **options)
            columns = sum(name.endswith("input_ids") or type(value) is list for name, value in inputs.items())
            labels = inputs.get("label")  # the library takes it out
            with cosines.watched(self.model, "sentence_embedding") as vectors:
                loss = super().training_step(model, inputs, *arguments, **options)
            self.state.pair_cosines = cosines.of_columns(vectors, rows, columns, labels)
            return loss

        def _load_best_model(self) -> None:
            """As the library's, but what goes wrong is not swallowed, and the run's directory may have moved."""
            self._load_from_checkpoint(str(Path(self.args.output_dir) / Path(self.state.best_model_checkpoint).name))

        def _load_from_checkpoint(self, checkpoint_path: str) -> None:
            if not adapters.restore_adapter(self.model, Path(checkpoint_path)):
                super()._load_from_checkpoint(checkpoint_path)

        def get_batch_sampler(self, dataset: Any, batch_size: int, drop_last: bool, **options: Any) -> Any:
            sampler = planned_batches()(dataset, batch_size=batch_size, drop_last=drop_last, **options)
            sampler.plan = self.plan
            self.add_callback(epoch_callback(sampler, self.args.gradient_accumulation_steps))
            return sampler

        def get_train_dataloader(self) -> Any:
            """As the library's; of several processes each takes its own part of every batch, by the sampler."""
            if here().size == 1:
                return super().get_train_dataloader()
            made = self._build_dataloader(self.train_dataset, self.args.train_batch_size, dataset_kind="train")
            self._train_dataloader = own_part(self.accelerator, made)
            return self._train_dataloader

    return PlannedTrainer


@cache
def planned_batches() -> Any:
    """A class of batch samplers that go through the batches of their attribute ``plan``."""
    from sentence_transformers.base.sampler import DefaultBatchSampler

    class PlannedBatches(DefaultBatchSampler):  # type: ignore[misc]  # the library is untyped at our edge
        """Goes through the batches of the epoch it was told."""

        plan: BatchPlan

        def __iter__(self) -> Any:
            return iter(map(here().share, self.plan.epoch(self.epoch)))

        def __len__(self) -> int:
            return len(self.plan)

    return PlannedBatches


def own_part(accelerator: Any, loader: Any) -> Any:
    """``loader`` prepared, but not cut into parts: its batches are this process's own already.

    accelerate would deal out whole batches, and begin again with the first ones where they do not come out even.
    """
    from accelerate.data_loader import prepare_data_loader

    prepared = prepare_data_loader(loader, accelerator.device, num_processes=1, process_index=0, put_on_device=True)
    prepared._is_accelerate_prepared = True
    return accelerator.prepare(prepared)


def epoch_callback(sampler: Any, accumulation: int) -> Any:
    """A callback that tells ``sampler`` its epoch.

    accelerate does so too, but not after a resume in mid-epoch, where it has put another sampler around it.
    """
    from transformers import TrainerCallback

    class EpochsTold(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Counts epochs by steps."""

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            sampler.set_epoch(state.global_step // max(1, math.ceil(len(sampler) / accumulation)))

    return EpochsTold()


# Forward passes in pieces of similar length, within one batch.
#
# A batch of 64 texts padded to the longest of them is mostly padding on real data. On a CPU, where a small matrix is
# multiplied as fast as a large one, the same batch in pieces sorted by length computes the same vectors with far less
# padding; which texts share a batch, and thus what is learned, does not change.


#: Texts a piece on a CPU: a few hundred to two thousand tokens, whose activations a core's cache holds
#: (:data:`tunewiz.backends.models.batching.CPU_TOKENS`), and few enough to be of one length in a batch of 64.
CPU_PIECE: Final = 16


@contextmanager
def in_pieces(model: Any, size: int, output: str = "sentence_embedding", again: bool = False) -> Iterator[None]:
    """Let ``model.forward`` go through its texts ``size`` at a time; 0 leaves it alone.

    ``output`` is what the model adds to its features: ``sentence_embedding``, or a cross-encoder's ``scores``. With
    ``again`` nothing is kept for the backward pass, which goes through each piece once more, with the same random
    numbers: the memory of one piece, the same gradients, about a third more time (Gao et al., 2021).
    """
    if not size:
        yield
        return
    whole = model.forward

    def forward(features: dict[str, Any], **options: Any) -> dict[str, Any]:
        mask = features.get("attention_mask")
        if mask is None or mask.ndim != 2 or len(mask) <= size:
            result: dict[str, Any] = whole(features, **options)
            return result
        features[output] = _by_length(lambda piece: whole(dict(piece), **options)[output], features, mask, size, again)
        return features

    model.forward = forward
    try:
        yield
    finally:
        model.__dict__.pop("forward", None)


def scored_in_pieces(compute: Callable[[Mapping[str, Any]], Any], size: int) -> Callable[[Mapping[str, Any]], Any]:
    """``compute`` (features to scores, a row a text) as :func:`in_pieces` with ``again`` lets a model's forward go."""

    def scores(features: Mapping[str, Any]) -> Any:
        mask = features["attention_mask"]
        return _by_length(compute, features, mask, size, True) if len(mask) > size else compute(features)

    return scores


def _by_length(
    compute: Callable[[dict[str, Any]], Any], features: Mapping[str, Any], mask: Any, size: int, again: bool
) -> Any:
    import torch
    from torch.utils.checkpoint import checkpoint

    lengths = mask.sum(dim=1)
    order = torch.argsort(lengths, stable=True)
    vectors = []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        piece = _piece(features, mask, rows, int(lengths[rows].max()))
        kept = not again or not torch.is_grad_enabled()
        vectors.append(compute(piece) if kept else checkpoint(compute, piece, use_reentrant=False))
    return torch.cat(vectors)[torch.argsort(order)]


def _piece(features: Mapping[str, Any], mask: Any, rows: Any, width: int) -> dict[str, Any]:
    """The given rows of every feature with one number a token, cut to ``width`` tokens on the padded side."""
    import torch

    left = bool(mask.shape[1] > width and not mask[rows, 0].any())
    kept = slice(mask.shape[1] - width, None) if left else slice(width)
    return {
        name: value[rows][:, kept] if isinstance(value, torch.Tensor) and value.shape == mask.shape else value
        for name, value in features.items()
    }
