"""What a finished run can be exported to, one target a file, found by file name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from backends.targets.base import Target
from data.by_file_name import classes


@cache
def catalogue() -> Mapping[str, Target]:
    """Every target by name: a module that defines a concrete :class:`Target` of the module's name."""
    return {name: kind() for name, kind in classes(__name__, Target).items()}
