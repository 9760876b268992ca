"""Memory before a run and after a lack of it: held against what is free, with advice that was tried on the estimate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends import readiness, sources
from tunewiz.backends.engines import find_engine
from tunewiz.backends.machine.hardware import Gpu
from tunewiz.backends.training import out_of_memory
from tunewiz.presets.memory import GB
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml import library
from tunewiz.problems import OutOfMemory, Problem, errors

LORA_8B = "llm/qwen3-8b-lora"
GROUPS = "reranker/flag-bge-reranker-large"
#: 60 wrong documents and a right one for each query.
LARGE = ("loss.group_size=61", "data.negatives.per_query=60")
PEFT = {name: ("backend=peft", f"method.type={name}") for name in ("ia3", "prefix_tuning", "prompt_tuning")}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no GPU, memory without end, every package installed."""
    monkeypatch.setattr(sources, "problems", lambda _: [])
    monkeypatch.setattr(readiness, "_installed", lambda _: True)
    monkeypatch.setattr(readiness, "host_free", lambda: 1024**5)
    monkeypatch.setattr(readiness, "gpus", lambda: ())


def card(monkeypatch: pytest.MonkeyPatch, free: float | None) -> None:
    """One GPU with ``free`` GiB, unknown for ``None``."""
    used = None if free is None else 0
    monkeypatch.setattr(readiness, "gpus", lambda: (Gpu(0, "card", free and round(free * GB), used),))


def told(preset: Preset) -> list[Problem]:
    """What the preset's engine says of memory."""
    found = find_engine(preset.backend).problems(preset)
    return [problem for problem in found if problem.code in ("memory-too-small", "memory-tight")]


def verdict(preset: Preset) -> tuple[str, str] | None:
    found = [(problem.severity, problem.code) for problem in told(preset)]
    assert len(found) < 2
    return found[0] if found else None


REFUSED, WARNED = ("error", "memory-too-small"), ("warning", "memory-tight")


@pytest.mark.parametrize(
    ("name", "settings", "between"),
    [
        (LORA_8B, (), 20),
        *((LORA_8B, PEFT[method], 30) for method in PEFT),
        ("llm/qwen3-0.6b-full", ("training.batch_size=8",), 30),
        (GROUPS, (*LARGE, "training.batch_size=2"), 60),
        ("reranker/bge-reranker-v2-m3", (), 20),
        ("embedding/bge-m3", (), 24),
    ],
)
def test_every_engine_holds_memory_against_the_card(
    name: str, settings: tuple[str, ...], between: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = library.load(name, settings)
    for free, expected in ((6, REFUSED), (between, WARNED), (900, None)):
        card(monkeypatch, free)
        assert verdict(preset) == expected


def test_an_eight_billion_lora_passes_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, 80)
    assert verdict(library.load(LORA_8B)) is None


