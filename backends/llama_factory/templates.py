"""The chat template of a model: derived once, kept by the run, the same in training, measuring, chat and export."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backends.llama_factory.names import known_models, templates
from data.files import read_json
from data.problems import BadPreset, Problem, Where, error, say
from presets import families
from presets.wording import suggestion

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
    return next((name for mark, name in _BY_MARK if mark in told), "") or _BY_TYPE.get(kind, "")


def problems(wanted: str, model_id: str, folder: Path | None) -> list[Problem]:
    """What is wrong with the preset's ``template``: unknown to LLaMA-Factory, or not the model's own."""
    known = templates()
    if not known:
        return []
    own = own_template(model_id, folder)
    if wanted == "auto":
        return [] if own or folder is None else [_underivable(model_id)]
    if wanted not in known:
        told = say("LLaMA-Factory has no chat template {name}.", name=wanted)
        return [error("unknown-template", told, _WHERE, suggestion(wanted, list(known)))]
    if own and not alike(wanted, own):
        told = say("{id} was made for the chat template {own}, not for {name}.", id=model_id, own=own, name=wanted)
        return [error("template-mismatch", told, _WHERE, say("Write template: auto, or {own}.", own=own))]
    return []


def alike(one: str, other: str) -> bool:
    """Whether two templates write turns the same way (``qwen3`` and ``qwen3_nothink``, ``gemma`` and ``gemma3``)."""
    known = templates()
    return one == other or (bool(known.get(one)) and known.get(one) == known.get(other))


def resolved(wanted: str, model_id: str, folder: Path) -> str:
    """The template's name. Raises :class:`BadPreset` with :func:`problems`."""
    found = problems(wanted, model_id, folder)
    if found:
        raise BadPreset(*found)
    return own_template(model_id, folder) if wanted == "auto" else wanted


def _underivable(model_id: str) -> Problem:
    told = say("The chat template of {id} is not known, and its folder does not tell.", id=model_id)
    fix = say("Name it: template: qwen3_nothink, llama3, gemma ... (LLaMA-Factory's data/template.py lists them).")
    return error("template-unknown", told, _WHERE, fix)
