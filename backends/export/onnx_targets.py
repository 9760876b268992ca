"""Search models for onnxruntime: in 32 bits, equal to the tuned model, or in 8 bits, with what that costs measured.

What is written is loaded and compared with the torch model on texts of the run before it becomes the user's: by the
program of the README, with onnxruntime and tokenizers alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tunewiz.backends.evaluate import metrics
from tunewiz.backends.export import onnx_graphs
from tunewiz.backends.export.exporters import clean, lay_out_for_others
from tunewiz.backends.export.targets import Target, need_packages, whole_model
from tunewiz.backends.models.run_models import ranking, searching, tuned_encoder
from tunewiz.backends.reports.blocks import Block, Bullets, Code, Heading, Paragraph, markdown
from tunewiz.backends.reports.facts import gather
from tunewiz.backends.runs.run import Run
from tunewiz.data.retrieval.prepared import load
from tunewiz.data.rows.examples import Collection
from tunewiz.files import write_json, write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.problems import BadData, Message, TunewizError, error, say

if TYPE_CHECKING:
    from tunewiz.backends.models.batching import Rows

PACKAGES: Final = {"onnx": "onnx", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"}
#: Largest difference of a number of a vector, and of a score as a share of the largest, between graph and torch.
SAME: Final = 1e-3
#: What is measured in 8 bits: questions, documents, and pairs of a reranker; the time is then seconds to minutes.
_QUESTIONS, _DOCUMENTS, _PAIRS = 200, 2000, 2000
_REAL: Final = 24  # texts of the run of either kind that are compared
_METRIC: Final = "ndcg@10"
_PROBES: Final = (
    "How do I reset my password?", "重置密码的方法：打开设置，选择安全。", "  GPU 显存 OOM, retry?  ", "a", ".", " ",
    "", "naïve café — 😀 日本語",
)  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """A model to write: the torch one, the graph's program, its texts, and how both turn these into numbers."""

    model: Any
    program: str
    example: str
    items: Sequence[Any]
    torch: Callable[[Sequence[Any]], Rows]
    #: The function of the program that does the same.
    name: str
    measure: Callable[[Callable[[Sequence[Any]], Rows]], dict[str, float]]


