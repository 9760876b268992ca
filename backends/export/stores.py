"""The run's documents in a vector store, with the program that made it: FAISS, Milvus, Chroma.

What is built is asked at once: the run's own questions, against exact search with the same vectors. So whoever takes it
away knows how much an approximate index misses before anybody relies on it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Final

from tunewiz.backends.evaluate import metrics
from tunewiz.backends.export.targets import (
    SERVED,
    SOURCES,
    Target,
    copy_model,
    need_packages,
    parts,
    write_joins,
    write_service,
)
from tunewiz.backends.runs.run import Run
from tunewiz.backends.trying.corpus import run_documents
from tunewiz.data.retrieval.prepared import load
from tunewiz.files import write_json, write_jsonl, write_whole
from tunewiz.language import N_
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.problems import Message, say

if TYPE_CHECKING:
    from tunewiz.backends.models.encoding import Vectors

#: Results of a question that are compared with exact search, and questions at most.
TOP: Final = 10
MOST: Final = 500
#: Cosines closer than that are the same: stores add up in another order than we do.
_SAME: Final = 1e-5


class Store(Target):
    """A store of one kind. ``program`` is the file that builds and searches it, ``packages`` what that imports."""

    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "pipeline"})
    shortens: ClassVar[bool] = True
    program: ClassVar[str]
    kind: ClassVar[str]
    packages: ClassVar[Mapping[str, str]]
    #: The extra that installs them; "" where Tunewiz does.
    extra: ClassVar[str] = ""

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Build it from the tuned model's vectors, ask it, and say what it finds of what exact search does.

        Raises :class:`BadPreset` (``store-packages``) where a package is missing.
        """
        need_packages(self.packages, self.extra, "store-packages")
        part = parts(run, preset)
        own = part.get("embedding") or part[""]
        copy_model(own, folder / "model")
        corpus = run_documents(run)
        documents = [{"id": name, "text": text} for name, text in zip(corpus.ids, corpus.texts, strict=True)]
        write_jsonl(folder / "documents.jsonl", iter(documents))
        write_joins("store", folder)
        questions, vectors = _vectors(own, preset, run, corpus.texts)
        program = program_of(self, folder)
        program.build(documents, vectors, self.kind)
        found = program.search(questions.vectors, min(TOP, len(documents)))
        told = _compared(questions, vectors, corpus.ids, found)
        write_json(folder / "check.json", told)
        return say(
            "Search it: {command}. Of the {top} best documents by exact search it finds {percent} %, asked "
            "{count} questions{measured}.",
            command='python store.py search "…"',
            top=TOP,
            percent=f"{100 * told['found']:.1f}",
            count=len(questions.vectors),
            measured=f"; ndcg@{TOP} {told['ndcg']:.4f} ({told['ndcg_exact']:.4f})" if "ndcg" in told else "",
        )


class _Questions:
    """Vectors (n, d) of what is asked, and what is right, where that is known."""

    def __init__(self, vectors: Vectors, names: Sequence[str], qrels: metrics.Qrels) -> None:
        self.vectors, self.names, self.qrels = vectors, names, qrels


def _vectors(own: Run, preset: Preset, run: Run, texts: Sequence[str]) -> tuple[_Questions, Vectors]:
    """Of the run's held-out questions (without any, of its first documents), and of all documents."""
    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.backends.models.loading import device_of
    from tunewiz.backends.models.run_models import tuned_encoder

    inner = preset.first() if isinstance(preset, PipelinePreset) else preset
    assert isinstance(inner, EmbeddingPreset)
    options = EncodeOptions(most=inner.evaluation.batch_size)
    encoder = SearchEncoder(tuned_encoder(own, inner, device_of(inner.launch)), options)
    passages = encoder.passages(list(texts))
    evaluation = load(run.data).evaluation
    asked = [name for name in evaluation.qrels if name in evaluation.queries][:MOST]
    if not asked:
        return _Questions(passages[:MOST], [], {}), passages
    vectors = encoder.queries([evaluation.queries[name] for name in asked])
    return _Questions(vectors, asked, {name: evaluation.qrels[name] for name in asked}), passages


def _compared(
    questions: _Questions, vectors: Vectors, ids: Sequence[str], found: Sequence[Sequence[tuple[str, float]]]
) -> dict[str, float]:
    """The share of exact search's best that the store finds, and what both measure."""
    exact = metrics.rank(questions.vectors, list(map(str, range(len(found)))), vectors, [[name] for name in ids], TOP)
    by_place = {str(place): ranking for place, ranking in enumerate(found)}
    told = {"found": share_found(by_place, exact), "questions": float(len(found))}
    if questions.names:
        name = f"ndcg@{TOP}"
        for key, rankings in (("ndcg", found), ("ndcg_exact", exact.values())):
            by_name = {query: list(ranking) for query, ranking in zip(questions.names, rankings, strict=True)}
            told[key] = metrics.means(metrics.per_query(by_name, questions.qrels, [name]))[name]
    return told


