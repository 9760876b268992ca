"""LLaMA-Factory's launch by Ray: when it is taken, what is refused, and what reaches a worker; SkyPilot's example."""

from __future__ import annotations

import pickle
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tunewiz.backends.engines.llama_factory import LlamaFactory
from tunewiz.backends.machine.hardware import Gpu
from tunewiz.backends.ranks import place, plan, ray
from tunewiz.backends.ranks.plan import ALONE, divided, plan_of, plan_problems
from tunewiz.backends.ranks.ray_worker import Carried
from tunewiz.backends.runs.run import Run
from tunewiz.files import write_whole
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import dumps, loads

LESSONS = Path(__file__).resolve().parents[3] / "tui" / "lessons"
YAML = """name: tiny
task: llm
model: {id: Qwen/Qwen3-0.6B}
data: {train: 'sample:instructions-en'}
training: {batch_size: 4, accumulation: 2}
"""


def preset(workers: int = 2, **launch: Any) -> Preset:
    told = [f"launch.{name}={value}" for name, value in launch.items()]
    return loads(YAML, "", [f"backend_options.ray_num_workers={workers}", *told])


def test_ray_trains_only_what_llama_factory_trains_and_only_where_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_taken", [None])  # a run in this very process may have chosen
    cards = [Gpu(index=number, name="A", memory_total=80 << 30, memory_used=0) for number in range(8)]
    strategies = frozenset({"ddp"})
    monkeypatch.delenv("USE_RAY", raising=False)
    assert not ray.wanted(preset())
    assert plan_of(preset(), strategies, cards, {}).processes == 8
    monkeypatch.setenv("USE_RAY", "1")
    assert ray.wanted(preset())
    assert plan_of(preset(), strategies, cards, {}) == ALONE, "torchrun would start processes that each start Ray"
    assert not ray.wanted(preset().model_copy(update={"backend": "peft"}))
    assert (ray.workers(preset(3)), ray.workers(loads(YAML))) == (3, 1)


@pytest.mark.usefixtures("in_english")
def test_what_ray_cannot_do_is_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_RAY", "1")
    wrong = preset(3, processes=2)
    found = {one.code: one for one in ray.problems(wrong, (), lambda count: divided(wrong, count))}
    assert {"ray-needs-gpu", "ray-and-processes", "batch-not-shared", "ray"} <= set(found)
    assert "3 workers" in found["ray"].message.text()
    assert ("packages-missing" in found) == (find_spec("ray") is None)
    monkeypatch.delenv("USE_RAY")
    assert list(ray.problems(wrong, (), lambda _count: None)) == []


@pytest.mark.usefixtures("in_english")
@pytest.mark.skipif(find_spec("deepspeed") is not None, reason="deepspeed is installed")
def test_deepspeed_that_is_missing_is_told_before_ray_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(wanted: Preset) -> list[str | None]:
        found = plan_problems(wanted, LlamaFactory.strategies, ())
        return [one.where.key for one in found if one.code == "packages-missing" and "deepspeed" in one.message.text()]

    settings = tmp_path / "zero.json"
    settings.write_text("{}", encoding="utf-8")
    given = loads(YAML, "", [f"backend_options.deepspeed={settings}"])
    monkeypatch.setenv("USE_RAY", "1")
    assert missing(preset()) == [] == missing(preset(strategy="fsdp"))
    assert missing(preset(strategy="zero3")) == ["launch.strategy"]
    assert missing(given) == ["backend_options.deepspeed"]
    assert not [one for one in LlamaFactory().problems(given) if one.code == "backend-option-distributed"]
    monkeypatch.delenv("USE_RAY")
    assert missing(given) == [], "one process takes no such file, and is told so"
    assert [one for one in LlamaFactory().problems(given) if one.code == "backend-option-distributed"]
    spread = loads(YAML, "", [f"backend_options.deepspeed={settings}", "launch.processes=2"])
    assert missing(spread) == ["backend_options.deepspeed"], "torchrun's processes need it as well"


def made(run: Run, own: Preset, order: dict[str, Any], _held: object) -> list[Any]:
    """What :func:`test_call_backs_are_made_anew_in_a_worker` has a worker call."""
    return [run.directory.name, own.name, order["precision"], place.here()]


def test_call_backs_are_made_anew_in_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path / "tiny-1")
    run.directory.mkdir()
    write_whole(run.preset_file, dumps(preset()))
    order = {"run": run.whereabouts(), "resume": "checkpoints/checkpoint-2", "precision": "bf16"}
    carried = Carried([lambda: None], f"{__name__}:made", order)
    assert len(carried) == 1, "the library looks at them here, too"
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("tunewiz.backends.ranks.ray_worker.choose_device", lambda: None)
    try:
        *told, where = pickle.loads(pickle.dumps(carried))
    finally:
        place.take(place.Place())
    assert told == ["tiny-1", "tiny", "bf16"]
    assert where == place.Place(1, 2, run.directory / "checkpoints" / "checkpoint-2")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_example_for_skypilot_is_one_that_it_takes(language: str) -> None:
    text = (LESSONS / f"rented-machine.{language}.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    told = yaml.safe_load(block)
    # The keys of a task by its reference (docs.skypilot.co, Reference, YAML).
    assert set(told) <= {"name", "workdir", "num_nodes", "resources", "envs", "file_mounts", "setup", "run"}
    assert set(told["resources"]) <= {"accelerators", "cloud", "region", "use_spot", "disk_size", "memory", "cpus"}
    assert "tunewiz run" in told["run"]
    assert "checkpoints.sync" in told["run"], "nothing else stays of a machine that is given back"
    if find_spec("sky"):
        import sky

        task = sky.Task.from_yaml_config(told)
        assert (task.name, task.run) == (told["name"], told["run"])
