"""The training of a bi-encoder by ``SentenceTransformerTrainer``.

Rows of texts tokenized once, batches without false negatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tunewiz.backends import sources
from tunewiz.backends.models.batching import EncodeOptions
from tunewiz.backends.models.loading import load_encoder, prompts
from tunewiz.backends.ranks.place import here
from tunewiz.backends.sources.source import loss_model
from tunewiz.backends.training import loss_rows, validation
from tunewiz.backends.training.library_training import LibraryTraining, Parts
from tunewiz.backends.training.loss_rows import Table
from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.problems import BadPreset, Problem, Where, error, say

#: The argument by which a loss of the library compares rows with those of all processes.
GATHER: Final = "gather_across_devices"


@dataclass(frozen=True)
class EncoderTraining(LibraryTraining[EmbeddingPreset]):
    """By ``SentenceTransformerTrainer``."""

    output: ClassVar[str] = "sentence_embedding"

    def problems(self) -> list[Problem]:
        """See :mod:`tunewiz.backends.training.loss_rows`."""
        mined_by = self.preset.data.negatives.strategy
        found = loss_rows.loss_problems(self.preset.loss, loss_rows.available(self.prepared), mined_by=mined_by)
        return found or loss_rows.teacher_problems(self.preset.loss, self.prepared.groups)

    def loaded(self) -> Any:
        """The encoder."""
        return load_encoder(self.folder, self.preset, self.device)

    def kinds(self) -> tuple[Any, Any]:
        """Trainer and arguments."""
        from sentence_transformers import SentenceTransformerTrainer
        from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

        return SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    def parts(self, model: Any) -> Parts:
        """Rows of queries and passages."""
        table = loss_rows.loss_table(
            self.preset.loss, self.prepared, self.preset.training.seed, loss_rows.Own.of(self.preset)
        )
        for problem in table.notes:
            self.run.notice(problem)
        data = _Batches.of(model, table)
        plan = self._plan(loss_rows.sampling_rows(table, data.lengths), self.preset.loss.core.in_batch_negatives)
        return Parts(plan, data.columns, data.collator, data.prompts, built_loss(self.preset.loss, model))

    def _metric(self) -> str | None:
        """The primary metric, or a correlation for scored pairs."""
        return validation.metric_of(self.prepared, self.preset.evaluation.metric)

    def _evaluator(self) -> Any:
        """Searches with the model, on validation rows."""
        options = EncodeOptions(precision="bf16" if self.precision == "bf16" else "fp32")
        primary, seed = self.preset.evaluation.metric, self.preset.training.seed
        return validation.search_evaluator(self.prepared, primary, options, lambda: None, seed)


@dataclass(frozen=True)
class _Batches:
    """What the Trainer is given: columns of a dataset, how they become tensors, prompts it still has to apply."""

    columns: dict[str, list[Any]]
    lengths: Sequence[int]
    collator: Any
    prompts: dict[str, str]

    @classmethod
    def of(cls, model: Any, table: loss_rows.Table) -> _Batches:
        """Tokenized once, or, for a model that takes more than token ids, texts for the library's own collator."""
        import numpy as np

        texts = prompts(model)
        try:
            made = token_columns(model, table, texts)
        except NotCacheable:
            labels = {"label": table.labels} if table.labels else {}
            named = {name: texts[0] if role == "query" else texts[1] for name, role in table.roles.items()}
            return cls({**table.columns, **labels}, (), None, {name: text for name, text in named.items() if text})
        lengths = np.sum([column.lengths() for column in made], axis=0)
        collator = Collator(made, table.labels, Padding.of(model.tokenizer))
        return cls({"row": list(range(len(table)))}, lengths.tolist(), collator, {})


def built_loss(loss: Loss, model: Any) -> Any:
    """The library's loss module. Raises :class:`BadPreset` when the model cannot do what the loss wants."""
    from sentence_transformers.sentence_transformer import losses as library

    losses = Gathering(library) if here().size > 1 else library
    _check_dimensions(loss, model)
    return _local(loss).build(model, losses)


class Gathering:
    """The library's losses, told to compare with the vectors of all processes where they can."""

    def __init__(self, losses: Any) -> None:
        self._losses = losses

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._losses, name)
        if isinstance(found, type) and GATHER in signature(found).parameters:
            return partial(found, **{GATHER: True})
        return found


def _local(loss: Loss) -> Loss:
    """``loss`` with the models it names replaced by their folders."""
    folders = {name: str(sources.fetch(sources.resolve(loss_model(getattr(loss, name))))) for name in loss.models}
    if isinstance(loss, Matryoshka):
        return loss.model_copy(update={"loss": _local(loss.loss)})
    return loss.model_copy(update=folders)


def _check_dimensions(loss: Loss, model: Any) -> None:
    if not isinstance(loss, Matryoshka):
        return
    size = model.get_embedding_dimension()
    too_long = [number for number in loss.dimensions if size and number > size]
    if too_long:
        message = say("The model's vectors have {size} numbers; {values} are more.", size=size, values=str(too_long))
        fix = say("Take {size} and smaller ones.", size=size)
        raise BadPreset(error("matryoshka-dimensions", message, Where(key="loss.dimensions"), fix))


# Texts tokenized once for a whole training, and batches padded from that.
#
# Tokens come from the model's own ``preprocess``, so that they are the library's to the last id; what a plain
# ``Trainer`` does again in every epoch, and for every row that shares a text, is done once.


if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

#: Features with one number a token; models that need others are tokenized by the library, batch by batch.
_PER_TOKEN: Final = ("input_ids", "token_type_ids")
_KNOWN: Final = frozenset({*_PER_TOKEN, "attention_mask", "modality", "prompt_length"})
_AT_ONCE: Final = 512  # texts padded to the longest of them while they are tokenized: 4 MB a thousand tokens


