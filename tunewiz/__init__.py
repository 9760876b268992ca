"""Tunewiz takes people from raw data to a fine-tuned, measured, exported model in a terminal.

The four rooms ``data``, ``presets``, ``backends`` and ``tui`` lie at the top of the repository and are linked here, so
that everything has one name: ``tunewiz.data``, ``tunewiz.presets``, ``tunewiz.backends``, ``tunewiz.tui``. The modules
of this folder itself are the foundation all four stand on; they import none of them.
"""

from __future__ import annotations

import os
import sys

#: What the user has on ``PYTHONPATH``, kept under this name for child processes; see :func:`user_paths_last`.
USER_PATHS = "TUNEWIZ_PYTHONPATH"


def user_paths_last(environment: dict[str, str]) -> dict[str, str]:
    """``environment`` for a Python that finds what the user has on ``PYTHONPATH`` behind everything else.

    People work in folders that hold a ``data.py``, a ``json.py`` or a ``random.py``, and have them on ``PYTHONPATH``,
    where Python looks before its own library. Plug-ins and packages in them are still found; they replace nothing. A
    folder from which Tunewiz itself is imported stays.
    """
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  pathlib costs 10 ms
    folders = [os.path.abspath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]  # noqa: PTH100
    last = [folder for folder in folders if folder != here]
    changed = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    if here in folders:
        changed["PYTHONPATH"] = here
    if last:
        changed[USER_PATHS] = os.pathsep.join([*last, *filter(None, [environment.get(USER_PATHS, "")])])
    return changed


sys.path += [path for path in os.environ.get(USER_PATHS, "").split(os.pathsep) if path and path not in sys.path]
