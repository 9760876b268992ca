"""Other programs' configurations as presets: what has a place is there, everything else is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.backends.importing.foreign import Imported
from tunewiz.backends.importing.reading import read
from tunewiz.backends.importing.shell import commands_of
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml.library import loads
from tunewiz.problems import BadPreset, errors

FACTORY = """\
### model
model_name_or_path: Qwen/Qwen3-0.6B
### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 12
lora_target: q_proj,v_proj
quantization_bit: 4
### dataset
dataset: shop
template: qwen3_nothink
cutoff_len: 1024
max_samples: 500
preprocessing_num_workers: 16
### train
output_dir: saves/shop
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
report_to: none
resume_from_checkpoint: null
val_size: 0.1
use_badam: true
lora_ranks: 9
hub_token: 0123456789abcdef
"""
AXOLOTL = """\
base_model: Qwen/Qwen3-0.6B
load_in_8bit: true
adapter: lora
datasets:
  - path: shop/dialogues
    type: chat_template
    split: train
    field_messages: turns
  - path: ./own.jsonl
    type: alpaca
val_set_size: 0.05
sequence_len: 2048
sample_packing: true
lora_r: 16
lora_alpha: 32
lora_target_linear: true
wandb_project:
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 2
optimizer: adamw_torch_4bit
lr_scheduler: cosine
learning_rate: 0.0002
bf16: auto
flash_attention: true
warmup_steps: 10
evals_per_epoch: 2
special_tokens:
  pad_token: "<pad>"
"""
FLAG = """\
#!/bin/bash
MODEL=BAAI/bge-small-zh-v1.5   # the retriever
torchrun --nproc_per_node 2 \\
    -m FlagEmbedding.finetune.embedder.encoder_only.base \\
    --model_name_or_path $MODEL \\
    --train_data ./faq.jsonl ./more.jsonl \\
    --train_group_size 4 \\
    --query_max_len 64 --passage_max_len 256 \\
    --query_instruction_for_retrieval '为这个句子生成表示：' \\
    --knowledge_distillation False \\
    --output_dir ./out --learning_rate 1e-5 --fp16 \\
    --num_train_epochs 2 --per_device_train_batch_size 4 \\
    --temperature 0.02 --sentence_pooling_method cls \\
    --cache_path $CACHE --surprise 3
"""
RERANKER = """\
torchrun -m FlagEmbedding.finetune.reranker.encoder_only.base --model_name_or_path BAAI/bge-reranker-base \\
  --train_data pairs.jsonl --train_group_size 8 --query_max_len 128 --passage_max_len 256 --learning_rate 6e-5
"""
SENTENCES = """\
python train_cross_encoder.py --model_name_or_path microsoft/MiniLM-L12-H384-uncased --train_file pairs.jsonl \\
  --per_device_train_batch_size=16 --num_train_epochs 1 --learning_rate 2e-5 --bf16 True --eval_steps 100
