"""Losses, one file each, found by file name.

``presets/losses/<name>.py`` holds one subclass of :class:`~presets.losses.base.Loss` whose ``name`` is ``<name>``; the
name in a preset picks it. :data:`AnyLoss` is the type of a field that takes any of them. A task with losses of another
kind keeps them in a folder here, beside a ``base.py`` with their own base class (``reranker``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final

from pydantic import SerializeAsAny, WrapValidator
from pydantic_core import PydanticCustomError

from data.by_file_name import classes
from presets.losses.base import Loss

#: Types of the errors below; ``presets.wording`` says them in the user's language.
UNKNOWN: Final = "loss_unknown"
UNNAMED: Final = "loss_unnamed"
SHAPE: Final = "loss_shape"


@cache
def catalogue(kind: type[Loss] = Loss) -> Mapping[str, type[Loss]]:
    """Every loss of ``kind`` (a base class) by name, in alphabetical order: those in the folder of its file."""
    return classes(kind.__module__.rpartition(".")[0], kind, lambda loss: loss.model_fields["name"].default)


def alike(loss: Loss) -> Mapping[str, type[Loss]]:
    """Every loss that could stand where ``loss`` stands, with the same backend."""
    return {name: kind for name, kind in catalogue(kind_of(loss)).items() if kind.backends & loss.backends}


def kind_of(loss: Loss) -> type[Loss]:
    """The base class of the losses that could stand where ``loss`` stands, whatever the backend."""
    return next(kind for kind in type(loss).__mro__ if kind.__module__.endswith(".base") and issubclass(kind, Loss))


def trained_by(backend: str, kind: type[Loss] = Loss) -> Mapping[str, type[Loss]]:
    """Every loss of ``kind`` that ``backend`` can train with."""
    return {name: loss for name, loss in catalogue(kind).items() if backend in loss.backends}


def chosen(kind: type[Loss]) -> Callable[[Any, Any], Loss]:
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
AnyLoss = Annotated[SerializeAsAny[Loss], WrapValidator(chosen(Loss))]
