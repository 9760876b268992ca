"""Configurations of LLaMA-Factory and axolotl."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.importing.foreign import (
    NOTHING,
    OPTIMIZERS,
    PLACES,
    SCHEDULERS,
    SEVERAL,
    SPEED,
    TEXT,
    TRAINER,
    UNKNOWN,
    Draft,
    Given,
    Imported,
    NoPlace,
    Rule,
    finished,
    found_around,
    name_of,
    no_data,
    no_model,
    no_value,
    one_of,
    real,
    steps_of_warmup,
    to,
    true,
    unless,
    warm_up_by_steps,
    whole,
    without_options_of,
)
from tunewiz.backends.importing.launching import of_all_processes, of_launcher, spreading
from tunewiz.backends.importing.shell import Word
from tunewiz.backends.language_models.templates import option_problems
from tunewiz.files import read_json
from tunewiz.language import N_
from tunewiz.presets.yaml.tree import KeyPath
from tunewiz.problems import BadPreset, Where, error, say, warning

_STAGES: Final = ("sft", "pretrain", "dpo", "orpo", "simpo", "kto")
_LIST: Final = N_("several models, or several of anything, are written as several presets")


_PATTERN: Final = re.compile(r"[\\()\[\]|*+?^$]")


def _modules(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str) and _PATTERN.search(value):
        raise NoPlace(say("a preset names layers, as q_proj, and takes no pattern: method.target_modules"))
    names = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
    return {"method.target_modules": "all" if names == ["all"] else names}


# LLaMA-Factory.


def _finetuning(value: Any) -> Mapping[str, Any]:
    if value not in ("lora", "full", "freeze", "oft"):
        raise NoPlace(say("it knows {names}", names="lora, full, freeze, oft"))
    return {"method.type": value}


def _stage(value: Any) -> Mapping[str, Any]:
    known = {"sft": "sft", "pt": "pretrain", "dpo": "dpo", "kto": "kto"}
    if value not in known:
        raise _another_training(str(value))
    return {"stage": known[value]}


def _another_training(name: str) -> BadPreset:
    """That the other program would train something that no preset trains."""
    message = say("It trains by {name}; a preset trains by {names}.", name=name, names=_STAGES)
    fix = say("Nothing else comes near to it: a preset of one of these would learn another thing.")
    return BadPreset(error("another-training", message, fix=fix))


def _validation(value: Any) -> Mapping[str, Any]:
    if real(value) >= 1:
        raise NoPlace(say("a preset sets a share of the rows aside: data.evaluation.validation_fraction"))
    return {"data.evaluation.validation_fraction": real(value)}


def _early(value: Any) -> Mapping[str, Any]:
    return {"training.early_stopping.enabled": True, "training.early_stopping.patience": whole(value)}


def _sampling(value: Any) -> Mapping[str, Any]:
    return {"training.group_by_length": value == "group_by_length"}


_LLAMA_FACTORY: Final[Mapping[str, Rule | str]] = {
    **TRAINER,
    "model_name_or_path": to("model.id", str),
    "model_revision": to("model.revision", str),
    "trust_remote_code": to("model.trust_remote_code", true),
    "stage": _stage,
    "finetuning_type": _finetuning,
    "quantization_bit": lambda value: {"method.type": "qlora", "method.bits": whole(value)},
    "quantization_type": to("method.quant_type", str),
    "double_quantization": to("method.double_quantisation", true),
    "lora_rank": to("method.rank", whole),
    "lora_alpha": to("method.alpha", whole),
    "lora_dropout": to("method.dropout", real),
    "lora_target": _modules,
    "oft_target": _modules,
    "oft_block_size": to("method.block_size", whole),
    "use_rslora": to("method.use_rslora", true),
    "use_dora": to("method.use_dora", true),
    "loraplus_lr_ratio": to("method.loraplus_ratio", real),
    "pissa_init": to("method.pissa", true),
    "freeze_trainable_layers": to("method.layers", whole),
    "template": to("template", str),
    "cutoff_len": to("training.max_length", whole),
    "max_samples": to("data.limit", whole),
    "val_size": _validation,
    "packing": to("training.packing", true),
    "neat_packing": unless(True, N_("packed rows are kept from seeing each other")),
    "train_on_prompt": lambda value: {"training.trained_on": "everything"} if true(value) else {},
    "mask_history": lambda value: {"training.trained_on": "last_answer"} if true(value) else {},
    "neftune_noise_alpha": to("training.neftune", real),
    "enable_liger_kernel": to("training.liger", true),
    "flash_attn": one_of("training.attention", {"auto": "auto", "sdpa": "sdpa", "fa2": "flash_attention_2",
                                                "disabled": "eager"}),
    "disable_gradient_checkpointing": to("training.gradient_checkpointing", lambda value: not true(value)),
    "train_sampling_strategy": _sampling,
    "pure_bf16": lambda value: {"training.precision": "bf16"} if true(value) else {},
    "pref_beta": to("preference.beta", real),
    "pref_loss": lambda value: {} if value == "sigmoid" else {"stage": value},
    "pref_ftx": to("preference.sft_weight", real),
    "simpo_gamma": to("preference.gamma", real),
    "dpo_label_smoothing": to("preference.label_smoothing", real),
    "early_stopping_steps": _early,
    "dataset_dir": N_("data.train names the file itself"),
    "media_dir": TEXT,
    "image_max_pixels": TEXT,
    "video_max_pixels": TEXT,
    "freeze_vision_tower": TEXT,
    "preprocessing_num_workers": SPEED,
    "overwrite_cache": PLACES,
    "tokenized_path": PLACES,
    "plot_loss": NOTHING,
    "ray_run_name": SEVERAL,
    "ray_num_workers": SEVERAL,
}  # fmt: skip


def from_llama_factory(givens: Sequence[Given], file: Path, words: Sequence[Word] = ()) -> Imported:
    """A preset of the keys of LLaMA-Factory's YAML, or of its command line after ``words``. Raises ``BadPreset``."""
    draft = Draft("LLaMA-Factory")
    draft.told += no_value(givens)
    said = {one.key: one.value for one in givens}
    of_launcher(draft, words, file, divides=True)
    rules = {**_LLAMA_FACTORY, **spreading(file, divides=True)}
    for given in givens:
        if given.value is None or given.value == "" or _is_dataset(draft, given, said, file):
            continue
        if not draft.take(given, rules):
            _option(draft, given)
    no_model(draft, str(file), "model_name_or_path")
    if not {"dataset", "stage", "do_train"} & set(said):
        message = say("It says nothing of a training: neither stage nor dataset is there.")
        fix = say("`tunewiz try`, `tunewiz eval` and `tunewiz export` take the name of a finished run.")
        raise BadPreset(error("no-training", message, Where(file=str(file)), fix))
    no_data(draft, str(file), "dataset")
    warm_up_by_steps(draft, givens)
    draft.values |= {"task": "llm", "backend": "llama_factory"}
    draft.default(name=name_of(file.stem), method__type="lora")
    _settled(draft)
    # What LLaMA-Factory and transformers take where nothing is said.
    draft.default(training__epochs=3.0, training__learning_rate=5e-5, training__batch_size=8, training__accumulation=1,
                  training__scheduler="linear", training__warmup=0.0, training__max_length=2048)  # fmt: skip
    if draft.values["method.type"] in ("lora", "qlora"):
        draft.default(method__rank=8, method__dropout=0.0)
        draft.default(method__alpha=2 * draft.values["method.rank"])
    without_options_of(draft)
    of_all_processes(draft)
    return finished(draft, str(file))


