"""Methods of tuning a language model, a few to a file by family, picked by the ``type`` in a preset.

:data:`AnyMethod` is the type of a field that takes any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Union

from pydantic import BeforeValidator, Discriminator, Tag

from tunewiz.presets.methods.method import LlmMethod
from tunewiz.presets.sections.method import expand_short_form, type_of
from tunewiz.registry import Registry, field_default

#: Every method: those in this room, and those of plug-ins (entry points of ``tunewiz.methods``).
_METHODS: Final = Registry("tunewiz.presets.methods", LlmMethod, "methods", named=field_default("type"))


def catalogue() -> Mapping[str, type[LlmMethod]]:
    """Every method by its name, in alphabetical order."""
    return _METHODS.classes()


if TYPE_CHECKING:
    AnyMethod = LlmMethod
else:
    #: A field that holds any method: ``method: qlora`` or ``method: {type: qlora, bits: 8}``.
    AnyMethod = Annotated[
        Union[tuple(Annotated[kind, Tag(name)] for name, kind in catalogue().items())],  # noqa: UP007  made at run time
        Discriminator(type_of),
        BeforeValidator(expand_short_form),
    ]
