"""The memory that a preset of any task needs, by what is known of its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunewiz.presets.families import KnownModel, Size
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.memory import Estimate, encoder, language_model
from tunewiz.presets.memory.encoder import Load, Shape, estimate_load
from tunewiz.presets.memory.language_model import Decoder, Sequences, estimate_sequences
from tunewiz.presets.methods.method import WithPeft
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.tasks.llm import LlmPreset


def estimate_known(preset: Preset, known: KnownModel, half: bool = True) -> Estimate | None:
    """With a model that a family knows; ``None`` where model and task do not go together.

    ``half``: whether precision auto means 16 bit on the device.
    """
    if isinstance(preset, LlmPreset):
        if "llm" not in known.family.tasks:
            return None
        return of_decoder(preset, language_model.decoder_of_size(known.size, known.family.normalised_queries), half)
    return of_size(preset, known.size, half) if isinstance(preset, RetrievalPreset) else None


def of_config(preset: Preset, config: Mapping[str, Any], half: bool = True) -> Estimate | None:
    """With a model that only its ``config.json`` tells of; ``None`` if it lacks the numbers."""
    if isinstance(preset, LlmPreset):
        decoder = language_model.decoder_of_config(config)
        return of_decoder(preset, decoder, half) if decoder else None
    shape = encoder.shape_of_config(config) if isinstance(preset, RetrievalPreset) else None
    return of_shape(preset, shape, half) if shape and isinstance(preset, RetrievalPreset) else None


def of_size(preset: RetrievalPreset, size: Size, half: bool = True) -> Estimate:
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
    return estimate_load(shape, load)


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


#: Stages whose rows are two sequences, and stages that hold a frozen copy of a fully tuned model to compare with.
_PAIRED: Final = ("dpo", "orpo", "simpo")
_REFERRING: Final = ("dpo", "kto")


def of_decoder(preset: LlmPreset, shape: Decoder, half: bool = True) -> Estimate:
    """What ``preset`` needs with a model of ``shape``; ``half``: whether precision auto means 16 bit on the device."""
    method, training = preset.method, preset.training
    # The engine on peft knows neither: all activations and all logits are kept.
    plain = isinstance(method, WithPeft)
    load = Sequences(
        count=training.batch_size * (2 if preset.stage in _PAIRED else 1),
        length=training.max_length,
        trained=method.trained(shape),
        adapters=method.adapter,
        bits=method.stored_bits,
        half=half if training.precision == "auto" else training.precision != "fp32",
        dropout=getattr(method, "dropout", 0.0) > 0,
        doubly_quantised=getattr(method, "double_quantisation", True),
        optimizer=training.optimizer,
        checkpointing=training.gradient_checkpointing and not plain,
        chunked=training.liger and not plain,
        reference=preset.stage in _REFERRING and not method.adapter,
    )
    return estimate_sequences(shape, load)