class NotCacheable(Exception):
    """The model makes more of a text than token ids."""


@dataclass
class Tokens:
    """Token ids of texts, end to end: text ``i`` is ``ids[name][starts[i]:starts[i + 1]]``.

    ``constants`` are features that are the same for all texts (modality, prompt length).
    """

    ids: dict[str, Integers]
    starts: Integers
    constants: dict[str, Any] = field(default_factory=dict)

    def lengths(self) -> Integers:
        """Tokens of each text."""
        import numpy as np

        return np.diff(self.starts)


def tokenize(model: Any, texts: Sequence[str], prompt: str) -> Tokens:
    """``texts`` with ``prompt`` before each, cut at the model's maximum length.

    Raises :class:`NotCacheable` for a model whose features are not one number a token.
    """
    import numpy as np

    parts: dict[str, list[Integers]] = {}
    counts: list[Integers] = []
    constants: dict[str, Any] = {}
    for start in range(0, len(texts), _AT_ONCE):
        features = model.preprocess(list(texts[start : start + _AT_ONCE]), prompt=prompt or None)
        _check_features(features)
        mask = features["attention_mask"].numpy().astype(bool)
        counts.append(mask.sum(axis=1))
        for name in _PER_TOKEN:
            if name in features:
                parts.setdefault(name, []).append(features[name].numpy()[mask])
        constants = {name: features[name] for name in ("modality", "prompt_length") if name in features}
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    return Tokens({name: np.concatenate(arrays) for name, arrays in parts.items()}, starts, constants)


def _check_features(features: Any) -> None:
    import torch

    ids = features.get("input_ids")
    shaped = [features.get(name) for name in (*_PER_TOKEN, "attention_mask") if name in features]
    if (
        set(features) - _KNOWN
        or "attention_mask" not in features
        or not isinstance(ids, torch.Tensor)
        or any(tensor.shape != ids.shape or ids.ndim != 2 for tensor in shaped)
    ):
        raise NotCacheable


@dataclass(frozen=True)
class Column:
    """One column: its tokens (shared with columns of the same role) and the text of each row."""

    name: str
    tokens: Tokens
    rows: Integers

    def lengths(self) -> Integers:
        """Tokens of each row."""
        return self.tokens.lengths()[self.rows]


def token_columns(model: Any, table: Table, prompts: tuple[str, str]) -> list[Column]:
    """The columns of ``table``; ``prompts`` go before queries and passages. Raises :class:`NotCacheable`."""
    import numpy as np

    result: list[Column] = []
    shared: dict[str, tuple[Tokens, dict[str, int]]] = {}
    for role, prompt in (("query", prompts[0]), ("passage", prompts[1])):
        names = [name for name in table.columns if table.roles[name] == role]
        places: dict[str, int] = {}
        for name in names:
            for text in _instructed(table, name):
                places.setdefault(text, len(places))
        if places:
            shared[role] = tokenize(model, list(places), prompt), places
    for name in table.columns:
        tokens, places = shared[table.roles[name]]
        numbers = (places[text] for text in _instructed(table, name))
        result.append(Column(name, tokens, np.fromiter(numbers, np.int64, len(table))))
    return result


def _instructed(table: Table, name: str) -> Sequence[str]:
    """The texts of a column; an instruction that came with a row goes before its query."""
    texts = table.columns[name]
    if table.roles[name] != "query" or not any(table.instructions):
        return texts
    return [instruction + text for instruction, text in zip(table.instructions, texts, strict=True)]


@dataclass(frozen=True)
class Padding:
    """How the model's tokenizer fills up short texts."""

    side: str
    values: dict[str, int]

    @classmethod
    def of(cls, tokenizer: Any) -> Padding:
        """As ``tokenizer`` does it."""
        values = {
            "input_ids": tokenizer.pad_token_id or 0,
            "token_type_ids": getattr(tokenizer, "pad_token_type_id", 0) or 0,
        }
        return cls(tokenizer.padding_side, values)


@dataclass(frozen=True)
class Collator:
    """Row numbers to the features of a batch, named as sentence-transformers' own collator names them."""

    columns: list[Column]
    labels: list[Any]
    padding: Padding
    valid_label_columns: tuple[str, ...] = ("label",)

    def __call__(self, rows: list[dict[str, int]]) -> dict[str, Any]:
        """``{column}_input_ids`` and so on, int64 tensors (rows, longest), and ``label`` (rows,)."""
        import numpy as np
        import torch

        numbers = np.array([row["row"] for row in rows])
        batch: dict[str, Any] = {}
        if self.labels:
            batch["label"] = torch.tensor([self.labels[number] for number in numbers])
        for column in self.columns:
            texts = column.rows[numbers]
            for name, value in self._padded(column.tokens, texts).items():
                batch[f"{column.name}_{name}"] = value
        return batch

    def _padded(self, tokens: Tokens, texts: Integers) -> dict[str, Any]:
        import numpy as np
        import torch

        lengths = tokens.starts[texts + 1] - tokens.starts[texts]
        width = int(lengths.max())
        places = np.arange(width)
        mask = places < lengths[:, None]
        if self.padding.side == "left":
            mask = mask[:, ::-1]
        sources = np.concatenate([np.arange(tokens.starts[text], tokens.starts[text + 1]) for text in texts])
        features: dict[str, Any] = {}
        for name, ids in tokens.ids.items():
            filled = np.full((len(texts), width), self.padding.values[name], dtype=np.int64)
            filled[mask] = ids[sources]
            features[name] = torch.from_numpy(filled)
        features["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
        return features | tokens.constants
