"""The layers of a model that is not loaded: names and shapes from the heads of its safetensors files.

What a preset says of layers is compared with them before anything is paid for. The layout of a head: 8 bytes with its
length, then JSON (https://huggingface.co/docs/safetensors/index#format).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tunewiz.backends import sources
from tunewiz.presets import families
from tunewiz.presets.memory.language_model import decoder_of_size
from tunewiz.presets.methods.low_rank import Lora as DecoderLora
from tunewiz.presets.methods.multiplicative import Oft
from tunewiz.presets.methods.whole_weights import Freeze
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.validation import did_you_mean
from tunewiz.problems import Message, Problem, Where, error, say, warning

#: Names of linear layers, and what they map from and to: (outputs, inputs), as torch stores them.
Layers = Mapping[str, tuple[int, int]]

_MOST: Final = 100 << 20  # bytes of a head, beyond which the library itself refuses the file
#: Parts of names that are no linear layers though their weights have two sides.
_TABLES: Final = ("embed", "wte", "wpe", "shared", "relative_attention_bias")
#: Parts of encoders that no adapter goes on: see :func:`tunewiz.backends.models.adapters.linear_layers`.
_BESIDE_ENCODERS: Final = ("pooler", "lm_head", "cls", "classifier", "score")
#: The linear layers of a block of every decoder in the catalogue of families, in the order of ``Decoder.linear``.
OF_DECODERS: Final = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj",
                       "mlp.up_proj", "mlp.down_proj")  # fmt: skip
_REAL: Final = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


def weights_in(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes in the safetensors files of ``folder``, () of what is packed; empty where none can be read."""
    found: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name, told in _head(file).items():
            shape = told.get("shape") if isinstance(told, dict) else None
            if isinstance(shape, list):
                found[name] = tuple(shape) if told.get("dtype") in _REAL else (0, 0) if len(shape) == 2 else ()
    return found


def linear_layers_of(weights: Mapping[str, tuple[int, ...]], apart: Sequence[str] = ()) -> Layers:
    """The linear layers among ``weights``, without those inside parts called as in ``apart``."""
    found: dict[str, tuple[int, int]] = {}
    for name, shape in weights.items():
        module, _, kind = name.rpartition(".")
        last = module.rpartition(".")[2]
        is_table = any(part in last for part in _TABLES)
        if kind in ("weight", "qweight") and len(shape) == 2 and not is_table and not {*apart} & {*module.split(".")}:
            found[module] = (shape[0], shape[1])
    return found


