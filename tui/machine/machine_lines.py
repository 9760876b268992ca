"""The machine in lines: cards, runs of everybody, processes; for the screen and for a pipe."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.cells import cell_len

from tunewiz.backends.machine.hardware import Sample, Sampler
from tunewiz.backends.machine.places import holders, waiting
from tunewiz.backends.machine.processes import (
    CardProcess,
    HostProcess,
    Processes,
    RunProcess,
    card_processes,
    largest,
)
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.printable import amount, duration, printable
from tunewiz.tui.outcome import Listed, queue_lines
from tunewiz.tui.panels.hardware import gpu_lines, host_lines
from tunewiz.tui.widgets.drawing import Line, Part, fit

HISTORY: Final = 300  # samples kept
PROCESSES: Final = 12  # of the machine that are told where there is no GPU


@dataclass(frozen=True)
class Going:
    """A run that goes on: its process, and how it stands where its files may be read."""

    process: RunProcess
    state: RunState | None

    @property
    def run(self) -> Run:
        """Its directory."""
        return Run(self.process.directory)


@dataclass(frozen=True)
class Look:
    """The machine at one moment; ``samples`` run from old to new."""

    samples: tuple[Sample, ...]
    runs: tuple[Going, ...] = ()
    cards: tuple[CardProcess, ...] = ()
    queue: tuple[str, ...] = ()
    largest: tuple[HostProcess, ...] = ()
    now: float = field(default_factory=time.time)


class MachineLooks:
    """Looks at the machine again and again; of runs that may be read, only what is new is."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds the user's runs: also those that another machine or a container carries."""
        self._folder = folder
        self._sampler = Sampler(folder)
        self._samples: deque[Sample] = deque(maxlen=HISTORY)
        self._processes = Processes()
        self._followers: dict[Path, Follower] = {}

    def look(self) -> Look:
        """The machine now."""
        self._samples.append(self._sampler.take())
        found = {one.directory: one for one in self._processes.runs()}
        for run in all_runs(self._folder):
            if run.directory not in found and alive(run):
                found[run.directory] = RunProcess(run.directory, 0, "", 0.0)
        self._followers = {place: self._followers.get(place) or Follower(Run(place)) for place in found}
        ordered = sorted(found.items(), key=lambda one: one[0].parent != self._folder)  # one's own come first
        going = tuple(Going(one, self._state(place)) for place, one in ordered)
        cards = card_processes() if self._samples[-1].gpus else ()
        beside = () if self._samples[-1].gpus else largest(PROCESSES)
        return Look(tuple(self._samples), going, cards, tuple(queue_lines()), beside)

    def _state(self, place: Path) -> RunState | None:
        """How the run stands; ``None`` for somebody else's, whose folder is closed."""
        state, _ = self._followers[place].update()
        return None if state.status == "unreadable" or not state.name or not state.updated else state

    def close(self) -> None:
        """Let the driver go."""
        self._sampler.close()


def lines(look: Look, width: int, chosen: int | None = None, ascii_only: bool = False) -> list[Line]:
    """Cards and host, then runs, then processes; ``chosen`` is the place of the run under the cursor."""
    sample = look.samples[-1]
    drawn: list[Line] = []
    for gpu in sample.gpus:
        history = [
            next((card.utilisation for card in earlier.gpus if card.index == gpu.index), None)
            for earlier in look.samples
        ]
        drawn += gpu_lines(gpu, history, width, False, max(len(one.name) for one in sample.gpus), ascii_only)
    if not sample.gpus:
        drawn.append([(translate("No NVIDIA GPU: the processor trains."), "dim")])
    drawn += [*host_lines(sample, width), []]
    drawn += _runs(look, width, chosen)
    drawn += [[(line, "plain" if line.startswith(" ") else "accent")] for line in look.queue]
    drawn += [[], *(_card_rows(look, width) if sample.gpus else _host_rows(look, width))]
    return [fit(line, width) for line in drawn]


def _runs(look: Look, width: int, chosen: int | None) -> list[Line]:
    heading: list[Line] = [[(translate(N_("Runs that go on")), "accent")]]
    if not look.runs:
        return [*heading, [(translate(N_("None.")), "dim")]]
    rows = [_run_cells(one, look.now) for one in look.runs]
    titles = [translate(title) for title in (N_("run"), N_("user"), N_("stage"), N_("since"), "CPU", N_("RAM"))]
    return heading + _table(titles, rows, width, (28, 10, 26, 10, 6, 10), chosen)


