"""Texts to vectors, fast and exact: what every measurement, every mining and every check of an export uses.

Texts are encoded once each, sorted by their number of tokens and batched by a budget of tokens, so that hardly
anything is padding (:mod:`tunewiz.backends.models.batching`). :class:`SearchEncoder` is a model the way it is used for
search.

Before that path is used, three texts are compared with ``SentenceTransformer.encode``; a model on which both do not
agree (one that tokenizes in a way of its own, say) is encoded by the library instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tunewiz.backends.models.batching import (
    ANY,
    CHUNK,
    Batch,
    EncodeOptions,
    Progress,
    by_length,
    collect,
    half,
    halving,
    in_parallel,
    is_packed,
    no_progress,
    ready,
    tokens_a_batch,
)
from tunewiz.backends.models.loading import prompts
from tunewiz.problems import TunewizError, error, say

Vectors = NDArray[np.float32]
#: Largest difference of a component of a unit vector that still counts as the same: fp32 rounding is about 1e-6,
#: and rounding to bf16 about 1e-3.
_AGREE: Final[dict[str, float]] = {"fp32": 2e-5, "bf16": 3e-2}


def encode(
    model: Any,
    texts: Sequence[str],
    prompt: str = "",
    options: EncodeOptions = EncodeOptions(),
    progress: Progress = no_progress,
    check_stop: Callable[[], None] = no_progress,
) -> Vectors:
    """Unit vectors of ``texts`` by ``model`` (a SentenceTransformer): ``(len(texts), dimension)``, fp32, in order.

    ``prompt`` is put before each text. ``progress`` and ``check_stop`` are called between batches; what the latter
    raises ends the call. Raises :class:`TunewizError` (``embedding-not-finite``) where the model yields nan.

    >>> from tunewiz.backends.models.loading import load_encoder
    >>> vectors = encode(load_encoder("my-encoder"), ["gpu memory", "disk port"], prompt="query: ")
    >>> len(vectors), round(float(vectors[0] @ vectors[0]), 4)
    (2, 1.0)
    """
    places: dict[str, int] = {}
    index = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int64, len(texts))
    unique = list(places)
    if not unique:
        return np.zeros((0, model.get_embedding_dimension() or 0), np.float32)
    model.eval()
    known = _is_static(model) or callable(getattr(model, "tokenizer", None))
    expected = _expected(model, unique, prompt) if options.fast and known else None
    with ready(model, options.precision, bool(expected)) as at_once:
        batches, compute = (
            by_length(unique, list(map(len, unique)), ANY, options.most),
            _library(model, prompt, options),
        )
        if expected and _agrees(model, expected, prompt, options):
            batches, compute = _batches(model, unique, prompt, options), _forward(model, prompt, options)
        vectors = collect(in_parallel(batches, compute, at_once), len(unique), progress, check_stop)
    if not np.isfinite(vectors).all():
        message = say("The model turns some texts into vectors that are no numbers (nan).")
        raise TunewizError(error("embedding-not-finite", message, fix=say("Train with a lower learning rate.")))
    return vectors if len(unique) == len(texts) else vectors[index]


def _normalised(vectors: Any) -> Vectors:
    array: Vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    unit: Vectors = array / np.maximum(lengths, np.float32(1e-12))  # eps of torch's normalize, which the library uses
    return unit


def _batches(model: Any, texts: Sequence[str], prompt: str, options: EncodeOptions) -> Iterator[Batch]:
    """Batches of at most the budget of tokens, each with texts of nearly one length, long ones first."""
    budget = options.tokens or (ANY if _is_static(model) else tokens_a_batch(model))
    for start in range(0, len(texts), CHUNK):
        ids = token_ids(model, texts[start : start + CHUNK], prompt)
        yield from by_length(ids, [len(item) for item in ids], budget, options.most, start)


def token_ids(model: Any, texts: Sequence[str], prompt: str = "") -> list[list[int]]:
    """Token ids of each text with its prompt, special tokens included, cut at the model's maximum length."""
    tokenizer = model.tokenizer
    limit = model.max_seq_length
    full = [prompt + text for text in texts]
    if _is_static(model):
        return [found.ids for found in tokenizer.encode_batch_fast(full, add_special_tokens=False)]
    encoded = tokenizer(
        full, padding=False, truncation=limit is not None, max_length=limit, return_attention_mask=False
    )
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def _is_static(model: Any) -> bool:
    """Whether ``model`` adds up a vector a word and nothing else: looking at each text costs the library more."""
    first = next(iter(model.children()), None) if hasattr(model, "children") else None
    return type(first).__name__ == "StaticEmbedding" and hasattr(model.tokenizer, "encode_batch_fast")