def share_found(
    found: Mapping[str, Sequence[tuple[str, float]]], exact: Mapping[str, Sequence[tuple[str, float]]]
) -> float:
    """The share of exact search's best that is found; of documents that are equally near any will do."""
    hits = wanted = 0
    for name, ranking in exact.items():
        best = ranking[:TOP]
        edge = min((score for _, score in best), default=0.0) - _SAME
        hits += min(len(best), sum(score >= edge for _, score in found[name][:TOP]))
        wanted += len(best)
    return hits / wanted if wanted else 1.0


def program_of(store: Store, folder: Path) -> ModuleType:
    """Write the store's program into ``folder``; it as a module, so that what is checked is what the user gets."""
    program = folder / "store.py"
    write_whole(program, (SOURCES / f"{store.program}.py.txt").read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location("tunewiz_exported_store", program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode  # nothing but the user's files in the folder
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


class Faiss(Store):
    """An index that compares with every document."""

    name: ClassVar[str] = "faiss"
    summary: ClassVar[str] = N_("the documents in a FAISS index, exact (flat)")
    program: ClassVar[str] = "store_faiss"
    kind: ClassVar[str] = "flat"
    packages: ClassVar[Mapping[str, str]] = {"faiss": "faiss-cpu"}


class FaissHnsw(Faiss):
    """An index that follows a graph."""

    name: ClassVar[str] = "faiss-hnsw"
    summary: ClassVar[str] = N_("the documents in a FAISS index, fast in millions (HNSW)")
    kind: ClassVar[str] = "hnsw"


class FaissIvf(Faiss):
    """An index that looks into some of many cells."""

    name: ClassVar[str] = "faiss-ivf"
    summary: ClassVar[str] = N_("the documents in a FAISS index, fast and small (IVF)")
    kind: ClassVar[str] = "ivf"


class Milvus(Store):
    """A collection of Milvus Lite, or of the server that ``MILVUS_URI`` names."""

    name: ClassVar[str] = "milvus"
    summary: ClassVar[str] = N_("the documents in Milvus: a file or a server")
    program: ClassVar[str] = "store_milvus"
    kind: ClassVar[str] = "flat"
    packages: ClassVar[Mapping[str, str]] = {"pymilvus": "pymilvus", "milvus_lite": "milvus-lite"}
    extra: ClassVar[str] = "milvus"


class Chroma(Store):
    """A collection of Chroma, in files, or of the server that ``CHROMA_HOST`` names."""

    name: ClassVar[str] = "chroma"
    summary: ClassVar[str] = N_("the documents in Chroma: files or a server")
    program: ClassVar[str] = "store_chroma"
    kind: ClassVar[str] = "hnsw"
    packages: ClassVar[Mapping[str, str]] = {"chromadb": "chromadb"}
    extra: ClassVar[str] = "chroma"


# The same stores with the service in front of them.


class StoreService(Target):
    """A store and ``serve.py`` over it: it searches in the store, so that nothing is encoded when it starts."""

    tasks: ClassVar[frozenset[str]] = Store.tasks
    shortens: ClassVar[bool] = True
    store: ClassVar[type[Store]]

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Build the store and put the program beside it. Raises as :meth:`Store.write`."""
        told = self.store().write(run, preset, folder)
        for name, part in parts(run, preset).items():
            if SERVED[name] != "model":  # which the store has
                copy_model(part, folder / SERVED[name])
        started = write_service(
            run, preset, folder, run_documents(run), tuple(self.store.packages.values()), stored=True
        )
        return say("{service} {store}", service=started, store=told)


class FaissService(StoreService):
    """Over an exact index on disk."""

    name: ClassVar[str] = "service-faiss"
    summary: ClassVar[str] = N_("the search service over a FAISS index on disk, exact")
    store: ClassVar[type[Store]] = Faiss


class FaissHnswService(StoreService):
    """Over an index that follows a graph."""

    name: ClassVar[str] = "service-faiss-hnsw"
    summary: ClassVar[str] = N_("the search service over FAISS, fast in millions (HNSW)")
    store: ClassVar[type[Store]] = FaissHnsw


class FaissIvfService(StoreService):
    """Over an index that looks into some of many cells."""

    name: ClassVar[str] = "service-faiss-ivf"
    summary: ClassVar[str] = N_("the search service over FAISS, fast and small (IVF)")
    store: ClassVar[type[Store]] = FaissIvf


class MilvusService(StoreService):
    """Over Milvus Lite, or the server that ``MILVUS_URI`` names."""

    name: ClassVar[str] = "service-milvus"
    summary: ClassVar[str] = N_("the search service over Milvus: a file or a server")
    store: ClassVar[type[Store]] = Milvus


class ChromaService(StoreService):
    """Over Chroma in files, or the server that ``CHROMA_HOST`` names."""

    name: ClassVar[str] = "service-chroma"
    summary: ClassVar[str] = N_("the search service over Chroma: files or a server")
    store: ClassVar[type[Store]] = Chroma
