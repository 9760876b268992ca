"""Methods of tuning a language model, one file each, found by file name.

``presets/methods/<name>.py`` holds one subclass of :class:`~presets.methods.base.LlmMethod` whose ``type`` is
``<name>``. :data:`AnyMethod` is the type of a field that takes any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import BeforeValidator, Discriminator, Tag

from data.by_file_name import classes
from presets.methods.base import LlmMethod
from presets.sections.method import named, type_of


@cache
def catalogue() -> Mapping[str, type[LlmMethod]]:
    """Every method by its name, in alphabetical order."""
    return classes(__name__, LlmMethod, lambda kind: kind.model_fields["type"].default)


if TYPE_CHECKING:
    AnyMethod = LlmMethod
else:
    #: A field that holds any method: ``method: qlora`` or ``method: {type: qlora, bits: 8}``.
    AnyMethod = Annotated[
        Union[tuple(Annotated[kind, Tag(name)] for name, kind in catalogue().items())],  # noqa: UP007  made at run time
        Discriminator(type_of),
        BeforeValidator(named),
    ]
