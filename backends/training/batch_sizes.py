"""What ``auto`` becomes where a preset says it of a batch size: numbers, which the run's own preset has from then on.

Training: as many rows at once as the memory takes, by the estimate, and of a CPU as many as keep its cores busy; the
rest of a step is accumulated, so that it has as many rows as it would with the default. Where the rows of a batch are
each other's wrong answers a smaller batch would teach less: it stays, and mini-batches make it fit
(:mod:`tunewiz.backends.training.out_of_memory`). Measuring: as many texts as a part of the memory takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from tunewiz.backends import readiness, sources
from tunewiz.backends.machine.hardware import gpus, host_free, most_free
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.adjusting import write_preset
from tunewiz.backends.training.out_of_memory import assignments, ladder, with_values
from tunewiz.cores import usable_cores
from tunewiz.files import read_object
from tunewiz.presets import families
from tunewiz.presets.memory import GB
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.section import Auto, Batches
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import Message, note, say

_SECTIONS: Final = ("training", "evaluation")
P = TypeVar("P", bound=Preset)
#: Rows at once that a core is busy with: more cost memory and save nothing.
_ROWS_A_CORE: Final = 4
#: The share of the free memory that training may fill by its high estimate; of a CPU's others live in it too.
_SHARE: Final = {False: 0.9, True: 0.6}
#: The share that measuring may fill with what a batch makes, and the texts that are enough at once.
_MEASURED: Final = 0.2
_MOST: Final = 256
#: Numbers in 32 bit that a forward pass has at once of each token, as multiples of the model's width: a layer's own,
#: its four projections and its MLP.
_WIDE: Final = 12


class Settled(NamedTuple):
    """``preset`` with numbers in place of ``auto``, and ``why`` these."""

    preset: Any
    why: tuple[Message, ...] = ()


def settle(run: Run, preset: P, stage: str) -> P:
    """``preset`` as ``stage`` of ``run`` goes by it: with numbers for ``auto``, which the run's preset has from now on.

    Training is settled when it begins: how many texts a row has is known then. What was chosen before stays.
    """
    if preset.several:
        return preset  # each of its runs chooses
    preset = _chosen_before(run, preset)
    texts = read_object(run.record_file).get("row_texts", 0.0) if stage == "train" else 0.0
    found = settled(preset, texts, training=stage == "train")
    if not found.why:
        return preset
    write_preset(run, dumps(found.preset), *found.why)
    for reason in found.why:
        run.notice(note("batch-chosen", reason))
    settled_preset: P = found.preset
    return settled_preset


def _chosen_before(run: Run, preset: P) -> P:
    """``preset``, which may be written where another run begins, with the numbers that the run's own has."""
    sections = [getattr(preset, name, None) for name in _SECTIONS]
    if not any(isinstance(one, Batches) and isinstance(getattr(one, "batch_size", 0), Auto) for one in sections):
        return preset
    kept = load(str(run.preset_file))
    values: dict[str, Any] = {}
    if not isinstance(kept.training.batch_size, Auto):
        values |= {name: getattr(kept, name) for name in ("training", "loss") if hasattr(kept, name)}
    if not isinstance(getattr(kept, "evaluation").batch_size, Auto):  # noqa: B009  of a task that measures
        values["evaluation.batch_size"] = getattr(kept, "evaluation").batch_size  # noqa: B009
    return with_values(preset, values)


def settled(preset: Preset, texts: float = 0.0, training: bool = True) -> Settled:
    """See :class:`Settled`; a preset without ``auto`` as it is. ``texts``: as for :func:`readiness.estimate`."""
    if not isinstance(preset, (LlmPreset, RetrievalPreset)):
        return Settled(preset)
    why = []
    if isinstance(preset.evaluation.batch_size, Auto):
        preset, reason = _measured(preset)
        why.append(reason)
    if training and isinstance(preset.training.batch_size, Auto):
        preset, reason = _trained(preset, texts)
        why.append(reason)
    return Settled(preset, tuple(why))


