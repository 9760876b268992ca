"""Files, functions and classes stay small enough to hold in one's head."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"file": 300, "function": 40, "class": 200}
FILES = sorted(path for package in ("data", "presets", "backends", "tui") for path in (ROOT / package).rglob("*.py"))


def sizes(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield "function", node.name, (node.end_lineno or 0) - node.lineno + 1
        elif isinstance(node, ast.ClassDef):
            yield "class", node.name, (node.end_lineno or 0) - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = [("file", path.name, text.count("\n")), *sizes(ast.parse(text))]
    assert [(kind, name, lines) for kind, name, lines in found if lines > LIMITS[kind]] == []
