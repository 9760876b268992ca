"""Every language model that the installed LLaMA-Factory knows: its name, where it lies on both hubs, its template.

Read from the library's source, once a process: importing it would take eight seconds in the user's shell.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from tunewiz.backends.language_models.templates import PACKAGE, calls, constant, folder_of

#: A size in a model's name: 0.6B, 270M, 8x7B, 30B-A3B (of which the first number is what has to be held in memory).
_SIZE: Final = re.compile(r"(?<![\w.])(?:(\d+)x)?(\d+(?:\.\d+)?)([BM])(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class CatalogueModel:
    """A model by the library's name; "" where it is not on that hub, or has no template of its own.

    ``sees``: it takes pictures or sounds too. ``parameters`` is what its name says, 0 where it says nothing.
    """

    name: str
    huggingface: str
    modelscope: str
    template: str
    sees: bool
    parameters: float

    @property
    def id(self) -> str:
        """What is written into a preset."""
        return self.huggingface or self.modelscope


@cache
def catalogue() -> tuple[CatalogueModel, ...]:
    """All of them in the library's order; none where it is not installed."""
    root = folder_of(PACKAGE)
    file = root / "extras" / "constants.py" if root else None
    if file is None or not file.is_file():
        return ()
    found = {one.name: one for call in calls(file, "register_model_group") for one in _group(call)}
    return tuple(found.values())


def _group(call: ast.Call) -> Iterator[CatalogueModel]:
    options = {item.arg: item.value for item in call.keywords if item.arg}
    models, sees = options.get("models"), options.get("multimodal")
    template = constant(options.get("template"))
    for key, places in zip(models.keys, models.values, strict=True) if isinstance(models, ast.Dict) else ():
        name, hubs = constant(key), _hubs(places)
        if name and hubs:
            yield CatalogueModel(
                name,
                hubs.get("DEFAULT", ""),
                hubs.get("MODELSCOPE", ""),
                template,
                isinstance(sees, ast.Constant) and sees.value is True,
                parameters_of(name),
            )


def _hubs(places: ast.AST) -> dict[str, str]:
    """The ids by the names of the library's sources."""
    if not isinstance(places, ast.Dict):
        return {}
    return {
        key.attr: constant(value)
        for key, value in zip(places.keys, places.values, strict=True)
        if isinstance(key, ast.Attribute) and constant(value)
    }


def parameters_of(name: str) -> float:
    """How many weights a name tells of: ``Qwen3-0.6B-Base`` 6e8; 0 where it tells none."""
    found = _SIZE.search(name.replace("_", "-"))
    if not found:
        return 0.0
    each = float(found[2]) * (1e9 if found[3].upper() == "B" else 1e6)
    return each * int(found[1] or 1)


def searched(words: str, models: Sequence[CatalogueModel] | None = None) -> list[CatalogueModel]:
    """Those that have every one of ``words`` in their name, an id or their template."""
    wanted = words.lower().split()
    every = catalogue() if models is None else models
    return [
        one
        for one in every
        if all(word in f"{one.name} {one.huggingface} {one.modelscope} {one.template}".lower() for word in wanted)
    ]