def _trained(preset: LlmPreset | RetrievalPreset, texts: float) -> tuple[LlmPreset | RetrievalPreset, Message]:
    rows, on_cpu, free = int(preset.training.batch_size) * preset.training.accumulation, _on_cpu(preset), _free(preset)
    located = sources.find_cached(preset.model)
    plain = with_values(preset, {"training.batch_size": int(preset.training.batch_size)})
    if readiness.estimate(plain, located, texts) is None:
        message = say("training.batch_size: auto is {size}: nothing is known of the size of this model.",
                      size=plain.training.batch_size)  # fmt: skip
        return plain, message
    fits = _fitting(lambda one: readiness.estimate(one, located, texts), free, on_cpu)
    if isinstance(plain, RetrievalPreset) and plain.loss.core.in_batch_negatives:
        return _kept_together(plain, fits, on_cpu)
    most = _ROWS_A_CORE * (preset.launch.threads or usable_cores()) if on_cpu else rows
    for size in _parts(rows):
        made = with_values(preset, {"training.batch_size": size, "training.accumulation": rows // size})
        if size == 1 or (size <= most and fits(made)):
            break
    message = say(
        "training.batch_size: auto is {size}, and training.accumulation {times}: {rows} rows a step, with {free} GiB "
        "free.",
        size=size, times=rows // size, rows=rows, free=round(free / GB, 1),
    )  # fmt: skip
    return made, message


def _kept_together(
    preset: RetrievalPreset, fits: Callable[[Any], bool], on_cpu: bool
) -> tuple[RetrievalPreset, Message]:
    """The whole batch, in mini-batches where it does not fit at once and the preset allows for it."""
    size, smaller = preset.training.batch_size, preset
    changes: dict[str, Any] = {}
    allowed = preset.launch.on_out_of_memory != "stop"
    while allowed and not fits(smaller):
        step = next((one for one in ladder(smaller, on_cpu) if one.same and one.key.startswith("loss")), None)
        if step is None:
            changes = {}  # not even that is enough: what is, is found when it is tried
            break
        changes, smaller = {**changes, **step.values}, with_values(smaller, step.values)
    if not changes:
        return preset, say("training.batch_size: auto is {rows}: its rows are each other's wrong answers.", rows=size)
    message = say(
        "training.batch_size: auto is {rows}: its rows are each other's wrong answers. It fits with {changes}.",
        rows=size,
        changes=assignments(changes),
    )
    return smaller, message


def _parts(rows: int) -> Iterator[int]:
    """The sizes of equal batches that ``rows`` can be cut into, the largest first."""
    return (size for size in range(rows, 0, -1) if rows % size == 0)


def _fitting(estimate: Callable[[Any], Any], free: int, on_cpu: bool) -> Callable[[Any], bool]:
    """Whether a preset's high estimate is within its share of ``free``."""

    def fits(preset: Any) -> bool:
        needed = estimate(preset)
        return needed is not None and needed.high <= _SHARE[on_cpu] * free

    return fits


def _measured(preset: LlmPreset | RetrievalPreset) -> tuple[LlmPreset | RetrievalPreset, Message]:
    size, default = 1, int(preset.evaluation.batch_size)
    a_row = _bytes_of_row(preset)
    if a_row:
        room = _MEASURED * _free(preset) / a_row
        while 2 * size <= min(room, _MOST):
            size *= 2
        if _on_cpu(preset):
            size = min(size, default)  # more at once is no faster there
    else:
        size = default
    message = say("evaluation.batch_size: auto is {size}.", size=size)
    return with_values(preset, {"evaluation.batch_size": size}), message


def _bytes_of_row(preset: LlmPreset | RetrievalPreset) -> int:
    """What measuring has at once of a row, in bytes; 0 where the model's numbers are not known."""
    located, known = sources.find_cached(preset.model), families.lookup(preset.model.id)
    config = read_object(Path(located.place) / "config.json") if located and located.cached else {}
    hidden = known.size.hidden if known else config.get("hidden_size", 0)
    words = (known.size.vocabulary if known else config.get("vocab_size", 0)) if isinstance(preset, LlmPreset) else 0
    if not isinstance(hidden, int) or not isinstance(words, int):
        return 0
    return 4 * preset.training.max_length * (_WIDE * hidden + words)


def _on_cpu(preset: Preset) -> bool:
    return preset.launch.device == "cpu" or not gpus()


def _free(preset: Preset) -> int:
    return host_free() if _on_cpu(preset) else most_free(gpus()) or 0
