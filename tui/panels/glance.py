"""The machine at a glance, for home: GPUs, memory, disk, models that are here, hubs that answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from textual import work
from textual.message import Message
from textual.worker import Worker, WorkerState

from tunewiz.backends.machine.hardware import Sample, Sampler
from tunewiz.language import N_, translate
from tunewiz.printable import amount, printable
from tunewiz.tui.terminal.pacing import Turns
from tunewiz.tui.widgets.drawing import Line, Part, spread, wrap_text
from tunewiz.tui.widgets.plotting import bar
from tunewiz.tui.widgets.sheet import Sheet

SECONDS: Final = 3.0  # that a hub may take to answer


class Hub(NamedTuple):
    """A place that models come from, and whether it answered."""

    name: str
    reachable: bool


def models_here() -> int:
    """How many models the hubs' caches hold, whole or in part, and how many were installed as packages."""
    from tunewiz.backends.sources import catalogue, huggingface, modelscope
    from tunewiz.presets.families import known_models
    from tunewiz.presets.sections.model import Model

    folders = [*_inside(huggingface.cache(), "models--*"), *_inside(modelscope.cache() / "models", "*--*")]
    packages = catalogue()["starter"]
    return len(folders) + sum(packages.local(Model(id=known.size.id)) is not None for known in known_models())


def _inside(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.glob(pattern) if path.is_dir()] if folder.is_dir() else []


def hubs() -> tuple[Hub, ...]:
    """Hugging Face and ModelScope (or their mirrors, if the environment names some) and whether they answer now."""
    from tunewiz.backends.sources import huggingface, modelscope
    from tunewiz.backends.sources.asking import ask

    if huggingface.offline():
        return ()
    places = (("Hugging Face", huggingface.endpoint()), ("ModelScope", modelscope.endpoint()))
    return tuple(Hub(name, ask(address, SECONDS).status > 0) for name, address in places)


# The machine at a glance, for home.


INTERVAL = 2.0  # seconds between two looks


class GlancePanel(Sheet):
    """GPUs with their free memory, host memory, disk, cached models, hubs that answer."""

    class Looked(Message):
        """The machine was looked at."""

        def __init__(self, sample: Sample) -> None:
            super().__init__()
            self.sample = sample

    class Found(Message):
        """Caches and hubs were asked."""

        def __init__(self, models: int | None = None, hubs: tuple[Hub, ...] | None = None) -> None:
            super().__init__()
            self.models = models
            self.hubs = hubs

    def __init__(self, folder: Path, turns: Turns) -> None:
        """``turns`` say when its screen is seen."""
        super().__init__()
        self._folder = folder
        self._turns = turns
        self.sample: Sample | None = None
        self.models: int | None = None
        self.hubs: tuple[Hub, ...] | None = None

    def on_mount(self) -> None:
        """Look once the first frame is there."""
        self.relabel()
        self.call_after_refresh(self._look)
        self.call_after_refresh(self._ask)

    @work(thread=True, exit_on_error=False, group="machine")
    def _look(self) -> None:
        sampler = Sampler(self._folder)
        try:
            while self._turns.next(INTERVAL):
                self.post_message(self.Looked(sampler.take()))
        finally:
            sampler.close()

    @work(thread=True, exit_on_error=False, group="surroundings")
    def _ask(self) -> None:
        self.post_message(self.Found(models=models_here()))
        self.post_message(self.Found(hubs=hubs()))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What could not be found out is left out; the panel stays."""
        if event.state == WorkerState.ERROR:
            self.log.error(event.worker.error)

    def on_glance_panel_looked(self, message: Looked) -> None:
        """Show it."""
        self.sample = message.sample
        self.redraw()

    def on_glance_panel_found(self, message: Found) -> None:
        """Show it."""
        self.models = self.models if message.models is None else message.models
        self.hubs = self.hubs if message.hubs is None else message.hubs
        self.redraw()

    def relabel(self) -> None:
        """The language changed."""
        self.border_title = translate(N_("This machine"))
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """GPUs, then the rest, then what to know."""
        if self.sample is None:
            return [[(translate("Looking at the machine ..."), "dim")]]
        return [*self._gpus(self.sample, width, height), *self._rest(self.sample, width)]

    def _gpus(self, sample: Sample, width: int, height: int) -> list[Line]:
        if not sample.gpus:
            return [*wrap_text(translate("No NVIDIA GPU: the processor trains."), width, "dim"), []]
        drawn: list[Line] = []
        for gpu in sample.gpus:
            name: list[Part] = [(f"{gpu.index} ", "accent"), (printable(gpu.name.replace("NVIDIA ", ""), 40), "strong")]
            free = gpu.memory_free
            told = translate("{amount} free").format(amount=amount(free)) if free is not None else "—"
            drawn.append(spread(name, [(told, "plain")], width))
            if free is not None and gpu.memory_total and 2 * len(sample.gpus) + 7 < height:
                full, empty = bar(1 - free / gpu.memory_total, width)
                drawn.append([(full, "good"), (empty, "dim")])
        return [*drawn, []]

    def _rest(self, sample: Sample, width: int) -> list[Line]:
        def row(label: str, value: str, style: str = "plain") -> Line:
            return spread([(translate(label), "dim")], [(value, style)], width)

        free = N_("{amount} free")
        rows = [row(N_("RAM"), translate(free).format(amount=amount(sample.host_free)))]
        if sample.disk_free is not None:
            low = sample.disk_free < 10 << 30
            rows.append(
                row(N_("disk"), translate(free).format(amount=amount(sample.disk_free)), "warn" if low else "plain")
            )
        if self.models is not None:
            rows.append(row(N_("models on this machine"), str(self.models)))
        for hub in self.hubs or ():
            words, style = (N_("answers"), "good") if hub.reachable else (N_("cannot be reached"), "warn")
            rows.append(row(hub.name, translate(words), style))
        return rows
