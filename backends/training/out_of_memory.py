"""Advice on memory, the same before a run that will not fit and after one that did not.

Each task has a ladder: steps that make its training smaller, the one that costs least first. :func:`ways_to_fit` looks
on it for what is enough; :func:`explain_out_of_memory` tells all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tunewiz.presets.losses.loss import Loss, RerankerLoss
from tunewiz.presets.losses.ranking import CachedMultipleNegativesRanking, MultipleNegativesRanking
from tunewiz.presets.methods.low_rank import Lora, LowRank, Qlora
from tunewiz.presets.methods.method import LlmMethod, WithPeft
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.method import Lora as EncoderLora
from tunewiz.presets.sections.section import Section
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import Message, OutOfMemory, Problem, Where, error, note, say

S = TypeVar("S", bound=Section)
#: Documents scored at a time, to begin with: a GPU is still busy with as many.
_PIECE: Final = 32
#: A batch that is not halved before other ways are tried.
_FEW: Final = 8


@dataclass(frozen=True)
class Step:
    """What saves memory: the key it stands at, what to do there in words, and the values it sets by their keys.

    With ``same`` the model learns the same afterwards, but for rounding; without, the user has to agree.
    """

    key: str
    message: Message
    values: Mapping[str, Any]
    same: bool = True


@contextmanager
def explain_out_of_memory(preset: Preset, device: str) -> Iterator[None]:
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


def memory_problems(preset: Preset, device: str) -> list[Problem]:
    """What happened, and one note a step that saves memory, the one that costs least first."""
    on_cpu = device == "cpu"
    message = say(
        "Memory ran out on {device} with batch size {batch} and max length {length}.",
        device=device,
        batch=preset.training.batch_size,
        length=preset.training.max_length,
    )
    fix = say("Change one of the following and start again; the first costs least.")
    steps = [note("memory-step", step.message, Where(key=step.key)) for step in ladder(preset, on_cpu)]
    return [error("host-out-of-memory" if on_cpu else "gpu-out-of-memory", message, fix=fix), *steps]


# The ladders.


def ladder(preset: Preset, on_cpu: bool = False) -> Iterator[Step]:
    """The steps that ``preset`` has left, the one that costs least first; ``on_cpu``: without those for GPUs."""
    if isinstance(preset, LlmPreset):
        yield from _language_model_ladder(preset, on_cpu)
    elif isinstance(preset, RetrievalPreset):
        yield from _retrieval_ladder(preset)


def _retrieval_ladder(preset: RetrievalPreset) -> Iterator[Step]:
    """For embedding models and rerankers: cached mini-batches, batch, negatives, length, LoRA."""
    core, training, mined = preset.loss.core, preset.training, preset.data.negatives
    place = "loss" if core is preset.loss else "loss.loss"
    yield from _cached(core, place, training.gradient_checkpointing)
    if isinstance(core, RerankerLoss) and not core.encoded_at_once:
        yield from _pieces(core, training.batch_size * core.texts(mined.mined))
    if training.batch_size > _FEW:  # half of less leaves too few to be each other's negatives
        yield _halved_batch(preset)
    if not training.gradient_checkpointing and not core.caches_gradients:
        yield _checkpointing()
    group = core.passages(mined.per_query)
    if "group_size" in type(core).model_fields and group > 2:
        count, key = max(2, group // 2), f"{place}.group_size"
        message = say("Lower it to {count}: fewer wrong passages of its own a query.", count=count)
        yield Step(key, message, {key: count}, same=False)
    elif mined.strategy != "none" and mined.per_query > 1:
        count, key = mined.per_query // 2, "data.negatives.per_query"
        yield Step(key, say("Lower it to {count}.", count=count), {key: count}, same=False)
    if training.max_length > 64:  # half of less cuts ordinary questions
        length = training.max_length // 2
        message = say("Halve it to {length}; longer texts are cut.", length=length)
        yield Step("training.max_length", message, {"training.max_length": length}, same=False)
    if not isinstance(preset.method, EncoderLora):
        yield _adapter(EncoderLora())


def _cached(core: Loss, place: str, checkpointing: bool) -> Iterator[Step]:
    """Smaller mini-batches, or the loss that has them, which cannot be trained with gradient checkpointing."""
    size = core.encoded_at_once or 0
    if size > 1:
        message = say("Halve it to {size}; the result stays the same.", size=size // 2)
        yield Step(f"{place}.mini_batch_size", message, {f"{place}.mini_batch_size": size // 2})
    elif isinstance(core, MultipleNegativesRanking):
        message = say(
            "Set it to cached_multiple_negatives_ranking: the same lesson in the memory of a mini-batch, slower."
        )
        cached = CachedMultipleNegativesRanking.model_validate(core.model_dump(exclude={"name"}))
        whole = {"training.gradient_checkpointing": False} if checkpointing else {}
        yield Step(f"{place}.name", message, {place: cached, **whole})


def _pieces(loss: RerankerLoss, scored: int) -> Iterator[Step]:
    """The ``scored`` documents of a batch a few at a time; a batch of single pairs is made smaller first."""
    size = min(_PIECE, scored // 2)
    if size and (loss.layout != "pairs" or scored <= _FEW):
        message = say("Set it to {size}: documents are scored in pieces, with the same result, slower.", size=size)
        yield Step("loss.mini_batch_size", message, {"loss.mini_batch_size": size})


def _halved_batch(preset: RetrievalPreset) -> Step:
    size, batches = preset.training.batch_size // 2, preset.training.accumulation * 2
    if preset.loss.core.in_batch_negatives:
        message = say("Halve it to {size}: fewer in-batch negatives, a weaker lesson.", size=size)
        return Step("training.batch_size", message, {"training.batch_size": size}, same=False)
    message = say(
        "Halve it to {size} and set training.accumulation to {batches}: the result stays nearly the same.",
        size=size,
        batches=batches,
    )
    return Step("training.batch_size", message, {"training.batch_size": size, "training.accumulation": batches})


def _checkpointing() -> Step:
    message = say("Set it to true: much less memory, about a third slower.")
    return Step("training.gradient_checkpointing", message, {"training.gradient_checkpointing": True})


def _adapter(method: Section) -> Step:
    message = say("Train a LoRA adapter: no optimizer memory for the frozen weights.")
    return Step("method.type", message, {"method": method}, same=False)


def _language_model_ladder(preset: LlmPreset, on_cpu: bool) -> Iterator[Step]:
    """For language models: batch, checkpointing, measuring, optimizer, length, adapter, quantisation."""
    training, method, options = preset.training, preset.method, preset.backend_options
    if training.batch_size > 1:
        rows = training.batch_size * training.accumulation
        message = say("Set it to 1 and training.accumulation to {rows}: the result stays the same.", rows=rows)
        yield Step("training.batch_size", message, {"training.batch_size": 1, "training.accumulation": rows})
    if not training.gradient_checkpointing and not isinstance(method, WithPeft):
        yield _checkpointing()
    yield from measuring_steps(preset)
    if training.optimizer == "adamw" and "optim" not in options and not on_cpu and not isinstance(method, WithPeft):
        message = say("Set optim: paged_adamw_8bit, which moves to the host's memory when it must.")
        yield Step("backend_options", message, {"backend_options": {**options, "optim": "paged_adamw_8bit"}})
    if training.max_length > 256:  # half of less cuts most answers
        length = training.max_length // 2
        message = say("Halve it to {length}; longer rows are cut.", length=length)
        yield Step("training.max_length", message, {"training.max_length": length}, same=False)
    if not method.adapter:
        yield _adapter(Lora())
    elif method.stored_bits > 4 and not on_cpu:
        message = say("Use qlora with 4 bits: the frozen weights take a quarter of the memory.")
        yield Step("method", message, _quantised(method), same=False)


def measuring_steps(preset: LlmPreset | RetrievalPreset) -> Iterator[Step]:
    """What makes measuring take less memory; its numbers stay the same."""
    if preset.evaluation.batch_size > 1:
        size, key = preset.evaluation.batch_size // 2, "evaluation.batch_size"
        yield Step(key, say("Set it to {size}: measuring takes less memory.", size=size), {key: size})


def _quantised(method: LlmMethod) -> Mapping[str, Any]:
    """QLoRA with 4 bits, and what ``method`` shares with it."""
    if isinstance(method, Qlora):
        return {"method.bits": 4}
    shared = method.model_dump(include=set(LowRank.model_fields) - {"type"}) if isinstance(method, LowRank) else {}
    backend = {"backend": Qlora.backend} if method.backend != Qlora.backend else {}
    return {"method": Qlora(**shared), **backend}


# What of a ladder is enough.


def ways_to_fit(preset: Preset, fits: Callable[[Preset], bool], on_cpu: bool = False) -> list[Mapping[str, Any]]:
    """Values by their keys that make ``preset`` fit, each way enough by itself, the one that costs least first.

    A way takes one kind of step, as often as it must; where none is enough alone there is one way with several, and
    where not even all of them are enough, none.
    """
    alone = [_climb(preset, fits, on_cpu, step.key) for step in ladder(preset, on_cpu)]
    ways = [way for way in (*alone, {} if any(alone) else _climb(preset, fits, on_cpu)) if way]
    return [_flat(way) for way in ways]


def _climb(preset: Preset, fits: Callable[[Preset], bool], on_cpu: bool, only: str = "") -> dict[str, dict[str, Any]]:
    """The values of the steps, by the steps' keys, after which ``preset`` fits; none where the ladder ends before.

    Goes up in rounds, each step once a round, then leaves out what was taken in vain, the dearest first.
    """
    taken: dict[str, dict[str, Any]] = {}
    smaller, this_round = preset, set[str]()
    while not fits(smaller):
        steps = [step for step in ladder(smaller, on_cpu) if only in ("", step.key)]
        step = next((step for step in steps if step.key not in this_round), None)
        if step is not None:
            this_round.add(step.key)
            taken.setdefault(step.key, {}).update(step.values)
            smaller = with_values(smaller, step.values)
        elif this_round:
            this_round.clear()
        else:
            return {}
    for key in reversed(list(taken)):
        rest = {other: values for other, values in taken.items() if other != key}
        if fits(with_values(preset, _flat(rest))):
            taken = rest
    return taken


def _flat(taken: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {key: value for values in taken.values() for key, value in values.items()}


def with_values(section: S, values: Mapping[str, Any]) -> S:
    """``section`` with other values at dotted keys, which are taken as they are."""
    for key, value in values.items():
        name, _, below = key.partition(".")
        inner = with_values(getattr(section, name), {below: value}) if below else value
        section = section.model_copy(update={name: inner})
    return section


def assignments(values: Mapping[str, Any]) -> str:
    """``values`` the way ``--set`` takes them; a loss by its name, a method by its type."""
    return ", ".join(f"{key}{_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, Section):
        return f".name={value.name}" if isinstance(value, Loss) else f".type={getattr(value, 'type', '')}"
    return f"={str(value).lower() if isinstance(value, bool) else value}"
