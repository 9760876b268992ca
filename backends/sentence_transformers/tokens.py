"""Texts tokenized once for a whole training, and batches padded from that.

Tokens come from the model's own ``preprocess``, so that they are the library's to the last id; what a plain
``Trainer`` does again in every epoch, and for every row that shares a text, is done once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from backends.sentence_transformers.rows import Table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

#: Features with one number a token; models that need others are tokenized by the library, batch by batch.
_PER_TOKEN: Final = ("input_ids", "token_type_ids")
_KNOWN: Final = frozenset({*_PER_TOKEN, "attention_mask", "modality", "prompt_length"})
_AT_ONCE: Final = 512


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


def tokenized(model: Any, texts: Sequence[str], prompt: str) -> Tokens:
    """``texts`` with ``prompt`` before each, cut at the model's maximum length.

    Raises :class:`NotCacheable` for a model whose features are not one number a token.
    """
    import numpy as np

    parts: dict[str, list[Integers]] = {}
    counts: list[Integers] = []
    constants: dict[str, Any] = {}
    for start in range(0, len(texts), _AT_ONCE):
        features = model.preprocess(list(texts[start : start + _AT_ONCE]), prompt=prompt or None)
        _check(features)
        mask = features["attention_mask"].numpy().astype(bool)
        counts.append(mask.sum(axis=1))
        for name in _PER_TOKEN:
            if name in features:
                parts.setdefault(name, []).append(features[name].numpy()[mask])
        constants = {name: features[name] for name in ("modality", "prompt_length") if name in features}
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    return Tokens({name: np.concatenate(arrays) for name, arrays in parts.items()}, starts, constants)


def _check(features: Any) -> None:
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


def columns(model: Any, table: Table, prompts: tuple[str, str]) -> list[Column]:
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
            shared[role] = tokenized(model, list(places), prompt), places
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
    labels: list[float]
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
