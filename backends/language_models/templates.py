"""The chat template of a model: derived once, kept by the run, the same in training, measuring, chat and export.

What LLaMA-Factory calls things (arguments, templates, models) is read from its source: importing it would take eight
seconds in the user's shell.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from tunewiz.files import read_json
from tunewiz.presets import families
from tunewiz.presets.yaml.validation import did_you_mean, suggestion
from tunewiz.problems import BadPreset, Problem, Where, error, say

PACKAGE: Final = "llamafactory"
_TRAINING: Final = ("training_args.py", "training_args_seq2seq.py")


def folder_of(package: str) -> Path | None:
    """Where ``package`` is installed, found without importing it."""
    found = importlib.util.find_spec(package)
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


@cache
def known_arguments() -> frozenset[str]:
    """Every argument of a training run: those of LLaMA-Factory and of transformers' trainer; empty if not installed."""
    ours, theirs = folder_of(PACKAGE), folder_of("transformers")
    if ours is None or theirs is None:
        return frozenset()
    files = [*sorted((ours / "hparams").glob("*_args.py")), *(theirs / name for name in _TRAINING)]
    return frozenset(name for file in files for name in _fields(file))


def _fields(file: Path) -> Iterator[str]:
    """The annotated names in the classes of ``file``, which are all dataclasses; ``field(init=False)`` is no option."""
    for kind in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(kind, ast.ClassDef):
            for item in kind.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not _inner(item.value):
                    yield item.target.id


def _inner(value: ast.expr | None) -> bool:
    options = value.keywords if isinstance(value, ast.Call) else []
    return any(
        option.arg == "init" and isinstance(option.value, ast.Constant) and not option.value.value for option in options
    )


@cache
def data_arguments() -> frozenset[str]:
    """Every argument by which LLaMA-Factory makes rows; empty if it is not installed."""
    root = folder_of(PACKAGE)
    return frozenset(_fields(root / "hparams" / "data_args.py")) if root else frozenset()


@cache
def known_templates() -> Mapping[str, str]:
    """Every chat template by name, with how it writes a turn (source text; equal for templates that write alike)."""
    root = folder_of(PACKAGE)
    return dict(_registered(root / "data" / "template.py", "register_template")) if root else {}


def _registered(file: Path, function: str) -> Iterator[tuple[str, str]]:
    for call in calls(file, function):
        options = {item.arg: item.value for item in call.keywords if item.arg}
        name = constant(options.get("name"))
        shown = [ast.unparse(options[key]) for key in ("format_user", "format_assistant") if key in options]
        if name:
            yield name, "\n".join(shown)


@cache
def known_models() -> Mapping[str, str]:
    """The template of every model LLaMA-Factory knows, by the last part of its id in lower case."""
    root = folder_of(PACKAGE)
    found: dict[str, str] = {}
    for call in calls(root / "extras" / "constants.py", "register_model_group") if root else ():
        options = {item.arg: item.value for item in call.keywords if item.arg}
        template = constant(options.get("template"))
        for item in ast.walk(options["models"]) if template and "models" in options else ():
            place = constant(item)
            if "/" in place:
                found.setdefault(place.rpartition("/")[2].lower(), template)
    return found


def calls(file: Path, function: str) -> Iterator[ast.Call]:
    """The calls of ``function`` in a file of Python's, in the order of the file."""
    for item in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id == function:
            yield item


def constant(value: ast.AST | None) -> str:
    """A text that stands in the source; "" for anything else."""
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


