"""Tokens are the library's, and pieces compute what the whole batch computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.children.training_setup import groups, prepared
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.training import encoder_training, loss_rows
from tunewiz.backends.training.trainer import _piece, in_pieces
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group
from tunewiz.presets.losses.ranking import MultipleNegativesRanking


def made(model: Any, rows_: Prepared, prompts: tuple[str, str]) -> tuple[loss_rows.Table, encoder_training.Collator]:
    table = loss_rows.loss_table(MultipleNegativesRanking(), rows_, 0)
    columns = encoder_training.token_columns(model, table, prompts)
    return table, encoder_training.Collator(columns, table.labels, encoder_training.Padding.of(model.tokenizer))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("prompts", [("", ""), ("search: ", "text: ")], ids=["plain", "instructed"])
def test_batches_are_those_of_the_librarys_collator(prompts: tuple[str, str], side: str, tiny_encoder: Path) -> None:
    import torch
    from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

    model = load_encoder(tiny_encoder)
    model.tokenizer.padding_side = side
    model.max_seq_length = 12
    table, collator = made(model, prepared(groups(2)), prompts)
    named = {name: prompts[role == "passage"] for name, role in table.roles.items()}
    theirs = SentenceTransformerDataCollator(preprocess_fn=model.preprocess, prompts=named)
    chosen = [5, 0, 17]
    expected = theirs([{name: column[row] for name, column in table.columns.items()} for row in chosen])
    ours = collator([{"row": row} for row in chosen])
    assert set(ours) == set(expected)
    for name, value in ours.items():
        assert torch.equal(value, expected[name]) if isinstance(value, torch.Tensor) else value == expected[name]


def test_an_instruction_of_a_row_goes_before_its_query_only(tiny_encoder: Path) -> None:
    model = load_encoder(tiny_encoder)
    row = Group("train the gpu", ("use the server",), instruction="how do i ")
    _, collator = made(model, prepared([row]), ("", ""))
    batch = collator([{"row": 0}])
    assert model.tokenizer.decode(batch["anchor_input_ids"][0], skip_special_tokens=True) == "how do i train the gpu"
    assert model.tokenizer.decode(batch["positive_input_ids"][0], skip_special_tokens=True) == "use the server"


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_piece_loses_only_padding(side: str) -> None:
    import torch

    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    mask = mask if side == "right" else mask.flip(1)
    features = {"input_ids": mask * 7, "attention_mask": mask, "modality": "text"}
    piece = _piece(features, mask, torch.tensor([1, 2]), 2)
    assert piece["input_ids"].shape == (2, 2) and piece["modality"] == "text"
    assert piece["attention_mask"].sum(dim=1).tolist() == [2, 1]


def test_pieces_give_the_same_vectors_and_gradients(tiny_encoder: Path) -> None:
    import torch

    model = load_encoder(tiny_encoder)  # in evaluation mode: no dropout
    texts = [" ".join(["server"] * length) for length in (3, 40, 1, 12, 7, 25, 2)]

    def vectors_and_gradient(size: int) -> tuple[Any, Any]:
        model.zero_grad()
        with in_pieces(model, size):
            vectors = model(model.preprocess(texts))["sentence_embedding"]
        (vectors @ vectors.T).square().sum().backward()
        return vectors.detach(), model[0].auto_model.embeddings.word_embeddings.weight.grad.clone()

    whole, pieces = vectors_and_gradient(0), vectors_and_gradient(2)
    assert torch.allclose(whole[0], pieces[0], atol=1e-5)
    assert torch.allclose(whole[1], pieces[1], atol=1e-4)
    assert "forward" not in model.__dict__


def test_a_model_with_features_of_its_own_is_left_to_the_library(tiny_encoder: Path) -> None:
    model = load_encoder(tiny_encoder)
    plain = model.preprocess
    model.preprocess = lambda texts, **given: {**plain(texts, **given), "pixel_values": None}
    with pytest.raises(encoder_training.NotCacheable):
        encoder_training.tokenize(model, ["a"], "")
