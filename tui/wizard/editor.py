"""The user's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path


def edited(text: str) -> str | None:
    """``text`` after the user's editor (``$VISUAL``, ``$EDITOR``, else vi) was closed; ``None`` if it could not run."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", suffix=".yaml", encoding="utf-8", delete=False) as file:
        file.write(text)
    path = Path(file.name)
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)
        return path.read_text(encoding="utf-8", errors="replace") if done.returncode == 0 else None
    except (OSError, ValueError):  # no such program, or quotes that do not end
        return None
    finally:
        path.unlink(missing_ok=True)
