"""The memory estimate of language models beside what others published."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tunewiz.presets.families import KnownModel, known_models
from tunewiz.presets.memory import GB
from tunewiz.presets.memory.language_model import (
    Decoder,
    Sequences,
    adapter_weights,
    decoder_of_config,
    decoder_of_size,
    estimate_sequences,
)

LLAMA2_7B = Decoder(6_738_415_616, 4096, 32, 11008, 32000, 32, 32, 128, tied=False)
LLAMA2_13B = Decoder(13_015_864_320, 5120, 40, 13824, 32000, 40, 40, 128, tied=False)
LLAMA31_8B = Decoder(8_030_261_248, 4096, 32, 14336, 128256, 32, 8, 128, tied=False)
LLAMA32_3B = Decoder(3_212_749_824, 3072, 28, 8192, 128256, 24, 8, 128)
PHI_15 = Decoder(1_418_270_720, 2048, 24, 8192, 51200, 32, 32, 64, tied=False, gated=False)

#: litgpt runs in 16 bit throughout, without checkpointing; its loss works in pieces. 1304 tokens: its longest example.
LITGPT = Sequences(1, 1304, 4_194_304, checkpointing=False, chunked=True, pure=True)
#: LLaMA-Factory's table says nothing of batch and length: taken are its defaults, checkpointing among them.
FACTORY = Sequences(1, 2048, 20_000_000)


@dataclass(frozen=True)
class Row:
    """A published figure, in gigabytes (10^9), or gibibytes where ``binary``."""

    what: str
    shape: Decoder
    load: Sequences
    published: float
    binary: bool = False

    @property
    def bytes(self) -> float:
        return self.published * (GB if self.binary else 1e9)


#: Sources: README of LLaMA-Factory ("Hardware Requirement", estimated), tutorials/resource-tables.md of litgpt
#: (measured on an A100), README of torchtune ("Memory and training speed", "Optimization flags"; measured).
ROWS = [
    Row("LLaMA-Factory 7B full", LLAMA2_7B, replace(FACTORY, adapters=False, trained=LLAMA2_7B.parameters), 120),
    Row(
        "LLaMA-Factory 7B full, pure bf16",
        LLAMA2_7B,
        replace(FACTORY, adapters=False, trained=LLAMA2_7B.parameters, pure=True),
        60,
    ),
    Row("LLaMA-Factory 7B LoRA", LLAMA2_7B, FACTORY, 16),
    Row("LLaMA-Factory 7B QLoRA 8 bit", LLAMA2_7B, replace(FACTORY, bits=8), 10),
    Row("LLaMA-Factory 7B QLoRA 4 bit", LLAMA2_7B, replace(FACTORY, bits=4), 6),
    Row("litgpt Llama 2 7B", LLAMA2_7B, LITGPT, 21.30),
    Row("litgpt Llama 2 7B, batch 2", LLAMA2_7B, replace(LITGPT, count=2), 29.07),
    Row("litgpt Llama 2 7B nf4", LLAMA2_7B, replace(LITGPT, bits=4, doubly_quantised=False), 14.14),
    Row("litgpt Llama 2 7B nf4-dq", LLAMA2_7B, replace(LITGPT, bits=4), 13.84),
    Row("litgpt Llama 2 13B", LLAMA2_13B, replace(LITGPT, trained=6_553_600), 38.12),
    Row("litgpt Llama 2 13B nf4-dq", LLAMA2_13B, replace(LITGPT, trained=6_553_600, bits=4), 22.55),
    Row("litgpt phi-1.5", PHI_15, replace(LITGPT, length=1044, trained=1_572_864), 4.82),
    Row("litgpt phi-1.5, batch 4", PHI_15, replace(LITGPT, length=1044, trained=1_572_864, count=4), 10.68),
    Row(
        "torchtune Llama 3.2 3B full, packed",
        LLAMA32_3B,
        Sequences(2, 4096, LLAMA32_3B.parameters, adapters=False, pure=True, checkpointing=False),
        60.0,
        binary=True,
    ),
    Row(
        "torchtune Llama 3.2 3B full, checkpointing",
        LLAMA32_3B,
        Sequences(2, 4096, LLAMA32_3B.parameters, adapters=False, pure=True, chunked=True),
        24.9,
        binary=True,
    ),
    Row("torchtune Llama 3.1 8B LoRA", LLAMA31_8B, Sequences(2, 2048, 20_971_520, chunked=True), 16.2, binary=True),
    Row(
        "torchtune Llama 3.1 8B QLoRA",
        LLAMA31_8B,
        Sequences(2, 2048, 20_971_520, chunked=True, bits=4),
        7.4,
        binary=True,
    ),
]


def test_most_published_figures_lie_within_the_band() -> None:
    outside = [row.what for row in ROWS if not _within(row)]
    assert len(ROWS) - len(outside) >= 0.8 * len(ROWS), outside


@pytest.mark.parametrize("source", ["LLaMA-Factory", "litgpt", "torchtune"])
def test_each_source_agrees_with_most_of_it(source: str) -> None:
    rows = [row for row in ROWS if row.what.startswith(source)]
    assert sum(map(_within, rows)) >= 0.75 * len(rows)


def _within(row: Row) -> bool:
    found = estimate_sequences(row.shape, row.load)
    return found.low <= row.bytes <= found.high


def test_shapes_count_the_published_weights() -> None:
    for shape in (LLAMA2_7B, LLAMA2_13B, LLAMA31_8B, LLAMA32_3B):
        embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
        assert shape.matrices + embeddings == pytest.approx(shape.parameters, rel=1e-3)


def test_config_gives_the_shape() -> None:
    config = {
        "model_type": "qwen3",
        "hidden_size": 1024,
        "num_hidden_layers": 28,
        "intermediate_size": 3072,
        "vocab_size": 151936,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    }
    shape = decoder_of_config(config)
    assert shape is not None
    assert shape.normalised_queries
    assert shape.parameters == pytest.approx(596_049_920, rel=1e-3)
    assert decoder_of_config({"model_type": "bert", "hidden_size": 768}) is None


def test_adapters_are_counted_as_peft_counts_them() -> None:
    # LLaMA-Factory prints 20,971,520 trainable parameters for rank 8 on all linear layers of Llama 3 8B.
    assert adapter_weights(LLAMA31_8B, 8) == 20_971_520


def test_each_saving_saves() -> None:
    load = Sequences(4, 2048, 20_000_000)
    base = estimate_sequences(LLAMA31_8B, load).expected
    for saving in ({"bits": 4}, {"chunked": True}, {"count": 1}, {"length": 512}):
        assert estimate_sequences(LLAMA31_8B, replace(load, **saving)).expected < base
    for cost in ({"checkpointing": False}, {"trained": 10**9}, {"half": False}):
        assert estimate_sequences(LLAMA31_8B, replace(load, **cost)).expected > base


def test_a_reference_model_costs_its_weights() -> None:
    load = Sequences(2, 512, LLAMA32_3B.parameters, adapters=False)
    more = estimate_sequences(LLAMA32_3B, replace(load, reference=True)).low - estimate_sequences(LLAMA32_3B, load).low
    assert more == pytest.approx(2 * LLAMA32_3B.parameters, rel=0.01)


@pytest.mark.parametrize("known", known_models("llm"), ids=lambda entry: str(entry.size.id))
def test_families_count_their_weights(known: KnownModel) -> None:
    shape = decoder_of_size(known.size, known.family.normalised_queries)
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    hybrid = known.family.name == "qwen3.5"  # three of four layers are linear attention, with more weights
    assert shape.matrices + embeddings == pytest.approx(
        shape.parameters - known.size.vision, rel=0.2 if hybrid else 2e-3
    )
