"""How much memory tuning an embedding model takes on its device: low, expected and high, before anything is loaded.

In bytes, for one process::

    weights      4 P                  loaded as fp32; computed in 16 bit through autocast
    gradients    4 T                  T: trained weights
    optimizer    8 T                  AdamW's two moments; 2 T in 8 bit, 4 T for Adafactor at most, 0 for SGD
    cast copies  2 W                  autocast keeps 16-bit copies of the matrices (W of the P weights)
    activations  s b N (c h + e m)    kept for the backward pass: N layers of width h, MLP width m
    fixed        0.3 to 0.9 GB        CUDA context and libraries

``b`` counts the texts of a step, batch x (2 + negatives), or of a mini-batch where a loss caches gradients; ``s`` their
padded length in tokens. The form is that of Korthikanti et al. (2022, "Reducing Activation Recomputation in Large
Transformer Models", eq. 1) without the scores of attention, which fused kernels do not keep. Its numbers are for pure
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
from typing import Any, Final, Literal

from presets.family import Size
from presets.losses.reranker.base import RerankerLoss
from presets.retrieval import RetrievalPreset
from presets.sections.method import Lora

GB: Final = 1024**3
Optimizer = Literal["adamw", "adamw_8bit", "adafactor", "sgd"]
#: Bytes of optimizer state for each trained weight.
STATE: Final[dict[str, float]] = {"adamw": 8, "adamw_8bit": 2, "adafactor": 4, "sgd": 0}


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


@dataclass(frozen=True)
class Load:
    """What a step asks of the model. ``texts`` are encoded and kept at once, each padded to ``length`` tokens."""

    texts: int
    length: int
    half: bool
    trained: int
    optimizer: Optimizer = "adamw"
    checkpointing: bool = False
    #: Numbers a token that the loss makes beside the model.
    beside: int = 0


@dataclass(frozen=True)
class Estimate:
    """Bytes on the device: ``low`` when texts are short, ``expected``, ``high`` when all are at full length."""

    low: int
    expected: int
    high: int
    texts: int
    trained: int

    def fits(self, free: int) -> Literal["yes", "maybe", "no"]:
        """Whether ``free`` bytes are enough: even for the high estimate, only for the low one, or not even for that."""
        return "yes" if self.high <= free else "maybe" if self.low <= free else "no"


def bytes_needed(shape: Shape, load: Load, share: float, fixed: float, waste: float) -> int:
    """One case of the formula above; ``share`` of the length, ``fixed`` in bytes, ``waste`` a factor from 1."""
    tokens = load.texts * max(1, round(load.length * share))
    state = 4 * shape.parameters + (4 + STATE[load.optimizer]) * load.trained
    copies = 2 * shape.matrices if load.half else 0
    layer = tokens * shape.kept(load.half)
    inputs = tokens * shape.hidden * (2 if load.half else 4) * shape.layers
    kept = layer + inputs if load.checkpointing else layer * shape.layers
    beside = tokens * load.beside * (2 if load.half else 4)
    return round((state + copies + kept + beside) * waste + fixed)


def estimate(shape: Shape, load: Load) -> Estimate:
    """What ``load`` needs on a GPU with ``shape``."""
    return Estimate(
        low=bytes_needed(shape, load, share=0.5, fixed=0.3 * GB, waste=1.0),
        expected=bytes_needed(shape, load, share=0.75, fixed=0.5 * GB, waste=1.1),
        high=bytes_needed(shape, load, share=1.0, fixed=0.9 * GB, waste=1.25),
        texts=load.texts,
        trained=load.trained,
    )


def of_preset(preset: RetrievalPreset, size: Size, half: bool = True) -> Estimate:
    """What ``preset`` needs with a model of ``size``; ``half``: whether precision auto means 16 bit on the device."""
    numbers = (size.parameters, size.hidden, size.layers, size.intermediate, size.gated, size.decoder)
    shape = Shape(*numbers, size.vocabulary)
    return of_shape(preset, shape, half)


def of_shape(preset: RetrievalPreset, shape: Shape, half: bool = True) -> Estimate:
    """As :func:`of_preset`, for a model that no family knows."""
    training = preset.training
    load = Load(
        texts=texts_at_once(preset),
        length=training.max_length,
        half=half if training.precision == "auto" else training.precision != "fp32",
        trained=trained_weights(preset, shape),
        optimizer=training.optimizer,
        checkpointing=training.gradient_checkpointing,
        beside=preset.loss.core.beside(shape.vocabulary),
    )
    return estimate(shape, load)


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a model's ``config.json`` tells of; ``None`` if it lacks the numbers (another kind of model)."""
    names = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")
    numbers = [config.get(name) for name in names]
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        return None
    hidden, layers, intermediate, vocabulary = (int(number or 0) for number in numbers)
    kind = str(config.get("model_type", ""))
    decoder = kind.startswith(("qwen", "llama", "mistral", "gemma"))
    empty = Shape(0, hidden, layers, intermediate, decoder or kind == "modernbert", decoder, vocabulary)
    return replace(empty, parameters=vocabulary * hidden + empty.matrices)


def texts_at_once(preset: RetrievalPreset) -> int:
    """Texts whose activations are kept together: query, positive and negatives of each example, or a mini-batch."""
    negatives = preset.data.negatives.per_query if preset.data.negatives.strategy != "none" else 0
    if isinstance(preset.loss, RerankerLoss):
        # Pairs are read as one text.
        texts = 1 if preset.loss.layout == "pairs" else preset.loss.passages(max(1, negatives))
    else:
        texts = 1 + preset.loss.core.passages(negatives)
    step = preset.training.batch_size * texts
    piece = preset.loss.core.encoded_at_once
    return min(step, piece) if piece else step


def trained_weights(preset: RetrievalPreset, shape: Shape) -> int:
    """Weights that change: all, or those of the adapters (an upper bound where modules are named)."""
    method = preset.method
    if not isinstance(method, Lora):
        return shape.parameters
    attention = 4 * 2 * shape.hidden
    mlp = (3 if shape.gated else 2) * (shape.hidden + shape.intermediate) if method.target_modules == "all" else 0
    return method.rank * shape.layers * (attention + mlp)
