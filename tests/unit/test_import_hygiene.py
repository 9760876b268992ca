"""The light layers stay light: proved by a child interpreter that imports every module of them."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "faiss",
    "sentence_transformers",
    "peft",
    "accelerate",
    "sklearn",
    "scipy",
}
LIGHT = ("data", "presets", "tui")


def modules(package: str) -> list[str]:
    found = pkgutil.walk_packages([str(ROOT / package)], prefix=f"{package}.")
    return [package, *(module.name for module in found)]


def imported_by(names: list[str]) -> set[str]:
    """The top-level packages in ``sys.modules`` after importing ``names`` in a fresh interpreter."""
    code = (
        "import importlib, json, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("package", LIGHT)
def test_nothing_heavy_at_any_depth(package: str) -> None:
    names = modules(package)
    assert len(names) > 5
    assert not imported_by(names) & HEAVY


def test_the_command_that_lists_imports_no_reader() -> None:
    """Help and listings start fast: what reads data files is imported when a file is read."""
    assert not imported_by(["tui.cli"]) & {"pyarrow", "openpyxl", "pandas", "numpy"}


def test_backends_import_heavy_libraries_only_inside_functions() -> None:
    names = [name for name in modules("backends") if not name.endswith("__main__")]
    assert not imported_by(names) & HEAVY