@pytest.mark.parametrize(
    ("name", "settings", "free"),
    [
        (LORA_8B, (), 18),
        (LORA_8B, (), 12),
        (LORA_8B, ("training.batch_size=8", "training.gradient_checkpointing=false"), 24),
        (LORA_8B, PEFT["ia3"], 20),
        ("llm/qwen3-0.6b-full", (), 6),
        ("llm/qwen3-8b-qlora", ("method.bits=8",), 12),
        (GROUPS, LARGE, 24),
        ("embedding/bge-m3", (), 8),
        ("embedding/bge-base-en", ("training.batch_size=512", "training.gradient_checkpointing=true"), 4),
        ("embedding/bge-base-en", ("loss.name=matryoshka", "training.batch_size=512"), 6),
    ],
)
def test_what_is_advised_is_enough(
    name: str, settings: tuple[str, ...], free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way, typed after ``--set`` as it stands there, gives a preset that goes together and fits."""
    card(monkeypatch, free)
    (problem,) = told(library.load(name, settings))
    assert problem.fix is not None
    ways = str(problem.fix.values["ways"]).split("; ")
    assert ways and all(ways)
    for way in ways:
        smaller = library.load(name, (*settings, *way.split(", ")))
        assert errors(smaller.problems()) == []
        assert verdict(smaller) is None, way


def test_advice_is_no_more_than_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, 24)
    (problem,) = told(library.load(GROUPS, LARGE))
    assert problem.fix and problem.fix.values["ways"] == "loss.mini_batch_size=16; loss.group_size=3"
    card(monkeypatch, 18)
    (problem,) = told(library.load(LORA_8B))
    assert problem.fix and str(problem.fix.values["ways"]).endswith("; method.type=qlora")


def test_a_model_too_large_for_any_setting_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, 6)
    (problem,) = told(library.load(LORA_8B))
    assert problem.where.key == "model.id"  # a batch of one cannot be smaller
    assert "choose a smaller one" in problem.line("en")


def test_options_that_the_estimate_does_not_know_are_only_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, 6)
    assert verdict(library.load(LORA_8B, ["backend_options.optim=paged_adamw_8bit"])) == WARNED


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize("name", [LORA_8B, "embedding/bge-m3", GROUPS])
def test_host_memory_is_only_warned_of(name: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if device == "cpu":
        card(monkeypatch, 800)
    preset = library.load(name, [f"launch.device={device}"])
    assert verdict(preset) is None
    monkeypatch.setattr(readiness, "host_free", lambda: GB)
    assert verdict(preset) == WARNED
    assert "GPU" not in told(preset)[0].line("en")
    assert "qlora" not in told(preset)[0].line("en")


def test_nothing_is_said_where_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "host_free", lambda: GB)
    card(monkeypatch, None)  # a driver that does not tell: neither of it nor of the host
    assert verdict(library.load(LORA_8B)) is None
    card(monkeypatch, 6)
    assert verdict(library.load(LORA_8B, ["model.id=some/thing"])) is None


def test_a_gpu_that_is_not_there_is_told_once_and_for_every_engine() -> None:
    for name in ("embedding/bge-m3", "reranker/flag-starter", "reranker/starter", LORA_8B, "pipeline/bge-zh"):
        preset = library.load(name, ["launch.device=cuda"])
        found = find_engine(preset.backend).problems(preset)
        assert [(problem.code, problem.where.key) for problem in found] == [("no-gpu", "launch.device")]


def test_a_model_that_no_family_knows_is_measured_by_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "intermediate_size": 14336,
        "vocab_size": 128000,
        "num_attention_heads": 32,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    preset = library.load(LORA_8B, [f"model.id={tmp_path}", "model.source=local"])
    for free, expected in ((6, REFUSED), (80, None)):
        card(monkeypatch, free)
        assert verdict(preset) == expected


def test_peft_keeps_what_checkpointing_would_compute_again() -> None:
    for key in ("gradient_checkpointing", "liger"):
        used, unused = (
            [
                readiness.estimate(library.load(LORA_8B, [*method, f"training.{key}={value}"]), None)
                for value in ("true", "false")
            ]
            for method in ((), PEFT["ia3"])
        )
        assert used[0] != used[1]
        assert unused[0] == unused[1]


# What is told when memory has run out.


def exhausted(preset: Preset, device: str) -> tuple[Problem, ...]:
    with pytest.raises(OutOfMemory) as caught, out_of_memory.explain_out_of_memory(preset, device):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return caught.value.problems


@pytest.mark.parametrize("name", ["embedding/bge-m3", GROUPS, LORA_8B])
def test_one_shape_of_message_for_all_tasks(name: str) -> None:
    preset = library.load(name)
    for device, code in (("cuda", "gpu-out-of-memory"), ("cpu", "host-out-of-memory")):
        first, *steps = exhausted(preset, device)
        assert (first.code, first.severity) == (code, "error")
        assert f"on {device} with batch size {preset.training.batch_size} and" in first.line("en")
        assert {step.code for step in steps} == {"memory-step"}
        assert [step.where.key for step in steps] == [
            step.key for step in out_of_memory.ladder(preset, on_cpu=device == "cpu")
        ]


def test_other_failures_pass_unchanged() -> None:
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory.explain_out_of_memory(library.load(LORA_8B), "cpu"):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def keys(name: str, *settings: str, on_cpu: bool = False) -> list[str]:
    return [step.key for step in out_of_memory.ladder(library.load(name, settings), on_cpu)]


def test_the_ladder_of_a_language_model_follows_its_method_and_device() -> None:
    rest = ["evaluation.batch_size", "training.max_length"]
    first, then = rest
    assert keys(LORA_8B) == [first, "backend_options", then, "method"]
    assert keys(LORA_8B, on_cpu=True) == rest
    assert keys(LORA_8B, *PEFT["ia3"], "training.gradient_checkpointing=false") == [first, then, "method"]
    assert keys(LORA_8B, "method.type=full", "training.gradient_checkpointing=false") == [
        "training.gradient_checkpointing",
        first,
        "backend_options",
        then,
        "method.type",
    ]
    assert "method" not in keys("llm/qwen3-8b-qlora")


def test_the_ladder_of_a_nested_loss_names_the_inner_one() -> None:
    found = keys("embedding/bge-base-en", "loss.name=matryoshka", "training.batch_size=64")
    assert found[:2] == ["loss.loss.name", "training.batch_size"]


def step(key: str, name: str, *settings: str) -> dict[str, Any]:
    found = out_of_memory.ladder(library.load(name, settings))
    return dict(next(step.values for step in found if step.key == key))


def test_steps_keep_the_rest_of_the_preset() -> None:
    rows = step(
        "training.batch_size", "reranker/bge-reranker-v2-m3", "training.batch_size=16", "training.accumulation=3"
    )
    assert rows == {"training.batch_size": 8, "training.accumulation": 6}
    method = step("method", LORA_8B, "method.rank=32", "method.target_modules=[q_proj]")["method"]
    assert (method.type, method.rank, method.target_modules) == ("qlora", 32, ["q_proj"])
    cached = step("loss.name", "embedding/bge-base-en", "loss={name: multiple_negatives_ranking, scale: 33}",
                  "training.gradient_checkpointing=true")  # fmt: skip
    assert cached["loss"].scale == 33
    assert cached["training.gradient_checkpointing"] is False
    assert step("loss.group_size", GROUPS, "loss.group_size=3") == {"loss.group_size": 2}
