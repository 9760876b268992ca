"""Tunewiz takes people from raw data to a fine-tuned, measured, exported model in a terminal.

The four rooms ``data``, ``presets``, ``backends`` and ``tui`` lie at the top of the repository and are linked here, so
that everything has one name: ``tunewiz.data``, ``tunewiz.presets``, ``tunewiz.backends``, ``tunewiz.tui``. The modules
of this folder itself are the foundation all four stand on; they import none of them.
"""

from __future__ import annotations

import os
import sys

#: Where the command keeps the user's ``PYTHONPATH`` for its child processes; see ``__main__.py``.
USER_PATHS = "TUNEWIZ_PYTHONPATH"

# In a child of ours: what the user put on PYTHONPATH can be imported, behind the standard library and our packages.
sys.path += [path for path in os.environ.get(USER_PATHS, "").split(os.pathsep) if path and path not in sys.path]
