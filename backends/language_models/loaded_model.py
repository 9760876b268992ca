"""A model with its tokenizer and chat template, loaded by LLaMA-Factory itself, so that all stages read alike."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.language_models.templates import ROW_OPTIONS
from tunewiz.backends.machine.hardware import gpus
from tunewiz.backends.machine.precision import Precision, choose
from tunewiz.backends.models.loading import check_tokenizer, device_of, loading_explained, use_threads
from tunewiz.data.rows.conversations import Stage
from tunewiz.files import read_json, read_object
from tunewiz.presets.sections.training import Launch
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import BadData, Where, error, say


@dataclass(frozen=True)
class Places:
    """What is known once data and model are there: folders, the resolved template, the kind of rows."""

    model: str
    data: str
    output: str
    template: str
    rows: Stage
    validated: bool
    thinking: bool = False
    resume: str = ""


#: Arguments of the training that a loaded model needs too.
LOADING_OPTIONS: Final = ("quantization_bit", "quantization_method", "quantization_type", "double_quantization",
                          "flash_attn", "rope_scaling")  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to be asked. ``template`` and ``data`` are LLaMA-Factory's template and data arguments.

    ``processor`` prepares pictures; the templates of models that see ask for it even where there are none.
    """

    model: Any
    tokenizer: Any
    template: Any
    data: Any
    processor: Any

    @property
    def inner(self) -> Any:
        """The causal language model itself, without an adapter's wrapping."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def stops(self) -> list[int]:
        """Tokens that end an answer."""
        found: list[int] = self.template.get_stop_token_ids(self.tokenizer)
        return found


def ready_process(launch: Launch) -> str:
    """Prepare this process; ``cpu`` or ``cuda``.

    One GPU is left visible, the emptiest: LLaMA-Factory refuses more outside torchrun. To be called before torch looks.
    """
    visible = "CUDA_VISIBLE_DEVICES" in os.environ
    cards = gpus() if launch.device != "cpu" and not visible else ()
    if len(cards) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(max(cards, key=lambda card: card.memory_free or 0).index)
    os.environ.setdefault("DISABLE_VERSION_CHECK", "1")  # pyproject pins what goes together
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the model is a folder by now
    device = device_of(launch)
    use_threads(launch)
    return device


def load(preset: LlmPreset, places: Places, adapter: Path | None, *, merged: bool = False) -> Loaded:
    """The model of ``places`` with ``adapter`` on it, in evaluation mode, stored in the bits it is trained beside.

    ``merged`` leaves quantisation out, for an export. Raises :class:`BadPreset` (``model-not-loadable``).
    """
    import torch
    from llamafactory.hparams import get_infer_args
    from llamafactory.model import load_model

    device = ready_process(preset.launch)
    precision = choose(preset.training.precision, device)[0]
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    # An adapter of any kind is put on as LLaMA-Factory's "lora" is: peft reads its kind from the adapter itself.
    told_apart = adapter is not None and speaks_first(adapter)
    told = loading_arguments(preset, places, None if told_apart else adapter, merged) | {"infer_dtype": _name(dtype)}
    in_full = nullcontext() if merged else computing_in(precision)  # an export has the bits of the file
    with loading_explained(places.model, preset.model.trust_remote_code), in_full:
        model_args, data_args, finetuning_args, _ = get_infer_args(told)
        model_args.device_map, model_args.compute_dtype = {"": torch.device(device)}, dtype
        reading = _reading(model_args, data_args, places.model)
        model = load_model(reading.tokenizer, model_args, finetuning_args, is_trainable=False)
        if adapter is not None and told_apart:
            from peft import PeftModel

            read_prefixes_by_layer()
            model = PeftModel.from_pretrained(model, str(adapter))
    return replace(reading, model=model.eval())


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Full precision where that is asked for; LLaMA-Factory takes 16 bit wherever it may choose.

    On a GPU it computes so, which would not go with weights in 32 bit: the mask of packed rows would be of another
    type. Everywhere it leaves weights that are not trained in the bits of their file: measuring, and nearly all of the
    training of an adapter, would be done in those. A CPU without instructions for bf16 took 20 s in place of 5 for
    reading 512 tokens with 270 million weights so, and 288 s in place of 2 for a step of LoRA over 64.
    """
    import torch
    from llamafactory.model import loader, patcher

    chosen, patched = patcher.infer_optim_dtype, loader.patch_model

    def in_full(model: Any, *arguments: Any, **named: Any) -> None:
        for weight in model.parameters():
            # Quantised ones are stored in other types, or as their library wants; ZeRO has divided those with an id.
            kept = hasattr(weight, "quant_state") or hasattr(weight, "ds_id")
            if weight.dtype in (torch.bfloat16, torch.float16) and not kept:
                weight.data = weight.data.to(torch.float32)
        patched(model, *arguments, **named)

    if precision == "fp32":
        patcher.infer_optim_dtype = lambda **_: torch.float32  # asked with model_dtype=
        loader.patch_model = in_full
    try:
        yield
    finally:
        patcher.infer_optim_dtype, loader.patch_model = chosen, patched


