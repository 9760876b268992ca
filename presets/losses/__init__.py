"""Losses, one file each, found by file name.

``presets/losses/<name>.py`` holds one subclass of :class:`~presets.losses.base.Loss` whose ``name`` is ``<name>``; the
name in a preset picks it. :data:`AnyLoss` is the type of a field that takes any of them.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final

from pydantic import SerializeAsAny, WrapValidator
from pydantic_core import PydanticCustomError

from presets.losses.base import Loss

#: Types of the errors below; ``presets.wording`` says them in the user's language.
UNKNOWN: Final = "loss_unknown"
UNNAMED: Final = "loss_unnamed"
SHAPE: Final = "loss_shape"


@cache
def catalogue() -> Mapping[str, type[Loss]]:
    """Every loss by name, in alphabetical order."""
    found: dict[str, type[Loss]] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(__path__) if item.name != "base"):
        module = import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Loss) and kind.__module__ == module.__name__:
                found |= {name: kind} if kind.model_fields["name"].default == name else {}
    return found


def _chosen(value: Any, _handler: Any) -> Loss:
    """Pick the loss that ``value`` names: a loss, its name, or a mapping with ``name`` and options."""
    if isinstance(value, Loss):
        return value
    options = {"name": value} if isinstance(value, str) else value
    if not isinstance(options, Mapping):
        raise PydanticCustomError(SHAPE, "a loss is a name, or a mapping with a name and options")
    name = options.get("name")
    if name is None:
        raise PydanticCustomError(UNNAMED, "the loss has no name")
    kind = catalogue().get(name) if isinstance(name, str) else None
    if kind is None:
        raise PydanticCustomError(UNKNOWN, "unknown loss {name}", {"name": str(name), "known": list(catalogue())})
    return kind.model_validate(options)


#: A field that holds any loss: ``loss: triplet`` or ``loss: {name: triplet, margin: 0.5}``.
AnyLoss = Annotated[SerializeAsAny[Loss], WrapValidator(_chosen)]
