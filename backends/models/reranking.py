"""Queries and documents scored together by a cross-encoder, fast and exact: for measuring, mining and serving.

Pairs are sorted by their number of tokens and batched by a budget (:mod:`tunewiz.backends.models.batching`). Scores are
the model's raw logits, in fp32: a sigmoid over them rounds the best documents of a good model to the same 1.0, and ties
have no order. :func:`rerank` puts documents in order with a tuned (or any) reranker.

Before that path is used, three pairs are compared with ``CrossEncoder.predict``; a model on which both do not agree
(one with a chat template, say) is called through the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tunewiz.backends.models.batching import (
    ANY,
    CHUNK,
    Batch,
    EncodeOptions,
    Progress,
    Rows,
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
from tunewiz.backends.models.packing import Precision
from tunewiz.problems import TunewizError, error, say

Pair = tuple[str, str]
Scores = NDArray[np.float32]

#: Largest difference of a logit, as a share of the largest one (at least 1), that still counts as the same: fp32 was
#: off by 4e-8 on MiniLM; bf16 keeps 8 bits (4e-3) at each multiplication.
_AGREE: Final[dict[str, float]] = {"fp32": 1e-4, "bf16": 6e-2}
_PROBE: Final[tuple[Pair, ...]] = (
    ("how do I reset my password", "Open the settings, choose Security, then Reset password. You get a mail."),
    ("重置密码", "在设置中选择安全，然后重置密码。"),
    ("weather", "no"),
)


@dataclass(frozen=True)
class PairScorer:
    """A loaded ``CrossEncoder`` that scores pairs; use it inside :func:`ready_to_score`.

    ``told`` and ``check_stop`` are called between batches; what the latter raises ends the call.
    """

    model: Any
    options: EncodeOptions = field(default_factory=EncodeOptions)
    fast: bool = False
    at_once: int = 1
    progress: Progress = no_progress
    check_stop: Callable[[], None] = no_progress

    def quietly(self) -> PairScorer:
        """The same scorer, which tells no progress."""
        return replace(self, progress=no_progress)

    def scores(self, pairs: Sequence[Pair]) -> Scores:
        """The logit of each pair, fp32, in order. Raises :class:`TunewizError` (``score-not-finite``)."""
        if not pairs:
            return np.zeros(0, np.float32)
        if self.fast:
            batches, compute = _batches(self.model, pairs, self.options), _forward(self.model, self.options)
        else:
            lengths = [len(query) + len(document) for query, document in pairs]
            batches = by_length(pairs, lengths, ANY, self.options.most)
            compute = _library(self.model, self.options)
        rows = collect(in_parallel(batches, compute, self.at_once), len(pairs), self.progress, self.check_stop)
        if not np.isfinite(rows).all():
            message = say("The reranker gives some pairs scores that are no numbers (nan).")
            raise TunewizError(error("score-not-finite", message, fix=say("Train with a lower learning rate.")))
        logits: Scores = rows[:, 0]
        return logits


@contextmanager
def ready_to_score(
    model: Any,
    options: EncodeOptions = EncodeOptions(),
    progress: Progress = no_progress,
    check_stop: Callable[[], None] = no_progress,
) -> Iterator[PairScorer]:
    """A scorer over ``model`` (a CrossEncoder with one label), packed for as long as the block lasts."""
    model.eval()
    expected = _library(model, EncodeOptions())(_all(_PROBE)) if options.fast and _plain(model) else None
    with ready(model, options.precision, expected is not None) as at_once:
        if expected is not None and _agrees(model, expected, options):
            yield PairScorer(model, options, True, at_once, progress, check_stop)
        else:
            yield PairScorer(model, options, False, 1, progress, check_stop)


def _plain(model: Any) -> bool:
    """Whether the model is a transformer with a head and nothing else, so that its tokenizer sees all there is."""
    return len(model) == 1 and callable(getattr(model, "tokenizer", None)) and not any(model.prompts.values())


def _all(pairs: Sequence[Pair]) -> Batch:
    return Batch(np.arange(len(pairs)), list(pairs))


def _agrees(model: Any, expected: Rows, options: EncodeOptions) -> bool:
    ours = np.zeros_like(expected)
    try:
        compute = _forward(model, options)
        for batch in _batches(model, _PROBE, options):
            ours[batch.places] = compute(batch)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError):
        return False  # a model with inputs of its own: the library knows how to call it
    return bool(np.abs(ours - expected).max() <= _AGREE[options.precision] * max(1.0, float(np.abs(expected).max())))


def _batches(model: Any, pairs: Sequence[Pair], options: EncodeOptions) -> Iterator[Batch]:
    budget = options.tokens or tokens_a_batch(model)
    for start in range(0, len(pairs), CHUNK):
        features = pair_features(model, pairs[start : start + CHUNK])
        yield from by_length(features, [len(one["input_ids"]) for one in features], budget, options.most, start)


def pair_features(model: Any, pairs: Sequence[Pair]) -> list[dict[str, list[int]]]:
    """Token ids (and token types, where the model has them) of each pair, cut at the model's maximum length."""
    limit = model.max_seq_length
    encoded = model.tokenizer(
        [query for query, _ in pairs],
        [document for _, document in pairs],
        padding=False,
        truncation="longest_first" if limit is not None else False,
        max_length=limit,
        return_attention_mask=False,
    )
    names = list(encoded.keys())
    columns = [encoded[name] for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _forward(model: Any, options: EncodeOptions) -> Callable[[Batch], Rows]:
    import torch

    covered = is_packed(model)

    def compute(batch: Batch) -> Rows:
        padded = model.tokenizer.pad(batch.inputs, padding=True, return_tensors="pt")
        features = {name: tensor.to(model.device, non_blocking=True) for name, tensor in padded.items()}
        with torch.inference_mode(), half(model, options.precision, covered):
            logits = model(features | {"modality": "text"})["scores"]
        array: Rows = logits.float().reshape(len(batch.inputs), -1)[:, :1].cpu().numpy()
        return array

    return halving(compute)


def _library(model: Any, options: EncodeOptions) -> Callable[[Batch], Rows]:
    import torch

    def compute(batch: Batch) -> Rows:
        with half(model, options.precision, covered=False):
            # Lists, because the library takes a list of two tuples for one pair of two texts.
            scores = model.predict([list(pair) for pair in batch.inputs], activation_fn=torch.nn.Identity())
        array: Rows = np.asarray(scores, np.float32).reshape(len(batch.inputs), -1)[:, :1]
        return array

    return halving(compute)


# Put documents in order of how well they answer a query, with a tuned (or any) reranker.


@dataclass(frozen=True)
class Ranked:
    """A document, its place in what was given (from 0), and its score, as the model was tuned to give it."""

    place: int
    document: str
    score: float


class Reranker:
    """A loaded reranker that answers any number of queries; ``with Reranker(folder) as reranker: ...``.

    ``path`` is a model's folder. ``precision``: ``fp32`` gives the library's scores; ``bf16`` is faster where the
    processor has it, and swaps documents whose scores are nearly the same. Raises :class:`BadPreset`
    (``model-not-loadable``).

    >>> with Reranker("my-reranker", device="cpu") as reranker:
    ...     best = reranker.rank("how do i check gpu memory", ["disk port", "gpu memory data", "why"], top=2)
    ...     logits = reranker.logits("how do i check gpu memory", ["disk port", "gpu memory data", "why"])
    >>> [hit.place for hit in best] == sorted(range(3), key=lambda place: -logits[place])[:2]
    True
    """

    def __init__(
        self, path: Path | str, device: Literal["auto", "cpu", "cuda"] = "auto", precision: Precision = "fp32"
    ) -> None:
        from tunewiz.backends.models.batching import EncodeOptions
        from tunewiz.backends.models.loading import device_of, load_reranker
        from tunewiz.presets.sections.training import Launch

        self._model = load_reranker(path, None, device_of(Launch(device=device)))
        self._open = ExitStack()
        self._scorer = self._open.enter_context(ready_to_score(self._model, EncodeOptions(precision)))

    def logits(self, query: str, documents: Sequence[str]) -> list[float]:
        """The model's raw score of each document, in the order given: what is blended with a search's scores."""
        return [float(logit) for logit in self._scorer.scores([(query, document) for document in documents])]

    def rank(self, query: str, documents: Sequence[str], top: int | None = None) -> list[Ranked]:
        """``documents`` best first, at most ``top`` of them; equal scores stay in the order given."""
        import torch

        logits = self.logits(query, documents)
        scores = self._model.activation_fn(torch.tensor(logits)).tolist()
        order = sorted(range(len(documents)), key=lambda place: -logits[place])[:top]
        return [Ranked(place, documents[place], scores[place]) for place in order]

    def close(self) -> None:
        """Give back the memory of the packed layers and torch's threads."""
        self._open.close()

    def __enter__(self) -> Reranker:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def rerank(query: str, documents: Sequence[str], model: Path | str | Reranker, top: int | None = None) -> list[Ranked]:
    """``documents`` in order of score for ``query``; ``model`` is a folder, which is loaded for this one call.

    Raises what :class:`Reranker` raises. For many queries give a :class:`Reranker` in place of the folder.

    >>> hits = rerank("how do i check gpu memory", ["disk port", "gpu memory data"], "my-reranker")
    >>> sorted(hit.document for hit in hits), hits[0].score >= hits[1].score
    (['disk port', 'gpu memory data'], True)
    """
    if isinstance(model, Reranker):
        return model.rank(query, documents, top)
    with Reranker(model) as loaded:
        return loaded.rank(query, documents, top)