def tokenizing(preset: LlmPreset, places: Places) -> Loaded:
    """As :func:`load` without the model itself: enough to read rows. Raises :class:`BadPreset`."""
    ready_process(preset.launch)
    from llamafactory.hparams import get_infer_args

    with loading_explained(places.model, preset.model.trust_remote_code):
        model_args, data_args, _, _ = get_infer_args(loading_arguments(preset, places, None, merged=True))
        return _reading(model_args, data_args, places.model)


def _reading(model_args: Any, data_args: Any, model: str) -> Loaded:
    """What reads the rows of the ``model``, without the model itself."""
    from llamafactory.data import get_template_and_fix_tokenizer
    from llamafactory.model import load_tokenizer

    found = load_tokenizer(model_args)
    check_tokenizer(found["tokenizer"], model)
    template = get_template_and_fix_tokenizer(found["tokenizer"], data_args)
    return Loaded(None, found["tokenizer"], template, data_args, found["processor"])


def read_prefixes_by_layer() -> None:
    """Let peft put trained keys and values before the text of Gemma's layers as it does for every other model.

    peft 0.18 has a way of its own for Gemma 2 and 3, which takes the list of layers for keys and values (``get_prompt``
    in ``peft_model.py``) and fails beyond two layers.
    """
    from peft.utils import constants
    from transformers import DynamicCache

    for kind in ("gemma2", "gemma3_text"):
        constants.TRANSFORMERS_MODELS_TO_PREFIX_TUNING_POSTPROCESS_MAPPING[kind] = DynamicCache


def speaks_first(adapter: Path) -> bool:
    """Whether an adapter is virtual tokens before the text, which cannot be merged into weights."""
    settings = read_json(adapter / "adapter_config.json")
    return isinstance(settings, dict) and "num_virtual_tokens" in settings


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def loading_arguments(preset: LlmPreset, places: Places, adapter: Path | None, merged: bool) -> dict[str, Any]:
    """What LLaMA-Factory is told to load: the arguments of ``get_infer_args``."""
    options = {**preset.method.arguments(), **preset.backend_options}
    shared = () if merged else LOADING_OPTIONS
    training = preset.training
    return {
        "model_name_or_path": places.model,
        "trust_remote_code": preset.model.trust_remote_code,
        "template": places.template,
        "enable_thinking": places.thinking,
        "cutoff_len": training.max_length,
        "finetuning_type": "lora" if adapter or (not merged and preset.method.stored_bits < 16) else "full",
        "mask_history": training.trained_on == "last_answer",
        "train_on_prompt": training.trained_on == "everything",
        # Rows hold it already; a chat that says nothing of its own, and what is exported, begin with it too.
        **({"default_system": preset.data.system} if preset.data.system else {}),
        **({"adapter_name_or_path": str(adapter)} if adapter else {}),
        **{key: options[key] for key in (*shared, *ROW_OPTIONS) if key in options},
    }


def adapter_in(folder: Path) -> Path | None:
    """The adapter in ``folder``; where PiSSA was turned into an ordinary one, that."""
    converted = folder / "pissa_converted"
    for place in (converted, folder):
        if (place / "adapter_config.json").is_file():
            return place
    return None


def places_of(record: Mapping[str, Any], data: Path, output: Path) -> Places:
    """What the run's record says of places, once data and model are there.

    Raises :class:`BadData` (``record-damaged``) where it does not say it.
    """
    told, model = record.get("llm"), record.get("model")
    try:
        return Places(
            model=str(model["path"]),  # type: ignore[index]  # whatever it is
            data=str(data / "llama_factory"),
            output=str(output),
            template=str(told["template"]),  # type: ignore[index]
            rows=told["rows"],  # type: ignore[index]
            validated=bool(told["validated"]),  # type: ignore[index]
            thinking=bool(told["thinking"]),  # type: ignore[index]
        )
    except (KeyError, TypeError) as fault:
        file = data.parent / "run.json"
        message = say("{file} is damaged: what preparing the data wrote there is gone.", file=file)
        fix = say(
            "Start a new run from its preset: {command}",
            command=f"tunewiz run {shlex.quote(str(data.parent / 'preset.yaml'))}",
        )
        raise BadData(error("record-damaged", message, Where(file=str(file)), fix)) from fault


def read_record(file: Path) -> dict[str, Any]:
    """The run's record."""
    return read_object(file)


def load_tuned(preset: LlmPreset, places: Places, folder: Path, *, merged: bool = False) -> Loaded:
    """The model with what training left in ``folder``: its adapter, or all its weights."""
    adapter = adapter_in(folder)
    return load(preset, places if adapter else replace(places, model=str(folder)), adapter, merged=merged)
