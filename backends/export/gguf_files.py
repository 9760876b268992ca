"""Language models as GGUF files by the ``gguf`` package: in 16 bits, in 8 and in 4, and how far each is from the other.

The families that are written here are read by name of tensor and key of ``config.json`` (llama.cpp's names for both:
docs/gguf.md of ggml); what a family does not say in either raises :class:`NotWritten`, never a guess. Rows of weights
are read and written one tensor at a time, so that a model larger than the memory is no harder than a small one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tunewiz.backends.export.gguf_words import NotWritten, write_words
from tunewiz.files import read_json
from tunewiz.problems import say

Kind = Literal["Q8_0", "Q4_0"]


@dataclass(frozen=True)
class _Family:
    """How a kind of model stands in a GGUF file."""

    arch: str
    #: Whether llama.cpp turns neighbouring numbers of a head, where transformers turns the two halves.
    pairs: bool = False
    #: What llama.cpp expects to be added to the weights of norms already.
    shift: float = 0.0


#: By ``model_type`` of config.json.
_FAMILIES: Final = {
    "qwen2": _Family("qwen2"),
    "qwen3": _Family("qwen3"),
    "llama": _Family("llama", pairs=True),
    "mistral": _Family("llama", pairs=True),
    "gemma3_text": _Family("gemma3", shift=1.0),
}
_NEEDED: Final = ("num_hidden_layers", "max_position_embeddings", "hidden_size", "intermediate_size",
                  "num_attention_heads", "rms_norm_eps", "vocab_size")  # fmt: skip
#: Gemma 3's windows, as llama.cpp has them built in: every sixth layer sees everything, the others turn by this base.
_EVERY: Final = 6
_LOCAL_BASE: Final = 10_000.0
#: Turns of positions that have a name of their own in the file.
_SCALED: Final = {"linear": "LINEAR", "yarn": "YARN"}


def write_16_bits(model: Path, file: Path, name: str) -> None:
    """Write the model in the folder ``model``, called ``name``, with its words and chat template.

    Raises :class:`NotWritten` for what is not known here.
    """
    import gguf

    config: Any = read_json(model / "config.json")
    kind = config.get("model_type", "") if isinstance(config, dict) else ""
    if kind not in _FAMILIES:
        raise NotWritten(say("models of the kind {kind} are not written by Tunewiz itself", kind=kind or "?"))
    family = _FAMILIES[kind]
    missing = [key for key in _NEEDED if not isinstance(config.get(key), (int, float))]
    if missing:
        raise NotWritten(say("its config.json has no {name}", name=missing[0]))
    writer = gguf.GGUFWriter(str(file), family.arch)
    writer.add_type("model")
    writer.add_name(name)
    _write_sizes(writer, config, family)
    rows = _vocabulary(model)
    write_words(writer, model, rows)
    tensors = list(_tensors(model, config, family, rows))
    added = _turning(config)
    for tensor in tensors:
        writer.add_tensor_info(tensor.name, tensor.shape, tensor.dtype, tensor.size, raw_dtype=tensor.raw)
    if added is not None:
        writer.add_tensor_info("rope_freqs.weight", added.shape, added.dtype, added.nbytes)
    wide = any(tensor.raw == gguf.GGMLQuantizationType.BF16 for tensor in tensors)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16 if wide else gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _begin(writer)
    for tensor in tensors:
        writer.write_tensor_data(tensor.read())
    if added is not None:
        writer.write_tensor_data(added)
    writer.close()


def _begin(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()


def _vocabulary(model: Path) -> int:
    """Rows of the matrix that turns words into vectors: some models have more of them than words."""
    for name, piece in _pieces(model):
        if name == "model.embed_tokens.weight":
            return int(piece.get_shape()[0])
    raise NotWritten(say("it has no {name}", name="model.embed_tokens.weight"))


# What config.json says.


def _write_sizes(writer: Any, config: Mapping[str, Any], family: _Family) -> None:
    import gguf

    heads = int(config["num_attention_heads"])
    width = head_width(config)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_vocab_size(config["vocab_size"])
    if config.get("hidden_act", config.get("hidden_activation")) not in ("silu", "gelu_pytorch_tanh"):
        raise NotWritten(say("its activation is {name}", name=str(config.get("hidden_act"))))
    turns = turns_of(config)
    writer.add_rope_freq_base(turns["rope_theta"])
    if family.pairs:
        writer.add_rope_dimension_count(width)
    scaled = _SCALED.get(turns["rope_type"])
    if scaled:
        writer.add_rope_scaling_type(gguf.RopeScalingType[scaled])
        writer.add_rope_scaling_factor(turns["factor"])
        if scaled == "YARN":
            writer.add_rope_scaling_orig_ctx_len(turns["original_max_position_embeddings"])
    elif turns["rope_type"] not in ("default", "llama3"):
        raise NotWritten(say("its positions are scaled by {name}", name=turns["rope_type"]))
    if family.arch == "gemma3":
        _write_windows(writer, config)
    elif config.get("use_sliding_window") or "sliding_attention" in (config.get("layer_types") or ()):
        raise NotWritten(say("some of its layers see a window of the text only"))


def _write_windows(writer: Any, config: Mapping[str, Any]) -> None:
    """Gemma 3's windows. Raises :class:`NotWritten` where they are not those that llama.cpp has built in."""
    layers = config.get("layer_types") or ()
    usual = ["full_attention" if (place + 1) % _EVERY == 0 else "sliding_attention" for place in range(len(layers))]
    local = (config.get("rope_parameters") or {}).get("sliding_attention") or {}
    base = local.get("rope_theta", config.get("rope_local_base_freq", _LOCAL_BASE))
    scale = config.get("query_pre_attn_scalar") or head_width(config)
    if list(layers) != usual or float(base) != _LOCAL_BASE or scale != head_width(config):
        raise NotWritten(say("its layers see other windows of the text than Gemma 3's do"))
    if config.get("attn_logit_softcapping") or config.get("final_logit_softcapping"):
        raise NotWritten(say("its scores are capped"))
    writer.add_sliding_window(config["sliding_window"])
    writer.add_float32("gemma3.rope.freq_base_swa", _LOCAL_BASE)


