"""Texts to vectors, fast and exact: what every measurement, every mining and every check of an export uses.

Texts are encoded once each, sorted by their number of tokens and batched by a budget of tokens, so that hardly
anything is padding. On a CPU, linear layers are packed (:mod:`backends.packing`) and batches run beside each other,
one thread a batch, which loses less than all threads sharing each small operation.

Before that path is used, three texts are compared with ``SentenceTransformer.encode``; a model on which both do not
agree (one that tokenizes in a way of its own, say) is encoded by the library instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backends.packing import Precision, packed
from data.problems import TunewizError, error, say

Vectors = NDArray[np.float32]
#: Called with how many texts are done and how many there are.
Told = Callable[[int, int], None]

#: Tokens a batch. A CPU thread is fastest while a batch's activations stay in its cache; a GPU wants large batches.
CPU_TOKENS: Final = 1024
GPU_TOKENS: Final = 32_768
#: Texts tokenized and sorted at once: bounds the memory that token ids take.
CHUNK: Final = 16_384
#: Largest difference of a component of a unit vector that still counts as the same: fp32 rounding is about 1e-6,
#: and rounding to bf16 about 1e-3.
_AGREE: Final[dict[str, float]] = {"fp32": 2e-5, "bf16": 3e-2}


def nothing(*_: int) -> None:
    """For callers that want neither progress nor a way to stop."""


@dataclass(frozen=True)
class Encoding:
    """How to encode: ``tokens`` (0 chooses by the device) and at most ``most`` texts a batch.

    ``fast`` may be turned off to have the library do it all, for comparison.
    """

    precision: Precision = "fp32"
    tokens: int = 0
    most: int = 256
    fast: bool = True


def encode(
    model: Any,
    texts: Sequence[str],
    prompt: str = "",
    how: Encoding = Encoding(),
    progress: Told = nothing,
    check_stop: Callable[[], None] = nothing,
) -> Vectors:
    """Unit vectors of ``texts`` by ``model`` (a SentenceTransformer): ``(len(texts), dimension)``, fp32, in order.

    ``prompt`` is put before each text. ``progress`` and ``check_stop`` are called between batches; what the latter
    raises ends the call. Raises :class:`TunewizError` (``embedding-not-finite``) where the model yields nan.
    """
    places: dict[str, int] = {}
    index = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int64, len(texts))
    unique = list(places)
    if not unique:
        return np.zeros((0, model.get_embedding_dimension() or 0), np.float32)
    model.eval()
    expected = _expected(model, unique, prompt) if how.fast and callable(getattr(model, "tokenizer", None)) else None
    with _ready(model, how, bool(expected)) as at_once:
        batches, compute = _library_batches(unique, how.most), _library(model, prompt, how)
        if expected and _agrees(model, expected, prompt, how):
            batches, compute = _batches(model, unique, prompt, how), _forward(model, prompt, how)
        vectors = _collect(_in_parallel(batches, compute, at_once), len(unique), progress, check_stop)
    if not np.isfinite(vectors).all():
        told = say("The model turns some texts into vectors that are no numbers (nan).")
        raise TunewizError(error("embedding-not-finite", told, fix=say("Train with a lower learning rate.")))
    return vectors if len(unique) == len(texts) else vectors[index]


def _normalised(vectors: Any) -> Vectors:
    array: Vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    unit: Vectors = array / np.maximum(lengths, np.float32(1e-12))
    return unit


# --- batches ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Batch:
    """Which of the unique texts it holds, and their token ids (or the texts themselves, for the library)."""

    places: NDArray[np.int64]
    inputs: list[Any]


def _batches(model: Any, texts: Sequence[str], prompt: str, how: Encoding) -> Iterator[_Batch]:
    """Batches of at most the budget of tokens, each with texts of nearly one length, long ones first."""
    budget = how.tokens or (CPU_TOKENS if model.device.type == "cpu" else GPU_TOKENS)
    for start in range(0, len(texts), CHUNK):
        ids = token_ids(model, texts[start : start + CHUNK], prompt)
        # Long batches first: a batch that does not fit into memory fails early, and threads end together.
        order = np.argsort([-len(item) for item in ids], kind="stable")
        begin = 0
        while begin < len(order):
            size = max(1, min(budget // max(1, len(ids[order[begin]])), how.most))
            chosen = order[begin : begin + size]
            yield _Batch(chosen.astype(np.int64) + start, [ids[place] for place in chosen])
            begin += size


def token_ids(model: Any, texts: Sequence[str], prompt: str = "") -> list[list[int]]:
    """Token ids of each text with its prompt, special tokens included, cut at the model's maximum length."""
    tokenizer = model.tokenizer
    limit = model.max_seq_length
    full = [prompt + text for text in texts]
    encoded = tokenizer(
        full, padding=False, truncation=limit is not None, max_length=limit, return_attention_mask=False
    )
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def _library_batches(texts: Sequence[str], size: int) -> Iterator[_Batch]:
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield _Batch(np.array(chosen, np.int64), [texts[place] for place in chosen])


