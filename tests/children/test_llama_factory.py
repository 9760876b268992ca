"""Every method and every stage on a tiny language model, really trained; errors a user can make."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.children.evaluation import advised
from tests.children.llm_setup import preset, ran
from tests.children.test_explain import evil
from tunewiz.backends.engines.llama_factory import run_exp_arguments
from tunewiz.backends.language_models.encoded_rows import encode_row, write
from tunewiz.backends.language_models.loaded_model import Places, computing_in, load, tokenizing
from tunewiz.backends.language_models.unlearned import marks_kept
from tunewiz.backends.runs.run import Run
from tunewiz.data.chat.prepared import PreparedLlm
from tunewiz.data.rows.conversations import Conversation, Turn

PAIRS = [
    {"instruction": f"Which is larger, {number} or {number + 1}?", "chosen": f"It is {number + 1}.",
     "rejected": f"It is {number}, I think."}
    for number in range(40)
]  # fmt: skip
JUDGED = [
    {"instruction": f"Say {number}.", "output": str(number if number % 2 else -number), "label": number % 2 == 1}
    for number in range(40)
]  # fmt: skip
#: A child that loads LLaMA-Factory and trains several times takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)
METHODS: dict[str, Any] = {
    "lora-kinds": {"type": "lora", "use_rslora": True, "use_dora": True, "loraplus_ratio": 16},
    "pissa": {"type": "lora", "pissa": True},
    "qlora": {"type": "qlora"},
    "full": {"type": "full"},
    "freeze": {"type": "freeze", "layers": 1},
    "oft": {"type": "oft", "block_size": 16},
}
#: What differs from the above, and from direct preferences, by an argument of the library: ``make torture``.
VARIANTS: dict[str, Any] = {"lora": {"type": "lora"}, "qlora-8": {"type": "qlora", "bits": 8}}
PREFERENCES = ("orpo", "simpo")


def _rows(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    file = folder / f"{name}.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def carried(tiny_llm: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder, and what became of each case below: in one child, for importing takes longer than many trainings."""
    folder = tmp_path_factory.mktemp("carried")
    methods = {name: {"method": method} for name, method in METHODS.items()}
    methods["full"]["evaluation"] = {"general": True}
    return folder, ran(folder / "runs", tiny_llm, methods | _stages(folder) | _interrupted_and_wrong(folder, tiny_llm))


def test_every_method_learns_and_is_exported(carried: tuple[Path, dict[str, Any]]) -> None:
    for name, method in METHODS.items():
        learned(name, method, carried[1][name])


def learned(name: str, method: dict[str, Any], told: dict[str, Any]) -> None:
    assert told.get("codes") is None, (name, told)
    assert told["after"]["loss"] < told["before"]["loss"], name
    assert told["verdict"] == "WIN", name
    assert "model.safetensors" in told["files"], name
    assert [step for step, _ in told["answered"]] == ([0, 3] if told["record"]["validated"] else []), name
    assert all(0 < count <= 3 for _, count in told["answered"]), name
    has_adapter = method["type"] in ("lora", "qlora", "oft")
    assert ("adapter_model.safetensors" in told["files"]) == has_adapter, name
    assert told["record"]["template"] == "qwen3_nothink"


@pytest.mark.torture
def test_the_variants_learn_too(tiny_llm: Path, tmp_path: Path) -> None:
    pairs = _rows(tmp_path, "pairs", PAIRS)
    cases: dict[str, Any] = {name: {"method": method} for name, method in VARIANTS.items()}
    cases |= {name: {"stage": name, "data": {"train": pairs}} for name in PREFERENCES}
    found = ran(tmp_path / "runs", tiny_llm, cases)
    for name, method in VARIANTS.items():
        learned(name, method, found[name])
    for name in PREFERENCES:
        preferred(name, found[name])


def test_general_prompts_are_measured_beside_the_rows_where_that_is_wanted(
    carried: tuple[Path, dict[str, Any]],
) -> None:
    told = carried[1]["full"]
    assert [told["general"][name]["queries"] for name in ("loss", "loss_en", "loss_zh")] == [48, 24, 24]
    assert told["general"]["loss"]["before"] != told["general"]["loss"]["after"]
    assert sorted(told["general_answers"]) == ["en-1", "en-10", "zh-17", "zh-5"]
    assert "## Did it forget?" in (carried[0] / "runs" / "full" / "report" / "report.md").read_text("utf-8")
    assert carried[1]["freeze"]["general"] == {}


