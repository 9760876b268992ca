"""Put documents in order of how well they answer a query, with a tuned (or any) reranker."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from backends.packing import Precision


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
    """

    def __init__(
        self, path: Path | str, device: Literal["auto", "cpu", "cuda"] = "auto", precision: Precision = "fp32"
    ) -> None:
        from backends.batching import Computing
        from backends.loading import device_of
        from backends.pair_scoring import ready_to_score
        from backends.rerankers import load_reranker
        from presets.sections.launch import Launch

        self._model = load_reranker(path, None, device_of(Launch(device=device)))
        self._open = ExitStack()
        self._scorer = self._open.enter_context(ready_to_score(self._model, Computing(precision)))

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
    """``documents`` in order of score for ``query``; ``model`` is a folder, which is loaded for this one call."""
    if isinstance(model, Reranker):
        return model.rank(query, documents, top)
    with Reranker(model) as loaded:
        return loaded.rank(query, documents, top)