# --- computing -------------------------------------------------------------------------------------------------------


@contextmanager
def _ready(model: Any, how: Encoding, fast: bool) -> Iterator[int]:
    """Packs the model and takes one thread an operation, if it is on a CPU; yields how many batches may run at once."""
    import torch

    if model.device.type != "cpu" or not fast:
        yield 1
        return
    threads = torch.get_num_threads()
    with packed(model, how.precision):
        torch.set_num_threads(1)
        try:
            yield threads
        finally:
            torch.set_num_threads(threads)


def _half(model: Any, how: Encoding, covered: bool) -> AbstractContextManager[Any]:
    """Autocast where bf16 is asked for and packed layers do not see to it."""
    import torch

    if how.precision == "bf16" and not covered:
        context: AbstractContextManager[Any] = torch.autocast(model.device.type, dtype=torch.bfloat16)
        return context
    return nullcontext()


def _forward(model: Any, prompt: str, how: Encoding) -> Callable[[_Batch], Vectors]:
    import torch

    prompt_length = _prompt_length(model, prompt)
    covered = model.device.type == "cpu" and any(type(part).__name__ == "PackedLinear" for part in model.modules())

    def compute(batch: _Batch) -> Vectors:
        padded = model.tokenizer.pad({"input_ids": batch.inputs}, padding=True, return_tensors="pt")
        features = {name: tensor.to(model.device, non_blocking=True) for name, tensor in padded.items()}
        features |= {"modality": "text"} | ({"prompt_length": prompt_length} if prompt_length else {})
        with torch.inference_mode(), _half(model, how, covered):
            vectors = model(features)["sentence_embedding"]
        return _normalised(vectors[:, : model.truncate_dim].float().cpu().numpy())

    def halving(batch: _Batch) -> Vectors:
        """``compute``, in halves where the device has too little memory for the whole batch."""
        try:
            return compute(batch)
        except torch.OutOfMemoryError:
            middle = len(batch.inputs) // 2
            if not middle:
                raise
        torch.cuda.empty_cache()
        halves = (slice(None, middle), slice(middle, None))
        return np.concatenate([halving(_Batch(batch.places[half], batch.inputs[half])) for half in halves])

    return halving


def _prompt_length(model: Any, prompt: str) -> int:
    """Tokens of the prompt that pooling has to leave out; 0 for models that pool over all tokens."""
    excludes = any(getattr(module, "include_prompt", True) is False for module in model)
    if not prompt or not excludes:
        return 0
    ids = token_ids(model, [prompt])[0]
    return len(ids) - (ids[-1] in model.tokenizer.all_special_ids)


def _library(model: Any, prompt: str, how: Encoding) -> Callable[[_Batch], Vectors]:
    def compute(batch: _Batch) -> Vectors:
        with _half(model, how, covered=False):
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
    return _Expected(probe, _library(model, prompt, Encoding())(_Batch(np.arange(len(probe)), list(probe))))


def _agrees(model: Any, expected: _Expected, prompt: str, how: Encoding) -> bool:
    """Whether the fast path gives what the library gives."""
    ours = np.zeros_like(expected.vectors)
    compute = _forward(model, prompt, how)
    try:
        for batch in _batches(model, expected.texts, prompt, how):
            ours[batch.places] = compute(batch)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError):
        return False  # a model with inputs of its own: the library knows how to call it
    return bool(np.abs(ours - expected.vectors).max() <= _AGREE[how.precision])


def _in_parallel(
    batches: Iterator[_Batch], compute: Callable[[_Batch], Vectors], at_once: int
) -> Generator[tuple[_Batch, Vectors]]:
    """Each batch with its vectors, in order, ``at_once`` of them computed at a time."""
    if at_once < 2:
        yield from ((batch, compute(batch)) for batch in batches)
        return
    waiting: deque[tuple[_Batch, Future[Vectors]]] = deque()
    pool = ThreadPoolExecutor(at_once, "encode")
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(compute, batch)))
            if len(waiting) > 2 * at_once:
                first, computed = waiting.popleft()
                yield first, computed.result()
        for first, computed in waiting:
            yield first, computed.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(
    computed: Generator[tuple[_Batch, Vectors]], total: int, progress: Told, check_stop: Callable[[], None]
) -> Vectors:
    vectors = np.zeros((total, 0), np.float32)
    done = 0
    with closing(computed):  # what check_stop raises must end the threads too
        for batch, rows in computed:
            if not vectors.shape[1]:
                vectors = np.zeros((total, rows.shape[1]), np.float32)
            vectors[batch.places] = rows
            done += len(batch.places)
            progress(done, total)
            check_stop()
    return vectors
