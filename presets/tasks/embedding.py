"""The embedding task: contrastive tuning of a bi-encoder for retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets import checks, families
from tunewiz.presets.losses import AnyLoss
from tunewiz.presets.preset import STARTERS, FirstModel, Preset, RetrievalPreset
from tunewiz.presets.sections.model import ModelKind
from tunewiz.presets.sections.section import vary_field
from tunewiz.problems import Problem, Where, error, say, warning


class EmbeddingPreset(RetrievalPreset):
    """A preset that tunes an embedding model."""

    model_kind: ClassVar[ModelKind] = "embedding"
    gives_vectors: ClassVar[bool] = True
    first_models: ClassVar[tuple[FirstModel, ...]] = STARTERS
    first_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "groups": ("multiple_negatives_ranking", "info_nce"),
        "scored": ("cosent",),
    }
    PLACE: ClassVar[int] = 1

    task: Literal["embedding"] = vary_field(
        Preset, "task", "embedding", description=N_("What kind of model is tuned: one that turns texts into vectors.")
    )
    backend: str = vary_field(Preset, "backend", "sentence_transformers")
    loss: AnyLoss = Field(
        title=N_("Loss"),
        description=N_("What training pulls together and pushes apart; it must fit the rows of the data."),
        examples=["multiple_negatives_ranking"],
    )

    def problems(self) -> list[Problem]:
        """What does not go together, in the order of the sections; see :mod:`tunewiz.presets.checks`."""
        learning = (checks.method_problems, checks.loss_problems, _batch)
        every = (checks.model_problems, _pooling, *checks.OF_DATA, *learning, *checks.OF_RUNS)
        return [problem for check in every for problem in check(self)]


_MOST_TEXTS: Final = 4096


def _pooling(preset: EmbeddingPreset) -> Iterator[Problem]:
    known = families.lookup(preset.model.id)
    if known and known.family.pooling and preset.model.pooling not in ("auto", known.family.pooling):
        message = say("{id} was trained with {own} pooling.", id=known.size.id, own=known.family.pooling)
        yield warning("pooling-differs", message, Where("model.pooling"), say("Leave it at auto to keep its quality."))


def _batch(preset: EmbeddingPreset) -> Iterator[Problem]:
    size, core = preset.training.batch_size, preset.loss.core
    if size == 1 and core.in_batch_negatives and preset.data.negatives.strategy == "none":
        message = say("A batch of 1 has no other passages to tell apart: the loss is always zero.")
        yield error("batch-of-one", message, Where("training.batch_size"), say("Use at least 8, better 32."))
    texts = size * preset.loss.texts(preset.data.negatives.mined)
    if texts > _MOST_TEXTS and core.encoded_at_once is None:
        message = say("A step encodes {texts} texts at once.", texts=texts)
        fix = say("Lower training.batch_size or data.negatives.per_query, or use cached_multiple_negatives_ranking.")
        yield warning("step-large", message, Where("training.batch_size"), fix)
