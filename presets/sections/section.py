"""What all sections share: strict keys, and the help that goes with a field."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar, get_args

from annotated_types import BaseMetadata
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_serializer, field_validator
from pydantic_core import PydanticCustomError, PydanticUndefined


class Auto(int):
    """A number that a key with the value ``auto`` has until a run chooses one: its default, written as ``auto``."""

    def __str__(self) -> str:
        return "auto"

    __repr__ = __str__


class Section(BaseModel):
    """Part of a preset: strict keys, immutable, defaults checked too."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, str_strip_whitespace=True, allow_inf_nan=False
    )

    #: Where it stands among sections to choose from: what suits most people comes first.
    place: ClassVar[int] = 50

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any, info: ValidationInfo) -> Any:
        """Take a section without keys as all defaults; refuse ``true`` for a number, which pydantic would read as 1."""
        field = cls.model_fields[info.field_name or ""]
        if value is None and inspect.isclass(field.annotation) and issubclass(field.annotation, Section):
            return {}
        if isinstance(value, bool) and not _holds(field.annotation, bool):
            raise PydanticCustomError("truth_value", "true or false is not a value of this key")
        return value


class Batches(Section):
    """A section whose ``batch_size`` may be ``auto``; see :class:`Auto`."""

    @field_validator("batch_size", mode="wrap", check_fields=False)
    @classmethod
    def _number_or_auto(cls, value: Any, taken: Callable[[Any], Any], info: ValidationInfo) -> Any:
        if isinstance(value, Auto) or value == "auto":
            return Auto(cls.model_fields[info.field_name or ""].default)
        return taken(value)

    @field_serializer("batch_size", check_fields=False)
    def _as_written(self, value: int) -> int | str:
        return "auto" if isinstance(value, Auto) else value


def _holds(annotation: Any, kind: type) -> bool:
    """Whether ``annotation`` is ``kind``, ``Any``, or a union or container with ``kind`` in it."""
    return annotation in (kind, Any) or any(_holds(part, kind) for part in get_args(annotation))


def about(
    *,
    typical: str = "",
    larger: str = "",
    smaller: str = "",
    rule: str = "",
    choices: Mapping[str, str] | None = None,
    path: bool = False,
) -> dict[str, JsonValue]:
    """Help beyond a field's description, as its ``json_schema_extra``; texts are marked with ``N_``.

    ``typical`` names usual values, ``larger`` and ``smaller`` what a change does, ``rule`` a pattern in words,
    ``choices`` what each choice means. ``path`` marks a file or folder, relative to the preset's own folder.
    """
    told: dict[str, JsonValue] = {"typical": typical, "larger": larger, "smaller": smaller, "rule": rule, "path": path}
    meanings: dict[str, JsonValue] = dict(choices or {})
    return {key: value for key, value in (told | {"choices": meanings}).items() if value}


def vary_field(
    section: type[Section],
    name: str,
    default: Any = PydanticUndefined,
    *,
    default_factory: Callable[[], Any] | None = None,
    description: str = "",
    examples: list[Any] | None = None,
    limits: Mapping[str, float] | None = None,
    **help_changed: Any,
) -> Any:
    """The field ``name`` of ``section`` again, with another default, examples, limits or help; all else is the same.

    ``limits`` take the place of all there were; ``help_changed`` is what :func:`about` takes, of which ``choices``
    change only the meanings they name.
    """
    field = section.model_fields[name]
    known = dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}
    meanings = known.get("choices")
    if "choices" in help_changed and isinstance(meanings, dict):
        help_changed["choices"] = meanings | help_changed["choices"]
    known_limits = [asdict(rule) for rule in field.metadata if isinstance(rule, BaseMetadata) and is_dataclass(rule)]
    factory = default_factory or (field.default_factory if default is PydanticUndefined else None)
    own = field.default if default is PydanticUndefined else default
    return Field(
        **({"default": own} if factory is None else {"default_factory": factory}),
        title=field.title,
        description=description or field.description,
        examples=examples or field.examples,
        json_schema_extra=known | about(**help_changed) or None,
        **(limits if limits is not None else {key: value for one in known_limits for key, value in one.items()}),
    )