#: Arguments that decide where things are and what is learned: they have keys of their own.
OWNED: Final[Mapping[str, str]] = {
    "model_name_or_path": "model.id",
    "stage": "stage",
    "finetuning_type": "method.type",
    "template": "template",
    "dataset": "data.train",
    "eval_dataset": "data.evaluation",
    "dataset_dir": "data.train",
    "output_dir": "name",
    "do_train": "task",
    "do_predict": "evaluation",
    "do_eval": "evaluation",
    "predict_with_generate": "evaluation.answers",
    "resume_from_checkpoint": "name",
    "overwrite_output_dir": "name",
    "tokenized_path": "data.train",
    "max_samples": "data.limit",
    "val_size": "data.evaluation.validation_fraction",
    "cutoff_len": "training.max_length",
    "packing": "training.packing",
    "neat_packing": "training.packing",
    "train_on_prompt": "training.trained_on",
    "mask_history": "training.trained_on",
    "ignore_pad_token_for_loss": "training.trained_on",
    # One file of rows is written for the training, drawn and counted already; it is never streamed.
    "mix_strategy": "data.train",
    "interleave_probs": "data.train",
    "media_dir": "data.train",
    "streaming": "data.limit",
    "buffer_size": "data.limit",
    "eval_num_beams": "evaluation.answers",
    "eval_on_each_dataset": "data.evaluation.data",
}
#: What changes how rows become tokens, and holds for measuring, ``check --rows``, chat and export as for training.
ROW_OPTIONS: Final = (
    "enable_thinking", "preserve_thinking", "tool_format", "default_system", "use_fast_tokenizer",
    "split_special_tokens", "add_tokens", "add_special_tokens", "new_special_tokens_config", "init_special_tokens",
    "resize_vocab",
)  # fmt: skip
#: How fast rows are made and where they are kept meanwhile: the rows are the same.
MAKING_OPTIONS: Final = (
    "overwrite_cache", "preprocessing_batch_size", "preprocessing_num_workers", "data_shared_file_system",
)  # fmt: skip
#: Arguments that spread one training over processes, which are started from outside (torchrun).
_SPREAD: Final = ("deepspeed", "fsdp", "fsdp_config")
#: Arguments that name a file on this machine, and those that may name a folder or a model on a hub.
_FILES: Final = ("deepspeed", "fsdp_config", "new_special_tokens_config")
_FOLDERS: Final = ("adapter_name_or_path", "ref_model", "ref_model_adapters", "reward_model", "reward_model_adapters")


def option_problems(options: Mapping[str, object], spread: bool = False) -> Iterator[Problem]:
    """Names of ``backend_options`` that LLaMA-Factory does not know, and those that have a key of their own.

    ``spread``: whether several processes train.
    """
    known = known_arguments()
    for name in options:
        where = Where(key=f"backend_options.{name}")
        if name in OWNED:
            message = say("{name} follows from other keys of the preset.", name=name)
            yield error("backend-option-owned", message, where, say("Set {key} instead.", key=OWNED[name]))
        elif known and name not in known:
            message = say("LLaMA-Factory has no argument {name}.", name=name)
            yield error("backend-option-unknown", message, where, suggestion(name, sorted(known)))
        else:
            yield from _files_missing(name, options[name])
            if name in _SPREAD and options[name] and not spread:
                message = say("{name} needs several processes; this preset trains in one.", name=name)
                fix = say("Set launch.processes, or leave it out; `tunewiz check` shows what takes less memory.")
                yield error("backend-option-distributed", message, where, fix)


def _files_missing(name: str, value: object) -> Iterator[Problem]:
    """A file or folder that an argument names and that is not there, with the name that is nearest to it."""
    if not isinstance(value, str) or name not in (*_FILES, *_FOLDERS):
        return
    for place in [part.strip() for part in value.split(",")] if name in _FOLDERS else [value]:
        path = Path(place).expanduser()
        is_hub = name in _FOLDERS and place.count("/") == 1 and not place.startswith((".", "~", "/"))
        if not place or path.exists() or is_hub or place == "auto":
            continue
        message = say("There is no file or folder {path}.", path=str(path.absolute()))
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        near = did_you_mean(path.name, beside)
        fix = say("Did you mean {near}?", near=str(path.with_name(near))) if near else say("Check the path.")
        yield error("backend-option-file", message, Where(key=f"backend_options.{name}"), fix)


#: By the model type in config.json, for folders whose name tells nothing.
_BY_TYPE: Final = {
    "qwen2": "qwen",
    "qwen3": "qwen3_nothink",
    "llama": "llama3",
    "gemma3_text": "gemma",
    "gemma3": "gemma3",
    "gemma2": "gemma2",
    "mistral": "mistral",
}
#: The same for those whose chat template has the marks of others too.
_OWN: Final = {"qwen3_5": "qwen3_5"}
#: By what stands in a chat template, the most telling first.
_BY_MARK: Final = (
    ("<|start_header_id|>", "llama3"),
    ("<start_of_turn>", "gemma"),
    ("<think>", "qwen3"),
    ("<|im_start|>", "qwen3_nothink"),
    ("[INST]", "mistral"),
)
_WHERE: Final = Where(key="template")