"""


def imported(folder: Path, name: str, text: str) -> Imported:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    found = read(file)
    assert loads(found.text) == found.preset  # what is printed is what it is
    assert not errors(found.told)
    return found


def lost(found: Imported) -> dict[str, int]:
    """Keys without a place, and their lines."""
    return {problem.where.key: problem.where.line for problem in found.told if problem.code == "no-place"}


def not_needed(found: Imported) -> list[str]:
    """Keys that say nothing of what is learned, with their lines."""
    return [name for one in found.told if one.code == "not-needed" for name in one.message.values["names"]]


def test_llama_factory_keeps_its_own_arguments_as_options(tmp_path: Path) -> None:
    found = imported(tmp_path, "shop.yaml", FACTORY)
    preset = found.preset
    assert isinstance(preset, LlmPreset)
    method = preset.method.model_dump()
    assert (method["type"], method["bits"], method["rank"], method["alpha"]) == ("qlora", 4, 12, 24)
    assert method["target_modules"] == ["q_proj", "v_proj"]
    training = preset.training
    assert (training.batch_size, training.accumulation, training.learning_rate) == (2, 8, 1e-4)
    assert (training.epochs, training.max_length, training.warmup, training.precision) == (3.0, 1024, 0.1, "bf16")
    assert (preset.template, preset.data.limit, preset.data.evaluation.validation_fraction) == (
        "qwen3_nothink", 500, 0.1)  # fmt: skip
    assert preset.backend_options == {"use_badam": True}
    assert lost(found) == {"lora_ranks": 28, "hub_token": 29}
    assert not_needed(found) == ["preprocessing_num_workers (15)", "output_dir (17)"]
    codes = {problem.code: problem.line("en") for problem in found.told}
    assert "resume_from_checkpoint" in codes["no-value"]
    assert "shop" in codes["dataset-not-found"]
    assert not any("0123456789abcdef" in problem.line("en") for problem in found.told)


def test_every_key_of_a_configuration_is_used_or_named(tmp_path: Path) -> None:
    found = imported(tmp_path, "shop.yaml", FACTORY)
    told = " ".join(f"{problem.where.key} {problem.line('en')}" for problem in found.told)
    used = {"model_name_or_path", "stage", "do_train", "finetuning_type", "lora_rank", "lora_target", "dataset",
            "quantization_bit", "template", "cutoff_len", "max_samples", "per_device_train_batch_size", "report_to",
            "gradient_accumulation_steps", "learning_rate", "lr_scheduler_type", "warmup_ratio", "bf16", "val_size",
            "use_badam"}  # fmt: skip
    keys = {line.partition(":")[0] for line in FACTORY.splitlines() if ":" in line}
    assert {key for key in keys if key not in told} <= used


def test_a_dataset_is_found_where_dataset_info_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    info = '{"shop": {"file_name": "dialogues.json", "formatting": "sharegpt"}, "far": {"hf_hub_url": "org/far"}}'
    (tmp_path / "data" / "dataset_info.json").write_text(info, encoding="utf-8")
    found = imported(tmp_path, "shop.yaml", FACTORY.replace("dataset: shop", "dataset: shop, far"))
    places = [dataset.path for dataset in found.preset.data.datasets]  # type: ignore[attr-defined]
    assert places == [str(tmp_path / "data" / "dialogues.json"), "hf:org/far"]
    assert "dataset-not-found" not in {problem.code for problem in found.told}


def test_axolotl(tmp_path: Path) -> None:
    found = imported(tmp_path, "ax.yml", AXOLOTL)
    preset = found.preset
    assert isinstance(preset, LlmPreset)
    method = preset.method.model_dump()
    assert (method["type"], method["bits"], method["target_modules"]) == ("qlora", 8, "all")
    training = preset.training
    assert (training.packing, training.evaluations, training.attention) == (True, 4, "flash_attention_2")
    assert [(one.path, one.split) for one in preset.data.datasets] == [
        ("hf:shop/dialogues", "train"), ("./own.jsonl", "auto")]  # fmt: skip
    assert preset.data.datasets[0].columns == {"messages": "turns"}
    assert lost(found) == {"optimizer": 21, "warmup_steps": 26}
    assert not_needed(found) == ["datasets.0.type (6)", "datasets.1.type (10)", "special_tokens (28)"]


def test_flag_embedding(tmp_path: Path) -> None:
    found = imported(tmp_path, "train.sh", FLAG)
    preset = found.preset
    assert isinstance(preset, EmbeddingPreset)
    assert (preset.backend, preset.model.id, preset.model.pooling) == (
        "flag_embedding",
        "BAAI/bge-small-zh-v1.5",
        "cls",
    )
    assert preset.model.query_instruction == "为这个句子生成表示："
    assert [one.path for one in preset.data.datasets] == ["./faq.jsonl", "./more.jsonl"]
    assert preset.loss.model_dump()["group_size"] == 4
    assert (preset.training.max_length, preset.training.precision, preset.method.type) == (256, "fp16", "full")
    assert (preset.launch.processes, preset.training.batch_size) == (2, 8)  # four rows a process
    assert lost(found) == {"--cache_path": 14, "--surprise": 14}
    assert not_needed(found) == ["--query_max_len (8)", "--output_dir (11)"]


def test_rerankers(tmp_path: Path) -> None:
    flag = imported(tmp_path, "rerank.sh", RERANKER).preset
    assert isinstance(flag, RerankerPreset)
    assert (flag.loss.name, flag.training.max_length, flag.training.learning_rate) == ("group_softmax", 384, 6e-5)
    found = imported(tmp_path, "cross.sh", SENTENCES)
    assert isinstance(found.preset, RerankerPreset)
    assert (found.preset.backend, found.preset.training.batch_size) == ("cross_encoder", 16)
    assert not_needed(found) == ["--eval_steps (2)"]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("x.yaml", "stage: sft\nlora_rank: 8\n", "no-model"),
        ("x.yaml", "version: 1\ntask: llm\nmodel: {id: a}\n", "is-preset"),
        ("x.yaml", "colour: red\n", "no-known-configuration"),
        ("x.sh", "echo nothing\n", "no-known-command"),
        ("x.sh", "python -m FlagEmbedding.evaluation.beir --embedder_name_or_path a\n", "no-known-command"),
        ("x.sh", "llamafactory-cli train far/away.yaml\n", "unreadable-file"),
        ("x.yaml", "model_name_or_path: a\ntemplate: qwen\ninfer_backend: vllm\n", "no-training"),
        ("x.yaml", "model_name_or_path: a\nstage: rm\n", "another-training"),
        ("x.yaml", "base_model: a\nrl: grpo\n", "another-training"),
        ("x.yaml", "model: a/b\npeft_config: {name: lora}\n", "no-known-configuration"),
        ("x.yaml", "a: [1\n", "yaml-syntax"),
    ],
)
def test_what_is_no_configuration_is_refused(name: str, text: str, code: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadPreset) as caught:
        read(file)
    assert code in [problem.code for problem in caught.value.problems] or code == "yaml-syntax"
    if code == "another-training":
        assert [problem.where.line for problem in caught.value.problems] == [2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A='x y'\nrun --a \"$A\" \\\n  --b=${A} # no\n# none\n", ["run", "--a", "x y", "--b=x", "y"]),
        ("ARGS=(--a 1\n  --b '2 3')  # two\nARGS+=(--c)\nrun \"${ARGS[@]}\" > log 2>&1 &\n",
         ["run", "--a", "1", "--b", "2 3", "--c"]),
        ("a=\"--x 1 \\\n --y 'p q'\"\na+=\" --z\"\nc=\"run $a\"\neval $c", ["run", "--x", "1", "--y", "p q", "--z"]),
        ("run --m ${M:-base} --n $1 --k $(nproc --all)", ["run", "--m", "base", "--n", "$1", "--k", "$(nproc --all)"]),
        ("if [ -z x ]; then\n export N=2\nfi\nrun $N 'a # b' c#d", ["run", "2", "a # b", "c#d"]),
        ("go() {\n run 1\n}", ["run", "1"]),
        ("a=$a$a$a; run '$a' \"\\$a\"", ["run", "$a", "$a"]),
        ("run \"never ends\nx", ["run", '"never', "ends"]),
    ],
)  # fmt: skip
def test_a_shell_script_is_read_as_the_shell_reads_it(text: str, words: list[str]) -> None:
    found = [command for command in commands_of(text) if command[0].text == "run"]
    assert [word.text for word in found[0]] == words


@pytest.mark.parametrize("line", ['a="$a$a"', "a=$a$a", 'a=("${a[@]}" "${a[@]}")', 'eval a="$a$a"'])
def test_a_text_that_is_doubled_without_end_is_left_as_it_is(line: str) -> None:
    (command,) = commands_of("a=xy\n" + f"{line}\n" * 60 + "run --x 1 $a")
    assert [word.text for word in command][:3] == ["run", "--x", "1"]
    assert sum(len(word.text) for word in command) < 4 << 20


FOLDED = """\
#!/bin/bash
# two cards
num=2
model_args="\\
    --model_name_or_path BAAI/bge-reranker-base \\