def _head(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            told = json.loads(stream.read(length)) if length <= _MOST else {}
    except (OSError, ValueError, struct.error, RecursionError):  # damaged files are told of where they are loaded
        return {}
    return told if isinstance(told, dict) else {}


def _known_decoder(model: str) -> dict[str, tuple[int, ...]]:
    """The weights of a language model that is not on this machine, by what is known of its family."""
    known = families.lookup(model)
    if known is None or LlmPreset.model_kind not in known.family.tasks or not known.size.gated:
        return {}
    shape = decoder_of_size(known.size, known.family.normalised_queries)
    blocks = {
        f"model.layers.{number}.{name}.weight": (outputs, inputs)
        for number in range(shape.layers)
        for name, (inputs, outputs) in zip(OF_DECODERS, shape.linear, strict=True)
    }
    return {
        "model.embed_tokens.weight": (shape.vocabulary, shape.hidden),
        "model.norm.weight": (shape.hidden,),
        **blocks,
    }


def layer_problems(preset: Preset) -> Iterator[Problem]:
    """Layers that the model lacks, ranks and blocks that do not go with their widths."""
    if not isinstance(preset, (LlmPreset, RetrievalPreset)):
        return
    method, writes = preset.method, isinstance(preset, LlmPreset)
    wanted = getattr(method, "target_modules", None)
    if not wanted and not isinstance(method, Freeze):
        return
    located = sources.find_cached(preset.model)
    weights = (weights_in(Path(located.place)) if located else {}) or (
        _known_decoder(preset.model.id) if writes else {}
    )
    if isinstance(method, Freeze):
        yield from _frozen(method, weights)
        return
    layers = linear_layers_of(weights, () if writes else _BESIDE_ENCODERS)
    unknown = [*_unknown("target_modules", method, preset.model.id, layers)] if layers else []
    yield from unknown
    if not unknown:
        trained = {name: shape for name, shape in layers.items() if wanted == "all" or is_among(name, wanted or ())}
        yield from _widths(method, trained)


def is_among(layer: str, names: Sequence[str]) -> bool:
    """Whether one of ``names`` stands for ``layer``: as peft reads a list, its whole name or the end of it."""
    return any(f".{layer}".endswith(f".{name}") for name in names)


def _unknown(option: str, method: Any, model: str, layers: Layers) -> Iterator[Problem]:
    names = getattr(method, option)
    unknown = [] if names == "all" else [name for name in names if not any(is_among(one, [name]) for one in layers)]
    if not unknown:
        return
    known = sorted({layer.rpartition(".")[2] for layer in layers if not layer.rpartition(".")[2].isdigit()})
    near = [did_you_mean(name.rpartition(".")[2], known) for name in unknown]
    message = say("{id} has no linear layer {names}.", id=model, names=tuple(unknown))
    if all(near):
        fix = say("Did you mean {near}? There are: {names}.", near=tuple(near), names=tuple(known))
    else:
        fix = say("There are: {names}.", names=tuple(known))
    yield error("lora-target-unknown", message, Where(key=f"method.{option}"), fix)


def _widths(method: Any, layers: Layers) -> Iterator[Problem]:
    narrow = {name: shape for name, shape in layers.items() if min(shape) > 1 and "lm_head" not in name}
    rank = getattr(method, "rank", 0)
    if narrow and rank:
        name = min(narrow, key=lambda layer: (min(narrow[layer]), layer))
        width = min(narrow[name])
        if rank > width:
            yield _too_wide(method, rank, name, width)
    if isinstance(method, Oft):
        odd = next(((name, shape[1]) for name, shape in narrow.items() if shape[1] % method.block_size), None)
        if odd:
            message = say("The block size {size} does not divide the width {width} of the layer {name}.",
                          size=method.block_size, width=odd[1], name=odd[0])  # fmt: skip
            fix = _block_fix(sorted({shape[1] for shape in narrow.values()}), method.block_size)
            yield error("block-size", message, Where(key="method.block_size"), fix)


def _too_wide(method: Any, rank: int, name: str, width: int) -> Problem:
    message = say(
        "Rank {rank} is more than the width of the layer {name}, {width}: the adapter is larger than the layer and can "
        "learn no more than it.",
        rank=rank,
        name=name,
        width=width,
    )
    where, fix = Where(key="method.rank"), say("Set method.rank to {width} or less; 8 to 64 is usual.", width=width)
    if isinstance(method, DecoderLora) and method.pissa:  # there are only as many singular values to start from
        return error("rank-above-width", message, where, fix)
    return warning("rank-above-width", message, where, fix)


def _block_fix(widths: Sequence[int], wanted: int) -> Message | None:
    fitting = [size for size in range(wanted, 1, -1) if not any(width % size for width in widths)]
    return say("Set it to {size}.", size=fitting[0]) if fitting else None


def _frozen(method: Freeze, weights: Mapping[str, tuple[int, ...]]) -> Iterator[Problem]:
    """As LLaMA-Factory counts layers and names what lies outside them."""
    inside = [name for name in weights if any(part.isdecimal() for part in name.split("."))]
    depth = max((int(part) for name in inside for part in name.split(".") if part.isdecimal()), default=-1) + 1
    if not depth:
        return
    if abs(method.layers) > depth:
        message = say("The model has {depth} layers; {count} are to be trained, which is all of them.", depth=depth,
                      count=abs(method.layers))  # fmt: skip
        fix = say("Set method.layers to less than {depth}, or method.type: full.", depth=depth)
        yield warning("too-many-layers", message, Where(key="method.layers"), fix)
    outside = {name.split(".")[-2] for name in weights if name not in inside and "." in name}
    unknown = [name for name in method.extra_modules if name not in outside]
    if unknown:
        message = say("Outside its layers the model has no part {names}.", names=tuple(unknown))
        fix = say("There are: {names}.", names=tuple(sorted(outside)))
        yield error("extra-modules-unknown", message, Where(key="method.extra_modules"), fix)
