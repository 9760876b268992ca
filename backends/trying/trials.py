"""A run's models to try: a search box, a chat, a reranker.

Each question is answered with the untouched and with the tuned model; the reranker works on top of the run's search.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from tunewiz.backends.evaluate.by_words import FUSED
from tunewiz.backends.evaluate.records import BM25, FUSION
from tunewiz.backends.evaluate.two_stage import blend_scores
from tunewiz.backends.models.reranking import Reranker
from tunewiz.backends.models.run_models import base_folder, kept_encoder, ranking, tuned_folder
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.run import Run
from tunewiz.backends.trying import Fact, Progress, Trial
from tunewiz.backends.trying.corpus import Corpus, Search, WordSearch, run_documents
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.reranker import RerankerPreset

if TYPE_CHECKING:
    from tunewiz.backends.models.encoding import SearchEncoder


# An embedding model as a search box: the same query with the untouched and the tuned model.


class EmbeddingTrial(Trial[RetrievalPreset]):
    """Searches in the documents that the run was measured on."""

    name: ClassVar[str] = "embedding"
    _corpus: Corpus
    _searches: Mapping[str, Search]
    _words: WordSearch | None = None
    _way = ""

    def load(self) -> Fact:
        """Load both models and encode the documents with each, or read the vectors kept from last time."""
        self._corpus = run_documents(self.run)
        encoders = {when: self._encoder(when) for when in ("before", "after")}
        self._searches = {when: Search(encoder, self._corpus) for when, encoder in encoders.items()}
        # The way that measured best stands beside them: nobody should search worse than he could without a model.
        self._way = MetricsFile.of(self.run.report).best_way
        self._words = WordSearch(self._corpus) if self._way in (BM25, FUSION) else None
        return {
            "documents": len(self._corpus.ids),
            "examples": list(self._corpus.queries),
            "base": self.preset.model.id,
        }

    def answer(self, asked: Mapping[str, Any]) -> Iterator[Fact]:
        """``asked`` has ``query`` and ``k``; the answer has ``before`` and ``after``, see :meth:`Search.find`.

        Where search by words measured best, alone or fused with the tuned model, that is a third side.
        """
        query, k = str(asked["query"]), max(1, int(asked.get("k", 5)))
        known = self._corpus.known(query)
        found = {when: search.find(query, k, known) for when, search in self._searches.items()}
        if self._words is not None:
            beside = self._searches["after"].find(query, FUSED, known)["hits"] if self._way == FUSION else None
            found[self._way] = self._words.find(query, k, known, beside)
        yield {"query": query, "known": sorted(known), **found}

    def _encoder(self, when: Literal["before", "after"]) -> SearchEncoder:
        self.progress(when, 0, 0)
        encoder: SearchEncoder = kept_encoder(
            self.run, self.preset, when, lambda done, total: self.progress(when, done, total)
        )
        return encoder


# A language model as a chat: one conversation with the untouched and the tuned model, word by word.


_SIDES: Final[Mapping[Literal["base", "tuned"], str]] = {"base": "before", "tuned": "after"}
_MOST: Final = 512  # tokens of an answer


class LlmTrial(Trial[LlmPreset]):
    """Each model goes on with its own answers, so that both conversations stay whole."""

    name: ClassVar[str] = "llm"

    def load(self) -> Fact:
        """Load both models."""
        from tunewiz.backends.language_models.chatting import open_chat

        self._models: dict[str, Any] = {}
        for side, when in _SIDES.items():
            self.progress(when, 0, 0)
            self._models[when] = open_chat(self.run, side)
        self._turns: dict[str, list[tuple[Literal["user", "assistant"], str]]] = {when: [] for when in self._models}
        return {"base": self.preset.model.id}

    def answer(self, asked: Mapping[str, Any]) -> Iterator[Fact]:
        """``asked`` has ``query``, and ``new`` true to begin a new conversation; facts are ``side`` and ``text``."""
        from tunewiz.backends.language_models.chatting import stream

        question = str(asked["query"])
        yield {"query": question}
        writing: dict[str, Iterator[str]] = {}
        for when, model in self._models.items():
            if asked.get("new"):
                self._turns[when].clear()
            self._turns[when].append(("user", question))
            turns, system = self._turns[when], str(asked.get("system", ""))
            writing[when] = stream(model, turns, system, int(asked.get("most", _MOST)))
        written = dict.fromkeys(writing, "")
        while writing:  # a piece of each in turn, so that neither waits for the other's end
            for when, pieces in list(writing.items()):
                piece = next(pieces, None)
                if piece is None:
                    del writing[when]
                    self._turns[when].append(("assistant", written[when]))
                else:
                    written[when] += piece
                    yield {"side": when, "text": piece}


# A reranker on top of the run's own search: candidates alone, then in the order of both rerankers.


class RerankerTrial(Trial[RerankerPreset]):
    """The first stage is the one that the run was measured with."""

    name: ClassVar[str] = "reranker"

    def __init__(self, run: Run, preset: RerankerPreset, progress: Progress) -> None:
        super().__init__(*(ranking(run, preset) or (run, preset)), progress)
        self._corpus = Corpus([], [])
        self._search: Any = None
        self._rerankers: dict[str, Reranker] = {}

    def load(self) -> Fact:
        """Index the documents and load the rerankers; an untouched encoder is none, and is left out."""
        from tunewiz.backends.models.loading import has_head

        self._corpus = run_documents(self.run)
        self._search = self._first_stage()
        base = base_folder(self.run, self.preset)
        folders = {"reranked_before": base} if has_head(base) else {}
        for name, folder in (folders | {"reranked_after": tuned_folder(self.run)}).items():
            self.progress(name.removeprefix("reranked_"), 0, 0)
            self._rerankers[name] = Reranker(folder, "cpu" if self.preset.launch.device == "cpu" else "auto")
        return {
            "documents": len(self._corpus.ids),
            "examples": list(self._corpus.queries),
            "base": self.preset.model.id,
        }

    def _first_stage(self) -> Any:
        from tunewiz.backends.evaluate.measuring import MeasureOptions
        from tunewiz.backends.evaluate.two_stage import embedder, first_stage
        from tunewiz.backends.negatives import Surroundings, catalogue

        wanted = first_stage(self.preset.candidates, self._corpus.texts)
        self.progress("retrieved", 0, 0)
        options = MeasureOptions(
            cache=self.run.directory / "cache" / "vectors",
            progress=lambda done, total: self.progress("retrieved", done, total),
        )
        seed = self.preset.training.seed
        strategy = catalogue()[wanted.strategy](Surroundings(seed, lambda: embedder(wanted.model, options)))
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
        texts, share = [self._corpus.texts[row] for row, _ in rows], self.preset.candidates.share()
        if not share:
            return [(rows[one.place][0], one.score) for one in reranker.rank(query, texts)]
        final = blend_scores([score for _, score in rows], reranker.logits(query, texts), share)
        return sorted(((row, score) for (row, _), score in zip(rows, final, strict=True)), key=lambda one: -one[1])

    def _side(self, order: Sequence[tuple[int, float]], k: int, known: Collection[str], begun: float) -> dict[str, Any]:
        ids, texts = self._corpus.ids, self._corpus.texts
        hits = [
            {"rank": rank, "id": ids[row], "score": score, "text": texts[row], "known": ids[row] in known}
            for rank, (row, score) in enumerate(order[:k], 1)
        ]
        ranks = [rank for rank, (row, _) in enumerate(order, 1) if ids[row] in known]
        return {"hits": hits, "known_rank": min(ranks, default=None), "seconds": time.monotonic() - begun}


class PipelineTrial(RerankerTrial):
    """The tuned reranker on top of the tuned embedding model."""

    name: ClassVar[str] = "pipeline"


class ComparisonTrial(RerankerTrial):
    """The best variant."""

    name: ClassVar[str] = "comparison"
