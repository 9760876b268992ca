"""One training with FlagEmbedding, of an embedding model or of a reranker.

From prepared groups and a model that sentence-transformers loaded to a tuned model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.engines.flag_embedding import flag_models
from tunewiz.backends.engines.flag_embedding.group_rows import GroupRows, group_problems, rows_in_groups
from tunewiz.backends.engines.flag_embedding.runner import CROSS_DEVICE, Parts, trainer
from tunewiz.backends.models import adapters
from tunewiz.backends.models.encoding import token_ids
from tunewiz.backends.models.loading import load_reranker, prompts
from tunewiz.backends.models.reranking import pair_features
from tunewiz.backends.ranks.place import here
from tunewiz.backends.training.encoder_training import EncoderTraining
from tunewiz.backends.training.reranker_rows import group_pairs
from tunewiz.backends.training.reranker_training import RerankerTraining
from tunewiz.backends.training.sampling import Rows as SamplingRows
from tunewiz.backends.training.trainer import scored_in_pieces
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import scale_of
from tunewiz.files import discard
from tunewiz.presets.losses.info_nce import Grouped, M3Unified
from tunewiz.presets.losses.reranker.listwise import GroupSoftmax
from tunewiz.problems import BadPreset, Problem, Where, error, say

#: The lines the library reads, below ``run.data``.
LINES: Final = "flag_embedding.jsonl"
#: Where it keeps what it read, below ``run.checkpoints``, while it trains.
READ: Final = "rows"


@dataclass(frozen=True)
class FlagTraining(EncoderTraining):
    """As :class:`Training`, with FlagEmbedding's trainer and models."""

    def _trainer(self, model: Any) -> Any:
        loss, training = self.preset.loss, self.preset.training
        assert isinstance(loss, Grouped)  # checked with the preset
        made = rows_in_groups(loss, self.prepared, training.seed)
        tuned = flag_models.flag_model(model, loss, self.folder, self.run.notice)
        for problem in made.notes:
            self.run.notice(problem)
        plan = self._plan(sampling_of_texts(model, made), loss.compares_batch)
        length, metric = self._extent(plan)
        parts = Parts(
            tuned=tuned,
            plan=plan,
            seed=training.seed,
            measure=self._measure() if metric else None,
            callbacks=self._callbacks(length, metric),
            bases=_embedder_bases(),
            inputs={"no_in_batch_neg_flag": not loss.compares_batch},
        )
        if training.gradient_checkpointing:
            tuned.model.enable_input_require_grads()
        arguments = self._arguments(_embedder_arguments_class(), length, metric)
        if here().size > 1 and loss.compares_batch and not loss.compares_own_part:
            # What the library sets when it is made, for which the processes would have to have met already.
            model_of_loss = tuned.model
            setattr(model_of_loss, CROSS_DEVICE, True)
            model_of_loss.process_rank, model_of_loss.world_size = here().rank, here().size
        return trainer(parts, _embedder_model_arguments(self.folder), self._data(model, made, loss), arguments)

    def _save(self, running: Any, model: Any) -> Path:
        folder = super()._save(running, model)
        discard(self.run.checkpoints / READ)
        return folder

    def _knew(self) -> bool:
        return not isinstance(self.preset.loss, M3Unified)  # whose heads for words and tokens are outside the encoder

    def _write(self, running: Any, model: Any, folder: Path) -> None:
        running.parts.tuned.save(folder)

    def _measure(self) -> Callable[[Any], dict[str, float]]:
        measure: Callable[[Any], dict[str, float]] = self._evaluator()
        return measure

    def _data(self, model: Any, made: GroupRows, loss: Grouped) -> Any:
        """Where the lines are, and how they become tensors."""
        from FlagEmbedding.abc.finetune.embedder import AbsEmbedderDataArguments

        query, passage = prompts(model)
        distilled = loss.distillation != "none"
        path = made.write(self.run.data / LINES, query, distilled)
        return AbsEmbedderDataArguments(
            train_data=[str(path)],
            cache_path=str(self.run.checkpoints / READ),
            train_group_size=made.size,
            query_max_len=model.max_seq_length,
            passage_max_len=model.max_seq_length,
            query_instruction_for_retrieval=query,
            passage_instruction_for_retrieval=passage,
            knowledge_distillation=distilled,
        )


