"""What is asked of a task, and that nobody compares its name instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewiz.data.formats.format import formats
from tunewiz.presets import families, tasks
from tunewiz.presets.losses import trained_by
from tunewiz.presets.losses.loss import Loss, RerankerLoss
from tunewiz.presets.yaml import library

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("tunewiz", "data", "presets", "backends", "tui")
#: Modules that still compare names; none may be added.
LEFT = {
    "backends/export/model_card.py",
    "backends/importing/command_lines.py",  # a part of the name of FlagEmbedding's modules
    "backends/reports/next_steps.py",
    "tui/panels/evidence.py",
}


def test_each_task_says_what_it_is() -> None:
    told = {
        name: (kind.model_kind, kind.conversations, kind.cross_encoder, kind.gives_vectors)
        for name, kind in tasks.catalogue().items()
    }
    assert told == {
        "embedding": ("embedding", False, False, True),
        "llm": ("llm", True, False, False),
        "reranker": ("reranker", False, True, False),
        "pipeline": ("reranker", False, True, False),
        "comparison": ("reranker", False, True, False),
    }


@pytest.mark.parametrize("name", tasks.catalogue())
def test_what_a_task_begins_with_is_there(name: str) -> None:
    kind = tasks.catalogue()[name]
    known = {one.size.id for one in families.known_models(kind.model_kind)}
    ids = [families.lookup(first.id) for first in kind.first_models]
    assert ids
    assert {one.size.id for one in ids if one} <= known
    assert None not in ids
    losses = {loss for names in kind.first_losses.values() for loss in names}
    assert losses <= set(trained_by(kind.model_fields["backend"].default, RerankerLoss)) | {
        loss for backend in ("sentence_transformers", "flag_embedding") for loss in trained_by(backend, Loss)
    }
    assert set(formats(kind.model_kind)) >= {"mixed" if kind.conversations else "pairs"}


@pytest.mark.parametrize("name", library.names())
def test_a_preset_says_its_memory_with_its_own_model_and_with_no_other_kind(name: str) -> None:
    preset = library.load(name)
    known = families.lookup(preset.model.id)
    assert known is not None
    needed = preset.memory(known)
    assert needed is not None
    assert 0 < needed.low < needed.expected < needed.high
    other = next(one for one in families.known_models() if "llm" not in one.family.tasks)
    assert (preset.memory(other) is None) == preset.conversations
    assert preset.memory_by_config({}) is None


def _compared(tree: ast.AST) -> Iterator[int]:
    """Lines in which something is compared with the name of a task, or such a name is looked for among ``.tasks``."""
    known = set(tasks.catalogue())
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            grouped = [item for part in parts if isinstance(part, (ast.Tuple, ast.List, ast.Set)) for item in part.elts]
            named = [part for part in [*parts, *grouped] if isinstance(part, ast.Constant) and part.value in known]
            searched = isinstance(node.ops[0], (ast.In, ast.NotIn)) and node.left in named
            of_tasks = any(isinstance(part, ast.Attribute) and part.attr == "tasks" for part in node.comparators)
            if named and (not searched or of_tasks):
                yield node.lineno
        elif isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant) and node.value.value in known:
            yield node.value.lineno


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("preset.task == 'llm'", True),
        ("'reranker' != task", True),
        ("task in ('embedding', 'x')", True),
        ("'llm' in family.tasks", True),
        ("match task:\n case 'pipeline': pass", True),
        ("'llm' in record", False),
        ("preset.task == other.task", False),
    ],
)
def test_a_comparison_is_seen(code: str, found: bool) -> None:
    assert bool([*_compared(ast.parse(code))]) == found


def test_nobody_compares_the_names_of_tasks() -> None:
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py") if not file.is_symlink()]
    files = [file for file in files if not file.is_relative_to(ROOT / "presets" / "tasks")]
    assert len(files) > 100
    found = {
        f"{file.relative_to(ROOT)}:{line}"
        for file in files
        if str(file.relative_to(ROOT)) not in LEFT
        for line in _compared(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert found == set()
