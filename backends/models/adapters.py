"""LoRA adapters on an encoder, by peft (Hu et al., 2021): put on, restored from a folder, merged into the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tunewiz.presets.sections.method import Lora
from tunewiz.problems import BadPreset, TunewizError, Where, error, say

#: The adapter's name inside the model.
ADAPTER_NAME: Final = "default"
#: What a classifier's head is called in transformers; a cross-encoder's is trained whole and kept with the adapter.
HEADS: Final = ("classifier", "score")
#: The adapter's weights in a folder, and what peft puts before their names.
ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"
_PREFIX: Final = "base_model.model."


def add_lora(model: Any, method: Lora) -> tuple[str, ...]:
    """Put a LoRA adapter on ``model`` (of sentence-transformers) and freeze everything else but a head that scores.

    Returns the names of the layers that got one, shortened to their last part. Raises :class:`BadPreset`
    (``lora-target-unknown``) when the preset names layers that the model lacks.
    """
    from peft import LoraConfig

    options = lora_options(model, method)
    model.add_adapter(LoraConfig(**options), adapter_name=ADAPTER_NAME)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_adapter(name))
    return tuple(sorted({name.rsplit(".", 1)[-1] for name in options["target_modules"]}))


def lora_options(model: Any, method: Lora) -> dict[str, Any]:
    """The arguments of peft's ``LoraConfig`` for ``model``. Raises :class:`BadPreset` (``lora-target-unknown``)."""
    transformer = model[0].auto_model
    linear = linear_layers(transformer)
    wanted = linear if method.target_modules == "all" else tuple(method.target_modules)
    _check_targets(wanted, linear)
    heads = [name for name, _ in transformer.named_children() if name in HEADS]
    return {
        "task_type": "SEQ_CLS" if heads else "FEATURE_EXTRACTION",
        "modules_to_save": heads or None,
        "r": method.rank,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "target_modules": list(wanted),
        "bias": "none",
        "use_rslora": method.use_rslora,
        "use_dora": method.use_dora,
    }


def linear_layers(transformer: Any) -> tuple[str, ...]:
    """Suffixes of the names of all linear layers in the encoder's blocks, e.g. ``attention.self.query``.

    A pooler (BERT's leftover, unused by mean or CLS pooling over the last layer) is left out: it gets no gradient. So
    are heads, which are small and trained whole, and the vocabulary's.
    """
    from torch import nn

    found: dict[str, None] = {}
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and not {"pooler", "lm_head", *HEADS} & set(name.split(".")):
            found[_without_numbers(name)] = None
    return tuple(found)


def _without_numbers(name: str) -> str:
    """``encoder.layer.3.attention.self.query`` -> ``attention.self.query``: peft matches by the end of a name."""
    parts = name.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    return ".".join(parts[numbers[-1] + 1 :]) if numbers else name


def _check_targets(wanted: tuple[str, ...], linear: tuple[str, ...]) -> None:
    unknown = [name for name in wanted if not any(f".{layer}".endswith(f".{name}") for layer in linear)]
    if not unknown and wanted:
        return
    message = say("The model has no linear layer {names}.", names=", ".join(unknown) or "-")
    shown = ", ".join(sorted({layer.rsplit(".", 1)[-1] for layer in linear}))
    fix = say("Use all, or some of: {names}.", names=shown)
    raise BadPreset(error("lora-target-unknown", message, Where(key="method.target_modules"), fix))


def trainable(model: Any) -> tuple[int, int]:
    """How many weights are trained, and how many there are."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def restore_adapter(model: Any, folder: Path) -> bool:
    """Read the adapter saved in ``folder`` into the LoRA layers of ``model``; whether there was one.

    transformers 5.5 takes ``base_model.model.`` off the names of decoders' weights only: an encoder's adapter is left
    as it was made, at random and without effect, and only the log tells. Raises :class:`TunewizError`
    (``adapter-damaged``) when the weights are not exactly those of the model's LoRA layers.
    """
    if not (folder / ADAPTER_WEIGHTS).is_file():
        return False
    from safetensors.torch import load_file

    transformer = model[0].auto_model
    expected = {name for name, _ in transformer.named_parameters() if _is_adapter(name)}
    weights = {_inside(name): tensor for name, tensor in load_file(str(folder / ADAPTER_WEIGHTS)).items()}
    if set(weights) != expected:
        message = say("The adapter in {folder} does not belong to its model.", folder=str(folder))
        fix = say("Names that differ: {names}.", names=tuple(sorted(set(weights) ^ expected)[:4]))
        raise TunewizError(error("adapter-damaged", message, Where(file=str(folder / ADAPTER_WEIGHTS)), fix))
    transformer.load_state_dict(weights, strict=False)
    return True


def _inside(name: str) -> str:
    """``base_model.model.x.lora_A.weight`` -> ``x.lora_A.default.weight``, as injected layers are called.

    A head's ``classifier.dense.weight`` is in there as ``classifier.modules_to_save.default.dense.weight``, DoRA's
    ``x.lora_magnitude_vector`` as ``x.lora_magnitude_vector.default.weight``.
    """
    path = name.removeprefix(_PREFIX)
    head, _, rest = path.partition(".")
    if head in HEADS:
        return f"{head}.modules_to_save.{ADAPTER_NAME}.{rest}"
    layer, _, kind = path.rpartition(".")
    if kind == "lora_magnitude_vector":
        return f"{path}.{ADAPTER_NAME}.weight"
    return f"{layer}.{ADAPTER_NAME}.{kind}"


def _is_adapter(name: str) -> bool:
    """Whether a weight of the model belongs to the adapter: its matrices, and the head kept with it."""
    return "lora_" in name or f".modules_to_save.{ADAPTER_NAME}." in name


def has_adapter(model: Any) -> bool:
    """Whether LoRA layers are in the model."""
    return any("lora_" in name for name, _ in model.named_parameters())


def merge_adapter(model: Any) -> Any:
    """Add the adapter's product to the weights it stands beside and take the LoRA layers out, in place.

    The outputs stay the same up to rounding; a model without adapter is left alone. Returns ``model``.
    """
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper

    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoraLayer):
                child.merge(safe_merge=True)
                setattr(parent, name, child.get_base_layer())
            elif isinstance(child, ModulesToSaveWrapper):
                setattr(parent, name, child.modules_to_save[ADAPTER_NAME])
    transformer = model.transformers_model
    if transformer is not None and getattr(transformer, "_hf_peft_config_loaded", False):
        transformer._hf_peft_config_loaded = False
        transformer.peft_config = {}
        # Loading an adapter leaves its renaming of weights behind, which saving would apply backwards to the whole.
        transformer._weight_conversions = None
    return model