def sampling_of_texts(model: Any, made: GroupRows) -> SamplingRows:
    """Which rows may meet, each with about the tokens it costs: its query, its first answer, its first negatives."""
    query, passage = prompts(model)
    asked = [len(ids) for ids in token_ids(model, [group.query for group in made.groups], query)]
    texts = [(group.positives[0], *group.negatives[: made.size - 1]) for group in made.groups]
    flat = iter(token_ids(model, [text for row in texts for text in row], passage))
    costs = [cost + sum(len(next(flat)) for _ in row) for cost, row in zip(asked, texts, strict=True)]
    return made.sampling(costs)


def _embedder_bases() -> tuple[Any, Any, Any]:
    """The library's classes of runner, dataset and trainer."""
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderRunner, AbsEmbedderTrainDataset, AbsEmbedderTrainer

    return AbsEmbedderRunner, AbsEmbedderTrainDataset, AbsEmbedderTrainer


def _embedder_arguments_class() -> Any:
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderTrainingArguments

    return AbsEmbedderTrainingArguments


def _embedder_model_arguments(folder: Path) -> Any:
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderModelArguments

    # By default it takes the token of the hub from the environment and writes it into the log.
    return AbsEmbedderModelArguments(model_name_or_path=str(folder), token=None)


# One training of a reranker with FlagEmbedding: from prepared groups and a loaded cross-encoder to a tuned one.


@dataclass(frozen=True)
class TunedReranker:
    """``model`` computes losses (FlagEmbedding's), ``encoder`` is measured and saved (a CrossEncoder)."""

    encoder: Any
    model: Any
    group: int

    def before_step(self, step: int, inputs: Mapping[str, Any]) -> int:
        """Tell the model how many groups there are: it believes every batch to be full, and would mix up groups."""
        count = len(inputs["pair"]["input_ids"]) // self.group
        self.model.train_batch_size = count
        return count

    def save(self, folder: Path) -> None:
        """Write the cross-encoder; for LoRA the adapter alone."""
        self.encoder.save_pretrained(str(folder), create_model_card=False)

    def restore(self, folder: Path) -> None:
        """Read what :meth:`save` wrote."""
        if not adapters.restore_adapter(self.encoder, folder):
            self.encoder.load_state_dict(load_reranker(folder).state_dict())


@dataclass(frozen=True)
class FlagReranking(RerankerTraining):
    """As :class:`RerankerTraining`, with FlagEmbedding's trainer and model."""

    def problems(self) -> list[Problem]:
        """What keeps groups from being made."""
        loss = self.preset.loss
        assert isinstance(loss, GroupSoftmax)  # checked with the preset
        return super().problems() or group_problems(loss, in_groups(self.prepared))

    def _pieces(self, model: Any) -> AbstractContextManager[None]:
        """The library's model is around a part of ours, and has pieces of its own."""
        return super(RerankerTraining, self)._pieces(model)

    def _trainer(self, model: Any) -> Any:
        loss, training = self.preset.loss, self.preset.training
        assert isinstance(loss, GroupSoftmax)
        made = rows_in_groups(loss, in_groups(self.prepared), training.seed)
        for problem in made.notes:
            self.run.notice(problem)
        tuned = TunedReranker(model, _losses_of(model, training.batch_size), made.size)
        if loss.mini_batch_size:
            tuned.model.encode = scored_in_pieces(tuned.model.encode, loss.mini_batch_size)
        plan = self._plan(sampling_of_pairs(model, made), False)
        length, metric = self._extent(plan)
        parts = Parts(
            tuned=tuned,
            plan=plan,
            seed=training.seed,
            measure=self._evaluator() if metric else None,
            callbacks=self._callbacks(length, metric),
            bases=_reranker_bases(),
            pair=_pair_of(model),
        )
        if training.gradient_checkpointing:
            tuned.model.enable_input_require_grads()
        arguments = self._arguments(_reranker_arguments_class(), length, metric)
        return trainer(parts, _reranker_model_arguments(self.folder), self._data(model, made, loss), arguments)

    def _save(self, running: Any, model: Any) -> Path:
        folder = super()._save(running, model)
        discard(self.run.checkpoints / READ)
        return folder

    def _data(self, model: Any, made: GroupRows, loss: GroupSoftmax) -> Any:
        """Where the lines are, and how many documents of each are drawn."""
        from FlagEmbedding.abc.finetune.reranker import AbsRerankerDataArguments

        distilled = loss.distillation != "none"
        return AbsRerankerDataArguments(
            train_data=[str(made.write(self.run.data / LINES, "", distilled))],
            cache_path=str(self.run.checkpoints / READ),
            train_group_size=made.size,
            query_max_len=0,
            passage_max_len=model.max_seq_length,
            knowledge_distillation=distilled,
        )


