"""The tuned language model as a folder that transformers, vLLM and LLaMA-Factory load by its path, and its card."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.export.exporters import replacing
from tunewiz.backends.export.model_card import python_text
from tunewiz.backends.language_models.loaded_model import Loaded, Places, adapter_in, load_tuned, speaks_first
from tunewiz.backends.reports.blocks import Block, Code, Heading, Paragraph, markdown, section
from tunewiz.backends.reports.facts import LlmFacts, gather_language_model
from tunewiz.backends.reports.language_model_report import made_from, numbers
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_json, write_json, write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.tree import write_scalar
from tunewiz.problems import say

ADAPTER: Final = "adapter"
_FILES: Final = ("adapter_model.safetensors", "adapter_config.json")


def export(run: Run, preset: LlmPreset, places: Places) -> list[Path]:
    """Write ``run.model`` (merged into 16-bit weights) and ``run.model / "adapter"``; the folders that can be loaded.

    Without ``export.merge``, and of virtual tokens, only the adapter is written.
    """
    adapter = adapter_in(run.checkpoints)
    with replacing(run.model) as temporary:
        written = []
        if adapter is None or (preset.export.merge and not speaks_first(adapter)):
            _model(load_tuned(preset, places, run.checkpoints, merged=True), temporary, run)
            write_whole(temporary / "README.md", card(run, preset))
            written.append(run.model)
        if adapter:
            _adapter(adapter, temporary / ADAPTER, run, preset)
            written.append(run.model / ADAPTER)
    return written


def _model(loaded: Loaded, folder: Path, run: Run) -> None:
    """Weights and tokenizer, with the chat template that was trained with."""
    loaded.inner.save_pretrained(str(folder))
    loaded.tokenizer.padding_side = "left"
    loaded.tokenizer.save_pretrained(str(folder))
    settings: Any = read_json(folder / "config.json")
    if Path(str(settings.get("_name_or_path", ""))).is_absolute():
        settings["_name_or_path"] = str((read_json(run.record_file) or {}).get("model", {}).get("place", ""))
        write_json(folder / "config.json", settings)


def _adapter(adapter: Path, folder: Path, run: Run, preset: LlmPreset) -> None:
    folder.mkdir()
    for name in _FILES:
        shutil.copy2(adapter / name, folder / name)
    settings: Any = read_json(folder / "adapter_config.json")
    model = (read_json(run.record_file) or {}).get("model", {})
    hub = model.get("source") in ("huggingface", "modelscope")
    settings["base_model_name_or_path"] = preset.model.id if hub else model.get("path", preset.model.id)
    write_json(folder / "adapter_config.json", settings)
    write_whole(folder / "README.md", card(run, preset, adapter=True))


def card(run: Run, preset: LlmPreset, adapter: bool = False) -> str:
    """The README of the exported model, or of its adapter, as Markdown with YAML front matter."""
    facts = gather_language_model(run, preset)
    front = ["---", f"library_name: {'peft' if adapter else 'transformers'}", "pipeline_tag: text-generation"]
    if "/" in facts.base_model:
        front.append(f"base_model: {write_scalar(facts.base_model)}")
    if facts.licence:
        front += ["license: other", f"license_name: {write_scalar(facts.licence)}"]
    return "\n".join([*front, "---"]) + "\n\n" + markdown(list(_card(facts, adapter)))


def _card(facts: LlmFacts, adapter: bool) -> Iterator[Block]:
    yield Heading(facts.preset.name, 1)
    made = say("A language model: {base}, tuned on {data} with Tunewiz.", base=facts.base_model, data=facts.data_name)
    yield Paragraph(made.text())
    yield from numbers(facts)
    yield Heading(translate(N_("How to use it")))
    here = translate(N_("the path of this folder"))
    place = python_text(facts.base_model if adapter else ".")
    lines = [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"tokenizer = AutoTokenizer.from_pretrained({place})  # {here}",
        f'model = AutoModelForCausalLM.from_pretrained({place}, dtype="auto")',
        'turns = [{"role": "user", "content": "..."}]',
        'inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", '
        "return_dict=True)",
        "written = model.generate(**inputs, max_new_tokens=256)",
        'print(tokenizer.decode(written[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))',
    ]
    if adapter:
        lines[0:0] = ["from peft import PeftModel"]
        lines.insert(5, f'model = PeftModel.from_pretrained(model, ".")  # {here}')
    yield Code("\n".join(lines))
    yield from section(N_("How it was made"), [line.text() for line in made_from(facts)])
    yield from section(N_("Licence"), [facts.licence or translate(N_("The licence of the base model applies."))])
