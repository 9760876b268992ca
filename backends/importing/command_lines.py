"""Command lines of FlagEmbedding and sentence-transformers, as they stand in a shell script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.importing.foreign import (
    NOTHING,
    PLACES,
    SPEED,
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
    real,
    to,
    true,
    warm_up_by_steps,
    whole,
    without_options_of,
)
from tunewiz.backends.importing.launching import of_all_processes, of_launcher, options_of, spreading
from tunewiz.backends.importing.shell import Word
from tunewiz.language import N_
from tunewiz.presets.losses import meant, trained_by
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.problems import Message, Where, say, warning

#: What the shell fills in and is not said in the file.
_VARIABLE: Final = re.compile(r"\$[\w@{(]|`")


# FlagEmbedding.


_GROUP: Final[Mapping[str, Rule | str]] = {
    "train_group_size": to("loss.group_size", whole),
    "knowledge_distillation": lambda value: {"loss.distillation": "kl_div"} if true(value) else {},
}
_LORA: Final[Mapping[str, Rule | str]] = {
    "use_lora": lambda value: {"method.type": "lora"} if true(value) else {},
    "lora_rank": to("method.rank", whole),
    "lora_alpha": to("method.alpha", real),
    "lora_dropout": to("method.dropout", real),
    "target_modules": lambda value: {"method.target_modules": value.split() if isinstance(value, str) else list(value)},
}


def _data(value: Any) -> Mapping[str, Any]:
    places = [str(one) for one in value] if isinstance(value, list) else str(value)
    return {"data.train": places}


def _pooling(value: Any) -> Mapping[str, Any]:
    known = {"cls": "cls", "mean": "mean", "last_token": "lasttoken"}
    if value not in known:
        raise NoPlace(say("it knows {names}", names=tuple(known)))
    return {"model.pooling": known[value]}


def _instruction_format(value: Any) -> Mapping[str, Any]:
    if str(value).replace("\\n", "\n") not in ("{}{}", "{}"):
        raise NoPlace(say("an instruction stands before the text as it is: write it out in model.query_instruction"))
    return {}


_FLAG: Final[Mapping[str, Rule | str]] = {
    **TRAINER,
    **_GROUP,
    **_LORA,
    "model_name_or_path": to("model.id", str),
    "trust_remote_code": to("model.trust_remote_code", true),
    "train_data": _data,
    "query_max_len": N_("one length for both: training.max_length is the longer of the two"),
    "passage_max_len": to("training.max_length", whole),
    "max_len": to("training.max_length", whole),
    "query_instruction_for_retrieval": to("model.query_instruction", str),
    "passage_instruction_for_retrieval": to("model.passage_instruction", str),
    "query_instruction_format": _instruction_format,
    "passage_instruction_format": _instruction_format,
    "temperature": to("loss.temperature", real),
    "kd_loss_type": lambda value: {"loss.distillation": value},
    "sentence_pooling_method": _pooling,
    "normalize_embeddings": N_("vectors are always brought to length one"),
    "negatives_cross_device": N_("processes compare with each other's rows where the loss can"),
    "same_dataset_within_batch": N_("the run plans its own batches"),
    "small_threshold": N_("the run plans its own batches"),
    "drop_threshold": N_("the run plans its own batches"),
    "shuffle_ratio": UNKNOWN,
    "fix_position_embedding": UNKNOWN,
    "fix_encoder": to("loss.freeze_encoder", true),
    "unified_finetuning": lambda value: {"loss.name": "m3_unified"} if true(value) else {},
    "save_merged_lora_model": to("export.merge", true),
    "use_self_distill": to("loss.self_distillation", true),
    "self_distill_start_step": lambda value: {"loss.self_distillation_from": whole(value) + 1},
    "use_mrl": lambda _value: {},
    "mrl_dims": lambda value: {
        "loss.dimensions": [whole(one) for one in (value if isinstance(value, list) else [value])]
    },
    "cache_path": PLACES,
    "cache_dir": PLACES,
    "pad_to_multiple_of": SPEED,
    "sub_batch_size": SPEED,
}
_FLAG_MODULE: Final = re.compile(r"FlagEmbedding\.finetune\.(embedder|reranker)\.?(\S*)")
_OLD_MODULES: Final = {"FlagEmbedding.baai_general_embedding.finetune.run": "embedder",
                       "FlagEmbedding.BGE_M3.run": "embedder", "FlagEmbedding.reranker.run": "reranker"}  # fmt: skip


def from_flag_embedding(words: Sequence[Word], file: Path) -> Imported:
    """A preset of ``torchrun -m FlagEmbedding.finetune...``. Raises ``BadPreset``."""
    place = next(number for number, word in enumerate(words) if word.text.startswith("FlagEmbedding."))
    module = words[place].text
    named = _FLAG_MODULE.match(module)
    kind = named[1] if named else _OLD_MODULES.get(module, "embedder")
    draft = Draft("FlagEmbedding")
    of_launcher(draft, words[:place], file, divides=False)
    ranks = kind == "reranker"
    draft.values |= {"task": "reranker" if ranks else "embedding", "backend": "flag_embedding"}
    loss = "group_softmax" if ranks else "m3_unified" if ".m3" in module or "M3" in module else "info_nce"
    givens = options_of(words[place + 1 :], str(file))
    _fill(draft, givens, {**_FLAG, **spreading(file, divides=False)}, file)
    _unfold(draft, file)
    if not any(one.key == "knowledge_distillation" and true(one.value) for one in givens):
        draft.values.pop("loss.distillation", None)  # its kind is named in many scripts that do without
    lengths = [one for one in givens if one.key in ("query_max_len", "passage_max_len") and isinstance(one.value, int)]
    if lengths:
        longest = max(lengths, key=lambda one: one.value)
        both = sum(one.value for one in lengths)
        draft.values["training.max_length"] = both if ranks else longest.value
    if "learning_rate" not in {one.key for one in givens}:
        draft.default(training__learning_rate=5e-5)
    draft.default(name=name_of(file.stem), loss__name=loss, loss__group_size=8)
    draft.default(training__epochs=3.0, training__batch_size=8, training__scheduler="linear", training__warmup=0.0)
    if ranks:
        draft.values.pop("loss.temperature", None)
    else:
        draft.default(loss__temperature=0.02)
    without_options_of(draft)
    of_all_processes(draft)
    draft.default(data__negatives__strategy="none")
    return finished(draft, str(file))


def _unfold(draft: Draft, file: Path) -> None:
    """Put the files of a folder in its place: the library trains on all of them."""
    named = draft.values.get("data.train", [])
    found: list[str] = []
    for one in named if isinstance(named, list) else [named]:
        folder = found_around(one, file)
        inside = sorted(str(entry) for entry in folder.iterdir()) if folder and folder.is_dir() else []
        found += [entry for entry in inside if entry.endswith((".json", ".jsonl"))] or [one]
    if found:
        draft.values["data.train"] = found if len(found) > 1 else found[0]


def _fill(draft: Draft, givens: Sequence[Given], rules: Mapping[str, Rule | str], file: Path) -> None:
    draft.told += no_value(givens)
    for given in givens:
        if isinstance(given.value, str) and _VARIABLE.search(given.value):
            draft.no_place(given, say("the shell fills it in, from what is not in this file"))
        elif given.value is not None and given.value != "" and not draft.take(given, rules):
            draft.no_place(given, say(UNKNOWN))
    no_model(draft, str(file), "--model_name_or_path")
    no_data(draft, str(file), "--train_data")
    warm_up_by_steps(draft, givens)


# sentence-transformers: its examples take these words, and the Trainer's arguments.


def _loss_of(ranks: bool) -> Rule:
    """A rule: the loss that goes by that name in the library, of those that rerankers or embedding models have."""
    known = trained_by("cross_encoder", RerankerLoss) if ranks else trained_by("sentence_transformers")  # type: ignore[type-abstract]

    def rule(value: Any) -> Mapping[str, Any]:
        found = meant(str(value), list(known))
        if not found:
            raise NoPlace(say("it knows {names}", names=tuple(known)))
        return {"loss.name": found}

    return rule


#: How scripts call the model that they begin from.
_MODELS: Final = ("--model_name_or_path", "--model_name", "--model", "--base_model")
_SENTENCES: Final[Mapping[str, Rule | str]] = {
    **TRAINER,
    **_LORA,
    **dict.fromkeys((name.removeprefix("--") for name in _MODELS), to("model.id", str)),
    **dict.fromkeys(("train_file", "train_data", "dataset", "dataset_name", "train_path"), _data),
    **dict.fromkeys(("eval_file", "eval_data", "dev_file"), to("data.evaluation.data", str)),
    **dict.fromkeys(("max_seq_length", "max_length"), to("training.max_length", whole)),
    **dict.fromkeys(("train_batch_size", "batch_size"), to("training.batch_size", whole)),
    **dict.fromkeys(("epochs", "num_epochs"), to("training.epochs", real)),
    **dict.fromkeys(("lr",), to("training.learning_rate", real)),
    "scale": to("loss.scale", real),
    "mini_batch_size": to("loss.mini_batch_size", whole),
    "pooling": to("model.pooling", str),
    "trust_remote_code": to("model.trust_remote_code", true),
    "query_prompt": to("model.query_instruction", str),
    "document_prompt": to("model.passage_instruction", str),
    "num_negs_per_system": to("data.negatives.per_query", whole),
    "num_negatives": to("data.negatives.per_query", whole),
    "batch_sampler": N_("the run plans its own batches"),
    "multi_dataset_batch_sampler": N_("the run plans its own batches"),
    "prompts": UNKNOWN,
    "use_amp": lambda value: {"training.precision": "fp16"} if true(value) else {},
    "evaluation_steps": NOTHING,
}
_RERANKS: Final = re.compile(r"(?i)cross.?encoder|rerank")


def from_sentence_transformers(words: Sequence[Word], file: Path) -> Imported:
    """A preset of ``python train.py ...`` with the Trainer's arguments. Raises ``BadPreset``."""
    place = next((number for number, word in enumerate(words) if word.text.endswith(".py")), 0)
    draft = Draft("sentence-transformers")
    of_launcher(draft, words[:place], file, divides=False)
    ranks = bool(_RERANKS.search(" ".join(word.text for word in words[: place + 1])))
    draft.values["task"] = "reranker" if ranks else "embedding"
    draft.values["backend"] = "cross_encoder" if ranks else "sentence_transformers"
    givens = options_of(words[place + 1 :], str(file))
    losses = dict.fromkeys(("loss", "loss_name"), _loss_of(ranks))
    _fill(draft, givens, {**_SENTENCES, **losses, **spreading(file, divides=False)}, file)
    draft.default(name=name_of(file.stem))
    draft.default(loss__name="binary_cross_entropy" if ranks else "multiple_negatives_ranking")
    draft.default(training__epochs=3.0, training__learning_rate=5e-5, training__batch_size=8,
                  training__scheduler="linear", training__warmup=0.0)  # fmt: skip
    without_options_of(draft)
    of_all_processes(draft)
    script = words[place].text if words else ""
    told: Message = say(
        "What {script} does beside its options is not known: look at the loss and the data.", script=script
    )
    draft.told.append(warning("script-not-read", told, Where(file=str(file), line=words[place].line if words else 0)))
    return finished(draft, str(file))


