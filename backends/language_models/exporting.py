"""The tuned language model as a folder that transformers, vLLM and LLaMA-Factory load by its path, and its card."""

from __future__ import annotations

import gc
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.export.model_card import python_text, serving_section
from tunewiz.backends.export.serving import adapter_server, served_adapter, servers
from tunewiz.backends.language_models.chat_templates import settle_template
from tunewiz.backends.language_models.loaded_model import Loaded, Places, adapter_in, load, load_tuned, speaks_first
from tunewiz.backends.reports.blocks import Block, Code, Heading, Paragraph, markdown, section
from tunewiz.backends.reports.facts import LlmFacts, gather_language_model
from tunewiz.backends.reports.language_model_report import made_from, numbers
from tunewiz.backends.runs.run import Run
from tunewiz.data.chat.prepared import load as load_prepared
from tunewiz.files import read_json, replacing, sha256, write_json, write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.tree import write_scalar
from tunewiz.problems import Message, TunewizError, Where, error, say

ADAPTER: Final = "adapter"
_FILES: Final = ("adapter_model.safetensors", "adapter_config.json")


def export(run: Run, preset: LlmPreset, places: Places) -> list[Path]:
    """Write ``run.model`` (merged into 16-bit weights) and ``run.model / "adapter"``; the folders that can be loaded.

    Without ``export.merge``, and of virtual tokens, only the adapter is written. What was written is loaded again and
    compared with the tuned model before it becomes ``run.model``. Raises ``TunewizError`` (``export-differs``).
    """
    adapter = adapter_in(run.checkpoints)
    whole = adapter is None or (preset.export.merge and not speaks_first(adapter))
    with replacing(run.model) as temporary:
        written = []
        loaded = load_tuned(preset, places, run.checkpoints, merged=whole)
        expected, kind, device = _probed(loaded.model, loaded.tokenizer), type(loaded.inner), loaded.inner.device
        if whole:
            _settle(loaded, run)
            _model(loaded, temporary, run)
            write_whole(temporary / "README.md", card(run, preset, template=places.template))
            written.append(run.model)
        if adapter:
            _adapter(adapter, temporary / ADAPTER, run, preset)
            written.append(run.model / ADAPTER)
        del loaded
        _free()
        if whole:
            _check(_plain(kind, temporary, device, preset), expected, run.model)
        else:
            again = load(preset, places, temporary / ADAPTER)
            _check(_probed(again.model, again.tokenizer), expected, run.model / ADAPTER)
    return written


#: Texts that the model that was written must go on with like the one in memory.
_PROBES: Final = ("How do I reset my password?", "重置密码的方法", "def main() -> int:\n    return 0")
#: Largest difference of a logit, as a share of the largest, by the bytes of a weight: the same weights summed up in
#: another order differ by a few units in the last place, of which bfloat16 keeps 8 bits and float32 24.
_SAME_LOGIT: Final = {4: 1e-3, 2: 5e-2}


@dataclass(frozen=True)
class _Probed:
    """Of each probe the ids of its tokens, and the logits after each of them (tokens, vocabulary); bytes a weight."""

    ids: list[list[int]]
    logits: list[Any]
    width: int


def _probed(model: Any, tokenizer: Any) -> _Probed:
    import torch

    ids: list[list[int]] = [tokenizer.encode(text, add_special_tokens=False) for text in _PROBES]
    logits = []
    with torch.inference_mode():
        for row in ids:
            tokens = torch.tensor([row], device=model.device)
            found = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits
            logits.append(found[0].float().cpu())
    return _Probed(ids, logits, min(4, model.dtype.itemsize))


def _plain(kind: Any, folder: Path, device: Any, preset: LlmPreset) -> _Probed:
    """The model as a user loads it: by its path and nothing else."""
    from transformers import AutoTokenizer

    told = {"local_files_only": True, "trust_remote_code": preset.model.trust_remote_code}
    model = kind.from_pretrained(str(folder), dtype="auto", **told).to(device).eval()
    return _probed(model, AutoTokenizer.from_pretrained(str(folder), **told))


def _free() -> None:
    """Give the GPU back what no model needs any more, before another one is loaded."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _check(found: _Probed, expected: _Probed, folder: Path) -> None:
    if found.ids != expected.ids:
        raise _differs(say("its tokenizer splits texts otherwise"), folder)
    for one, other in zip(found.logits, expected.logits, strict=True):
        difference = float((one - other).abs().max()) if one.shape == other.shape else float("inf")
        share = difference / max(1.0, float(other.abs().max()))
        if not share <= _SAME_LOGIT[expected.width]:
            raise _differs(say("its logits differ by {difference}", difference=f"{difference:.2g}"), folder)


def _differs(how: Message, folder: Path) -> TunewizError:
    message = say("The exported model does not answer like the tuned one: {how}.", how=how)
    fix = say("Keep the run's checkpoints (export.keep_checkpoints) and report this.")
    return TunewizError(error("export-differs", message, Where(file=folder.name), fix))


def _settle(loaded: Loaded, run: Run) -> None:
    """Let the tokenizer that goes out write chats as they were trained; of texts to continue there are none."""
    prepared = load_prepared(run.data)
    told = settle_template(loaded, any(row.tools for row in prepared.train)) if prepared.stage != "pretrain" else None
    if told is not None:
        run.notice(told)


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
    if sha256(adapter / _FILES[0]) != sha256(folder / _FILES[0]):
        raise _differs(say("the bytes of {file} are not those that were written", file=_FILES[0]), folder)
    settings: Any = read_json(folder / "adapter_config.json")
    model = (read_json(run.record_file) or {}).get("model", {})
    hub = model.get("source") in ("huggingface", "modelscope")
    settings["base_model_name_or_path"] = preset.model.id if hub else model.get("path", preset.model.id)
    write_json(folder / "adapter_config.json", settings)
    write_whole(folder / "README.md", card(run, preset, adapter=folder))


def card(run: Run, preset: LlmPreset, adapter: Path | None = None, template: str = "") -> str:
    """The README of the exported model, or of its ``adapter``, as Markdown with YAML front matter."""
    facts = gather_language_model(run, preset)
    front = ["---", f"library_name: {'peft' if adapter else 'transformers'}", "pipeline_tag: text-generation"]
    if "/" in facts.base_model:
        front.append(f"base_model: {write_scalar(facts.base_model)}")
    if facts.licence:
        front += ["license: other", f"license_name: {write_scalar(facts.licence)}"]
    return "\n".join([*front, "---"]) + "\n\n" + markdown(list(_card(facts, adapter, template)))


def _card(facts: LlmFacts, adapter: Path | None, template: str) -> Iterator[Block]:
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
    yield from _served(facts, adapter, template)
    yield from section(N_("How it was made"), [line.text() for line in made_from(facts)])
    yield from section(N_("Licence"), [facts.licence or translate(N_("The licence of the base model applies."))])


def _served(facts: LlmFacts, adapter: Path | None, template: str) -> Iterator[Block]:
    """How servers take the model, or vLLM the adapter."""
    name = facts.preset.name
    if adapter is None:
        yield from serving_section(servers("chat", Path(), ".", name, template))
        return
    rank = served_adapter(adapter)
    command = adapter_server(facts.base_model, ".", name, rank) if rank else None
    if command:
        yield Heading(translate(N_("How to serve it")))
        yield Code(shlex.join(command), "sh")
