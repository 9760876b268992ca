"""The library's trainer, given our batches."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

from backends import adapters
from backends.sampling import BatchPlan


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
            return super().training_step(model, inputs, *arguments, **options)

        def _load_best_model(self) -> None:
            """As the library's, but what goes wrong is not swallowed, and the run's directory may have moved."""
            self._load_from_checkpoint(str(Path(self.args.output_dir) / Path(self.state.best_model_checkpoint).name))

        def _load_from_checkpoint(self, checkpoint_path: str) -> None:
            if not adapters.restore(self.model, Path(checkpoint_path)):
                super()._load_from_checkpoint(checkpoint_path)

        def get_batch_sampler(self, dataset: Any, batch_size: int, drop_last: bool, **options: Any) -> Any:
            sampler = planned_batches()(dataset, batch_size=batch_size, drop_last=drop_last, **options)
            sampler.plan = self.plan
            self.add_callback(epochs_told(sampler, self.args.gradient_accumulation_steps))
            return sampler

    return PlannedTrainer


@cache
def planned_batches() -> Any:
    """A class of batch samplers that go through the batches of their attribute ``plan``."""
    from sentence_transformers.base.sampler import DefaultBatchSampler

    class PlannedBatches(DefaultBatchSampler):  # type: ignore[misc]  # the library is untyped at our edge
        """Goes through the batches of the epoch it was told."""

        plan: BatchPlan

        def __iter__(self) -> Any:
            return iter(self.plan.epoch(self.epoch))

        def __len__(self) -> int:
            return len(self.plan)

    return PlannedBatches


def epochs_told(sampler: Any, accumulation: int) -> Any:
    """A callback that tells ``sampler`` its epoch.

    accelerate does so too, but not after a resume in mid-epoch, where it has put another sampler around it.
    """
    from transformers import TrainerCallback

    class EpochsTold(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Counts epochs by steps."""

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            sampler.set_epoch(state.global_step // max(1, math.ceil(len(sampler) / accumulation)))

    return EpochsTold()