"
data_args="\\
    --train_data a.jsonl b.jsonl \\
    --query_instruction_for_rerank 'A: ' \\
"
training_args="--deepspeed ../zero_stage0.json --per_device_train_batch_size 3"
cmd="torchrun --nproc_per_node $num -m FlagEmbedding.finetune.reranker.encoder_only.base \\
    $model_args $data_args $training_args"
echo $cmd
eval $cmd
"""


def test_options_that_are_folded_into_variables_are_found_with_their_lines(tmp_path: Path) -> None:
    found = imported(tmp_path, "train.sh", FOLDED)
    preset = found.preset
    assert isinstance(preset, RerankerPreset)
    assert preset.model.id == "BAAI/bge-reranker-base"
    assert [one.path for one in preset.data.datasets] == ["a.jsonl", "b.jsonl"]
    assert (preset.launch.processes, preset.launch.strategy, preset.training.batch_size) == (2, "auto", 6)
    assert lost(found) == {"--query_instruction_for_rerank": 9}


def test_data_is_found_from_the_script_and_named_whole(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    for name in ("b.jsonl", "a.jsonl", "README.md"):
        (tmp_path / "sets" / name).write_text("{}\n", encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    text = FLAG.replace("./faq.jsonl ./more.jsonl", "../sets ./more.jsonl")
    found = imported(tmp_path / "scripts", "train.sh", text)
    paths = [one.path for one in found.preset.data.datasets]  # type: ignore[attr-defined]
    assert paths == [str(tmp_path / "sets" / "a.jsonl"), str(tmp_path / "sets" / "b.jsonl"), "./more.jsonl"]
    assert found.preset.loss.model_dump()["distillation"] == "none"  # type: ignore[attr-defined]
    taught = text.replace("--knowledge_distillation False", "--knowledge_distillation True --kd_loss_type m3_kd_loss")
    assert imported(tmp_path, "taught.sh", taught).preset.loss.distillation == "m3_kd_loss"  # type: ignore[attr-defined]


@pytest.mark.parametrize("launcher", [
    "torchrun --nproc-per-node=4", "python -m torch.distributed.launch --nproc_per_node 4",
    "python -m accelerate.commands.launch --num_processes 4", "NPROC_PER_NODE=4 python",
])  # fmt: skip
def test_launchers_that_are_modules_tell_the_processes_too(launcher: str, tmp_path: Path) -> None:
    options = "--stage sft --model_name_or_path a/b --dataset c --finetuning_type lora --per_device_train_batch_size 2"
    preset = imported(tmp_path, "t.sh", f"{launcher} src/train_bash.py {options}\n").preset
    assert isinstance(preset, LlmPreset)
    assert (preset.launch.processes, preset.training.batch_size) == (4, 8)


def test_a_command_that_names_a_configuration_is_that_configuration(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "conf" / "shop.yaml").write_text(FACTORY, encoding="utf-8")
    (tmp_path / "conf" / "fsdp.yaml").write_text("distributed_type: FSDP\nnum_processes: 4\n", encoding="utf-8")
    command = "CUDA_VISIBLE_DEVICES=0,1,2,3 accelerate launch --config_file conf/fsdp.yaml src/train.py conf/shop.yaml"
    preset = imported(tmp_path / "scripts", "a.sh", command).preset
    assert isinstance(preset, LlmPreset)
    assert (preset.launch.processes, preset.launch.strategy, preset.training.batch_size) == (4, "fsdp", 8)
    command = (
        "llamafactory-cli train conf/shop.yaml learning_rate=5e-5 \\\n  lora_rank=4\nllamafactory-cli train b.yaml"
    )
    found = imported(tmp_path / "scripts", "b.sh", command)
    assert isinstance(found.preset, LlmPreset)
    assert (found.preset.training.learning_rate, found.preset.method.model_dump()["rank"]) == (5e-5, 4)
    assert "several-commands" in [problem.code for problem in found.told]


@pytest.mark.parametrize(
    ("said", "strategy"),
    [
        ("deepspeed: examples/deepspeed/ds_z3_offload_config.json", "zero3_offload"),
        ("deepspeed: ds_z2.json", "zero2"),
        ("deepspeed: {zero_optimization: {stage: 3}}", "zero3"),
        ("deepspeed: here.json", "zero3_offload"),
        ("deepspeed: zero0.json", "auto"),
        ("fsdp: full_shard auto_wrap", "fsdp"),
    ],
)
def test_what_processes_divide(said: str, strategy: str, tmp_path: Path) -> None:
    settings = '{"zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}}}'
    (tmp_path / "here.json").write_text(settings, encoding="utf-8")
    found = imported(tmp_path, "shop.yaml", f"{FACTORY}{said}\n")
    assert found.preset.launch.strategy == strategy
    assert ("batch-of-one" in [problem.code for problem in found.told]) == (strategy != "auto")


def test_quantised_lora_is_qlora_in_whatever_order(tmp_path: Path) -> None:
    first = FACTORY.replace("quantization_bit: 4\n", "").replace("### method", "quantization_bit: 4")
    assert imported(tmp_path, "shop.yaml", first).preset == imported(tmp_path, "shop.yaml", FACTORY).preset


def test_what_axolotl_says_in_ways_of_its_own(tmp_path: Path) -> None:
    more = r"""
