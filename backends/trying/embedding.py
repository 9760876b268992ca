"""An embedding model as a search box: the same query with the untouched and the tuned model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from backends.trying.base import Fact, Trial
from backends.trying.corpus import Corpus, of_run
from backends.trying.searching import Search
from backends.tuned import base_folder, tuned_encoder, tuned_folder
from presets.retrieval import RetrievalPreset

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder


class EmbeddingTrial(Trial[RetrievalPreset]):
    """Searches in the documents that the run was measured on."""

    name: ClassVar[str] = "embedding"
    _corpus: Corpus
    _searches: Mapping[str, Search]

    def load(self) -> Fact:
        """Load both models and encode the documents with each, or read the vectors kept from last time."""
        self._corpus = of_run(self.run)
        base = base_folder(self.run, self.preset)
        encoders = {"before": self._before(base), "after": self._after()}
        self._searches = {when: Search(encoder, self._corpus) for when, encoder in encoders.items()}
        return {
            "documents": len(self._corpus.ids),
            "examples": list(self._corpus.queries),
            "base": self.preset.model.id,
        }

    def answer(self, asked: Mapping[str, Any]) -> Iterator[Fact]:
        """``asked`` has ``query`` and ``k``; the answer has ``before`` and ``after``, see :meth:`Search.find`."""
        query, k = str(asked["query"]), max(1, int(asked.get("k", 5)))
        known = self._corpus.known(query)
        found = {when: search.find(query, k, known) for when, search in self._searches.items()}
        yield {"query": query, "known": sorted(known), **found}

    def _before(self, base: Path) -> SearchEncoder:
        from backends.loading import load_encoder, merge_adapter

        self.told("before", 0, 0)
        return self._encoder(merge_adapter(load_encoder(base, self.preset, self._device())), base, "before")

    def _after(self) -> SearchEncoder:
        self.told("after", 0, 0)
        return self._encoder(tuned_encoder(self.run, self.preset, self._device()), tuned_folder(self.run), "after")

    def _encoder(self, model: Any, folder: Path, when: str) -> SearchEncoder:
        from backends.batching import Computing
        from backends.encoder import SearchEncoder, fingerprint
        from backends.measuring import at_times

        return SearchEncoder(
            model,
            Computing(),
            self.run.directory / "cache" / "vectors",
            fingerprint(folder),
            at_times(lambda done, total: self.told(when, done, total)),
        )

    def _device(self) -> str:
        import torch

        return "cuda" if self.preset.launch.device != "cpu" and torch.cuda.is_available() else "cpu"