def _laid_out(model: Any, ids: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A batch as ``model`` reads it: padded, or one text after another where it is static."""
    import torch

    if not _is_static(model):
        padded: dict[str, Any] = model.tokenizer.pad({"input_ids": ids}, padding=True, return_tensors="pt")
        return padded | {"modality": "text"}
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    joined = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
    return {"input_ids": torch.from_numpy(joined), "offsets": torch.from_numpy(np.cumsum(lengths) - lengths)}


def _forward(model: Any, prompt: str, options: EncodeOptions) -> Callable[[Batch], Vectors]:
    import torch

    prompt_length = _prompt_length(model, prompt)
    covered = is_packed(model)

    def compute(batch: Batch) -> Vectors:
        features = {
            name: value if isinstance(value, str) else value.to(model.device, non_blocking=True)
            for name, value in _laid_out(model, batch.inputs).items()
        }
        features |= {"prompt_length": prompt_length} if prompt_length else {}
        with torch.inference_mode(), half(model, options.precision, covered):
            vectors = model(features)["sentence_embedding"]
        return _normalised(vectors[:, : model.truncate_dim].float().cpu().numpy())

    return halving(compute)


def _prompt_length(model: Any, prompt: str) -> int:
    """Tokens of the prompt that pooling has to leave out; 0 for models that pool over all tokens."""
    excludes = any(getattr(module, "include_prompt", True) is False for module in model)
    if not prompt or not excludes:
        return 0
    ids = token_ids(model, [prompt])[0]
    return len(ids) - (ids[-1] in model.tokenizer.all_special_ids)


def _library(model: Any, prompt: str, options: EncodeOptions) -> Callable[[Batch], Vectors]:
    def compute(batch: Batch) -> Vectors:
        with half(model, options.precision, covered=False):
            vectors = model.encode(batch.inputs, prompt=prompt, batch_size=len(batch.inputs), convert_to_tensor=True)
        return _normalised(vectors.float().cpu().numpy())

    return compute


@dataclass(frozen=True)
class _Expected:
    """What the library makes of a few texts."""

    texts: list[str]
    vectors: Vectors


def _expected(model: Any, texts: Sequence[str], prompt: str) -> _Expected | None:
    """The library's fp32 vectors of the first, the shortest and the longest text; ``None`` for next to no texts."""
    probe = list(dict.fromkeys([texts[0], min(texts, key=len), max(texts, key=len)]))
    if len(texts) < 2 * len(probe):
        return None
    return _Expected(probe, _library(model, prompt, EncodeOptions())(Batch(np.arange(len(probe)), list(probe))))


def _agrees(model: Any, expected: _Expected, prompt: str, options: EncodeOptions) -> bool:
    """Whether the fast path gives what the library gives."""
    ours = np.zeros_like(expected.vectors)
    compute = _forward(model, prompt, options)
    try:
        for batch in _batches(model, expected.texts, prompt, options):
            ours[batch.places] = compute(batch)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError):
        return False  # a model with inputs of its own: the library knows how to call it
    return bool(np.abs(ours - expected.vectors).max() <= _AGREE[options.precision])


# An encoder the way it is used for search: queries and passages, each with its instruction, each encoded once.


#: Vectors kept on disk at most, in bytes: beyond it, encoding anew is cheaper than the disk it would take.
MOST_KEPT: Final = 1 << 29
_EDGE: Final = 1 << 20  # bytes hashed at either end of a file: all of one that holds settings or words


@dataclass(frozen=True)
class SearchEncoder:
    """A model with its prompts. With ``cache`` (a folder), vectors outlive the process: mining's serve the baseline.

    ``told`` and ``check_stop`` are those of :func:`tunewiz.backends.models.encoding.encode`.
    """

    model: Any
    options: EncodeOptions = field(default_factory=EncodeOptions)
    cache: Path | None = None
    fingerprint: str = ""
    progress: Progress = no_progress
    check_stop: Callable[[], None] = no_progress

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, fp32, shape (texts, dimension)."""
        return self._encode(texts, prompts(self.model)[0])

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, fp32, shape (texts, dimension)."""
        return self._encode(texts, prompts(self.model)[1])

    def identity(self) -> str:
        """What the vectors depend on: weights, instructions, maximum length, pooling, precision."""
        facts = [
            self.fingerprint,
            prompts(self.model),
            self.model.max_seq_length,
            str(self.model),
            self.options.precision,
        ]
        return hashlib.sha256(json.dumps(facts, ensure_ascii=False, default=str).encode()).hexdigest()[:32]

    def with_progress(self, progress: Progress) -> SearchEncoder:
        """The same encoder, reporting to ``told``."""
        return replace(self, progress=progress)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        if self.cache is None or not self.fingerprint:
            return encode(self.model, texts, prompt, self.options, self.progress, self.check_stop)
        store = _Store(self.cache / f"{self.identity()}.npz")
        keys = [_key(prompt + text) for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in store.places}
        if fresh:
            store.add(
                list(fresh),
                encode(self.model, list(fresh.values()), prompt, self.options, self.progress, self.check_stop),
            )
        return store.vectors[[store.places[key] for key in keys]]


def fingerprint(folder: Path) -> str:
    """A hash of the model in ``folder``: settings in full, large files by size, first and last mebibyte.

    Two models of one architecture differ all over, so that the edges of their weights tell them apart without reading
    gigabytes.
    """
    digest = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file() and not item.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_EDGE))
            if size > 2 * _EDGE:
                stream.seek(-_EDGE, 2)
            digest.update(stream.read(_EDGE))
    return digest.hexdigest()


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Store:
    """Vectors by the hash of their text, in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[bytes] = []
        self.vectors: Vectors = np.zeros((0, 0), np.float32)
        try:
            with np.load(path, allow_pickle=False) as kept:
                self._keys = [row.tobytes() for row in kept["keys"]]
                self.vectors = kept["vectors"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            self._keys = []  # nothing there, or half written: encoded anew
        self.places = {key: place for place, key in enumerate(self._keys)}

    def add(self, keys: list[bytes], vectors: Vectors) -> None:
        """Add vectors, and write all of them unless they are too many."""
        self.vectors = np.concatenate([self.vectors, vectors]) if len(self._keys) else vectors
        self._keys += keys
        self.places = {key: place for place, key in enumerate(self._keys)}
        if self.vectors.nbytes > MOST_KEPT:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.part.npz")
        table = np.frombuffer(b"".join(self._keys), np.uint8).reshape(-1, 16)
        np.savez(temporary, keys=table, vectors=self.vectors)
        temporary.replace(self._path)
