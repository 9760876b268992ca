"""The training of an embedding model or a reranker by sentence-transformers, as a program with its data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.evaluate.metrics import canonical, read_run
from tunewiz.backends.export.training.loss_code import loss_source
from tunewiz.backends.export.training.program import Block, Program, blocks_of, constants, filled
from tunewiz.backends.export.training.run_facts import (
    BEFORE,
    TELL,
    WHERE,
    Silent,
    Trained,
    loading_options,
    model_constants,
    needed,
    settings_told,
    write_batches,
    write_candidates,
    write_collection,
    write_rows,
)
from tunewiz.backends.models import adapters
from tunewiz.backends.models.loading import has_head, load_encoder, load_reranker, prompts
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training import loss_rows, reranker_rows, validation
from tunewiz.backends.training.arguments import Length, measured_steps, schedule, settings
from tunewiz.backends.training.encoder_training import EncoderTraining
from tunewiz.backends.training.library_training import dropped
from tunewiz.backends.training.reranker_training import RerankerTraining
from tunewiz.backends.training.sampling import BatchPlan
from tunewiz.backends.training.trainer import CPU_PIECE
from tunewiz.files import write_jsonl
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.losses.reranker.pointwise import BinaryCrossEntropy
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import Message, say

#: Arguments of the Trainer that say nothing about the result, or that the program says itself.
_LEFT_OUT: Final = frozenset(
    {"use_cpu", "dataloader_pin_memory", "save_total_limit", "restore_callback_states_from_checkpoint", "disable_tqdm",
     "save_steps", "load_best_model_at_end", "metric_for_best_model", "greater_is_better"}
)  # fmt: skip


_DEVICE: Final = 'DEVICE = "cuda" if torch.cuda.is_available() else "cpu"'


def argument_values(trained: Trained[Any], length: Length, metric: str | None) -> dict[str, Any]:
    """The Trainer's arguments of the run."""
    preset = trained.preset
    watched = metric if preset.training.evaluations else None
    made = settings(preset, trained.precision, trained.device) | schedule(preset.training, length, watched)
    kept = {key: value for key, value in made.items() if value is not None and key not in _LEFT_OUT}
    return kept | {"save_strategy": "no"}


def watching(preset: RetrievalPreset, length: Length, metric: str | None) -> dict[str, Any]:
    """What the training is watched by."""
    training = preset.training
    early = training.early_stopping
    if metric is None or not training.evaluations:
        return {"WATCHED": ""}
    return {
        "WATCHED": metric,
        "MEASURED_AFTER": sorted(measured_steps(length.steps, training.evaluations)),
        "KEEP_BEST": training.best_checkpoint,
        "PATIENCE": early.patience if early.enabled else 0,
        "LEAST_GAIN": early.threshold,
    }


READ: Final = say("The data lies beside this file, in the folder data.")
COLLECTION: Final = say(
    "What the model is measured on: documents, queries, and which documents answer them. The run held these queries "
    "out; nothing was trained on them."
)
DATA: Final = say(
    "The rows as the loss reads them, in the order of the run: the order of the columns decides their roles, not their "
    "names."
)
BATCHES: Final = say(
    "Which rows share a batch, epoch by epoch, as in the run: no known answer of one query stands there as a wrong one "
    "of another, and texts of a batch are of similar length. For rows of your own leave this out and set batch_sampler "
    "to BatchSamplers.NO_DUPLICATES."
)
WATCH: Final = say(
    "Rows that were set aside are measured in the middle of training; the best weights are kept, and training stops "
    "early where the run was to."
)
PIECES: Final = say(
    "On a processor, batches go through the model in pieces of similar length. What is learned is the same; random "
    "numbers are drawn in the order of the run."
)
DROPOUT: Final = say(
    "Numbers that the model was made to drop at random while it is trained, and that the run left alone."
)
FULL: Final = say("Full fine-tuning: every weight is trained.")
LORA: Final = say("LoRA: the weights stay as they are; small matrices beside the linear layers are trained.")
METRIC: Final = say(
    "The metric of the run, {metric}, of one query; what is told is the mean over the queries. Small enough to be read."
)
MEASURES: Final[Mapping[str, Message]] = {
    "search": say("Search as the run measured it: exact, by the cosine of the query's vector and each document's."),
    "correlation": say("For pairs with a score: whether cosines stand in the order of the scores."),
    "rerank": say("The candidates of a first search, put in order by the reranker's scores."),
}
LOADED: Final[Mapping[str, Message]] = {
    "load_embedding": say("The untouched model, with the run's longest text and the words put before a text."),
    "pooling": say("The run changed the pooling: how the vectors of the tokens become one."),
    "load_reranker": say("The untouched model, with the run's longest pair of texts and one score."),
}
LOSS: Final = say("The loss: {name}.")
READY: Final = say("The model to train: the same seed gives the same numbers.")
TRAINER: Final = say("The library's trainer, with the run's arguments.")
TRAIN: Final = say("Training.")
KEPT: Final = say("The weights that measured best come back.")
SHARE: Final = say(
    "Tuned and untouched weights are mixed: {percent} % of the tuned ones, which measured best on the rows set aside."
)
SAVED: Final = say(
    "The tuned model is saved in the folder tuned; SentenceTransformer or CrossEncoder load it by its path."
)
AFTER: Final = say("The tuned model is measured on the same queries.")


