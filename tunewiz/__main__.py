"""``tunewiz`` and ``python -m tunewiz``: the command, with what lies in the user's folders kept out of its imports."""

from __future__ import annotations

import os
import sys
from typing import Any

from tunewiz import USER_PATHS, user_paths_last


def main() -> Any:
    """Entry point of the ``tunewiz`` command."""
    environment = user_paths_last(dict(os.environ))
    last = environment.get(USER_PATHS, "").split(os.pathsep)
    if __name__ == "__main__" and not sys.flags.safe_path:
        last.append(sys.path.pop(0))  # the working directory, which ``-m`` puts first
    sys.path[:] = [*(path for path in sys.path if path not in last), *filter(None, last)]
    os.environ.pop("PYTHONPATH", None)
    os.environ.update(environment)
    from tunewiz.tui.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
