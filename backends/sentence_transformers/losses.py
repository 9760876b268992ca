"""A preset's loss made into the library's, on a loaded model."""

from __future__ import annotations

from typing import Any

from backends import sources
from data.problems import BadPreset, Where, error, say
from presets.losses.base import Loss
from presets.losses.matryoshka import Matryoshka
from presets.sections.model import EncoderModel


def built(loss: Loss, model: Any) -> Any:
    """The library's loss module. Raises :class:`BadPreset` when the model cannot do what the loss wants."""
    from sentence_transformers.sentence_transformer import losses

    _check(loss, model)
    return _local(loss).build(model, losses)


def _local(loss: Loss) -> Loss:
    """``loss`` with the models it names replaced by their folders."""
    folders = {name: str(sources.fetch(sources.resolve(named_model(getattr(loss, name))))) for name in loss.models}
    if isinstance(loss, Matryoshka):
        return loss.model_copy(update={"loss": _local(loss.loss)})
    return loss.model_copy(update=folders)


def named_model(name: str) -> EncoderModel:
    """The model that an option of a loss names, ``starter`` included."""
    return EncoderModel(id=name, source="starter" if name == "starter" else "auto")


def _check(loss: Loss, model: Any) -> None:
    if not isinstance(loss, Matryoshka):
        return
    size = model.get_embedding_dimension()
    too_long = [number for number in loss.dimensions if size and number > size]
    if too_long:
        told = say("The model's vectors have {size} numbers; {values} are more.", size=size, values=str(too_long))
        fix = say("Take {size} and smaller ones.", size=size)
        raise BadPreset(error("matryoshka-dimensions", told, Where(key="loss.dimensions"), fix))