#: A module's name up to the number of its layer.
_NUMBERED: Final = re.compile(r"^.*\.\d+\.")


@dataclass(frozen=True)
class Plan:
    """What is particular to a task: blocks of its file, constants, rows, and how the model is loaded."""

    own: Mapping[str, str]
    values: Mapping[str, Any]
    columns: Mapping[str, Sequence[Any]]
    batches: BatchPlan
    metric: str | None
    loss: str
    validation: str
    loading: tuple[str, ...]
    measure: tuple[str, ...]
    lora: Mapping[str, Any] | None
    #: Ends of modules' names, and the attribute by which each would drop numbers.
    not_dropped: Sequence[tuple[str, str]]
    #: How many texts go through the model at once on a processor, and on a GPU; 0: all of a batch.
    pieces: tuple[int, int] = (CPU_PIECE, 0)
    #: What the model is trained through, where that is not the library's own trainer alone.
    through: tuple[Block, ...] = ()


def program_of(run: Run, preset: RetrievalPreset, folder: Path) -> Program:
    """The program that trains as ``run`` did; its data goes into ``folder / "data"``.

    Raises :class:`BadPreset` (``not-trained``) and ``BadData`` where the run holds nothing to train with.
    """
    trained, data = Trained(run, preset), folder / "data"
    trained.checked()
    plan = _embedding(trained, preset, data) if isinstance(preset, EmbeddingPreset) else _reranker(trained, data)
    write_rows(data, plan.columns)
    names = ("sentence-transformers", "transformers", "torch", "datasets", "accelerate")
    return planned(trained, plan, len(next(iter(plan.columns.values()))), data, names)


def planned(trained: Trained[Any], plan: Plan, count: int, data: Path, names: Sequence[str]) -> Program:
    """The program of ``plan``, which trains on ``count`` rows and needs the packages ``names``."""
    preset = trained.preset
    length = Length.of(preset.training, len(plan.batches))
    write_batches(data, plan.batches, length, preset.training.accumulation)
    write_collection(data, trained.prepared.evaluation)
    blocks = [
        *_opening(trained, plan, length),
        *_reading(trained, plan),
        *_model(trained, plan),
        *_training(trained, plan, bool(plan.metric and preset.training.evaluations)),
    ]
    title = say(
        "This program trains {base} on {rows} rows as the run {name} of Tunewiz did, and measures it before and after. "
        "It needs the public libraries alone.",
        base=model_constants(trained)["HUB"] or trained.base.name,
        rows=count,
        name=trained.run.name,
    )
    return Program(title, needed(trained, *names, *(["peft"] if plan.lora else [])), tuple(blocks))


def _opening(trained: Trained[Any], plan: Plan, length: Length) -> Iterator[Block]:
    """Imports and numbers."""
    preset = trained.preset
    metric = canonical(preset.evaluation.metric)
    values = {
        **model_constants(trained),
        "LOADING": loading_options(trained),
        "SEED": preset.training.seed,
        "METRIC": metric,
        "CUT": int(metric.split("@")[1]),
        **plan.values,
        **watching(preset, length, plan.metric),
        **({"NOT_DROPPED": plan.not_dropped} if plan.not_dropped else {}),
        **({"LORA": dict(plan.lora)} if plan.lora else {}),
        **({"TUNED_SHARE": trained.share} if trained.share != 1 else {}),
        "ARGUMENTS": argument_values(trained, length, plan.metric),
    }
    device = 'DEVICE = "cpu"' if preset.launch.device == "cpu" else _DEVICE
    threads = f"torch.set_num_threads({preset.launch.threads})\n" if preset.launch.threads else ""
    yield Block(say("The public libraries."), plan.own["imports"])
    yield Block(settings_told(trained.run), f"{constants(values)}\n\n{WHERE}\n{device}\n{threads}".rstrip())