def own_template(model_id: str, folder: Path | None = None) -> str:
    """The template that the model called ``model_id``, in ``folder`` if it is here, was made for; "" if unknown.

    Models of text alone take a template without pictures: ``gemma3`` would ask them for an image processor.
    """
    known = families.lookup(model_id)
    if known and known.size.source == "starter":
        return "gemma"
    name = (known.size.id if known else model_id).rstrip("/").rpartition("/")[2].lower()
    found = known_models().get(name, "")
    config = read_json(folder / "config.json") if folder else None
    kind = str(config.get("model_type", "")) if isinstance(config, dict) else ""
    if found == "gemma3" and (kind == "gemma3_text" or "270m" in name or "-1b" in name):
        return "gemma"
    return found or (_of_folder(folder, kind) if folder else "")


def _of_folder(folder: Path, kind: str) -> str:
    jinja = folder / "chat_template.jinja"
    settings = read_json(folder / "tokenizer_config.json")
    told = jinja.read_text(encoding="utf-8") if jinja.is_file() else ""
    told = told or str(settings.get("chat_template") or "" if isinstance(settings, dict) else "")
    marked = next((name for mark, name in _BY_MARK if mark in told), "")
    return _OWN.get(kind, "") or marked or _BY_TYPE.get(kind, "")


def template_problems(wanted: str, model_id: str, folder: Path | None) -> list[Problem]:
    """What is wrong with the preset's ``template``: unknown to LLaMA-Factory, or not the model's own."""
    known = known_templates()
    if not known:
        return []
    own = own_template(model_id, folder)
    if wanted == "auto":
        return [] if own or folder is None else [_underivable(model_id)]
    if wanted not in known:
        message = say("LLaMA-Factory has no chat template {name}.", name=wanted)
        return [error("unknown-template", message, _WHERE, suggestion(wanted, list(known)))]
    if own and not alike(wanted, own):
        message = say("{id} was made for the chat template {own}, not for {name}.", id=model_id, own=own, name=wanted)
        return [error("template-mismatch", message, _WHERE, say("Write template: auto, or {own}.", own=own))]
    return []


def learning_problems(trained_on: str, template: str) -> Iterator[Problem]:
    """That a template which ends answers by the next turn's first token cannot have its questions learned."""
    if trained_on == "everything" and template in _ended_late():
        message = say("With the chat template {name} only answers can be learned.", name=template)
        yield error(
            "trained-on-template", message, Where(key="training.trained_on"), say("Set it to answers or last_answer.")
        )


@cache
def _ended_late() -> frozenset[str]:
    """Templates for which LLaMA-Factory refuses ``train_on_prompt``."""
    root = folder_of(PACKAGE)
    found = set()
    for call in calls(root / "data" / "template.py", "register_template") if root else ():
        options = {item.arg: item.value for item in call.keywords if item.arg}
        mark = options.get("efficient_eos")
        if isinstance(mark, ast.Constant) and mark.value:
            found.add(constant(options.get("name")))
    return frozenset(found)


def alike(one: str, other: str) -> bool:
    """Whether two templates write turns the same way (``qwen3`` and ``qwen3_nothink``, ``gemma`` and ``gemma3``)."""
    known = known_templates()
    return one == other or (bool(known.get(one)) and known.get(one) == known.get(other))


def resolved_template(wanted: str, model_id: str, folder: Path) -> str:
    """The template's name. Raises :class:`BadPreset` with :func:`problems`."""
    found = template_problems(wanted, model_id, folder)
    if found:
        raise BadPreset(*found)
    return own_template(model_id, folder) if wanted == "auto" else wanted


def _underivable(model_id: str) -> Problem:
    message = say("The chat template of {id} is not known, and its folder does not tell.", id=model_id)
    fix = say("Name it: template: qwen3_nothink, llama3, gemma ... (LLaMA-Factory's data/template.py lists them).")
    return error("template-unknown", message, _WHERE, fix)