class Onnx(Target):
    """``onnx/model.onnx`` with the tokenizer and the settings that sentence-transformers and TEI read beside it."""

    name: ClassVar[str] = "onnx"
    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "reranker", "pipeline", "comparison"})
    shortens: ClassVar[bool] = True
    summary: ClassVar[str] = N_("an ONNX graph for onnxruntime, equal to the tuned model")
    bits: ClassVar[int] = 32

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Write the graph, of a pipeline both; what was found out about it.

        Raises :class:`BadPreset` (``onnx-packages``) where a package is missing, ``TunewizError`` where a graph cannot
        be written or is not equal.
        """
        need_packages(PACKAGES, "onnx", "onnx-packages")
        told = None
        for name, own, part in _parts(run, preset):
            one = self._written(own, part, folder / name)
            told = say("{first} {then}", first=told, then=one) if told else one
        assert told is not None  # every task has a model that searches or ranks
        return say("{told} README.md in it shows how it is used.", told=told)

    def _written(self, own: RetrievalPreset, part: tuple[Run, _Part], folder: Path) -> Message:
        import torch

        run, made = part
        folder.mkdir(parents=True, exist_ok=True)
        made.model.save_pretrained(str(folder), create_model_card=False)
        clean(folder, gather(run, own))
        if made.name == "encode":
            lay_out_for_others(folder, int(made.model.max_seq_length or 0))
        for weights in (*folder.glob("*.safetensors"), *folder.glob("*.bin"), *folder.glob("*.index.json")):
            weights.unlink()  # those of the graph take their place; layers after it keep theirs
        file = folder / onnx_graphs.FILE
        (onnx_graphs.write_embedder if made.name == "encode" else onnx_graphs.write_reranker)(made.model, file)
        whole = _size(file)
        if self.bits == 8:
            onnx_graphs.in_8_bits(file)
        known = onnx_graphs.running(made.program, folder, torch.get_num_threads())
        checked = {"size": _size(file) / whole} | self._checked(made, known[made.name])
        write_json(folder / "check.json", checked)
        told = self._told(made, checked)
        write_whole(folder / "README.md", markdown(list(_readme(own, made, told))))
        return told

    def _checked(self, made: _Part, call: Callable[[Sequence[Any]], Rows]) -> dict[str, float]:
        """Both on the same texts: how far apart, and how fast. Raises ``TunewizError`` where they are not equal."""
        expected, slow = _timed(lambda: onnx_graphs.in_batches(made.torch, made.items))
        found, fast = _timed(lambda: onnx_graphs.in_batches(call, made.items))
        difference = float(abs(found - expected).max()) if found.shape == expected.shape else float("inf")
        told = {"texts": len(made.items), "difference": difference, "speed": slow / max(fast, 1e-9)}
        if self.bits == 8:
            return told | _nearness(made, found, expected) | made.measure(call)
        bound = SAME * (1.0 if made.name == "encode" else max(1.0, float(abs(expected).max())))
        if not difference <= bound:  # so that nan counts as a difference
            message = say("The ONNX graph does not give what the tuned model gives: they differ by {difference}.",
                          difference=f"{difference:.2g}")  # fmt: skip
            raise TunewizError(error("export-differs", message, fix=say("Export it as it is: --to merged.")))
        return told

    def _told(self, made: _Part, checked: Mapping[str, float]) -> Message:
        """What was found out, in a sentence or two."""
        values = {"count": int(checked["texts"]), "speed": f"{checked['speed']:.1f}",
                  "difference": f"{checked['difference']:.1g}", "percent": round(100 * checked["size"])}  # fmt: skip
        if self.bits == 32 and made.name == "encode":
            return say("The vectors of {count} texts are the tuned model's (largest difference {difference}), at "
                       "{speed} times torch's speed here.", **values)  # fmt: skip
        if self.bits == 32:
            return say("The scores of {count} pairs are the tuned model's (largest difference {difference}), at "
                       "{speed} times torch's speed here.", **values)  # fmt: skip
        size = say("{percent} % of the size, {speed} times torch's speed here.", **values)
        if made.name == "encode":
            near = say("Cosine with the tuned model's vectors: {mean} on average, {least} at least ({count} texts).",
                       mean=f"{checked['mean']:.4f}", least=f"{checked['least']:.4f}", **values)  # fmt: skip
        else:
            near = say("Scores differ from the tuned model's by {mean} on average ({count} pairs).",
                       mean=f"{checked['mean']:.4f}", **values)  # fmt: skip
        if "ndcg" not in checked:
            return say("{near} {size}", near=near, size=size)
        lost = say(
            "On {questions} questions of the run ndcg@10 is {ndcg} instead of {exact}.",
            questions=int(checked["questions"]), ndcg=f"{checked['ndcg']:.4f}", exact=f"{checked['ndcg_exact']:.4f}",
        )  # fmt: skip
        return say("{near} {lost} {size}", near=near, lost=lost, size=size)


class OnnxInt8(Onnx):
    """The same with weights in 8 bits: a quarter of the size."""

    name: ClassVar[str] = "onnx-int8"
    summary: ClassVar[str] = N_("an ONNX graph with weights in 8 bits, its loss measured")
    bits: ClassVar[int] = 8


def _size(file: Path) -> int:
    """Bytes of a graph and its weights."""
    return sum(part.stat().st_size for part in file.parent.iterdir())


def _timed(work: Callable[[], Any]) -> tuple[Rows, float]:
    """What ``work`` gives, and the seconds of its second time: the first one warms up."""
    work()
    begun = time.perf_counter()
    found = work()
    return found, time.perf_counter() - begun


def _nearness(made: _Part, found: Any, expected: Any) -> dict[str, float]:
    import numpy as np

    if made.name == "score":
        return {"mean": float(np.abs(found - expected).mean())}
    cosines = (found * expected).sum(axis=1)
    return {"mean": float(cosines.mean()), "least": float(cosines.min())}


# What is written of a run, and the texts that it is checked with.


def _parts(run: Run, preset: Preset) -> Iterator[tuple[str, RetrievalPreset, tuple[Run, _Part]]]:
    """Each model of ``run`` with the folder that it goes to: of a pipeline two, of any other one ("")."""
    inside = isinstance(preset, PipelinePreset)
    searcher, ranker = searching(run, preset), ranking(run, preset)
    if searcher:
        yield "embedding" if inside else "", searcher[1], (searcher[0], _embedder(*searcher, run))
    if ranker:
        yield "reranker" if inside else "", ranker[1], (ranker[0], _reranker(*ranker))


def _embedder(run: Run, preset: RetrievalPreset, outer: Run) -> _Part:
    from tunewiz.backends.models.loading import prompts

    model = tuned_encoder(run, preset)
    asked, told = prompts(model)
    collection = _collection(outer)
    questions, documents = _real(collection)
    items = [*(asked + text for text in questions), *(told + text for text in (*documents, *_PROBES))]
    items.append(told + _long(documents))

    def by_torch(texts: Sequence[str]) -> Rows:
        rows: Rows = model.encode(list(texts), batch_size=len(texts), normalize_embeddings=True, prompt="")
        return rows

    def measured(call: Callable[[Sequence[str]], Rows]) -> dict[str, float]:
        return _searched(collection, by_torch, call, asked, told)

    before = [f", prompt={text!r}" if text else "" for text in (told, asked)]
    example = (
        f"documents = encode([{_quoted(N_('It turns texts into vectors for search.'))}]{before[0]})\n"
        f"questions = encode([{_quoted(N_('What does this model do?'))}]{before[1]})\n"
        "print(questions @ documents.T)  # cosines"
    )
    return _Part(model, onnx_graphs.encoding_program(model), example, items, by_torch, "encode", measured)


def _reranker(run: Run, preset: RetrievalPreset) -> _Part:
    from tunewiz.backends.models.loading import load_reranker

    model = load_reranker(whole_model(run), preset)
    collection = _collection(run)
    questions, documents = _real(collection)
    every = [*questions, *_PROBES]
    answers = [*documents, *reversed(_PROBES), _long(documents)]
    items = [(every[place % len(every)], answer) for place, answer in enumerate(answers)]

    def by_torch(pairs: Sequence[tuple[str, str]]) -> Rows:
        # Lists, because the library takes a list of two tuples for one pair of two texts.
        rows: Rows = model.predict([list(pair) for pair in pairs], batch_size=len(pairs))
        return rows.reshape(len(pairs))

    def measured(call: Callable[[Sequence[tuple[str, str]]], Rows]) -> dict[str, float]:
        file = run.report / "search.run.tsv"
        found = metrics.read_run(file) if file.is_file() else {}
        return _ranked(collection, found, by_torch, call)

    right, wrong = N_("It puts search results in order."), N_("The weather is fine.")
    example = (
        f"question = {_quoted(N_('What does this model do?'))}\n"
        f"print(score([(question, {_quoted(right)}), (question, {_quoted(wrong)})]))"
    )
    return _Part(model, onnx_graphs.scoring_program(model), example, items, by_torch, "score", measured)


def _collection(run: Run) -> Collection:
    """What the run was measured on; empty where its data is gone."""
    try:
        return load(run.data).evaluation
    except BadData:
        return Collection()


def _real(collection: Collection) -> tuple[list[str], list[str]]:
    """Some questions and documents of the run."""
    questions = list(collection.queries.values())[:_REAL]
    return questions, [document.full for document in list(collection.corpus.values())[:_REAL]]


def _long(documents: Sequence[str]) -> str:
    """A text of which most models read a part only."""
    return (" ".join(documents or _PROBES) * 1000)[:50_000]


def _quoted(text: str) -> str:
    return repr(translate(text))


# What 8 bits cost: the run's own questions, answered by both.


def _searched(
    collection: Collection, exact: Callable[[Any], Rows], call: Callable[[Any], Rows], asked: str, told: str
) -> dict[str, float]:
    """ndcg@10 of both on questions of the run; the documents that answer them come first where there are many."""
    names = [name for name in collection.qrels if name in collection.queries][:_QUESTIONS]
    judged = [key for name in names for key in collection.qrels[name] if key in collection.corpus]
    documents = list(dict.fromkeys([*judged, *collection.corpus]))[:_DOCUMENTS]
    if not names or not documents:
        return {}
    questions = [asked + collection.queries[name] for name in names]
    passages = [told + collection.corpus[key].full for key in documents]
    qrels = {name: collection.qrels[name] for name in names}
    found: dict[str, float] = {"questions": len(names)}
    for key, by in (("ndcg_exact", exact), ("ndcg", call)):
        vectors = [onnx_graphs.in_batches(by, texts) for texts in (questions, passages)]
        rankings = metrics.rank(vectors[0], names, vectors[1], [[name] for name in documents], 10)
        found[key] = metrics.means(metrics.per_query(rankings, qrels, [_METRIC]))[_METRIC]
    return found


def _ranked(
    collection: Collection, candidates: metrics.Rankings, exact: Callable[[Any], Rows], call: Callable[[Any], Rows]
) -> dict[str, float]:
    """ndcg@10 of both over what the run's search found."""
    taken: dict[str, list[str]] = {}
    for name, ranking_ in candidates.items():
        keys = [key for key, _ in ranking_ if key in collection.corpus]
        if name in collection.queries and keys and sum(map(len, taken.values())) + len(keys) <= _PAIRS:
            taken[name] = keys
    if not taken:
        return {}
    pairs = [(collection.queries[name], collection.corpus[key].full) for name, keys in taken.items() for key in keys]
    qrels = {name: collection.qrels[name] for name in taken if name in collection.qrels}
    found: dict[str, float] = {"questions": len(taken)}
    for told, by in (("ndcg_exact", exact), ("ndcg", call)):
        scores = iter(onnx_graphs.in_batches(by, pairs).tolist())
        rankings = {name: [(key, next(scores)) for key in keys] for name, keys in taken.items()}
        found[told] = metrics.means(metrics.per_query(rankings, qrels, [_METRIC]))[_METRIC]
    return found


# The README.


def _readme(preset: RetrievalPreset, made: _Part, told: Message) -> Iterator[Block]:
    yield Heading(preset.name, 1)
    yield Paragraph(told.text())
    yield Heading(translate(N_("How to use it")))
    yield Paragraph(
        say("Needs: {command}. Run it in this folder.", command="pip install onnxruntime tokenizers").text()
    )
    yield Code(made.program + "\n\n" + made.example)
    kind = "SentenceTransformer" if made.name == "encode" else "CrossEncoder"
    yield Bullets(
        [
            say("sentence-transformers loads the folder with {code}, in an environment of its own: {command} brings "
                "other versions of transformers than training does.",
                code=f'{kind}(".", backend="onnx")', command='pip install "sentence-transformers[onnx]"').text(),
            say("Text Embeddings Inference (TEI) reads {file} on a CPU.", file=onnx_graphs.FILE).text(),
        ]
    )  # fmt: skip
