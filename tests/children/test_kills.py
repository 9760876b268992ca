"""Runs whose child is killed in the middle of an export, or at the end of training, and that go on: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.torture.cases import (
    LANGUAGE,
    RETRIEVAL,
    codes,
    copied,
    embedding,
    exports_begun,
    finished,
    hashes,
    killed,
    libraries,
    loads,
    measured,
    tree,
)
from tests.torture.killing import Child
from tunewiz.backends.runs.checkpoints import numbered
from tunewiz.backends.runs.create import create

#: A child that loads the libraries and trains takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def retrieval() -> Iterator[Child]:
    with Child(*libraries("embedding")) as child:
        yield child


@pytest.fixture(scope="module")
def language() -> Iterator[Child]:
    with Child(*libraries("llama_factory")) as child:
        yield child


@dataclass(frozen=True)
class Started:
    """A case by its name, what runs it, and the folder of a run of it that is not begun."""

    name: str
    child: Child
    run: Path

    @property
    def inside(self) -> str:
        """Where in the run its training is."""
        return "variants/random/" if self.name == "comparison" else ""


#: One whose models are searched with, one that answers, one that is made of others; ``make torture`` kills all.
HERE = ("sentence_transformers", "llama_factory", "comparison")
ELSEWHERE = [name for name in (*RETRIEVAL, *LANGUAGE) if name not in (*HERE, "pissa")]


@pytest.fixture(params=[*HERE, *(pytest.param(name, marks=pytest.mark.torture) for name in ELSEWHERE)])
def started(request: pytest.FixtureRequest, tmp_path: Path, tiny_encoder: Path, tiny_llm: Path) -> Started:
    named: str = request.param
    made = RETRIEVAL.get(named) or LANGUAGE[named]
    preset = made(tmp_path, tiny_encoder if named in RETRIEVAL else tiny_llm)
    child: Child = request.getfixturevalue("retrieval" if named in RETRIEVAL else "language")
    return Started(named, child, create(preset, tmp_path / "runs", "x").directory)


#: Killed at all three moments here; the others at the one where two models are there. ``make torture`` kills all in
#: each of them and more.
EACH_MOMENT = ("comparison",)  # the quickest


def test_a_kill_in_an_export_ruins_nothing(started: Started) -> None:
    """Killed at three moments, from the last file to the first deletions, and once more while it exports again."""
    child, base = started.child, started.run
    killed(child.run(base, "export", 0), base)
    whole = copied(base, "whole")
    ended = child.run(whole, "export")
    assert ended.status == 0, (whole / "output.log").read_text("utf-8")[-3000:]
    loads(whole)
    assert not (whole / "checkpoints").exists()
    moments = {
        "written": ended.at("fsync", ".model.part", last=True),
        "renamed": ended.at("rename", ".model.part", "model") + 1,
    }
    deleted = [number for number, one in enumerate(ended.operations) if one.path.startswith(".checkpoints.part/")]
    # A comparison's own checkpoints are those of its variants, which are over.
    moments["over"] = deleted[3] if deleted else ended.at("open", "events.jsonl", last=True)
    assert bool(deleted) == (started.name != "comparison")
    for name, moment in moments.items():
        if name != "renamed" and started.name not in EACH_MOMENT:
            continue
        run = copied(base, name)
        killed(child.run(run, "export", moment), run)
        if name == "renamed":
            # The second export finds a model in its place.
            killed(child.run(run, "export", before=("rename", ".model.part", "model")), run)
            assert not (run / "model").exists() and (run / ".model.old").is_dir()
        finished(child, run)
        assert tree(run) == tree(whole), name
        assert hashes(run / "model") == hashes(whole / "model"), name
        assert measured(run) == measured(whole), name
        # Once it has ended on disk it is not done again.
        assert exports_begun(run) == {"written": 3, "renamed": 4, "over": 2}[name], name


@pytest.mark.parametrize(
    "started",
    ["sentence_transformers", pytest.param("llama_factory", marks=pytest.mark.torture)],  # as long again
    indirect=True,
)
def test_training_that_was_killed_at_its_end_ends_alike(started: Started) -> None:
    """Killed while its result is written: no step is taken twice, or only those since the last whole checkpoint."""
    base, inside = started.run, started.inside
    expected = finished(started.child, copied(base, "expected"))
    before = ("rename", f"{inside}checkpoints/.tuned.part")
    if started.name in LANGUAGE:
        before = ("open", f"checkpoints/{'config' if started.name == 'full' else 'adapter_config'}.json")
    killed(started.child.run(base, f"{inside}train", before=before), base)
    whole = finished(started.child, copied(base, "whole"))
    assert measured(whole) == measured(expected)
    assert hashes(whole / "model") == hashes(expected / "model")
    run = copied(base, "damaged")
    newest = run / inside / "checkpoints" / "checkpoint-3"
    flip(next(newest.glob("*.safetensors")))
    finished(started.child, run)
    assert codes(run).count("checkpoint-passed-over") == 1
    assert measured(run) == measured(whole)
    assert hashes(run / "model") == hashes(whole / "model")
    assert tree(run) == tree(whole)


def test_an_adapter_of_principal_values_goes_on_from_what_it_began_with(
    language: Child, tmp_path: Path, tiny_llm: Path
) -> None:
    """Killed in the middle of training: what is computed at resume and what the checkpoint holds are other starts."""
    base = create(LANGUAGE["pissa"](tmp_path, tiny_llm), tmp_path / "runs", "x").directory
    whole = finished(language, copied(base, "whole"))
    killed(language.run(base, "train", before=("mkdir", "checkpoints/checkpoint-3")), base)
    # Another processor's decomposition is not the same; a coarser one is farther off than any.
    preset = yaml.safe_load((base / "preset.yaml").read_text("utf-8"))
    (base / "preset.yaml").write_text(json.dumps(preset | {"backend_options": {"pissa_iter": 1}}))
    finished(language, base)
    assert set(codes(base)) == set(codes(whole))
    for name, metrics in measured(whole).items():
        assert measured(base)[name] == pytest.approx(metrics, abs=1e-4)


def flip(file: Path) -> None:
    """Change the last byte of ``file``."""
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_what_no_checkpoint_can_give_is_told(retrieval: Child, tmp_path: Path, tiny_encoder: Path) -> None:
    """Without the optimizer's state training goes on and says so; without whole weights it begins anew."""
    base = create(embedding(tmp_path, tiny_encoder), tmp_path / "runs", "x").directory
    killed(retrieval.run(base, "train", before=("rename", "checkpoints/.tuned.part")), base)
    whole = finished(retrieval, copied(base, "whole"))
    stateless, lost = copied(base, "stateless"), copied(base, "lost")
    there = [path.name for _, path in numbered(base / "checkpoints")]
    for name in there:
        (stateless / "checkpoints" / name / "optimizer.pt").unlink()
        (lost / "checkpoints" / name / "config_sentence_transformers.json").unlink()
    assert codes(finished(retrieval, stateless)).count("optimizer-state-missing") == 1
    assert codes(finished(retrieval, lost)).count("checkpoint-passed-over") == len(there) > 1
    assert measured(lost) == measured(whole)
    assert hashes(lost / "model") == hashes(whole / "model")


def test_a_damaged_tuned_model_is_made_again(retrieval: Child, tmp_path: Path, tiny_encoder: Path) -> None:
    base = create(embedding(tmp_path, tiny_encoder), tmp_path / "runs", "x").directory
    killed(retrieval.run(base, "export", 0), base)
    whole = finished(retrieval, copied(base, "whole"))
    run = copied(base, "damaged")
    (run / "checkpoints" / "tuned" / "tokenizer.json").unlink()
    finished(retrieval, run)
    assert codes(run).count("stage-repeated") == 1
    assert measured(run) == measured(whole)
    assert hashes(run / "model") == hashes(whole / "model")
