"""What LLaMA-Factory calls things, read from its source: importing it would take eight seconds in the user's shell."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = "llamafactory"
_TRAINING: Final = ("training_args.py", "training_args_seq2seq.py")


def folder_of(package: str) -> Path | None:
    """Where ``package`` is installed, found without importing it."""
    found = importlib.util.find_spec(package)
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


@cache
def arguments() -> frozenset[str]:
    """Every argument of a training run: those of LLaMA-Factory and of transformers' trainer; empty if not installed."""
    ours, theirs = folder_of(PACKAGE), folder_of("transformers")
    if ours is None or theirs is None:
        return frozenset()
    files = [*sorted((ours / "hparams").glob("*_args.py")), *(theirs / name for name in _TRAINING)]
    return frozenset(name for file in files for name in _fields(file))


def _fields(file: Path) -> Iterator[str]:
    """The annotated names in the classes of ``file``, which are all dataclasses; ``field(init=False)`` is no option."""
    for kind in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(kind, ast.ClassDef):
            for item in kind.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not _inner(item.value):
                    yield item.target.id


def _inner(value: ast.expr | None) -> bool:
    options = value.keywords if isinstance(value, ast.Call) else []
    return any(
        option.arg == "init" and isinstance(option.value, ast.Constant) and not option.value.value for option in options
    )


@cache
def templates() -> Mapping[str, str]:
    """Every chat template by name, with how it writes a turn (source text; equal for templates that write alike)."""
    root = folder_of(PACKAGE)
    return dict(_registered(root / "data" / "template.py", "register_template")) if root else {}


def _registered(file: Path, function: str) -> Iterator[tuple[str, str]]:
    for call in _calls(file, function):
        options = {item.arg: item.value for item in call.keywords if item.arg}
        name = _constant(options.get("name"))
        shown = [ast.unparse(options[key]) for key in ("format_user", "format_assistant") if key in options]
        if name:
            yield name, "\n".join(shown)


@cache
def known_models() -> Mapping[str, str]:
    """The template of every model LLaMA-Factory knows, by the last part of its id in lower case."""
    root = folder_of(PACKAGE)
    found: dict[str, str] = {}
    for call in _calls(root / "extras" / "constants.py", "register_model_group") if root else ():
        options = {item.arg: item.value for item in call.keywords if item.arg}
        template = _constant(options.get("template"))
        for item in ast.walk(options["models"]) if template and "models" in options else ():
            place = _constant(item)
            if "/" in place:
                found.setdefault(place.rpartition("/")[2].lower(), template)
    return found


def _calls(file: Path, function: str) -> Iterator[ast.Call]:
    for item in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id == function:
            yield item


def _constant(value: ast.AST | None) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
