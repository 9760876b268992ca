"""The files and folders a preset names: are they there?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from data.dataset import resolve
from data.problems import BadData, Problem, Where, error, say
from presets import fields
from presets.sections.base import Section

CODE: Final = "data-not-found"


def missing(section: Section, key: str = "") -> Iterator[Problem]:
    """A problem for each key of ``section``, at any depth, that names data which is not there."""
    for name, field in type(section).model_fields.items():
        value, path = getattr(section, name), f"{key}.{name}" if key else name
        if isinstance(value, Section):
            yield from missing(value, path)
        elif isinstance(value, str) and fields.about(field, "path"):
            try:
                resolve(value)
            except BadData as fault:
                for problem in fault.problems:
                    told = say("{path}: {what}", path=value, what=problem.message)
                    yield error(CODE, told, Where(key=path), problem.fix)
