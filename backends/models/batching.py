"""Batches of texts of one length, computed beside each other: what encoding texts and scoring pairs share.

Texts (or pairs) are sorted by their number of tokens and batched by a budget of tokens, so that hardly anything is
padding. On a CPU, linear layers are packed (:mod:`tunewiz.backends.models.packing`) and batches run beside each other,
one thread a batch, which loses less than all threads sharing each small operation.
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

from tunewiz.backends.models.packing import Precision, packed_linear_layers

Rows = NDArray[np.float32]
#: Called with how many texts are done and how many there are.
Progress = Callable[[int, int], None]

#: Tokens a batch. A CPU thread is fastest while a batch's activations stay in its cache: 1,024 tokens of MiniLM's 384
#: numbers are 1.5 MiB, near a core's second-level cache (1 to 2 MiB). A GPU wants batches that keep all its cores busy.
CPU_TOKENS: Final = 1024
GPU_TOKENS: Final = 32_768  # 48 MiB a layer's activation of MiniLM in fp32; halved where it does not fit (halving)
#: As good as no budget: batches are then of as many items as are allowed.
ANY: Final = 1 << 62
#: Items tokenized and sorted at once: bounds the memory that token ids take.
CHUNK: Final = 16_384


def no_progress(*_: int) -> None:
    """For callers that want neither progress nor a way to stop."""


@dataclass(frozen=True)
class EncodeOptions:
    """How to compute: at most ``most`` items and ``tokens`` (0 chooses by the device) a batch.

    ``fast`` may be turned off to have the library do it all, for comparison.
    """

    precision: Precision = "fp32"
    tokens: int = 0
    most: int = 256  # short texts alone would make batches of thousands, between which nothing is told or stopped
    fast: bool = True


@dataclass(frozen=True)
class Batch:
    """Which of all texts it holds, and their token ids (or the texts themselves, for the library)."""

    places: NDArray[np.int64]
    inputs: list[Any]


def tokens_a_batch(model: Any) -> int:
    """The budget that suits the model's device."""
    return CPU_TOKENS if model.device.type == "cpu" else GPU_TOKENS


def by_length(items: Sequence[Any], lengths: Sequence[int], budget: int, most: int, start: int = 0) -> Iterator[Batch]:
    """Batches of at most ``budget`` tokens and ``most`` items of nearly one length; ``start`` is the first's place."""
    # Long batches first: a batch that does not fit into memory fails early, and threads end together.
    order = np.argsort([-length for length in lengths], kind="stable")
    begin = 0
    while begin < len(order):
        size = max(1, min(budget // max(1, lengths[order[begin]]), most))
        chosen = order[begin : begin + size]
        yield Batch(chosen.astype(np.int64) + start, [items[place] for place in chosen])
        begin += size


@contextmanager
def ready(model: Any, precision: Precision, fast: bool) -> Iterator[int]:
    """Packs the model and takes one thread an operation, if it is on a CPU; yields how many batches may run at once."""
    import torch

    if model.device.type != "cpu" or not fast:
        yield 1
        return
    threads = torch.get_num_threads()
    with packed_linear_layers(model, precision):
        torch.set_num_threads(1)
        try:
            yield threads
        finally:
            torch.set_num_threads(threads)


def is_packed(model: Any) -> bool:
    """Whether packed layers see to the precision."""
    return model.device.type == "cpu" and any(type(part).__name__ == "PackedLinear" for part in model.modules())


def half(model: Any, precision: Precision, covered: bool) -> AbstractContextManager[Any]:
    """Autocast where bf16 is asked for and packed layers do not see to it."""
    import torch

    if precision == "bf16" and not covered:
        context: AbstractContextManager[Any] = torch.autocast(model.device.type, dtype=torch.bfloat16)
        return context
    return nullcontext()


def halving(compute: Callable[[Batch], Rows]) -> Callable[[Batch], Rows]:
    """``compute``, in halves where the device has too little memory for the whole batch."""
    import torch

    def halved(batch: Batch) -> Rows:
        try:
            return compute(batch)
        except torch.OutOfMemoryError:
            middle = len(batch.inputs) // 2
            if not middle:
                raise
        torch.cuda.empty_cache()
        halves = (slice(None, middle), slice(middle, None))
        return np.concatenate([halved(Batch(batch.places[part], batch.inputs[part])) for part in halves])

    return halved


def in_parallel(
    batches: Iterator[Batch], compute: Callable[[Batch], Rows], at_once: int
) -> Generator[tuple[Batch, Rows]]:
    """Each batch with its rows, in order, ``at_once`` of them computed at a time."""
    if at_once < 2:
        yield from ((batch, compute(batch)) for batch in batches)
        return
    waiting: deque[tuple[Batch, Future[Rows]]] = deque()
    pool = ThreadPoolExecutor(at_once, "batch")
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


def collect(
    computed: Generator[tuple[Batch, Rows]], total: int, progress: Progress, check_stop: Callable[[], None]
) -> Rows:
    """The computed rows in the order of the texts, (total, width); between batches ``progress`` and ``check_stop``."""
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