def _stages(folder: Path) -> dict[str, Any]:
    pairs, judged = _rows(folder, "pairs", PAIRS), _rows(folder, "judged", JUDGED)
    texts = _rows(folder, "texts", [{"text": f"train the model on gpu {number} " * 8} for number in range(30)])
    marked = [
        {"messages": [{"role": "user", "content": f"gpu {number}"}, {"role": "assistant", "content": "no", "weight": 0},
                      {"role": "user", "content": "again"}, {"role": "assistant", "content": f"gpu {number + 1}"}]}
        for number in range(30)
    ]  # fmt: skip
    return {
        "dpo": {"stage": "dpo", "data": {"train": pairs}},
        "kto": {"stage": "kto", "data": {"train": judged}},
        "pretrain": {"stage": "pretrain", "data": {"train": texts}},
        "packed": {"training": {"packing": True}},
        "marked": {"data": {"train": _rows(folder, "marked", marked)}},
        "validated": {
            "data": {"evaluation": {"validation_fraction": 0.2}},
            "training": {"evaluations": 3, "group_by_length": True},
        },
        "classified": {"data": {"train": "sample:intents-en"}},
    }


def test_every_stage_trains_with_lora(carried: tuple[Path, dict[str, Any]]) -> None:
    folder, found = carried
    stages = ("dpo", "kto", "pretrain", "packed", "marked", "validated", "classified")
    assert all("codes" not in found[name] for name in stages), found
    preferred("dpo", found["dpo"])
    assert {"kto_margin"} <= set(found["kto"]["after"])
    assert found["pretrain"]["after"]["perplexity"] < found["pretrain"]["before"]["perplexity"]
    assert found["packed"]["after"]["loss"] < found["packed"]["before"]["loss"]
    assert found["marked"]["after"]["loss"] < found["marked"]["before"]["loss"]
    assert found["validated"]["record"]["validated"]
    assert {"accuracy", "macro_f1", "invalid"} <= set(found["classified"]["after"])
    report = (folder / "runs" / "classified" / "report" / "report.md").read_text(encoding="utf-8")
    assert "Confusion matrix" in report
    assert "The same prompts, before and after" in report
    for name in ("classified", "kto", "packed"):
        written, known = advised(Run(folder / "runs" / name))
        assert written == known != [], name


def preferred(stage: str, told: dict[str, Any]) -> None:
    assert told["after"]["preference_margin"] > told["before"]["preference_margin"], (stage, told)


WRONG: dict[str, tuple[list[str], int]] = {
    "no-template": (["unknown-template"], 2),
    "other-template": (["template-mismatch"], 2),
    "no-model": (["model-missing"], 1),
    "code-in-weights": (["model-not-loadable"], 2),
    "nothing-left": (["no-usable-rows"], 3),
    "cut-away": (["no-usable-rows"], 3),
}


def _interrupted_and_wrong(folder: Path, tiny_llm: Path) -> dict[str, Any]:
    """An interrupted run, the same one whole, and those that cannot be."""
    empty = _rows(folder, "empty", [{"instruction": "", "output": ""}, {"instruction": "only this", "output": ""}])
    few = _rows(folder, "few", [{"text": "short text here"}] * 1)
    shutil.copytree(tiny_llm, folder / "evil")
    evil(folder / "evil")
    longer = {"training": {"max_steps": 6}}
    return {
        "whole": longer,
        "stopped": longer | {"interrupted": True},
        "no-template": {"template": "qwenn3"},
        "other-template": {"template": "llama3"},
        "no-model": {"model": {"id": str(folder / "nothing")}},
        "code-in-weights": {"model": {"id": str(folder / "evil")}},
        "nothing-left": {"data": {"train": empty}},
        "cut-away": {"stage": "pretrain", "data": {"train": few}, "training": {"packing": True}},
    }


def test_a_resumed_run_ends_as_an_uninterrupted_one(carried: tuple[Path, dict[str, Any]]) -> None:
    _, found = carried
    assert found["stopped"]["before"] == found["whole"]["before"]
    assert found["whole"]["after"]["loss"] < found["whole"]["before"]["loss"]
    assert found["stopped"]["after"]["loss"] == pytest.approx(found["whole"]["after"]["loss"], abs=1e-4)


def test_what_a_user_can_get_wrong_is_told(carried: tuple[Path, dict[str, Any]]) -> None:
    folder, found = carried
    for name, (codes, exit_code) in WRONG.items():
        assert (found[name].get("codes"), found[name].get("exit")) == (codes, exit_code), (name, found[name])
    assert not list(folder.rglob("PWNED"))


@pytest.mark.parametrize("options", [{"use_moun": True}, {"output_dir": "/x"}])
def test_backend_options_are_checked_by_name(tiny_llm: Path, options: dict[str, Any]) -> None:
    from tests.children.llm_setup import preset
    from tunewiz.backends.engines.llama_factory import LlamaFactory

    found = LlamaFactory().problems(preset(tiny_llm, backend_options=options))
    code = "backend-option-unknown" if "use_moun" in options else "backend-option-owned"
    assert [problem.code for problem in found] == [code]
    if "use_moun" in options:
        assert "use_muon" in found[0].line("en")