def _settled(draft: Draft) -> None:
    """What follows from two keys together, in whatever order they were said."""
    if draft.values.get("stage") == "pretrain":
        draft.values.pop("training.trained_on", None)  # of raw text everything is learned
    if draft.values.get("method.type") == "lora" and draft.values.get("method.bits"):
        draft.values["method.type"] = "qlora"


def _is_dataset(draft: Draft, given: Given, said: Mapping[str, Any], file: Path) -> bool:
    """Whether ``given`` names datasets, which are then looked up in ``dataset_info.json``."""
    if given.key not in ("dataset", "eval_dataset"):
        return False
    names = [one.strip() for one in given.value.split(",")] if isinstance(given.value, str) else list(given.value)
    named = str(said.get("dataset_dir") or "data")
    place = found_around(f"{named}/dataset_info.json", file)
    folder, info = (place.parent, read_json(place)) if place else (file.parent / named, None)
    found = [_place(str(name), info if isinstance(info, dict) else {}, folder) for name in names]
    unknown = [name for name, (_, known) in zip(names, found, strict=True) if not known]
    places = [place for place, _ in found]
    if given.key == "dataset":
        draft.values["data.train"] = places if len(places) > 1 else places[0]
        draft.origins["data.train"] = given
    elif len(places) == 1:
        draft.values["data.evaluation.data"] = places[0]
        draft.origins["data.evaluation.data"] = given
    else:
        draft.no_place(given, say(_LIST))
    if unknown:
        message = say(
            "{key} names {names}, which dataset_info.json in {folder} would explain; it is not here. Say where the "
            "file is: data.train.",
            key=given.key,
            names=tuple(map(str, unknown)),
            folder=str(folder),
        )
        draft.told.append(warning("dataset-not-found", message, given.where))
    return True


