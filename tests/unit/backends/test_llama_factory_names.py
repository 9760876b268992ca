"""What is read from LLaMA-Factory's source, the template lock, and the arguments a preset stands for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tunewiz.backends.engines.llama_factory import LlamaFactory, run_exp_arguments
from tunewiz.backends.language_models import templates
from tunewiz.backends.language_models import templates as names
from tunewiz.backends.language_models.loaded_model import Places, loading_arguments
from tunewiz.presets.methods import catalogue
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.library import loads, open_preset
from tunewiz.problems import BadPreset

pytestmark = pytest.mark.skipif(names.folder_of("llamafactory") is None, reason="LLaMA-Factory is not installed")


def _preset(extra: str = "") -> LlmPreset:
    text = "name: x\ntask: llm\nmodel: {id: Qwen/Qwen3-0.6B}\ndata: {train: sample:instructions-en}\n"
    preset = loads(text + extra)
    assert isinstance(preset, LlmPreset)
    return preset


def test_arguments_and_templates_are_found_without_an_import() -> None:
    assert {"lora_rank", "cutoff_len", "neftune_noise_alpha", "pref_beta", "use_muon"} <= names.known_arguments()
    assert not {"compute_dtype", "block_diag_attn"} & names.known_arguments()  # set by the library itself
    assert {"qwen3", "qwen3_nothink", "llama3", "gemma"} <= set(names.known_templates())


@pytest.mark.parametrize(
    ("model", "template"),
    [
        ("Qwen/Qwen3-0.6B", "qwen3"),
        ("Qwen/Qwen3-4B-Instruct-2507", "qwen3_nothink"),
        ("Qwen/Qwen2.5-0.5B-Instruct", "qwen"),
        ("meta-llama/Llama-3.2-1B-Instruct", "llama3"),
        ("starter-llm", "gemma"),
        ("nobody/knows", ""),
    ],
)
def test_a_models_template_is_known_by_its_id(model: str, template: str) -> None:
    assert templates.own_template(model) == template


def test_a_folder_tells_its_template_by_its_marks(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "unknown"}', encoding="utf-8")
    with pytest.raises(BadPreset) as caught:
        templates.resolved_template("auto", str(tmp_path), tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["template-unknown"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "<|start_header_id|>"}), "utf-8")
    assert templates.resolved_template("auto", str(tmp_path), tmp_path) == "llama3"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "<|im_start|><think>"}), "utf-8")
    assert templates.resolved_template("auto", str(tmp_path), tmp_path) == "qwen3"
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_5"}', encoding="utf-8")
    assert templates.resolved_template("auto", str(tmp_path), tmp_path) == "qwen3_5"
    (tmp_path / "config.json").write_text('{"model_type": "unknown"}', encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "<|start_header_id|>"}), "utf-8")
    found = templates.template_problems("qwen3", str(tmp_path), tmp_path)
    assert [problem.code for problem in found] == ["template-mismatch"]
    assert templates.template_problems("lama3", str(tmp_path), tmp_path)[0].code == "unknown-template"


def test_templates_that_write_alike_are_no_mismatch() -> None:
    assert templates.template_problems("qwen3_nothink", "Qwen/Qwen3-0.6B", None) == []
    assert templates.template_problems("llama3", "Qwen/Qwen3-0.6B", None)[0].code == "template-mismatch"


@pytest.mark.parametrize("method", list(catalogue()))
def test_every_method_names_only_arguments_that_exist(method: str) -> None:
    assert set(catalogue()[method]().arguments()) <= names.known_arguments()  # type: ignore[call-arg]  # type has a default


@pytest.mark.parametrize("stage", ["sft", "pretrain", "dpo", "orpo", "simpo", "kto"])
def test_the_native_configuration_is_made_of_known_arguments(stage: str) -> None:
    told = yaml.safe_load(LlamaFactory().native(_preset(f"stage: {stage}\nbackend_options: {{use_muon: true}}\n")))
    assert set(told) <= names.known_arguments()
    assert told["use_muon"] is True
    assert told["per_device_train_batch_size"] == 2


def test_wrong_options_name_the_near_one() -> None:
    found = LlamaFactory().problems(open_preset("llm/starter", ["backend_options.lora_ramk=4"]).preset)  # type: ignore[arg-type]
    assert "lora_rank" in next(problem.line("en") for problem in found if problem.code == "backend-option-unknown")


def test_every_data_argument_reaches_all_readers_or_is_refused_with_our_key() -> None:
    """Whoever adds an argument to LLaMA-Factory's rows makes this fail until it is decided here."""
    shared, making, owned = map(set, (names.ROW_OPTIONS, names.MAKING_OPTIONS, names.OWNED))
    arguments = names.data_arguments()
    assert {"cutoff_len", "default_system", "mask_history", "streaming"} <= arguments
    assert arguments - shared - making - owned == set()
    assert not shared & owned and not shared & making and not making & owned
    keys = set(_keys(LlmPreset))
    for name in sorted(arguments):
        found = [one for one in names.option_problems({name: True}) if one.code == "backend-option-owned"]
        assert bool(found) == (name in owned), name
        if found:
            assert names.OWNED[name] in found[0].line("en") and names.OWNED[name] in keys, name


def _keys(section: Any, before: str = "") -> Iterator[str]:
    """The dotted keys of a preset's sections."""
    for name, field in section.model_fields.items():
        yield f"{before}{name}"
        if hasattr(field.annotation, "model_fields"):
            yield from _keys(field.annotation, f"{before}{name}.")


@pytest.mark.parametrize("name", names.ROW_OPTIONS)
def test_a_shared_option_is_told_to_training_and_to_all_other_readers(name: str) -> None:
    wanted = _preset(f"backend_options: {{{name}: marked}}\n")
    places = Places("m", "d", "o", "qwen3", "sft", False)
    assert run_exp_arguments(wanted, places, "fp32", "cpu")[name] == "marked"
    for merged in (False, True):  # measuring, showing and chat; the export
        assert loading_arguments(wanted, places, None, merged)[name] == "marked"


def test_what_two_keys_would_say_or_a_template_cannot_is_refused() -> None:
    def codes(extra: str) -> set[str]:
        return {f"{one.code} {one.where.key}" for one in LlamaFactory().problems(_preset(extra))}

    twice = "data: {train: sample:instructions-en, system: Be brief.}\nbackend_options: {default_system: Hi}\n"
    text = "name: x\ntask: llm\nmodel: {id: Qwen/Qwen3-0.6B}\n"
    found = LlamaFactory().problems(loads(text + twice))  # type: ignore[arg-type]
    assert "backend_options.default_system" in {one.where.key for one in found if one.code == "backend-option-owned"}
    late = "template: glm4\ntraining: {trained_on: everything}\n"
    assert "trained-on-template training.trained_on" in codes(late)
    assert "trained-on-template training.trained_on" not in codes(late.replace("glm4", "qwen3"))


def test_files_that_options_name_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "zero2.json").write_text("{}", "utf-8")
    options = {"deepspeed": str(tmp_path / "zero3.json"), "ref_model": "org/name", "cutoff_len": 10}
    found = {(one.code, one.where.key): one.line("en") for one in templates.option_problems(options)}
    assert "zero2.json" in found["backend-option-file", "backend_options.deepspeed"]
    assert "several processes" in found["backend-option-distributed", "backend_options.deepspeed"]
    assert "training.max_length" in found["backend-option-owned", "backend_options.cutoff_len"]
    assert len(found) == 3
