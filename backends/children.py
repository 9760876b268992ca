"""What a child process of ours is given."""

from __future__ import annotations

import os

from data.language import VARIABLE, current


def environment() -> dict[str, str]:
    """This process's environment, and the user's language."""
    return dict(os.environ) | {
        "PYTHONSAFEPATH": "1",  # our package names are plain words: never import a user's data.py
        "PYTHONUTF8": "1",  # a C locale must not break Chinese text
        VARIABLE: current(),
    }
