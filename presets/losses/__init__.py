"""Losses, a few to a file by family, picked by the ``name`` in a preset.

Those of embedding models stand here, those of rerankers in ``presets/losses/reranker``. :data:`AnyLoss` and
:data:`AnyRerankerLoss` are the types of fields that take any of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import SerializeAsAny, WrapValidator
from pydantic_core import PydanticCustomError

from tunewiz.presets.losses.loss import Loss, RerankerLoss
from tunewiz.registry import Registry, field_default

#: Types of the errors below; ``presets.wording`` says them in the user's language.
UNKNOWN: Final = "loss_unknown"
UNNAMED: Final = "loss_unnamed"
SHAPE: Final = "loss_shape"


#: Every loss, told apart by what is tuned with it. Plug-ins announce both kinds as entry points of ``tunewiz.losses``.
_OF_EMBEDDERS: Final = Registry(
    "tunewiz.presets.losses", Loss, "losses", named=field_default("name"), besides=RerankerLoss
)
_OF_RERANKERS: Final = Registry("tunewiz.presets.losses.reranker", RerankerLoss, "losses", named=field_default("name"))


def catalogue(kind: type[Loss] = Loss) -> Mapping[str, type[Loss]]:
    """Every loss of ``kind`` (:class:`Loss`, or :class:`RerankerLoss` for rerankers) by name, in alphabetical order."""
    return rerankers() if issubclass(kind, RerankerLoss) else _OF_EMBEDDERS.classes()


def rerankers() -> Mapping[str, type[RerankerLoss]]:
    """Every loss of rerankers by name, in alphabetical order."""
    return _OF_RERANKERS.classes()


#: What losses are called in papers and by the libraries, without "loss", case and separators.
_CALLED: Final = {
    "multiple_negatives_ranking": "mnrl mnr infonce inbatch inbatchnegatives multiplenegatives contrastiveinbatch",
    "cached_multiple_negatives_ranking": "cachedmnrl cmnrl gradcache cachedmultiplenegatives",
    "binary_cross_entropy": "bce bcewithlogits binary",
    "cross_entropy": "ce softmax",
    "cosine_similarity": "cosine",
    "gist": "gistembed",
    "group_softmax": "listwise flagembedding localizedcontrastive lce",
    "lambda_loss": "lambdarank",
    "distill_kl": "kl kldiv distillation distillkldiv kldivergence",
}


def meant(name: str, known: Sequence[str]) -> str:
    """The loss of ``known`` that goes by ``name`` elsewhere, as papers and libraries write it; empty if none does.

    >>> meant("BCE", ["binary_cross_entropy"]), meant("CoSENTLoss", ["cosent", "angle"]), meant("x", ["cosent"])
    ('binary_cross_entropy', 'cosent', '')
    """
    plain = re.sub(r"[\W_]", "", name.lower()).removesuffix("loss")
    for loss in known:
        if plain in (loss.replace("_", "").removesuffix("loss"), *_CALLED.get(loss, "").split()):
            return loss
    return ""


def alike(loss: Loss) -> Mapping[str, type[Loss]]:
    """Every loss that could stand where ``loss`` stands, with the same backend."""
    return {name: kind for name, kind in catalogue(kind_of(loss)).items() if kind.backends & loss.backends}


def kind_of(loss: Loss) -> type[Loss]:
    """The base class of the losses that could stand where ``loss`` stands, whatever the backend."""
    return RerankerLoss if isinstance(loss, RerankerLoss) else Loss


def trained_by(backend: str, kind: type[Loss] = Loss) -> Mapping[str, type[Loss]]:
    """Every loss of ``kind`` that ``backend`` can train with."""
    return {name: loss for name, loss in catalogue(kind).items() if backend in loss.backends}


def loss_validator(kind: type[Loss]) -> Callable[[Any, Any], Loss]:
    """A validator that picks the loss of ``kind`` a value names: a loss, its name, or a mapping with ``name``."""

    def pick(value: Any, _handler: Any) -> Loss:
        if isinstance(value, kind):
            return value
        options = {"name": value} if isinstance(value, str) else value
        if not isinstance(options, Mapping):
            raise PydanticCustomError(SHAPE, "a loss is a name, or a mapping with a name and options")
        name, known = options.get("name"), catalogue(kind)
        if name is None:
            raise PydanticCustomError(UNNAMED, "the loss has no name")
        loss = known.get(name) if isinstance(name, str) else None
        if loss is None:
            raise PydanticCustomError(UNKNOWN, "unknown loss {name}", {"name": str(name), "known": list(known)})
        return loss.model_validate(options)

    return pick


#: A field that holds any loss: ``loss: triplet`` or ``loss: {name: triplet, margin: 0.5}``.
AnyLoss = Annotated[SerializeAsAny[Loss], WrapValidator(loss_validator(Loss))]


#: A field that holds any of them: ``loss: list_net`` or ``loss: {name: list_net}``.
AnyRerankerLoss = Annotated[SerializeAsAny[RerankerLoss], WrapValidator(loss_validator(RerankerLoss))]