def _place(name: str, info: Mapping[str, Any], folder: Path) -> tuple[str, bool]:
    """Where the rows of a dataset are, and whether that is known."""
    told = info.get(name)
    if isinstance(told, dict):
        if told.get("file_name"):
            return str(folder / str(told["file_name"])), True
        hub = told.get("hf_hub_url") or told.get("ms_hub_url")
        if hub:
            return f"{'hf' if told.get('hf_hub_url') else 'ms'}:{hub}", True
    return str(folder / f"{name}.json"), False


def _option(draft: Draft, given: Given) -> None:
    """A key that only LLaMA-Factory has: kept as an option of the backend, if it is one."""
    wrong = next(iter(option_problems({given.key: given.value})), None)
    if wrong is not None:
        draft.refused(given, wrong)
        return
    draft.values[f"backend_options.{given.key}"] = given.value
    draft.origins[f"backend_options.{given.key}"] = given


# axolotl.


def _adapter(value: Any) -> Mapping[str, Any]:
    if value not in ("lora", "qlora"):
        raise NoPlace(say("it knows {names}", names="lora, qlora"))
    return {"method.type": value}


def _attention(kind: str) -> Rule:
    return lambda value: {"training.attention": kind} if true(value) else {}


def _wandb(value: Any) -> Mapping[str, Any]:
    return {"tracking.trackers": ["wandb"], "tracking.project": str(value)}


def _checkpointing(value: Any) -> Mapping[str, Any]:
    return {"training.gradient_checkpointing": bool(value) if not isinstance(value, str) else value != "false"}


def _template(value: Any) -> Mapping[str, Any]:
    known = {"llama3": "llama3", "qwen_25": "qwen", "qwen3": "qwen3", "gemma": "gemma", "gemma3": "gemma3",
             "chatml": "chatml", "tokenizer_default": "auto", "mistral_v1": "mistral", "phi_3": "phi"}  # fmt: skip
    if value not in known:
        raise NoPlace(say("template: auto takes the model's own"))
    return {"template": known[value]}


def _plugins(value: Any) -> Mapping[str, Any]:
    names = [str(one).rsplit(".", 1)[-1] for one in (value if isinstance(value, list) else [value])]
    others = [name for name in names if name not in ("LigerPlugin", "CutCrossEntropyPlugin")]
    if others:
        raise NoPlace(say(UNKNOWN))
    # Both never hold all scores of the vocabulary at once.
    return {"training.liger": True}


def _rl(value: Any) -> Mapping[str, Any]:
    if value not in ("dpo", "orpo", "kto", "simpo"):
        raise _another_training(str(value))
    return {"stage": value}


def _never(name: str) -> Rule:
    """A rule: where it is on, something else is trained."""

    def rule(value: Any) -> Mapping[str, Any]:
        if true(value):
            raise _another_training(name)
        return {}

    return rule


def _as_option(name: str) -> Rule:
    """A rule: an argument that LLaMA-Factory has too."""
    return lambda value: {f"backend_options.{name}": ",".join(value) if isinstance(value, list) else value}


_KERNELS: Final = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "s2_attention",
                   "eval_sample_packing", "pad_to_sequence_len", "dataset_processes", "dataloader_prefetch_factor",
                   "flash_attn_cross_entropy", "flash_attn_rms_norm", "flash_attn_fuse_mlp")  # fmt: skip