#: Modules of FlagEmbedding that train, now and before its second version.
_TRAINS: Final = (*_OLD_MODULES, "FlagEmbedding.finetune.")
_PRINTS: Final = ("echo", "printf", "cat", "#", ":")


def configured(texts: Sequence[str]) -> int | None:
    """The place of the configuration that a program of these words trains by: YAML that belongs to no option."""
    begun = False
    for place, text in enumerate(texts):
        if begun and text.endswith((".yaml", ".yml")) and not texts[place - 1].startswith("--"):
            return place
        begun = begun or text.endswith(".py") or text in ("axolotl.cli.train", "train")
    return None


def program_in(words: Sequence[Word]) -> str:
    """Which program a command trains with: ``flag_embedding``, ``llama_factory``, ``sentence_transformers``.

    ``configured``: one that a file of LLaMA-Factory or axolotl is given to. "" where none is known to train.
    """
    texts = [word.text for word in words]
    if not texts or texts[0] in _PRINTS:
        return ""
    if any(text.startswith(_TRAINS) for text in texts):
        return "flag_embedding"
    names = [text.rsplit("/", 1)[-1] for text in texts]
    options = {text.partition("=")[0] for text in texts}
    for name in ("llamafactory-cli", "lmf", "axolotl"):
        if name in names and "train" not in texts[names.index(name) :]:
            return ""
    if "llamafactory-cli" in names and configured(texts) is None:
        return "llama_factory"
    if "--finetuning_type" in options or "train_bash.py" in names:
        return "llama_factory"
    if configured(texts) is not None:
        return "configured"
    trains = any(text.endswith(".py") for text in texts) and options & set(_MODELS)
    return "sentence_transformers" if trains else ""
