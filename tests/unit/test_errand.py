"""The environment of children: the large libraries are compiled once, wherever their bytecode can be kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import json, os
from tunewiz.errand import child_environment, send
names = ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")
told = {name: child_environment().get(name) for name in names}
told["answer"] = send("operator:add", 2, 3)
print(json.dumps(told))
"""


def told_with(folder: Path, **changes: str) -> dict[str, object]:
    """What a Python tells that finds a library ``torch`` in ``folder``."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    own |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "XDG_CACHE_HOME": str(folder / "cache")} | changes
    done = subprocess.run([sys.executable, "-c", CODE], env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.path.insert(0, __file__.rpartition('/')[0])\n")
    return tmp_path


def test_bytecode_is_kept_in_the_cache_where_python_may_not_write_it(folder: Path) -> None:
    kept = folder / "cache" / "tunewiz" / "bytecode"
    told = told_with(folder, PYTHONDONTWRITEBYTECODE="1")
    assert told == {"PYTHONPYCACHEPREFIX": str(kept), "PYTHONDONTWRITEBYTECODE": None, "answer": 5}
    assert [path.name for path in kept.rglob("errand.*.pyc")] or list(kept.rglob("problems.*.pyc"))
    assert kept.stat().st_mode & 0o077 == 0


def test_bytecode_stays_where_it_is_or_was_wanted(folder: Path) -> None:
    unchanged = {"PYTHONPYCACHEPREFIX": None, "PYTHONDONTWRITEBYTECODE": None, "answer": 5}
    assert told_with(folder) == unchanged  # Python will write it beside the libraries
    named = told_with(folder, PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX=str(folder / "own"))
    assert named == unchanged | {"PYTHONPYCACHEPREFIX": str(folder / "own"), "PYTHONDONTWRITEBYTECODE": "1"}
    homeless = told_with(folder, PYTHONDONTWRITEBYTECODE="1", XDG_CACHE_HOME="/proc/nowhere")
    assert homeless == unchanged | {"PYTHONDONTWRITEBYTECODE": "1"}
    (folder / "torch" / "__pycache__").mkdir()
    (folder / "torch" / "__pycache__" / f"__init__.{sys.implementation.cache_tag}.pyc").touch()
    assert told_with(folder, PYTHONDONTWRITEBYTECODE="1") == unchanged | {"PYTHONDONTWRITEBYTECODE": "1"}
    assert not (folder / "cache").exists()


def test_a_process_with_large_libraries_looks_for_garbage_rarely_and_not_at_its_end() -> None:
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000)); young = gc.get_threshold()[:2]\n"
        "from tunewiz.errand import collect_rarely\n"
        "collect_rarely(); print(gc.isenabled(), gc.get_threshold()[:2] == young, gc.get_threshold()[2])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "100", "True"]