plugins: [axolotl.integrations.liger.LigerPlugin]
attn_implementation: sdpa
adam_beta2: 0.95
max_steps: 200
lora_target_modules: 'model.layers.[\d]+.(mlp|self_attn).(up|down)_proj'
lora_modules_to_save: [embed_tokens, lm_head]
"""
    text = AXOLOTL.replace("    field_messages: turns\n", "    roles: {assistant: [客服, bot], user: [user]}\n") + more
    found = imported(tmp_path, "ax.yml", text)
    preset = found.preset
    assert isinstance(preset, LlmPreset)
    assert (preset.training.liger, preset.training.attention, preset.training.warmup) == (True, "sdpa", 0.05)
    assert preset.backend_options == {"adam_beta2": 0.95, "additional_target": "embed_tokens,lm_head"}
    assert preset.data.roles == {"客服": "assistant", "bot": "assistant"}
    assert preset.method.model_dump()["target_modules"] == "all"
    assert set(lost(found)) == {"optimizer", "lora_target_modules"}
    full = imported(
        tmp_path, "ax.yml", AXOLOTL.replace("adapter: lora", "adapter:").replace("load_in_8bit: true\n", "")
    )
    assert full.preset.method.type == "full"  # type: ignore[attr-defined]
    assert {"lora_r", "lora_alpha", "lora_target_linear"} <= set(lost(full))
