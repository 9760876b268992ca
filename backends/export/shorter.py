"""A run whose exported embedding model gives shorter vectors: the first numbers of each, of length one again.

The cut is a layer of the model itself (a matrix that keeps the first numbers and no others), so that whatever loads the
folder gives the short vectors, without being told a number: sentence-transformers, TEI, the programs of an export.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.export.exporters import PROBE_TEXTS, lay_out_for_others, plain_encoder, unit
from tunewiz.backends.runs.run import Run
from tunewiz.files import write_whole
from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.problems import BadPreset, Message, TunewizError, Where, error, say

#: Largest difference of a number between a cut vector and what the shorter model gives.
_SAME: Final = 1e-5


@dataclass(frozen=True)
class Shortened(Run):
    """A run with another model in its place."""

    shorter: Path

    @property
    def model(self) -> Path:
        """The shorter one."""
        return self.shorter


@contextmanager
def shortened(run: Run, preset: Preset, model: Path, dimension: int) -> Iterator[Run]:
    """``run`` with the whole model in the folder ``model`` cut to vectors of ``dimension`` numbers.

    Raises :class:`BadPreset` (``no-dimension``) where the task has no vectors, or they are not that long.
    """
    if not isinstance(preset, EmbeddingPreset):
        message = say("A run of the task {task} has no vectors that could be shorter.", task=preset.task)
        raise BadPreset(error("no-dimension", message, Where(key="--dimension"), say("Leave --dimension out.")))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        _write(model, preset, dimension, folder)
        yield Shortened(run.directory, shorter=folder)


def _write(model: Path, preset: EmbeddingPreset, dimension: int, folder: Path) -> None:
    whole = plain_encoder(model, preset)
    width = whole.get_embedding_dimension()
    if not 0 < dimension < width:
        message = say("The model's vectors have {size} numbers; {wanted} are asked for.", size=width, wanted=dimension)
        raise BadPreset(error("no-dimension", message, Where(key="--dimension"), _measured(preset, width)))
    expected = unit(whole.encode(list(PROBE_TEXTS))[:, :dimension])
    _cut(whole, width, dimension)
    whole.save_pretrained(str(folder), create_model_card=False)
    lay_out_for_others(folder, int(whole.max_seq_length or 0))
    card = model / "README.md"
    told = say("Vectors are cut to their first {dimension} numbers of {size}.", dimension=dimension, size=width)
    if card.is_file():
        write_whole(folder / "README.md", f"{card.read_text('utf-8').rstrip()}\n\n{told.text()}\n")
    found = plain_encoder(folder, preset).encode(list(PROBE_TEXTS))
    if found.shape != expected.shape or not float(abs(found - expected).max()) <= _SAME:
        message = say("The model that was written does not give the first {dimension} numbers.", dimension=dimension)
        raise TunewizError(error("export-differs", message, Where(file=folder.name), say("Report this.")))


def _cut(model: Any, width: int, dimension: int) -> None:
    """Put a layer that keeps the first ``dimension`` numbers behind ``model``'s own, and one that makes length one."""
    import torch
    from sentence_transformers.base.modules import Dense, Normalize

    keeps = Dense(width, dimension, bias=False, activation_function=torch.nn.Identity())
    with torch.no_grad():
        keeps.linear.weight.copy_(torch.eye(dimension, width))
    for name, module in list(model.named_children()):
        if isinstance(module, Normalize):
            del model._modules[name]
    for module in (keeps, Normalize()):
        model.append(module)


def _measured(preset: EmbeddingPreset, width: int) -> Message:
    if isinstance(preset.loss, Matryoshka):
        sizes = tuple(size for size in preset.loss.dimensions if size < width)
        return say("It was trained for {sizes}; the report says what each finds.", sizes=sizes)
    return say("Take fewer than {size}; the report says what shorter vectors find.", size=width)
