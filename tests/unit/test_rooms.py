"""The floor plan holds: nothing too long to read, no crumbs, no crowded folder, no circle, engines on their own."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("data", "presets", "backends", "tui")
FUNCTION, CLASS, FILE = 60, 250, 500  # lines: what one holds in one's head, what one reads in a sitting
CRUMB = 40  # a module shorter than this that one other alone imports belongs into that other
FOLDER = 20  # modules beside each other that can still be found by name


@cache
def modules() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    files = sorted((ROOT / "tunewiz").glob("*.py"))
    files += [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    found = {}
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        dotted = ".".join(parts if parts[0] == "tunewiz" else ("tunewiz", *parts))
        found[dotted.removesuffix(".__init__")] = file
    return found


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def imports(name: str) -> Iterator[str]:
    """The modules of ours that ``name`` imports anywhere: at its top, inside functions, for types alone."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found = f"{node.module}.{alias.name}"
                target = found if found in modules() else node.module
                if target in modules() and target != name:
                    yield target


@cache
def graph() -> dict[str, frozenset[str]]:
    return {name: frozenset(imports(name)) for name in modules()}


def circles(edges: dict[str, frozenset[str]]) -> list[list[str]]:
    """The groups of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for name in edges:
        if name not in index:
            visit(name)
    return found


@pytest.mark.parametrize("name", modules())
def test_nothing_is_too_long_to_read(name: str) -> None:
    long = []
    for node in ast.walk(tree(name)):
        limit = FUNCTION if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else CLASS
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > limit:
                long.append((node.name, lines))
    assert long == []
    assert modules()[name].read_text(encoding="utf-8").count("\n") <= FILE


def test_no_module_is_a_crumb_of_another() -> None:
    importers = Counter(target for name in graph() for target in graph()[name])
    lines = {name: len(file.read_text("utf-8").splitlines()) for name, file in modules().items()}
    small = [name for name, file in modules().items() if file.name != "__init__.py" and lines[name] < CRUMB]
    assert [name for name in small if importers[name] == 1] == []


def test_no_folder_is_crowded() -> None:
    beside = Counter(file.parent for file in modules().values() if file.name != "__init__.py")
    assert {str(folder.relative_to(ROOT)): count for folder, count in beside.items() if count > FOLDER} == {}


def test_imports_go_round_in_no_circle() -> None:
    assert circles(graph()) == []


def test_a_circle_is_seen() -> None:
    edges = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b"), "d": frozenset("a")}
    assert circles(edges) == [["b", "c"]]


def engine(name: str) -> str:
    """The engine a module belongs to; "" for modules of no engine."""
    room = "tunewiz.backends.engines."
    return name.removeprefix(room).partition(".")[0] if name.startswith(room) else ""


def test_engines_do_not_import_each_other() -> None:
    assert len({engine(name) for name in graph()}) > 7
    pairs = [(name, other) for name in graph() for other in graph()[name] if engine(name) and engine(other)]
    assert [(name, other) for name, other in pairs if engine(name) != engine(other)] == []


def test_every_room_says_what_it_holds() -> None:
    rooms = [name for name, file in modules().items() if file.name == "__init__.py"]
    silent = [name for name in rooms if not ast.get_docstring(tree(name))]
    assert silent == []


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "README.zh.md"])
def test_files_that_documents_name_are_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:data|presets|backends|tui|tests|tunewiz)/[\w/.-]+)`", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
