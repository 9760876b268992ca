"""``tunewiz`` and ``python -m tunewiz``: the command, with what lies in the user's folders kept out of its imports.

People work in folders that hold a ``data.py``, a ``json.py`` or a ``random.py``, and have them on ``PYTHONPATH``.
Python looks there before its own library, and so would every child process. The command moves these folders behind
everything else: plug-ins in them are still found, but they replace nothing.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from tunewiz import USER_PATHS


def user_paths_last() -> None:
    """Put the folders of ``PYTHONPATH`` at the end of ``sys.path``, here and (through ``USER_PATHS``) in children."""
    if __name__ == "__main__" and not sys.flags.safe_path:
        sys.path.pop(0)  # the working directory, which ``-m`` puts first
    given = os.environ.pop("PYTHONPATH", "")
    if not given:
        return
    folders = [os.path.abspath(folder) for folder in given.split(os.pathsep) if folder]  # noqa: PTH100  pathlib costs time
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) not in folders] + folders  # noqa: PTH100
    os.environ[USER_PATHS] = os.pathsep.join(folders)


def main() -> Any:
    """Entry point of the ``tunewiz`` command."""
    user_paths_last()
    from tunewiz.tui.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