def _reading(trained: Trained[Any], plan: Plan) -> Iterator[Block]:
    """The data, and how is measured."""
    shared = blocks_of("training_shared")
    metric = canonical(trained.preset.evaluation.metric)
    yield Block(READ, shared["read"])
    yield Block(COLLECTION, shared["collection"])
    yield Block(filled(METRIC, metric=metric), shared[metric.split("@")[0]])
    for name in plan.measure:
        yield Block(MEASURES[name], shared[name])
    yield Block(DATA, plan.own["data"])


def _model(trained: Trained[Any], plan: Plan) -> Iterator[Block]:
    """The untouched model, measured."""
    shared = blocks_of("training_shared")
    for name in plan.loading:
        code = shared[name]
        if isinstance(trained.preset.loss, RerankerLoss):
            code = code.replace("ACTIVATION", trained.preset.loss.activation.capitalize())
        yield Block(LOADED[name], code)
    if plan.not_dropped:
        yield Block(DROPOUT, shared["dropout"])
    yield Block(LORA, shared["lora"]) if plan.lora else Block(FULL, shared["full"])
    yield Block(BEFORE, plan.own["before"])


def _training(trained: Trained[Any], plan: Plan, watched: bool) -> Iterator[Block]:
    """Training, and what is kept of it."""
    shared, own = blocks_of("training_shared"), plan.own
    pieces = plan.pieces[trained.device != "cpu"]
    yield Block(BATCHES, own.get("batches") or shared["batches"])
    if watched:
        yield Block(WATCH, "\n\n\n".join(shared[name] for name in ("plain", plan.validation, "watch")))
    if pieces:
        yield Block(PIECES, shared["pieces"])
    if "Pairwise" in plan.loss or "GroupCross" in plan.loss:
        yield Block(say("Losses over a group of documents that the library lacks."), shared["group_losses"])
    yield Block(READY, shared["ready"])
    yield from plan.through
    if plan.loss:
        yield Block(filled(LOSS, name=trained.preset.loss.name), f"loss = {plan.loss}.to(model.device)")
    around = f"\nin_pieces(model, {pieces})" if pieces else ""
    yield Block(TRAINER, ("watch = Watch(model)\n" if watched else "") + own["trainer"] + around)
    yield Block(TRAIN, shared["train"])
    if watched and trained.preset.training.best_checkpoint:
        yield Block(KEPT, shared["keep_best"])
    if trained.share != 1:
        yield Block(filled(SHARE, percent=round(100 * trained.share)), shared["share"])
    yield Block(SAVED, shared["save"])
    yield Block(AFTER, own["after"])
    yield Block(TELL, shared["tell"])


def _embedding(trained: Trained[Any], preset: EmbeddingPreset, data: Path) -> Plan:
    silent = Silent(trained.run.directory)
    training = EncoderTraining(silent, preset, trained.prepared, trained.base)
    model = load_encoder(trained.base, preset)
    parts = training.parts(model)
    own = loss_rows.Own.of(preset)
    table = loss_rows.loss_table(preset.loss, trained.prepared, preset.training.seed, own)
    columns: dict[str, Sequence[Any]] = {
        name: [before + text for before, text in zip(table.instructions, texts, strict=True)]
        if table.roles[name] == "query" and any(table.instructions)
        else texts
        for name, texts in table.columns.items()
    }
    query, passage = prompts(model)
    metric = validation_beside(training, data)
    is_correlated = metric == validation.CORRELATION
    values = encoder_values(model, preset) | {
        "PROMPTS": {name: query if role == "query" else passage for name, role in table.roles.items()},
        "OUTPUT": "sentence_embedding",
        "AGAIN": False,
    }
    return Plan(
        own=blocks_of("training_embedding"),
        values=values,
        columns=columns | ({"label": table.labels} if table.labels else {}),
        batches=parts.plan,
        metric=metric,
        loss=loss_source(preset.loss),
        validation="validation_correlation" if is_correlated else "validation_search",
        loading=encoder_loading(preset),
        measure=("search", "correlation") if is_correlated else ("search",),
        lora=lora_of(model, preset),
        not_dropped=not_dropped(model, preset),
    )