def head_width(config: Mapping[str, Any]) -> int:
    """Numbers of a head."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def turns_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """How positions are turned: ``rope_type``, ``rope_theta`` and what the type has, whichever version wrote it."""
    told = config.get("rope_parameters") or config.get("rope_scaling") or {}
    told = told.get("full_attention") or told
    kind = told.get("rope_type") or told.get("type") or "default"
    return {**told, "rope_type": kind, "rope_theta": float(told.get("rope_theta") or config.get("rope_theta", 10_000))}


def _turning(config: Mapping[str, Any]) -> Any:
    """By how much Llama 3 slows each turn down (numbers of half a head), or ``None``; its technical report, 3.4.3."""
    turns = turns_of(config)
    if turns["rope_type"] != "llama3":
        return None
    import numpy as np

    width, base = head_width(config), turns["rope_theta"]
    factor, low, high = (float(turns[key]) for key in ("factor", "low_freq_factor", "high_freq_factor"))
    read = float(turns["original_max_position_embeddings"])
    found = []
    for place in range(0, width, 2):
        length = 2 * math.pi * base ** (place / width)
        between = (read / length - low) / (high - low)
        slow = 1 / ((1 - between) / factor + between) if read / high <= length <= read / low else 1.0
        found.append(factor if length > read / low else slow)
    return np.asarray(found, np.float32)


# The weights.


@dataclass(frozen=True)
class _Tensor:
    """A tensor to write; ``read`` gives its numbers as they stand in the file."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    size: int
    raw: Any
    read: Any


def _pieces(model: Path) -> Iterator[tuple[str, Any]]:
    """Names and not yet read tensors of all files of weights."""
    from safetensors import safe_open

    for file in sorted(model.glob("*.safetensors")):
        with safe_open(str(file), framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  it is no mapping
                yield name, weights.get_slice(name)


def _tensors(model: Path, config: Mapping[str, Any], family: _Family, rows: int) -> Iterator[_Tensor]:
    import gguf
    import numpy as np

    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == family.arch)
    names = gguf.get_tensor_name_map(arch, int(config["num_hidden_layers"]))
    for name, piece in _pieces(model):
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue  # the same numbers as token_embd.weight, which is read in its place
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known is None:
            raise NotWritten(say("its weights {name} have no place in the file", name=name))
        shape = tuple(int(size) for size in piece.get_shape())
        wide = gguf.GGMLQuantizationType.BF16 if len(shape) > 1 and piece.get_dtype() == "BF16" else None
        dtype = np.dtype(np.float32 if len(shape) == 1 else np.float16 if wide is None else np.uint16)
        size = dtype.itemsize * math.prod(shape)
        yield _Tensor(known, shape, dtype, size, wide, _reading(piece, name, config, family))