_LIGER: Final = ("liger_fused_linear_cross_entropy", "liger_cross_entropy", "liger_rms_norm", "liger_rope",
                 "liger_glu_activation", "liger_layer_norm", "liger_swiglu", "liger_rms_norm_gated",
                 "cut_cross_entropy")  # fmt: skip
_AXOLOTL: Final[Mapping[str, Rule | str]] = {
    **{key: rule for key, rule in TRAINER.items() if key not in ("optim", "lr_scheduler_type")},
    **dict.fromkeys(_KERNELS, SPEED),
    "base_model": to("model.id", str),
    "revision_of_model": to("model.revision", str),
    "trust_remote_code": to("model.trust_remote_code", true),
    "adapter": _adapter,
    "load_in_4bit": lambda value: {"method.type": "qlora", "method.bits": 4} if true(value) else {},
    "load_in_8bit": lambda value: {"method.type": "qlora", "method.bits": 8} if true(value) else {},
    "lora_r": to("method.rank", whole),
    "lora_alpha": to("method.alpha", whole),
    "lora_dropout": to("method.dropout", real),
    "lora_target_modules": _modules,
    "lora_target_linear": lambda value: {"method.target_modules": "all"} if true(value) else {},
    "peft_use_dora": to("method.use_dora", true),
    "peft_use_rslora": to("method.use_rslora", true),
    "loraplus_lr_ratio": to("method.loraplus_ratio", real),
    "sequence_len": to("training.max_length", whole),
    "sample_packing": to("training.packing", true),
    "val_set_size": _validation,
    "micro_batch_size": to("training.batch_size", whole),
    "num_epochs": to("training.epochs", real),
    "optimizer": one_of("training.optimizer", OPTIMIZERS),
    "lr_scheduler": one_of("training.scheduler", SCHEDULERS),
    "flash_attention": _attention("flash_attention_2"),
    "sdp_attention": _attention("sdpa"),
    "eager_attention": _attention("eager"),
    "gradient_checkpointing": _checkpointing,
    "neftune_noise_alpha": to("training.neftune", real),
    "train_on_inputs": lambda value: {"training.trained_on": "everything"} if true(value) else {},
    "early_stopping_patience": _early,
    "rl": _rl,
    "reward_model": _never("reward_model"),
    "process_reward_model": _never("process_reward_model"),
    "rl_beta": to("preference.beta", real),
    "dpo_beta": to("preference.beta", real),
    "simpo_gamma": to("preference.gamma", real),
    "chat_template": _template,
    "wandb_project": _wandb,
    "warmup_steps": steps_of_warmup,
    **dict.fromkeys(_LIGER, lambda value: {"training.liger": True} if true(value) else {}),
    "plugins": _plugins,
    "special_tokens": N_("the model's own tokenizer says which it has"),
    "attn_implementation": one_of(
        "training.attention", {"flash_attention_2": "flash_attention_2", "sdpa": "sdpa", "eager": "eager"}
    ),
    "lora_modules_to_save": _as_option("additional_target"),
    "adam_beta1": _as_option("adam_beta1"),
    "adam_beta2": _as_option("adam_beta2"),
    "adam_epsilon": _as_option("adam_epsilon"),
    "float16": lambda value: {"training.precision": "fp16"} if true(value) else {},
    "bfloat16": lambda value: {"training.precision": "bf16"} if true(value) else {},
    "xformers_attention": SPEED,
    "use_kernels": SPEED,
    "activation_offloading": SPEED,
    "dataset_prepared_path": PLACES,
    "saves_per_epoch": N_("a checkpoint is saved at each evaluation: training.evaluations"),
    "strict": NOTHING,
    "shuffle_merged_datasets": NOTHING,
    "model_type": N_("the model's own configuration says what it is"),
    "tokenizer_type": N_("the model's own configuration says what it is"),
    "is_llama_derived_model": N_("the model's own configuration says what it is"),
}
#: Keys of one of axolotl's datasets.
_DATASET: Final[Mapping[str, str]] = {"path": "path", "split": "split", "name": "subset", "revision": "revision"}


