"""What to say when memory runs out: the steps that help, in order, with the preset's own numbers.

One ladder for encoders and rerankers, one for language models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import Message, OutOfMemory, Problem, Where, error, note, say


@contextmanager
def explain_out_of_memory(preset: RetrievalPreset, device: str) -> Iterator[None]:
    """Turn a lack of memory within the block into :class:`OutOfMemory` with advice that fits ``preset``."""
    try:
        yield
    except (MemoryError, RuntimeError) as fault:
        if not is_memory(fault):
            raise
        raise OutOfMemory(*memory_problems(preset, device)) from fault


def is_memory(fault: BaseException) -> bool:
    """Whether ``fault`` is a lack of memory, on a GPU or on the host."""
    words = str(fault).lower()
    signs = ("out of memory", "can't allocate memory", "cublas_status_alloc_failed", "not enough memory")
    return isinstance(fault, MemoryError) or any(sign in words for sign in signs)


def memory_problems(preset: RetrievalPreset, device: str) -> list[Problem]:
    """What happened, and one note a step that saves memory, the one that costs least first."""
    on_cpu = device == "cpu"
    message = say(
        "Training ran out of memory on {device} with batch size {batch} and max length {length}.",
        device=device,
        batch=preset.training.batch_size,
        length=preset.training.max_length,
    )
    fix = say("Change one of the following and start again; the first costs least.")
    code = "host-out-of-memory" if on_cpu else "gpu-out-of-memory"
    return [error(code, message, fix=fix), *(note("memory-step", step, Where(key=key)) for key, step in ladder(preset))]


def ladder(preset: RetrievalPreset) -> Iterator[tuple[str, Message]]:
    """Keys and what to set them to, for an encoder: cached mini-batches, batch, negatives, length, LoRA."""
    core, training = preset.loss.core, preset.training
    yield from _cached(preset)
    if training.batch_size > 8:  # half of less leaves too few to be each other's negatives
        smaller = training.batch_size // 2
        fewer = say("Halve it to {size}: fewer in-batch negatives, a weaker lesson.", size=smaller)
        plain = say(
            "Halve it to {size} and set training.accumulation to 2: the result stays nearly the same.", size=smaller
        )
        yield "training.batch_size", fewer if core.in_batch_negatives else plain
    if not training.gradient_checkpointing and not core.caches_gradients:
        yield "training.gradient_checkpointing", say("Set it to true: much less memory, about a third slower.")
    group = core.passages(preset.data.negatives.per_query)
    if "group_size" in type(core).model_fields and group > 2:
        yield "loss.group_size", say("Lower it to {count}: fewer wrong passages of its own a query.", count=group // 2)
    elif preset.data.negatives.strategy != "none" and preset.data.negatives.per_query > 1:
        yield "data.negatives.per_query", say("Lower it to {count}.", count=preset.data.negatives.per_query // 2)
    if training.max_length > 64:  # half of less cuts ordinary questions
        yield "training.max_length", say("Halve it to {length}; longer texts are cut.", length=training.max_length // 2)
    if not isinstance(preset.method, Lora):
        yield "method.type", say("Train a LoRA adapter: no optimizer memory for the frozen weights.")


def _cached(preset: RetrievalPreset) -> Iterator[tuple[str, Message]]:
    core = preset.loss.core
    size = getattr(core, "mini_batch_size", 0)
    if core.caches_gradients and size > 1:
        yield "loss.mini_batch_size", say("Halve it to {size}; the result stays the same.", size=size // 2)
    elif core.name == "multiple_negatives_ranking":
        message = say(
            "Set it to cached_multiple_negatives_ranking: the same lesson in the memory of a mini-batch, slower."
        )
        yield "loss.name", message


# What to say when memory runs out: the steps that help a language model, in order, with the preset's numbers.


@contextmanager
def explained_for_language_model(preset: LlmPreset) -> Iterator[None]:
    """Turn a lack of memory within the block into :class:`OutOfMemory` with advice that fits ``preset``."""
    try:
        yield
    except (MemoryError, RuntimeError) as fault:
        if not is_memory(fault):
            raise
        raise OutOfMemory(*language_model_memory_problems(preset)) from fault


def language_model_memory_problems(preset: LlmPreset) -> list[Problem]:
    """What happened, and one note a step that saves memory, the one that costs least first."""
    message = say(
        "Memory ran out with batch size {batch} and max length {length}.",
        batch=preset.training.batch_size,
        length=preset.training.max_length,
    )
    fix = say("Change one of the following and start again; the first costs least.")
    steps = [note("memory-step", step, Where(key=key)) for key, step in language_model_ladder(preset)]
    return [error("out-of-memory", message, fix=fix), *steps]


def language_model_ladder(preset: LlmPreset) -> Iterator[tuple[str, Message]]:
    """Keys and what to set them to: batch, checkpointing, length, quantisation, optimizer."""
    training = preset.training
    if training.batch_size > 1:
        rows = training.batch_size * training.accumulation
        message = say("Set it to 1 and training.accumulation to {rows}: the result stays the same.", rows=rows)
        yield "training.batch_size", message
    if not training.gradient_checkpointing:
        yield "training.gradient_checkpointing", say("Set it to true: much less memory, about a third slower.")
    if preset.evaluation.batch_size > 1:
        message = say("Set it to {size}: measuring takes less memory.", size=preset.evaluation.batch_size // 2)
        yield "evaluation.batch_size", message
    if training.max_length > 256:  # half of less cuts most answers
        yield "training.max_length", say("Halve it to {length}; longer rows are cut.", length=training.max_length // 2)
    if preset.method.type in ("full", "freeze"):
        yield "method.type", say("Train a LoRA adapter: no optimizer memory for the frozen weights.")
    elif preset.method.stored_bits > 4:
        yield "method", say("Use qlora with 4 bits: the frozen weights take a quarter of the memory.")
    if training.optimizer == "adamw":
        yield "backend_options", say("Set optim: paged_adamw_8bit, which moves to the host's memory when it must.")
