"""The peft backend on a tiny model: virtual tokens and IA3 learn, are measured, exported and loaded again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEVICE, bpe
from tunewiz.backends.engines import find_engine
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.run import Run
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml import library
from tunewiz.problems import errors

METHODS = {
    "prompt_tuning": "{type: prompt_tuning, tokens: 8}",
    "prefix_tuning": "{type: prefix_tuning, tokens: 8}",
    "ia3": "ia3",
}


def _preset(model: Path, data: Path, method: str, steps: int = 30) -> LlmPreset:
    text = f"""
name: tiny
task: llm
backend: peft
model: {{id: {model}, source: local}}
data: {{train: {data}, evaluation: {{fraction: 0.2, validation_fraction: 0}}}}
method: {METHODS[method]}
training: {{max_steps: {steps}, batch_size: 8, accumulation: 1, max_length: 64, learning_rate: 0.03, log_every: 5,
  group_by_length: true}}
evaluation: {{answers: 1, max_new_tokens: 4, general: false}}
launch: {{device: {DEVICE}, threads: 1}}
"""
    preset = library.loads(text)
    assert isinstance(preset, LlmPreset)
    return preset


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions that all have one answer, which even a random model learns from a few virtual tokens."""
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    lines = [
        {"instruction": f"what is batch {number} for", "output": "a batch is for the model"} for number in range(60)
    ]
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return file


def _run(folder: Path, preset: LlmPreset) -> Run:
    run = create(preset, folder, "test")
    backend = find_engine("peft")
    for stage in ("prepare", "baseline", "train", "evaluate", "export", "report"):
        getattr(backend, stage)(run, preset)
    return run


@pytest.mark.parametrize("method", METHODS)
def test_a_method_lowers_the_held_out_loss(method: str, tiny_llm: Path, rows: Path, tmp_path: Path) -> None:
    preset = _preset(tiny_llm, rows, method)
    assert errors([*preset.problems(), *find_engine("peft").problems(preset)]) == []
    run = _run(tmp_path, preset)
    before, after = (json.loads((run.report / f"{when}.json").read_text("utf-8")) for when in ("before", "after"))
    assert after["metrics"]["loss"] < before["metrics"]["loss"] - 0.05
    assert before["per_query"].keys() == after["per_query"].keys()
    assert (run.model / "adapter" / "adapter_config.json").is_file()
    # Factors of IA3 merge into the weights; virtual tokens cannot.
    assert (run.model / "config.json").is_file() == (method == "ia3")
    assert (run.report / "report.md").is_file()
    _loads_with_peft(run, tiny_llm)


@pytest.mark.parametrize(
    "method", ["prefix_tuning", *(pytest.param(one, marks=pytest.mark.torture) for one in ("prompt_tuning", "ia3"))]
)
def test_the_starters_architecture_learns_by_every_method(method: str, rows: Path, tmp_path: Path) -> None:
    """Gemma 3 has layers that look back a window only, with a cache of their own, which a prefix lies in."""
    model = _tiny_gemma(tmp_path / "gemma")
    preset = _preset(model, rows, method, steps=6)
    run = _run(tmp_path, preset)
    before, after = (json.loads((run.report / f"{when}.json").read_text("utf-8")) for when in ("before", "after"))
    assert after["metrics"]["loss"] != before["metrics"]["loss"]


def _tiny_gemma(folder: Path) -> Path:
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    tokenizer = bpe()
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1,
        head_dim=16, intermediate_size=128, max_position_embeddings=512, sliding_window=16,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    Gemma3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _loads_with_peft(run: Run, base: Path) -> None:
    """The exported adapter changes the model, through peft alone as through the run's own chat."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from tunewiz.backends.language_models.chatting import open_chat

    untouched: Any = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32).eval()
    ids = torch.arange(5, 25)[None]
    mask = torch.ones_like(ids)
    with torch.no_grad():
        plain = untouched(input_ids=ids, attention_mask=mask).logits[0, -1]
        adapted = PeftModel.from_pretrained(untouched, str(run.model / "adapter"), torch_device="cpu").eval()
        found = adapted(input_ids=ids, attention_mask=mask).logits[0, -1]
        model = open_chat(run).model
        chat = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits[0, -1].float().cpu()
    assert not torch.allclose(found, plain, atol=1e-3)
    torch.testing.assert_close(chat, found, atol=0.05, rtol=0.05)  # the run computes in bf16 where the machine can


def test_a_method_of_the_other_backend_is_told() -> None:
    for backend, method, wanted in (("llama_factory", "ia3", "peft"), ("peft", "lora", "llama_factory")):
        preset = library.loads(
            f"{{name: x, task: llm, backend: {backend}, model: {{id: x}}, data: {{train: x.jsonl}}, method: {method}}}"
        )
        found = [problem for problem in preset.problems() if problem.code == "method-of-another-backend"]
        assert len(found) == 1
        assert wanted in found[0].line("en")
