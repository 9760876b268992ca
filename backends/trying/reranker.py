"""A reranker on top of the run's own search: candidates alone, then in the order of both rerankers."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from backends.evaluators.blending import blended
from backends.reranking import Reranker
from backends.runs.run import Run
from backends.trying.base import Fact, Told, Trial
from backends.trying.corpus import Corpus, of_run
from backends.tuned import base_folder, tuned_folder
from presets.tasks.reranker import RerankerPreset


class RerankerTrial(Trial[RerankerPreset]):
    """The first stage is the one that the run was measured with."""

    name: ClassVar[str] = "reranker"

    def __init__(self, run: Run, preset: RerankerPreset, told: Told) -> None:
        super().__init__(run, preset, told)
        self._corpus = Corpus([], [])
        self._search: Any = None
        self._rerankers: dict[str, Reranker] = {}

    def load(self) -> Fact:
        """Index the documents and load the rerankers; an untouched encoder is none, and is left out."""
        from backends.rerankers import has_head

        self._corpus = of_run(self.run)
        self._search = self._first_stage()
        base = base_folder(self.run, self.preset)
        folders = {"reranked_before": base} if has_head(base) else {}
        for name, folder in (folders | {"reranked_after": tuned_folder(self.run)}).items():
            self.told(name.removeprefix("reranked_"), 0, 0)
            self._rerankers[name] = Reranker(folder, "cpu" if self.preset.launch.device == "cpu" else "auto")
        return {
            "documents": len(self._corpus.ids),
            "examples": list(self._corpus.queries),
            "base": self.preset.model.id,
        }

    def _first_stage(self) -> Any:
        from backends.candidates import embedder
        from backends.measuring import Manner
        from backends.negatives import catalogue
        from backends.negatives.base import Surroundings

        wanted = self.preset.candidates
        self.told("retrieved", 0, 0)
        manner = Manner(
            cache=self.run.directory / "cache" / "vectors",
            told=lambda done, total: self.told("retrieved", done, total),
        )
        seed = self.preset.training.seed
        strategy = catalogue()[wanted.strategy](Surroundings(seed, lambda: embedder(wanted.model, manner)))
        strategy.index(list(self._corpus.texts))
        return strategy

    def answer(self, asked: Mapping[str, Any]) -> Iterator[Fact]:
        """``asked`` has ``query`` and ``k``; the answer has ``retrieved`` and a side for each reranker."""
        query, k = str(asked["query"]), max(1, int(asked.get("k", 5)))
        known = self._corpus.known(query)
        begun = time.monotonic()
        depth = min(self.preset.candidates.depth, len(self._corpus.ids))
        ranked = self._search.search([query], depth)
        found = list(zip(ranked.passages[0].tolist(), ranked.scores[0].tolist(), strict=True))
        rows = [(row, score) for row, score in found if row >= 0]
        sides = {"retrieved": self._side(rows, k, known, begun)}
        for name, reranker in self._rerankers.items():
            begun = time.monotonic()
            order = self._order(reranker, query, rows)
            sides[name] = self._side(order, k, known, begun)
        yield {"query": query, "known": sorted(known), "candidates": len(rows), **sides}

    def _order(self, reranker: Reranker, query: str, rows: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
        """Documents with their scores, best first, the search's counting as much as when the run was measured."""
        texts, share = [self._corpus.texts[row] for row, _ in rows], self.preset.candidates.search_share
        if not share:
            return [(rows[one.place][0], one.score) for one in reranker.rank(query, texts)]
        final = blended([score for _, score in rows], reranker.logits(query, texts), share)
        return sorted(((row, score) for (row, _), score in zip(rows, final, strict=True)), key=lambda one: -one[1])

    def _side(self, order: Sequence[tuple[int, float]], k: int, known: Collection[str], begun: float) -> dict[str, Any]:
        ids, texts = self._corpus.ids, self._corpus.texts
        hits = [
            {"rank": rank, "id": ids[row], "score": score, "text": texts[row], "known": ids[row] in known}
            for rank, (row, score) in enumerate(order[:k], 1)
        ]
        ranks = [rank for rank, (row, _) in enumerate(order, 1) if ids[row] in known]
        return {"hits": hits, "known_rank": min(ranks, default=None), "seconds": time.monotonic() - begun}
