"""How much memory tuning an embedding model takes on its device: low, expected and high, before anything is loaded.

In bytes, for one process::

    weights      4 P                  loaded as fp32; computed in 16 bit through autocast
    gradients    4 T                  T: trained weights
    optimizer    8 T                  AdamW's two moments; 2 T in 8 bit, 4 T for Adafactor at most, 0 for SGD
    cast copies  2 W                  autocast keeps 16-bit copies of the matrices (W of the P weights)
    activations  s b N (c h + e m)    kept for the backward pass: N layers of width h, MLP width m
    scores       s s b N n d          on a CPU, where attention drops out: n heads keep every weight, d = 12
    fixed        0.3 to 0.9 GB        CUDA context and libraries; on a CPU 0.7 to 1.4

``b`` counts the texts of a step, batch x (2 + negatives), or of a mini-batch where a loss caches gradients; ``s`` their
padded length in tokens. The form is that of Korthikanti et al. (2022, "Reducing Activation Recomputation in Large
Transformer Models", eq. 1) without the scores of attention, which fused kernels do not keep; torch's for CPUs knows no
dropout, so that BERT's layers keep them there: as much again at 256 tokens. Its numbers are for pure
16 bit, though: under autocast norms and residuals are kept in 32 bit as well, so c and e were measured with
``torch.autograd.graph.saved_tensors_hooks`` (tests/children/test_activations.py repeats it): in 16 bit c = 30 for BERT
and ModernBERT and 45 for Qwen3, e = 4, or 8 for a gated MLP; in 32 bit c = 44 and 56, e doubles.

With checkpointing one layer and the input of each is kept. LoRA keeps the same activations and trains r (in + out)
weights a matrix. The three cases differ in length (half, three quarters, all of ``max_length``) and in the allocator's
waste.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tunewiz.presets.families import Size
from tunewiz.presets.memory import DEVICE, GB, HOST, STATE, Estimate, Optimizer


@dataclass(frozen=True)
class Shape:
    """The numbers of an encoder that decide its memory."""

    parameters: int
    hidden: int
    layers: int
    intermediate: int
    gated: bool = False
    decoder: bool = False
    vocabulary: int = 0
    heads: int = 0
    #: Whether training drops out of what attention weighs, as BERT and its kin do where ``training.dropout`` lets them.
    drops: bool = False

    @property
    def matrices(self) -> int:
        """Weights in linear layers: four of attention and two (gated: three) of the MLP in each layer."""
        mlp = (3 if self.gated else 2) * self.hidden * self.intermediate
        return self.layers * (4 * self.hidden**2 + mlp)

    def kept(self, half: bool) -> int:
        """Bytes kept for the backward pass by each token in each layer."""
        around = (45 if self.decoder else 30) if half else (56 if self.decoder else 44)
        inside = (8 if self.gated else 4) * (1 if half else 2)
        return around * self.hidden + inside * self.intermediate

    @property
    def scores(self) -> int:
        """Bytes kept for each two tokens of a text in each layer where no kernel weighs attention in one piece."""
        return self.heads * SCORES if self.drops else 0


#: Bytes a head keeps of each two tokens: what they weigh, what is dropped, and what is left; in 32 bit always.
SCORES: Final = 12


@dataclass(frozen=True)
class Load:
    """What a step asks of the model. ``texts`` are encoded and kept at once, each padded to ``length`` tokens."""

    texts: int
    length: int
    half: bool
    trained: int
    optimizer: Optimizer = "adamw"
    checkpointing: bool = False
    cpu: bool = False
    #: Numbers a token that the loss makes beside the model.
    beside: int = 0
    #: Whether gradients are held once more, to be exchanged between processes.
    buckets: bool = False


def bytes_needed(shape: Shape, load: Load, share: float, fixed: float, waste: float) -> int:
    """One case of the formula above; ``share`` of the length, ``fixed`` in bytes, ``waste`` a factor from 1."""
    length = max(1, round(load.length * share))
    tokens = load.texts * length
    state = 4 * shape.parameters + ((8 if load.buckets else 4) + STATE[load.optimizer]) * load.trained
    copies = 2 * shape.matrices if load.half else 0
    scores = length * shape.scores if load.cpu else 0
    layer = tokens * (shape.kept(load.half) + scores)
    inputs = tokens * shape.hidden * (2 if load.half else 4) * shape.layers
    kept = layer + inputs if load.checkpointing else layer * shape.layers
    beside = tokens * load.beside * (2 if load.half else 4)
    return round((state + copies + kept + beside) * waste + fixed)


def estimate_load(shape: Shape, load: Load) -> Estimate:
    """What ``load`` needs with ``shape``: of a GPU's memory, or of the host's where that computes."""
    fixed = HOST if load.cpu else DEVICE
    return Estimate(
        low=bytes_needed(shape, load, share=0.5, fixed=fixed[0] * GB, waste=1.0),
        expected=bytes_needed(shape, load, share=0.75, fixed=fixed[1] * GB, waste=1.1),
        high=bytes_needed(shape, load, share=1.0, fixed=fixed[2] * GB, waste=1.25),
        texts=load.texts,
        trained=load.trained,
    )


def shape_of_size(size: Size) -> Shape:
    """The shape of a model that a family knows."""
    numbers = (size.parameters, size.hidden, size.layers, size.intermediate, size.gated, size.decoder)
    # Decoders and ModernBERT, the encoders with a gate, are trained without.
    return Shape(*numbers, size.vocabulary, size.heads, drops=not (size.gated or size.decoder))


def shape_of_config(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a model's ``config.json`` tells of; ``None`` if it lacks the numbers (another kind of model)."""
    names = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")
    numbers = [config.get(name) for name in names]
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        return None
    hidden, layers, intermediate, vocabulary = (int(number or 0) for number in numbers)
    kind = str(config.get("model_type", ""))
    decoder = kind.startswith(("qwen", "llama", "mistral", "gemma"))
    heads, dropout = config.get("num_attention_heads"), config.get("attention_probs_dropout_prob", 0)
    empty = Shape(
        0, hidden, layers, intermediate, decoder or kind == "modernbert", decoder, vocabulary,
        heads if isinstance(heads, int) else 0, drops=bool(dropout),
    )  # fmt: skip
    return replace(empty, parameters=vocabulary * hidden + empty.matrices)
