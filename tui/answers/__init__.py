"""How the answers of a trial look, one task a file, found by file name."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from rich.console import RenderableType

#: From the questions asked so far, each with the facts that answer it, and the width in cells: what is to be seen.
Look = Callable[[Sequence[Sequence[Mapping[str, Any]]], int], RenderableType]


@cache
def catalogue() -> Mapping[str, Look]:
    """The function ``look`` of each module, by the task that the module is named after."""
    modules = {item.name: import_module(f"{__name__}.{item.name}") for item in pkgutil.iter_modules(__path__)}
    return {name: module.look for name, module in modules.items()}