def test_full_precision_is_kept_where_the_library_would_take_half(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from llamafactory.extras import misc
    from llamafactory.model import patcher

    monkeypatch.setattr(misc, "_is_fp16_available", True)  # as on a GPU
    assert patcher.infer_optim_dtype(model_dtype=torch.float32) == torch.float16
    with computing_in("fp32"):
        assert patcher.infer_optim_dtype(model_dtype=torch.float32) == torch.float32
    with computing_in("bf16"):
        assert patcher.infer_optim_dtype(model_dtype=torch.float32) == torch.float16


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_that_are_not_trained_compute_in_what_the_run_is_told_of(
    tiny_llm: Path, tmp_path: Path, precision: str
) -> None:
    """A CPU without bf16 computes with it one number after the other: two minutes for a step of a second."""
    import torch
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_model, load_tokenizer
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(str(tiny_llm), dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(tiny_llm)).save_pretrained(folder)
    wanted = preset(folder, training={"precision": precision})
    places = Places(str(folder), "", "", "chatml", "sft", False)
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
    measured = load(wanted, places, None).model
    assert {weight.dtype for weight in measured.parameters()} == {kinds[precision]}
    written = load(wanted, places, None, merged=True).model
    assert {weight.dtype for weight in written.parameters()} == {torch.bfloat16}  # an export has the bits of the file
    told = run_exp_arguments(wanted, replace(places, output=str(tmp_path / "out")), precision, "cpu")
    model_args, _, _, finetuning_args, _ = get_train_args(told)
    with computing_in(precision):
        trained = load_model(load_tokenizer(model_args)["tokenizer"], model_args, finetuning_args, is_trainable=True)
    frozen = {weight.dtype for weight in trained.parameters() if not weight.requires_grad}
    assert frozen == {kinds[precision]}


@pytest.mark.parametrize(
    "options", [{}, {"trained_on": "last_answer"}, {"trained_on": "everything"}, {"max_length": 24}]
)
def test_answers_not_to_be_learned_are_read_and_left_out_of_the_loss(
    tiny_llm: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    from llamafactory.data import converter
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.data.processor import SupervisedDatasetProcessor

    turns = (Turn("user", "train the gpu"), Turn("assistant", "use the server"), Turn("user", "how do i"))
    row = Conversation((*turns, Turn("assistant", "train the model")), system="be brief")
    marked = replace(row, turns=(turns[0], replace(turns[1], learned=False), *row.turns[2:]))
    wanted = preset(tiny_llm, training=options)
    loaded = tokenizing(wanted, Places(str(tiny_llm), "", "", "chatml", "sft", False, False))
    whole, masked = encode_row(loaded, row)["answer"], encode_row(loaded, marked)["answer"]
    assert masked.ids == whole.ids
    left_out = [token for token, own, other in zip(whole.ids, whole.labels, masked.labels, strict=True) if own != other]
    said = loaded.tokenizer.decode(left_out, skip_special_tokens=True).strip()
    if options.get("trained_on") == "last_answer":
        assert not left_out  # it was never learned
    else:
        assert said and "use the server".startswith(said) and set(left_out) <= set(masked.ids)

    folder = write(PreparedLlm("sft", train=[marked, row]), tmp_path)
    attribute = get_dataset_list(["train"], str(folder))[0]
    records = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    with marks_kept():
        align = converter.get_dataset_converter("sharegpt", attribute, loaded.data)
        aligned = [align(record) for record in records]
        batch = {key: [one[key] for one in aligned] for key in aligned[0]}
        training = SupervisedDatasetProcessor(loaded.template, loaded.tokenizer, None, loaded.data)
        found = training.preprocess_dataset(batch)
    assert found["labels"] == [list(masked.labels), list(whole.labels)]
    assert found["input_ids"] == [list(whole.ids)] * 2


def test_the_end_sign_of_an_answer_that_is_not_learned_is_not_learned(tiny_llm: Path) -> None:
    turns = (Turn("user", "train the gpu"), Turn("assistant", "use the server"), Turn("user", "how do i"))
    row = Conversation((*turns, Turn("assistant", "train the model")))
    loaded = tokenizing(preset(tiny_llm), Places(str(tiny_llm), "", "", "chatml", "sft", False, False))
    # Templates of this kind put the end sign behind an answer as the first token of the next question.
    loaded = replace(loaded, template=copy.copy(loaded.template))
    loaded.template.efficient_eos = True
    end = loaded.tokenizer.eos_token_id
    # This template's answers end with the same sign, so that each that is learned has two of them.
    for unlearned, learned_ends in ((), 4), ((1,), 2), ((3,), 2), ((1, 3), 0):
        marked = replace(row, turns=tuple(replace(turn, learned=number not in unlearned)
                                          for number, turn in enumerate(row.turns)))  # fmt: skip
        labels = encode_row(loaded, marked)["answer"].labels
        after = [number for number, label in enumerate(labels) if label == end and labels[number - 1] != end]
        assert len(after) == learned_ends, unlearned
