"""The model with a Modelfile, which Ollama makes a model of its own from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from backends.runs.run import Run
from backends.targets.base import Target, copy_model
from data.files import read_json, write_whole
from data.language import N_
from data.problems import BadPreset, Message, error, say
from presets.preset import Preset


class Ollama(Target):
    """``Modelfile`` and ``model/``: the template it was tuned with, in Ollama's words by LLaMA-Factory."""

    name: ClassVar[str] = "ollama"
    tasks: ClassVar[frozenset[str]] = frozenset({"llm"})
    summary: ClassVar[str] = N_("the model with a Modelfile for Ollama")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model and write its Modelfile."""
        copy_model(run, folder / "model")
        text = _modelfile(folder / "model", template_of(run))
        write_whole(folder / "Modelfile", text.replace("FROM .", "FROM ./model", 1))
        return say("There: {command}", command=f"ollama create {preset.name} -f Modelfile && ollama run {preset.name}")


def template_of(run: Run) -> str:
    """The name of the template that the run was tuned with, as LLaMA-Factory knows it."""
    record: Any = read_json(run.record_file) or {}
    template = record.get("llm", {}).get("template", "") if isinstance(record, dict) else ""
    if not template:
        told = say("The run {name} has no chat template on record.", name=run.name)
        raise BadPreset(error("no-template", told, fix=say("Export --to merged, and write a Modelfile by hand.")))
    return str(template)


def _modelfile(model: Path, template: str) -> str:
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model))
    known = get_template_and_fix_tokenizer(tokenizer, DataArguments(template=template))
    text: str = known.get_ollama_modelfile(tokenizer)
    return text
