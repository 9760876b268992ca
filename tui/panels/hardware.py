"""The machine: each GPU, host memory, disk, and what the run itself takes."""

from __future__ import annotations

from collections.abc import Sequence

from backends.runs.hardware import Gpu
from backends.runs.machine import Sample
from data.language import N_, translate
from data.printable import printable
from tui.numbers import amount
from tui.panels.base import Panel
from tui.watching import View
from tui.widgets.drawing import Line, Part, joined
from tui.widgets.plotting import bar, sparkline


class HardwarePanel(Panel):
    """GPUs first, a line each (two where there is room), then the host."""

    TITLE = N_("Machine")

    def show(self, view: View) -> None:
        """Render ``view``; the panel is as high as its machine needs, if the screen is."""
        self.view = view
        width = self.content_size.width
        if view.sample is not None and width:
            host = host_lines(view.sample, width, view.state.values.get("memory_peak"))
            cards = max(1, len(view.sample.gpus) * (2 if self.app.size.height >= 36 else 1))
            self.styles.height = min(cards + len(host), max(2, self.app.size.height // 3)) + 2
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """As many GPUs as fit; what is left out is counted."""
        view = self.view
        if view is None or view.sample is None:
            return [[(translate("Looking at the machine ..."), "dim")]]
        sample = view.sample
        host = host_lines(sample, width, view.state.values.get("memory_peak"))
        if not sample.gpus:
            return [[(translate("No NVIDIA GPU: the processor trains."), "dim")], *host]
        room = max(1, height - len(host)) if height > 3 else height
        tall = room >= 2 * len(sample.gpus)
        drawn: list[Line] = []
        for gpu in sample.gpus:
            history = [_utilisation(earlier, gpu.index) for earlier in view.samples]
            drawn += gpu_lines(gpu, history, width, tall, self.ascii_only)
        if len(drawn) > room:
            hidden = len(drawn) - room + 1
            drawn = [*drawn[: room - 1], [(translate("{count} more GPUs: zoom in").format(count=hidden), "dim")]]
        return [*drawn, *host]


def _utilisation(sample: Sample, index: int) -> float | None:
    return next((gpu.utilisation for gpu in sample.gpus if gpu.index == index), None)


def gpu_lines(
    gpu: Gpu, history: Sequence[float | None], width: int, tall: bool = False, ascii_only: bool = False
) -> list[Line]:
    """One GPU on one line or two; what NVML did not answer shows as a dash."""
    name: list[Part] = [(f"{gpu.index} ", "accent"), (_short(gpu.name), "strong")]
    busy: Line = [(_or_dash(gpu.utilisation, "{:3d}%"), "strong")]
    memory: Line = [(_memory(gpu), "plain")]
    feel: list[Line] = [[(_or_dash(gpu.temperature, "{:d}°C"), _heat(gpu.temperature))],
                        [(_or_dash(gpu.power, "{:.0f} W"), "dim")]]  # fmt: skip
    graph = sparkline(history, max(0, min(60, width // 5)), ascii_only=ascii_only)
    if not tall:
        return [joined([name, busy, memory, *feel, [(graph, "smooth")]], width)]
    share = gpu.memory_used / gpu.memory_total if gpu.memory_used is not None and gpu.memory_total else 0.0
    full, empty = bar(share, max(4, width // 4))
    return [
        joined([name, *feel], width),
        joined([[("  ", "plain"), *busy, (" ", "plain"), (graph, "smooth")],
                [(full, "warn" if share > 0.95 else "good"), (empty, "dim"), (" ", "plain"), *memory]], width),
    ]  # fmt: skip


def host_lines(sample: Sample, width: int, peak: float | None = None) -> list[Line]:
    """Host memory and disk, and what the run uses."""
    known: list[Line] = [
        _labelled(N_("memory"), _of(sample.host_used, sample.host_total)),
    ]
    if sample.disk_free is not None:
        known.append(_labelled(N_("disk"), translate("{amount} free").format(amount=amount(sample.disk_free))))
    own: list[Line] = [_labelled(N_("processor"), f"{sample.load:.0f}%")]
    if sample.child_memory is not None:
        own.append(_labelled(N_("this run"), amount(sample.child_memory)))
    if peak:
        own.append(_labelled(N_("its peak"), amount(peak)))
    together = joined([*known, *own], width)
    if together == joined([*known, *own], 1 << 16):
        return [together]
    return [joined(known, width), joined(own, width)]


def _labelled(label: str, text: str) -> Line:
    return [(f"{translate(label)} ", "dim"), (text, "plain")]


def _of(used: int, total: int) -> str:
    return f"{used / (1 << 30):.1f}/{amount(total)}"


def _memory(gpu: Gpu) -> str:
    if gpu.memory_used is None or gpu.memory_total is None:
        return "—"
    return _of(gpu.memory_used, gpu.memory_total)


def _or_dash(value: float | None, shape: str) -> str:
    return "—" if value is None else shape.format(value)


def _heat(degrees: int | None) -> str:
    return "plain" if degrees is None or degrees < 80 else "warn" if degrees < 88 else "bad"


def _short(name: str) -> str:
    """The card's name without the words that are on all of them."""
    return printable(name.replace("NVIDIA ", "").replace("GeForce ", ""), 24)