def in_groups(prepared: Prepared) -> Prepared:
    """``prepared`` with marked pairs as queries with right and wrong documents; those that lack either are left out."""
    if prepared.shape == "groups":
        return prepared
    found, _ = group_pairs(prepared.pairs, scale_of([pair.score for pair in prepared.pairs]))
    both = [replace(group, positive_scores=(), negative_scores=()) for group in found]
    return replace(
        prepared, shape="groups", pairs=[], groups=[group for group in both if group.positives and group.negatives]
    )


def _losses_of(model: Any, batch_size: int) -> Any:
    """FlagEmbedding's model around a cross-encoder: over its head, or over the score a language model says yes with.

    The library reads a language model's answer in one form of its own only; here the model is asked and read as its
    repository says, as in every other stage. Raises :class:`BadPreset` for other kinds.
    """
    from FlagEmbedding.abc.finetune.reranker import AbsRerankerModel
    from FlagEmbedding.finetune.reranker.encoder_only.base.modeling import CrossEncoderModel
    from sentence_transformers.cross_encoder.modules import LogitScore

    transformer, last = model[0].auto_model, list(model.children())[-1]
    if "ForSequenceClassification" in type(transformer).__name__ and len(model) == 1:
        return CrossEncoderModel(transformer, model.tokenizer, batch_size)
    if not isinstance(last, LogitScore):
        message = say(
            "FlagEmbedding trains rerankers with a classification head and language models that say yes; this one is a "
            "{kind}.",
            kind=type(transformer).__name__,
        )
        fix = say("Set backend: cross_encoder, which trains it too.")
        raise BadPreset(error("reranker-not-flag", message, Where(key="model.id"), fix))

    class Answering(AbsRerankerModel):  # type: ignore[misc]  # the library is untyped at our edge
        """A language model's yes against its no, at the end of the question."""

        def encode(self, features: Any) -> Any:
            return model({**features, "modality": "text", "logits_to_keep": 1})["scores"]

    return Answering(transformer, model.tokenizer, batch_size)


def _pair_of(model: Any) -> Callable[[str, str], dict[str, list[int]]]:
    """What makes the token ids of a query and a document, as the model reads them."""
    if len(model) == 1:
        return lambda query, document: pair_features(model, [(query, document)])[0]

    def asked(query: str, document: str) -> dict[str, list[int]]:
        features = model.preprocess([(query, document)])
        names = ("input_ids", "attention_mask", "token_type_ids")
        return {name: features[name][0].tolist() for name in names if name in features}

    return asked


def sampling_of_pairs(model: Any, made: GroupRows) -> SamplingRows:
    """Which rows may meet, each with about the tokens it costs: its query with its first answer and negatives."""
    texts = [(group.positives[0], *group.negatives[: made.size - 1]) for group in made.groups]
    pairs = [(group.query, text) for group, row in zip(made.groups, texts, strict=True) for text in row]
    costs = iter([len(one["input_ids"]) for one in pair_features(model, pairs)])
    return made.sampling([sum(next(costs) for _ in row) for row in texts])


def _reranker_bases() -> tuple[Any, Any, Any]:
    """The library's classes of runner, dataset and trainer."""
    from FlagEmbedding.abc.finetune.reranker import AbsRerankerRunner, AbsRerankerTrainDataset, AbsRerankerTrainer

    return AbsRerankerRunner, AbsRerankerTrainDataset, AbsRerankerTrainer


def _reranker_arguments_class() -> Any:
    from FlagEmbedding.abc.finetune.reranker import AbsRerankerTrainingArguments

    return AbsRerankerTrainingArguments


def _reranker_model_arguments(folder: Path) -> Any:
    from FlagEmbedding.abc.finetune.reranker import AbsRerankerModelArguments

    # By default it takes the token of the hub from the environment and writes it into the log.
    return AbsRerankerModelArguments(model_name_or_path=str(folder), token=None)
