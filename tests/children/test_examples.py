"""The examples of the Python API, in the READMEs and in docstrings, run as they stand, on tiny models."""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import io
import json
import re
from pathlib import Path

import pytest

from tests.children.evaluation import carried
from tests.children.training_setup import groups
from tunewiz.backends.runs.find import find
from tunewiz.backends.runs.run import Run

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("data", "presets", "backends", "tui", "tunewiz")
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}


def blocks(text: str) -> list[str]:
    """The Python code between fences."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def documented() -> list[str]:
    """The modules with an example in a docstring."""
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")) if room != file.parent.name]
    names = [
        file.relative_to(ROOT).with_suffix("").as_posix() for file in files if "    >>> " in file.read_text("utf-8")
    ]
    return ["tunewiz." + name.removeprefix("tunewiz/").replace("/", ".") for name in names]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A folder in which the README's example was run: data, preset and models are there, and a run."""
    from sentence_transformers import CrossEncoder

    folder = tmp_path_factory.mktemp("examples")
    CrossEncoder(str(tiny_encoder), num_labels=1, device="cpu", local_files_only=True).save_pretrained(
        str(folder / "my-reranker"), create_model_card=False
    )
    (folder / "my-encoder").symlink_to(tiny_encoder)
    rows = ({"query": group.query, "positive": group.positives[0]} for group in groups())
    (folder / "faq.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "faq-embedding.yaml").write_text(
        "name: faq-embedding\ntask: embedding\nmodel: {id: ./my-encoder, source: local}\ndata: {train: faq.jsonl}\n"
        "training: {batch_size: 8, max_steps: 2, log_every: 1, max_length: 32}\n"
        "loss: {name: multiple_negatives_ranking}\nlaunch: {device: cpu}\n",
        "utf-8",
    )
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile("\n".join(blocks(READMES["README.md"])), "README.md", "exec"), {"__name__": "readme"})
    (folder / "printed.txt").write_text(printed.getvalue(), "utf-8")
    return folder


def test_the_readme_runs_a_preset_reads_it_and_uses_its_model(place: Path) -> None:
    verdict, *rest = (place / "printed.txt").read_text("utf-8").splitlines()
    assert verdict in ("WIN", "MARGINAL", "UNPROVEN", "REGRESSION")
    assert re.fullmatch(r"\[\[ *-?[\d.]+ +-?[\d.]+ *\]\]", rest[0])
    assert {line.partition(" ")[2] for line in rest[1:]} == {"Hold the power button.", "Look into the settings."}
    run = find("last", place / "runs")
    assert (run.name.startswith("faq-embedding-"), (run.report / "report.md").is_file()) == (True, True)


def test_both_readmes_show_the_same_code() -> None:
    english, chinese = ([_without_words(ast.parse(block)) for block in blocks(text)] for text in READMES.values())
    assert english
    assert english == chinese


def _without_words(tree: ast.Module) -> str:
    """The code with what is translated left out: texts with a space or beyond ASCII."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = node.value if node.value.isascii() and " " not in node.value else "words"
    return ast.dump(tree)


@pytest.mark.parametrize("name", READMES)
def test_what_the_readmes_import_is_there(name: str) -> None:
    for module, names in re.findall(r"from ([\w.]+) import ([\w, ]+)", READMES[name]):
        assert module.partition(".")[0] in ("tunewiz", "pathlib"), module
        assert all(hasattr(importlib.import_module(module), one) for one in names.split(", ")), (module, names)


def test_what_the_readme_calls_has_an_example() -> None:
    found = {
        "tunewiz.backends.evaluate.measuring",
        "tunewiz.backends.models.encoding",
        "tunewiz.backends.models.reranking",
        "tunewiz.backends.runs.create",
        "tunewiz.backends.runs.find",
        "tunewiz.backends.runs.follow",
        "tunewiz.backends.runs.launching",
        "tunewiz.presets.yaml.library",
    }
    assert found <= set(documented())


class Here:
    """Carries a run in this process, which has imported everything already; the README's run has its own."""

    def __init__(self, run: Run) -> None:
        self._status = carried(run)

    def wait(self) -> int:
        return self._status


@pytest.mark.parametrize("name", documented())
def test_examples_in_docstrings(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("TUNEWIZ_RUNS", raising=False)
    module = importlib.import_module(name)
    told = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module):
        if "launch" in example.globs:
            example.globs["launch"] = Here
        with contextlib.redirect_stderr(io.StringIO()):
            runner.run(example, out=told.write)
    assert runner.tries > 0
    assert runner.failures == 0, told.getvalue()
