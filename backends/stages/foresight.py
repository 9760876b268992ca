"""How long training will take on a processor, before its first step: by the rows, their lengths and what it computes.

A text of ``s`` tokens costs ``2 W s + 4 N h s s`` floating-point operations forward (W weights in the matrices, N
layers of width h; Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1, with attention over all
of the text) and twice that backward. How many a second a processor does is measured where that can be, else between
bounds.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tunewiz.backends.machine.precision import choose, cpu_has_bf16
from tunewiz.backends.training import loss_rows, reranker_rows
from tunewiz.backends.training.probe import about
from tunewiz.cores import usable_cores
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import scale_of
from tunewiz.data.text.lengths import estimate_each
from tunewiz.files import read_object
from tunewiz.presets import families, recipe
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.memory.encoder import Shape, shape_of_config, shape_of_size
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.problems import Message, Problem, Where, note, say

#: Seconds from which training is worth a word before it begins.
WORTH: Final = 1800.0
#: Operations a second and core in training, least and most, by whether it is in 16 bits that they multiply in
#: hardware: two cores of a Zen 4 did 125e9 in a training of MiniLM on Cranfield (BENCHMARKS.md, training speed).
CORE: Final = {True: (20e9, 70e9), False: (8e9, 30e9)}
#: The share of a processor's speed at multiplying that a step reaches, least and most.
SHARE: Final = (0.25, 0.7)
#: Texts whose length is looked at.
_SAMPLE: Final = 400


class Work(NamedTuple):
    """What an epoch trains on: ``rows``, the ``texts`` that the model reads for them (a reranker: pairs), and their
    mean length in ``tokens``.
    """

    rows: int
    texts: int
    tokens: float


def work(preset: RetrievalPreset, prepared: Prepared) -> Work:
    """What an epoch of ``preset`` trains on, of rows whose negatives are there; empty texts have the mean length."""
    own, loss = loss_rows.Own.of(preset), preset.loss
    groups, pairs = prepared.groups, prepared.pairs
    if pairs and preset.cross_encoder and isinstance(loss, RerankerLoss) and loss.layout != "pairs":
        groups, pairs = reranker_rows.group_pairs(pairs, scale_of([pair.score for pair in pairs]))[0], []
    rows = len(groups) + len(pairs)
    judged = sum(len(group.positives) + min(own.most, len(group.negatives)) for group in groups)
    if pairs:
        texts = len(pairs) * (1 if preset.cross_encoder else 2)
    elif isinstance(loss, RerankerLoss) and loss.layout != "tuples":
        texts = judged
    else:
        rows = sum(len(group.positives) for group in groups)
        texts = round(rows * loss_rows.texts_a_row(loss, groups, own))
    return Work(rows, texts, _mean_tokens(preset, prepared))


def _mean_tokens(preset: RetrievalPreset, prepared: Prepared) -> float:
    draw, found = random.Random(0), []
    for first, second in _sampled(prepared, draw):
        texts = [f"{first} {second}"] if preset.cross_encoder else [first, second]
        found += [min(count, preset.training.max_length) for count in estimate_each(texts)]
    return sum(found) / max(1, len(found))


def _sampled(prepared: Prepared, draw: random.Random) -> Iterator[tuple[str, str]]:
    pairs, groups = prepared.pairs, prepared.groups
    for pair in draw.sample(pairs, min(_SAMPLE, len(pairs))):
        yield pair.first, pair.second
    for group in draw.sample(groups, min(_SAMPLE, len(groups))):
        known = [text for text in (*group.positives, *group.negatives) if text]
        if known:
            yield group.query, draw.choice(known)


def operations(shape: Shape, found: Work) -> float:
    """Floating-point operations of an epoch, forward and backward."""
    each = 2 * shape.matrices + 4 * shape.layers * shape.hidden * found.tokens
    return 3 * found.texts * found.tokens * each


def epochs(preset: RetrievalPreset, rows: int) -> tuple[float, float]:
    """How often the rows are gone through, at least and at most: as the preset says, or until its steps are done.

    Where its recipe is still to choose, the two differ: what the model finds already is not known yet.
    """
    training = preset.training
    if training.max_steps > 0 and rows:
        times = training.max_steps * training.batch_size * training.accumulation / rows
        return times, times
    return recipe.epochs_between(preset, rows)


def shape_of(preset: RetrievalPreset, folder: Path | None) -> Shape | None:
    """The shape of the preset's model: by its family, else by the configuration in ``folder``."""
    known = families.lookup(preset.model.id)
    if known:
        return shape_of_size(known.size)
    return shape_of_config(read_object(folder / "config.json")) if folder else None


def guessed(preset: RetrievalPreset, found: Work, folder: Path | None, whole: bool = True) -> Message | None:
    """How long training takes on a processor of this many cores, between bounds; ``None`` where that is minutes.

    ``whole``: whether ``found`` are all training rows; otherwise it is told of once through as many.
    """
    shape = shape_of(preset, folder)
    if shape is None or not found.texts:
        return None
    cores, half = preset.launch.threads or usable_cores(), preset.training.in_16_bits(cpu_has_bf16())
    least, most = epochs(preset, found.rows) if whole else (1.0, 1.0)
    low, high = CORE[half]
    once = operations(shape, found) / cores
    quick, slow = least * once / high, most * once / low
    if slow < WORTH:
        return None
    numbers = {"low": about(quick), "high": about(slow), "rows": found.rows, "texts": found.texts}
    if whole:
        return say("training takes {low} to {high} without a GPU ({rows} rows, {texts} texts each time)", **numbers)
    return say("{rows} rows ({texts} texts) take {low} to {high} each time without a GPU; there are more", **numbers)


def foreseen(preset: RetrievalPreset, prepared: Prepared, folder: Path, device: str) -> Iterator[Problem]:
    """As :func:`guessed`, at the speed that this processor has now; nothing is said of a GPU."""
    shape, found = shape_of(preset, folder), work(preset, prepared)
    if device != "cpu" or shape is None or not found.texts:
        return
    needed = epochs(preset, found.rows)[1] * operations(shape, found)
    speed = multiplied_a_second(preset, shape.hidden)
    quick, slow = (needed / (speed * share) for share in reversed(SHARE))
    if slow < WORTH:
        return
    message = say(
        "Training will take roughly {low} to {high} on this processor: {rows} rows, for which {texts} texts of about "
        "{tokens} tokens are read each time.",
        low=about(quick), high=about(slow), rows=found.rows, texts=found.texts, tokens=round(found.tokens),
    )  # fmt: skip
    fix = say(
        "The first steps will tell more. Shorter: a GPU, data.limit, fewer wrong documents "
        "(data.negatives.per_query), a smaller training.max_length."
    )
    yield note("time-foreseen", message, Where(key="training"), fix)


def multiplied_a_second(preset: RetrievalPreset, width: int, rounds: int = 5) -> float:
    """Floating-point operations a second of this processor at the multiplications of a layer of ``width``."""
    import torch

    kind = torch.bfloat16 if choose(preset.training.precision, "cpu")[0] == "bf16" else torch.float32
    texts, weights = torch.ones(2048, width, dtype=kind), torch.ones(width, 4 * width, dtype=kind)
    seconds: Sequence[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        texts @ weights
        seconds = [*seconds, time.perf_counter() - begun]
    return 2 * 2048 * width * 4 * width / max(1e-9, min(seconds))