def _run_cells(one: Going, now: float) -> list[Part]:
    process = one.process
    since = process.since or (one.state.started if one.state else 0.0)
    told = Listed(one.run, one.state, True).progress if one.state else translate(N_("not yours: not readable"))
    return [
        (printable(process.directory.name), "strong"),
        (printable(process.user) or "—", "plain"),
        (told, "plain" if one.state else "dim"),
        (duration(now - since) if since else "—", "dim"),
        ("—" if process.cpu is None else f"{process.cpu:.0f}%", "plain"),
        ("—" if process.memory is None else amount(process.memory), "plain"),
    ]


def _card_rows(look: Look, width: int) -> list[Line]:
    heading: list[Line] = [[(translate(N_("Processes on GPUs")), "accent")]]
    if not look.cards:
        return [*heading, [(translate(N_("None that the driver tells of.")), "dim")]]
    hidden = translate(N_("(outside this container)"))
    rows: list[list[Part]] = [
        [
            (str(one.card), "accent"),
            (str(one.pid), "plain"),
            (printable(one.user) or "—", "plain"),
            ("—" if one.memory is None else amount(one.memory), "strong"),
            (printable(one.command, 300) or hidden, "plain" if one.command else "dim"),
        ]
        for one in look.cards
    ]
    titles = ["GPU", "PID", translate(N_("user")), translate(N_("GPU memory")), translate(N_("command"))]
    return heading + _table(titles, rows, width, (4, 9, 12, 11, 0))


def _host_rows(look: Look, width: int) -> list[Line]:
    rows: list[list[Part]] = [
        [
            (str(one.pid), "plain"),
            (printable(one.user) or "—", "plain"),
            (amount(one.memory), "strong"),
            (printable(one.command, 300), "plain"),
        ]
        for one in look.largest
    ]
    titles = ["PID", translate(N_("user")), translate(N_("RAM")), translate(N_("command"))]
    heading: list[Line] = [[(translate(N_("Processes with the most memory")), "accent")]]
    return heading + _table(titles, rows, width, (9, 12, 11, 0))


_LEAST: Final = 8  # cells that a column of words keeps


def _table(
    titles: Sequence[str], rows: Sequence[Sequence[Part]], width: int, sizes: Sequence[int], chosen: int | None = None
) -> list[Line]:
    """Columns of the given cells and wider where what stands in them is, if there is room; 0 takes the rest."""
    columns = zip(titles, *([text for text, _ in row] for row in rows), strict=True)
    needed = [1 + max(map(cell_len, column)) for column in columns]
    widths = [max(size, need) if size else 10 for size, need in zip(sizes, needed, strict=True)]
    excess = sum(widths) + 2 - width
    for place, (size, need) in enumerate(zip(sizes, needed, strict=True)):
        cut = min(max(0, excess), max(0, size - need))
        widths[place] -= cut
        excess -= cut
    while excess > 0 and max(widths) > _LEAST:  # the longest names give way, not numbers
        widths[widths.index(max(widths))] -= 1
        excess -= 1
    if 0 in sizes and excess < 0:
        widths[sizes.index(0)] -= excess
    drawn: list[Line] = [_row([(title, "dim") for title in titles], widths, "  ")]
    for place, row in enumerate(rows):
        drawn.append(_row(row, widths, "▸ " if place == chosen else "  "))
    return drawn


def _row(cells: Sequence[Part], widths: Sequence[int], mark: str) -> Line:
    line: list[Part] = [(mark, "accent")]
    for (text, style), size in zip(cells, widths, strict=True):
        line += [*fit([(text, style)], size - 1), (" ", "plain")]
    return line


def as_json(look: Look) -> dict[str, Any]:
    """The same for a program: sizes in bytes, times in seconds, utilisation in per cent."""
    sample = look.samples[-1]
    return {
        "gpus": [
            {
                "index": gpu.index, "name": gpu.name, "memory_used": gpu.memory_used, "memory_total": gpu.memory_total,
                "utilisation": gpu.utilisation, "temperature": gpu.temperature, "power": gpu.power,
                "processes": [
                    {"pid": one.pid, "user": one.user, "memory": one.memory, "command": one.command}
                    for one in look.cards if one.card == gpu.index
                ],
            }
            for gpu in sample.gpus
        ],
        "queue": {
            "holders": [one._asdict() for one in holders()], "waiting": [one._asdict() for one in waiting()],
        },
        "memory_used": sample.host_used, "memory_total": sample.host_total, "load": sample.load,
        "runs": [
            {
                "name": one.run.name, "directory": str(one.run.directory), "user": one.process.user,
                "pid": one.process.pid, "since": one.process.since, "memory": one.process.memory,
                "readable": one.state is not None, "stage": one.state.stage if one.state else "",
                "step": one.state.step if one.state else 0, "total": one.state.total if one.state else 0,
            }
            for one in look.runs
        ],
    }  # fmt: skip
