"""What to say when memory runs out: the steps that help a language model, in order, with the preset's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from backends.sentence_transformers.out_of_memory import is_memory
from data.problems import Message, OutOfMemory, Problem, Where, error, note, say
from presets.tasks.llm import LlmPreset


@contextmanager
def explained(preset: LlmPreset) -> Iterator[None]:
    """Turn a lack of memory within the block into :class:`OutOfMemory` with advice that fits ``preset``."""
    try:
        yield
    except (MemoryError, RuntimeError) as fault:
        if not is_memory(fault):
            raise
        raise OutOfMemory(*problems(preset)) from fault


def problems(preset: LlmPreset) -> list[Problem]:
    """What happened, and one note a step that saves memory, the one that costs least first."""
    told = say(
        "Memory ran out with batch size {batch} and max length {length}.",
        batch=preset.training.batch_size,
        length=preset.training.max_length,
    )
    fix = say("Change one of the following and start again; the first costs least.")
    steps = [note("memory-step", step, Where(key=key)) for key, step in ladder(preset)]
    return [error("out-of-memory", told, fix=fix), *steps]


def ladder(preset: LlmPreset) -> Iterator[tuple[str, Message]]:
    """Keys and what to set them to: batch, checkpointing, length, quantisation, optimizer."""
    training = preset.training
    if training.batch_size > 1:
        rows = training.batch_size * training.accumulation
        told = say("Set it to 1 and training.accumulation to {rows}: the result stays the same.", rows=rows)
        yield "training.batch_size", told
    if not training.gradient_checkpointing:
        yield "training.gradient_checkpointing", say("Set it to true: much less memory, about a third slower.")
    if preset.evaluation.batch_size > 1:
        told = say("Set it to {size}: measuring takes less memory.", size=preset.evaluation.batch_size // 2)
        yield "evaluation.batch_size", told
    if training.max_length > 256:
        yield "training.max_length", say("Halve it to {length}; longer rows are cut.", length=training.max_length // 2)
    if preset.method.type in ("full", "freeze"):
        yield "method.type", say("Train a LoRA adapter: no optimizer memory for the frozen weights.")
    elif preset.method.stored_bits > 4:
        yield "method", say("Use qlora with 4 bits: the frozen weights take a quarter of the memory.")
    if training.optimizer == "adamw":
        yield "backend_options", say("Set optim: paged_adamw_8bit, which moves to the host's memory when it must.")