#: How a dataset's columns are called there, and their roles here.
_COLUMNS: Final[Mapping[str, str]] = {
    "field_messages": "messages", "field_instruction": "instruction", "field_input": "input", "field_output": "output",
    "field_system": "system", "field": "text", "text_column": "text", "field_chosen": "chosen",
    "field_rejected": "rejected", "field_tools": "tools",
}  # fmt: skip


def from_axolotl(
    givens: Sequence[Given], file: Path, place: Callable[[KeyPath], Where], words: Sequence[Word] = ()
) -> Imported:
    """A preset of the keys of axolotl's YAML; ``place`` knows where each stands, ``words`` start its program.

    Raises ``BadPreset``.
    """
    draft = Draft("axolotl")
    draft.told += no_value(givens)
    of_launcher(draft, words, file, divides=True)
    epochs = next((one.value for one in givens if one.key == "num_epochs" and one.value), 1)
    rules = {**_AXOLOTL, **spreading(file, divides=True)}
    for given in givens:
        if given.value is None or given.value == "":
            continue
        if given.key in ("datasets", "test_datasets", "pretraining_dataset"):
            _datasets(draft, given, place)
        elif given.key == "evals_per_epoch":
            draft.values["training.evaluations"] = round(real(given.value) * real(epochs))
            draft.origins["training.evaluations"] = given
        elif not draft.take(given, rules):
            draft.no_place(given, say(UNKNOWN))
    no_model(draft, str(file), "base_model")
    draft.values |= {"task": "llm", "backend": "llama_factory"}
    no_data(draft, str(file), "datasets")
    warm_up_by_steps(draft, givens)
    draft.default(name=name_of(file.stem), method__type="full")
    _settled(draft)
    draft.default(training__scheduler="cosine", training__accumulation=1, training__batch_size=1, training__epochs=1.0,
                  training__warmup=0.0)  # fmt: skip
    without_options_of(draft)
    of_all_processes(draft)
    return finished(draft, str(file))


def _roles(value: Mapping[str, Any]) -> dict[str, Any]:
    """Who speaks in which role, where the rows have names of their own for it."""
    pairs = [
        (role, str(name)) for role, names in value.items() for name in (names if isinstance(names, list) else [names])
    ]
    return {f"data.roles.{name}": role for role, name in pairs if name != role and "." not in name}


def _datasets(draft: Draft, given: Given, place: Callable[[KeyPath], Where]) -> None:
    """The files or hub datasets, and what is said of them beside where they are."""
    sources, kinds = [], set[str]()
    for number, one in enumerate(given.value if isinstance(given.value, list) else [given.value]):
        told = one if isinstance(one, dict) else {"path": one}
        made = {_DATASET[key]: value for key, value in told.items() if key in _DATASET and value is not None}
        path = str(made.get("path", ""))
        if told.get("data_files") and path in ("json", "csv", "parquet", ""):
            files = told["data_files"]
            made["path"] = files[0] if isinstance(files, list) else files
        elif path and not path.startswith((".", "/", "~")) and "/" in path and not Path(path).suffix:
            made["path"] = f"hf:{path}"
        columns = {role: told[key] for key, role in _COLUMNS.items() if isinstance(told.get(key), str)}
        if columns:
            made["columns"] = columns
        kinds.add(str(told.get("type", "")).partition(":")[0])
        for key, value in told.items():
            if key == "roles" and isinstance(value, dict):
                draft.put(given, _roles(value))
            elif key not in (*_DATASET, *_COLUMNS, "data_files") and value is not None:
                lost = Given(f"{given.key}.{number}.{key}", value, place((given.key, number, key)))
                draft.not_needed(lost, N_("the layout of the rows is found out by looking at them: `tunewiz data`"))
        sources.append(made if set(made) - {"path"} else made.get("path", ""))
    if given.key == "test_datasets":
        first = sources[0] if len(sources) == 1 else None
        held_out = first.get("path") if isinstance(first, dict) else first
        if held_out:
            draft.values["data.evaluation.data"] = held_out
            draft.origins["data.evaluation.data"] = given
        else:
            draft.no_place(given, say(_LIST))
        return
    if given.key == "pretraining_dataset" or kinds == {"completion"}:
        draft.put(given, {"stage": "pretrain"})
    draft.values["data.train"] = sources if len(sources) > 1 or isinstance(sources[0], dict) else sources[0]
    draft.origins["data.train"] = given
