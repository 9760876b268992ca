"""The machine: each GPU, host memory, disk, and what the run itself takes."""

from __future__ import annotations

from collections.abc import Sequence

from tunewiz.backends.machine.hardware import Gpu, Sample
from tunewiz.language import N_, translate
from tunewiz.printable import amount, printable
from tunewiz.tui.panels.panel import Panel, View
from tunewiz.tui.widgets.drawing import Line, join_groups
from tunewiz.tui.widgets.plotting import bar, sparkline

WIDE = 70  # cells from which a GPU has its graphs on one line


class HardwarePanel(Panel):
    """GPUs first, a line each (two where there is room), then the host."""

    TITLE = N_("Machine")

    def show(self, view: View) -> None:
        """Render ``view``; the panel is as high as its machine needs, if the screen is."""
        self.view = view
        width = self.content_size.width
        if view.sample is not None and width:
            screen = self.app.size.height
            most = screen // 3 if screen >= 30 else 3
            wanted = min(len(self._all_lines(view, view.sample, width, most)), most) + 2
            if wanted != self.outer_size.height and not self.has_class("-maximized"):
                self.styles.height = wanted  # only then: a new height lays out and repaints the whole screen
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """As many GPUs as fit; what is left out is counted."""
        view = self.view
        if view is None or view.sample is None:
            return [[(translate("Looking at the machine ..."), "dim")]]
        drawn = self._all_lines(view, view.sample, width, height)
        if len(drawn) <= height:
            return drawn
        hidden = len(view.sample.gpus) - height + 1
        return [*drawn[: height - 1], [(translate("{count} more GPUs: zoom in").format(count=hidden), "dim")]]

    def _all_lines(self, view: View, sample: Sample, width: int, height: int) -> list[Line]:
        host = host_lines(sample, width)
        if not sample.gpus:
            return [[(translate("No NVIDIA GPU: the processor trains."), "dim")], *host]
        tall = width < WIDE and 2 * len(sample.gpus) + len(host) <= height
        drawn: list[Line] = []
        # Of many cards the run's own are seen first, on however small a screen.
        for gpu in sorted(sample.gpus, key=lambda gpu: gpu.index not in view.cards):
            history = [_utilisation(earlier, gpu.index) for earlier in view.samples]
            names = max(len(_short(other.name)) for other in sample.gpus)
            beside = bool(view.cards) and gpu.index not in view.cards
            drawn += gpu_lines(gpu, history, width, tall, names, self.ascii_only, beside)
        return [*drawn, *host]


def _utilisation(sample: Sample, index: int) -> float | None:
    return next((gpu.utilisation for gpu in sample.gpus if gpu.index == index), None)


def gpu_lines(
    gpu: Gpu,
    history: Sequence[float | None],
    width: int,
    tall: bool,
    names: int,
    ascii_only: bool = False,
    beside: bool = False,
) -> list[Line]:
    """One GPU on one line, or ``tall`` on two; what NVML did not answer shows as a dash.

    ``beside``: another run's, or nobody's.
    """
    marks = ("dim", "dim") if beside else ("accent", "strong")
    name: Line = [(f"{gpu.index} ", marks[0]), (_short(gpu.name).ljust(names), marks[1])]
    busy: Line = [(_or_dash(gpu.utilisation, "{:d}%").rjust(4), "strong")]
    memory: Line = [(_memory(gpu), "plain")]
    heat: Line = [(_or_dash(gpu.temperature, "{:d}°C"), _heat(gpu.temperature))]
    power: Line = [(_or_dash(gpu.power, "{:.0f} W"), "dim")]
    if not tall and width < WIDE:
        return [join_groups([name, busy, memory, heat, power], width, " ")]
    room = max(6, min(40, (width - (0 if tall else names + 34) - 26) // 2))
    graph: Line = [(sparkline(history, room, ascii_only=ascii_only), "raw")]
    share = gpu.memory_used / gpu.memory_total if gpu.memory_used is not None and gpu.memory_total else 0.0
    full, empty = bar(share, room)
    held: Line = [(full, "warn" if share > 0.95 else "good"), (empty, "dim"), (" ", "plain"), *memory]
    if tall:
        return [join_groups([name, heat, power], width), join_groups([[*busy, (" ", "plain"), *graph], held], width)]
    return [join_groups([name, [*busy, (" ", "plain"), *graph], held, heat, power], width)]


def host_lines(sample: Sample, width: int) -> list[Line]:
    """Host memory and disk, and what the run uses now; its peak is told in the status line."""
    known: list[Line] = [
        _labelled(N_("RAM"), _of(sample.host_used, sample.host_total)),
    ]
    if sample.disk_free is not None:
        known.append(_labelled(N_("disk"), translate("{amount} free").format(amount=amount(sample.disk_free))))
    own: list[Line] = [_labelled(N_("processor"), f"{sample.load:.0f}%")]
    if sample.child_memory is not None:
        own.append(_labelled(N_("this run"), amount(sample.child_memory)))
    together = join_groups([*known, *own], width)
    if together == join_groups([*known, *own], 1 << 16):
        return [together]
    return [join_groups(known, width), join_groups(own, width)]


def _labelled(label: str, text: str) -> Line:
    return [(f"{translate(label)} ", "dim"), (text, "plain")]


def _of(used: int, total: int) -> str:
    return f"{used / (1 << 30):.1f}/{amount(total)}"


def _memory(gpu: Gpu) -> str:
    if gpu.memory_used is None or gpu.memory_total is None:
        return "—"
    return _of(gpu.memory_used, gpu.memory_total).rjust(13)


def _or_dash(value: float | None, shape: str) -> str:
    return "—" if value is None else shape.format(value)


def _heat(degrees: int | None) -> str:
    return "plain" if degrees is None or degrees < 80 else "warn" if degrees < 88 else "bad"


def _short(name: str) -> str:
    """The card's name without the words that are on all of them."""
    return printable(name.replace("NVIDIA ", "").replace("GeForce ", ""), 24)