def _reranker(trained: Trained[Any], data: Path) -> Plan:
    preset, silent = trained.preset, Silent(trained.run.directory)
    assert isinstance(preset, RerankerPreset)
    training = RerankerTraining(silent, preset, trained.prepared, trained.base)
    model = load_reranker(trained.base, preset)
    parts, loss, seed = training.parts(model), preset.loss, preset.training.seed
    made = reranker_rows.examples(loss, trained.prepared, seed, loss_rows.Own.of(preset))
    if isinstance(loss, BinaryCrossEntropy) and loss.pos_weight == "auto":
        loss = loss.model_copy(update={"pos_weight": made.pos_weight})
    metric = candidates_beside(training, data)
    again = 0 if loss.caches_gradients else loss.encoded_at_once or 0
    values = reranker_values(trained, model) | {"OUTPUT": "scores", "AGAIN": bool(again)}
    return Plan(
        own=blocks_of("training_reranker"),
        values=values,
        columns=made.columns,
        batches=parts.plan,
        metric=metric,
        loss=loss_source(loss),
        validation="validation_rerank",
        loading=("load_reranker",),
        measure=("rerank",),
        lora=lora_of(model, preset),
        not_dropped=not_dropped(model, preset),
        pieces=(min(again, CPU_PIECE) or CPU_PIECE, again),
    )


def encoder_values(model: Any, preset: EmbeddingPreset) -> dict[str, Any]:
    """How the encoder reads texts."""
    query, passage = prompts(model)
    pooling = {"POOLING": preset.model.pooling} if preset.model.pooling != "auto" else {}
    return {"MAX_LENGTH": model.max_seq_length, "QUERY_PROMPT": query, "PASSAGE_PROMPT": passage, **pooling}


def encoder_loading(preset: EmbeddingPreset) -> tuple[str, ...]:
    """The blocks that load it."""
    return ("load_embedding", "pooling") if preset.model.pooling != "auto" else ("load_embedding",)


def validation_beside(training: EncoderTraining, data: Path) -> str | None:
    """Write what training is watched by; the name of its metric."""
    metric, prepared = training._metric(), training.prepared
    if metric == validation.CORRELATION:
        pairs = prepared.validation_pairs
        rows = ({"first": one.first, "second": one.second, "score": one.score} for one in pairs)
        write_jsonl(data / "validation.jsonl", rows)
    elif metric:
        held_out = validation.held_out(prepared.validation_groups, prepared, training.preset.training.seed)
        write_collection(data / "validation", held_out)
    return metric


def reranker_values(trained: Trained[Any], model: Any) -> dict[str, Any]:
    """How the reranker is loaded and used."""
    knows = has_head(trained.base)
    found = {"MAX_LENGTH": model.max_seq_length, "KNOWS": knows}
    found["SEARCH_SHARE"] = trained.preset.candidates.search_share
    return found if knows else found | {"LOADING": loading_options(trained) | {"num_labels": 1}}


def candidates_beside(training: RerankerTraining, data: Path) -> str | None:
    """Write what the first stage found, and what training is watched by; the name of its metric."""
    preset, metric = training.preset, training._metric()
    search = training.run.report / "search.run.tsv"
    write_candidates(data, read_run(search) if search.is_file() else {})
    if metric:
        collection, seed = training._collection, preset.training.seed
        write_collection(data / "validation", collection)
        write_candidates(data / "validation", validation.with_answers(collection, preset.candidates.depth, seed))
    return metric


def lora_of(model: Any, preset: RetrievalPreset) -> Mapping[str, Any] | None:
    """The arguments of ``LoraConfig``; ``None`` where all weights are trained."""
    if not isinstance(preset.method, Lora):
        return None
    return {key: value for key, value in adapters.lora_options(model, preset.method).items() if value is not None}


def not_dropped(model: Any, preset: RetrievalPreset) -> tuple[tuple[str, str], ...]:
    """Ends of the names of modules whose dropout the run left out, each with the attribute that holds its share."""
    found = dropped(model, preset.training.dropout)
    return tuple(dict.fromkeys((_NUMBERED.sub("", one.name), one.attribute) for one in found))