def _reading(piece: Any, name: str, config: Mapping[str, Any], family: _Family) -> Any:
    def read() -> Any:
        import torch

        numbers = piece[:]
        if family.pairs and name.split(".")[-2] in ("q_proj", "k_proj"):
            heads = config["num_attention_heads"]
            heads = heads if ".q_proj." in name else config.get("num_key_value_heads") or heads
            halves = numbers.reshape(heads, 2, -1, *numbers.shape[1:])
            numbers = halves.swapaxes(1, 2).reshape(numbers.shape)
        if numbers.ndim == 1:
            shifted = numbers.float() + (family.shift if name.endswith("norm.weight") else 0.0)
            return shifted.contiguous().numpy()
        if numbers.dtype == torch.bfloat16:
            return numbers.contiguous().view(torch.int16).numpy().view("uint16")
        return numbers.to(torch.float16).contiguous().numpy()

    return read


# Fewer bits.


#: Matrices that every word goes through twice keep 8 bits where the others have 4, as llama.cpp keeps them finer.
_FINER: Final = ("token_embd.weight", "output.weight")


def write_fewer_bits(source: Path, file: Path, kind: Kind) -> None:
    """Write the 16-bit file ``source`` with matrices as ``kind``; whatever is no matrix of whole blocks stays."""
    import gguf

    reader = gguf.GGUFReader(str(source))
    writer = gguf.GGUFWriter(str(file), str(reader.fields["general.architecture"].contents()))
    _write_fields(reader, writer, gguf.LlamaFileType[f"MOSTLY_{kind}"])
    kinds = [_kind_of(tensor, gguf.GGMLQuantizationType[kind]) for tensor in reader.tensors]
    for tensor, own in zip(reader.tensors, kinds, strict=True):
        data = tensor.data
        if own is None:
            writer.add_tensor_info(tensor.name, data.shape, data.dtype, data.nbytes, raw_dtype=tensor.tensor_type)
            continue
        block, width = gguf.GGML_QUANT_SIZES[own]
        rows = tuple(int(size) for size in reversed(tensor.shape.tolist()))
        shape = (*rows[:-1], rows[-1] // block * width)
        writer.add_tensor_info(tensor.name, shape, _bytes(), math.prod(shape), raw_dtype=own)
    _begin(writer)
    for tensor, own in zip(reader.tensors, kinds, strict=True):
        numbers = tensor.data if own is None else gguf.quantize(_numbers(tensor), own)
        writer.write_tensor_data(numbers)
    writer.close()


def _bytes() -> Any:
    import numpy as np

    return np.dtype(np.uint8)


def _numbers(tensor: Any) -> Any:
    """What a tensor of a file holds, in 32 bits."""
    import gguf

    return gguf.dequantize(tensor.data, tensor.tensor_type)


def _kind_of(tensor: Any, kind: Any) -> Any:
    """In which kind a tensor is written; ``None``: as it is."""
    import gguf

    finer = gguf.GGMLQuantizationType.Q8_0
    if len(tensor.shape) < 2 or int(tensor.shape[0]) % gguf.GGML_QUANT_SIZES[finer][0]:
        return None
    return finer if tensor.name in _FINER else kind


def _write_fields(reader: Any, writer: Any, told: int) -> None:
    """Every key of the file that is read, but for the kind of its weights."""
    import gguf

    own = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")
    for name, field in reader.fields.items():
        if name.startswith(own):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)
    writer.add_file_type(told)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def difference(source: Path, file: Path) -> float:
    """How far the weights of ``file`` are from those of ``source``, as a share of their size (root mean squares).

    Raises ``ValueError`` where one has a tensor that the other has not.
    """
    import gguf
    import numpy as np

    exact = {tensor.name: tensor for tensor in gguf.GGUFReader(str(source)).tensors}
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(str(file)).tensors}
    if exact.keys() != found.keys():
        raise ValueError(str(sorted(exact.keys() ^ found.keys())[:3]))
    away = size = 0.0
    for name, tensor in exact.items():
        one, other = _numbers(tensor), _numbers(found[name])
        if one.shape != other.shape:
            raise ValueError(name)
        if one.ndim > 1:
            away += float(np.square(one - other, dtype=np.float64).sum())
            size += float(np.square(one, dtype=np.float64).sum())
    return math.sqrt(away / size) if size else 0.0
