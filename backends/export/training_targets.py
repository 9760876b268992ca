"""A run's training as something to read and to run: a script or a notebook with the data beside it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tunewiz.backends.export.targets import Target
from tunewiz.backends.export.training.program import Program
from tunewiz.backends.runs.run import Run
from tunewiz.files import write_whole
from tunewiz.language import N_
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import BadPreset, Message, error, say


class TrainingScript(Target):
    """``train.py`` and ``data/``."""

    name: ClassVar[str] = "training-script"
    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "reranker", "llm"})
    summary: ClassVar[str] = N_("the training as a Python script, with its data; needs no Tunewiz")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Write it; it is compared with nothing here: it trains where it is run."""
        write_whole(folder / "train.py", program(run, preset, folder).script())
        return say("Run it: {command}. It writes the model into tuned/ and the numbers into result.json.",
                   command="python train.py")  # fmt: skip


class Notebook(Target):
    """``train.ipynb`` and ``data/``."""

    name: ClassVar[str] = "notebook"
    tasks: ClassVar[frozenset[str]] = TrainingScript.tasks
    summary: ClassVar[str] = N_("the training as a Jupyter notebook, with its data; needs no Tunewiz")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Write it."""
        write_whole(folder / "train.ipynb", program(run, preset, folder).notebook())
        return say("Open it from its own folder: {command}", command="jupyter lab train.ipynb")


def program(run: Run, preset: Preset, folder: Path) -> Program:
    """The training of ``run``; its data goes into ``folder``. Raises ``TunewizError`` where there is none."""
    if isinstance(preset, LlmPreset):
        from tunewiz.backends.export.training.language_model import program_of as of_language_model

        return of_language_model(run, preset, folder)
    assert isinstance(preset, RetrievalPreset)
    if preset.backend == "flag_embedding":
        from tunewiz.backends.export.training.flag_embedding import program_of as of_flag_embedding

        return of_flag_embedding(run, preset, folder)
    if preset.backend in ("sentence_transformers", "cross_encoder"):
        from tunewiz.backends.export.training.retrieval import program_of as of_retrieval

        return of_retrieval(run, preset, folder)
    message = say("How {backend} trains cannot be written as a script.", backend=preset.backend)
    raise BadPreset(error("no-program", message, fix=say("Look at `tunewiz check`: it shows the library's arguments.")))
