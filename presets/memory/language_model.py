"""How much GPU memory tuning a causal language model takes: low, expected and high, before anything is loaded.

In bytes, for one process::

    frozen       2 P                  16-bit weights; quantised: 4 or 8 bits a matrix weight and its constants
    trained      16 T                 fp32 copy (4), gradient (4), AdamW (8, others less); pure 16 bit: 8 T
    cast copies  2 W                  full tuning under autocast keeps 16-bit copies of the matrices
    activations  s b N (c h + e m)    kept for the backward pass; with checkpointing one layer, and 2 s b h a layer
    logits       s b V (6 to 14)      the vocabulary's scores: 16 bit, fp32, and their gradients
    workspace    2 h m                a quantised matrix is unpacked when it is used
    fixed        0.3 to 0.9 GB        CUDA context and libraries; on a CPU 0.7 to 1.4

``b`` counts the sequences of a step (two for each preference pair), ``s`` their padded length in tokens, ``V`` the
vocabulary. c and e were measured with ``torch.autograd.graph.saved_tensors_hooks`` on Llama and Qwen3
(tests/children/test_activations_llm.py repeats it): c = 26, or 35 where queries and keys are normalised as in Qwen3 and
Gemma 3; e = 8; adapters add 4 to c, and their dropout 24 more, and 4 to e. In 32 bit c and e double.

The cases differ in length (half, three quarters, all of it), in the allocator's waste, and in how much of the gradients
is there while activations still are. Compared with published tables in tests/unit/test_memory_llm.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tunewiz.presets.families import Size
from tunewiz.presets.memory import DEVICE, GB, HOST, STATE, WHOLE, Estimate, Optimizer, Shares

Bits = Literal[4, 8, 16, 32]
#: Bytes a quantised matrix weight takes: nf4 keeps an fp32 constant for 64 weights, doubly quantised 8 bits; 8-bit a
#: constant a row and room for outliers.
_WEIGHT: Final[dict[tuple[Bits, bool], float]] = {
    (4, False): 0.5 + 4 / 64,
    (4, True): 0.5 + 1 / 64 + 4 / (64 * 256),
    (8, False): 1.05,
    (8, True): 1.05,
    (16, False): 2,
    (16, True): 2,
    (32, False): 4,
    (32, True): 4,
}


@dataclass(frozen=True)
class Decoder:
    """The numbers of a causal language model that decide its memory. ``tied``: one matrix for input and output."""

    parameters: int
    hidden: int
    layers: int
    intermediate: int
    vocabulary: int
    heads: int
    key_value_heads: int
    head: int
    tied: bool = True
    normalised_queries: bool = False
    gated: bool = True

    @property
    def matrices(self) -> int:
        """Weights in the linear layers of the blocks: what can be quantised and adapted."""
        return self.layers * sum(rows * columns for rows, columns in self.linear)

    @property
    def linear(self) -> list[tuple[int, int]]:
        """(in, out) of each linear layer of a block."""
        asked, kept = self.heads * self.head, self.key_value_heads * self.head
        attention = [(self.hidden, asked), (self.hidden, kept), (self.hidden, kept), (asked, self.hidden)]
        inward = [(self.hidden, self.intermediate)] * (2 if self.gated else 1)
        return [*attention, *inward, (self.intermediate, self.hidden)]


@dataclass(frozen=True)
class Sequences:
    """What a step asks of the model: ``count`` sequences (two a preference pair) of at most ``length`` tokens.

    ``bits`` is how frozen weights are stored; ``pure`` trains in 16 bit without fp32 copies. ``adapters``: whether the
    trained weights lie beside frozen ones; ``reference``: whether a second, frozen copy of the model is held (full
    tuning on preferences). ``chunked``: the loss never holds all logits (Liger).
    """

    count: int
    length: int
    trained: int
    adapters: bool = True
    bits: Bits = 16
    doubly_quantised: bool = True
    pure: bool = False
    half: bool = True
    dropout: bool = False
    optimizer: Optimizer = "adamw"
    checkpointing: bool = True
    cpu: bool = False
    chunked: bool = False
    reference: bool = False
    shares: Shares = WHOLE


@dataclass(frozen=True)
class _Case:
    """``share`` of the length, bytes a score of the vocabulary, and the allocator's waste.

    ``overlap``: how much of the gradients is there while activations still are (0 none, 1 all).
    """

    share: float
    logits: int
    waste: float
    overlap: float


_CASES: Final = (_Case(0.5, 6, 1.0, 0.0), _Case(0.75, 10, 1.1, 0.5), _Case(1.0, 14, 1.25, 1.0))


def estimate_sequences(shape: Decoder, load: Sequences) -> Estimate:
    """What ``load`` needs with ``shape``: of a GPU's memory, or of the host's where that computes."""
    fixed = HOST if load.cpu else DEVICE
    low, expected, high = (
        round(_case(shape, load, case) + beside * GB) for case, beside in zip(_CASES, fixed, strict=True)
    )
    return Estimate(low, expected, high, load.count, load.trained)


def _case(shape: Decoder, load: Sequences, case: _Case) -> float:
    # Gradients arrive while activations go, so that the peak lies between the larger of them and their sum.
    passing, gradients = _working(shape, load, case), _gradients(load)
    peak = max(passing, gradients) + case.overlap * min(passing, gradients)
    return _weights(shape, load) + peak


def _gradients(load: Sequences) -> float:
    once = (2 if load.pure else 4) * load.trained * load.shares.gradients
    return 2 * once if load.shares.buckets else once


def _weights(shape: Decoder, load: Sequences) -> float:
    """What stays from step to step: weights and the optimizer's state."""
    each = 2 if load.half else 4
    state = STATE[load.optimizer]
    if load.adapters:
        around = (shape.parameters - shape.matrices) * each
        stored = _WEIGHT[load.bits, load.doubly_quantised] if load.bits < 16 else each
        frozen = (around + shape.matrices * stored) * load.shares.weights
        return frozen + (4 + state) * load.trained * load.shares.states
    if load.pure:
        mine = 2 * shape.parameters * load.shares.weights + state / 2 * load.trained * load.shares.states
    else:
        # Where states are divided each process still computes with a copy of the weights in ``each`` bytes.
        computed = each * load.trained * load.shares.weights if load.shares.states < 1 else 0
        frozen = each * (shape.parameters - load.trained) * load.shares.weights
        mine = frozen + computed + (4 + state) * load.trained * load.shares.states
    return mine + (2 * shape.parameters * load.shares.weights if load.reference else 0)


def _working(shape: Decoder, load: Sequences, case: _Case) -> float:
    """What a step holds while it runs."""
    tokens = load.count * max(1, round(load.length * case.share))
    layer = tokens * activation_bytes(shape, load)
    inputs = tokens * shape.hidden * (2 if load.half else 4) * shape.layers
    activations = layer + inputs if load.checkpointing else layer * shape.layers
    logits = 0 if load.chunked else tokens * shape.vocabulary * case.logits
    workspace = 2 * shape.hidden * shape.intermediate if load.bits < 16 else 0
    copies = 0 if load.adapters or load.pure or not load.half else 2 * min(shape.matrices, load.trained)
    return (activations + logits + workspace + copies) * case.waste


def activation_bytes(shape: Decoder, load: Sequences) -> int:
    """Bytes kept for the backward pass by each token in each layer."""
    around = 35 if shape.normalised_queries else 26
    inside = 8 if shape.gated else 4
    if load.adapters:
        around += 4 + (24 if load.dropout else 0)
        inside += 4 if load.dropout else 0
    return (around * shape.hidden + inside * shape.intermediate) * (1 if load.half else 2)


def adapter_weights(shape: Decoder, rank: int, attention_only: bool = False) -> int:
    """Weights of LoRA adapters of ``rank`` on all linear layers of the blocks, or on those of attention."""
    layers = shape.linear[:4] if attention_only else shape.linear
    return rank * shape.layers * sum(rows + columns for rows, columns in layers)


def decoder_of_size(size: Size, normalised_queries: bool) -> Decoder:
    """The shape of a model that a family knows."""
    return Decoder(
        parameters=size.parameters,
        hidden=size.hidden,
        layers=size.layers,
        intermediate=size.intermediate,
        vocabulary=size.vocabulary,
        heads=size.heads,
        key_value_heads=size.key_value_heads or size.heads,
        head=size.head or size.hidden // size.heads,
        tied=size.tied,
        normalised_queries=normalised_queries,
        gated=size.gated,
    )


def decoder_of_config(config: Mapping[str, Any]) -> Decoder | None:
    """The shape that a model's ``config.json`` tells of; ``None`` if it lacks the numbers (another kind of model)."""
    inner = config.get("text_config")
    told = inner if isinstance(inner, Mapping) else config
    names = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size", "num_attention_heads")
    numbers = [told.get(name) for name in names]
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        return None
    hidden, layers, intermediate, vocabulary, heads = (int(number or 0) for number in numbers)
    kind = str(told.get("model_type", ""))
    tied = bool(told.get("tie_word_embeddings", config.get("tie_word_embeddings", kind.startswith("gemma"))))
    empty = Decoder(
        parameters=0,
        hidden=hidden,
        layers=layers,
        intermediate=intermediate,
        vocabulary=vocabulary,
        heads=heads,
        key_value_heads=int(told.get("num_key_value_heads") or heads),
        head=int(told.get("head_dim") or hidden // heads),
        tied=tied,
        normalised_queries=kind.startswith(("qwen3", "gemma3")),
    )
    embeddings = vocabulary * hidden * (1 if tied else 2)
    return replace(empty, parameters=embeddings + empty.matrices)
