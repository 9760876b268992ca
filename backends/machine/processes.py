"""Who is at work on this machine: runs of Tunewiz, whoever's they are, and what computes on each GPU.

Everything is read from what the system shows to everybody; nothing of other people's files is opened.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

_WORKER: Final = "tunewiz.backends.runs.worker"
_KEEPER: Final = "tunewiz.backends.runs.keeper"


@dataclass(frozen=True)
class RunProcess:
    """A run that goes on: its directory, who started it and when, what its child and that one's children take.

    ``cpu`` is in per cent of one core since the last look, ``memory`` in resident bytes; ``None`` where not known.
    """

    directory: Path
    pid: int
    user: str
    since: float
    cpu: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class CardProcess:
    """A process on a GPU; ``memory`` in bytes. User and command are "" where its id is of another namespace."""

    card: int
    pid: int
    memory: int | None
    user: str = ""
    command: str = ""


class Processes:
    """Looks again and again; how much is computed is told between two looks."""

    def __init__(self) -> None:
        self._spent: dict[int, tuple[float, float]] = {}

    def runs(self) -> tuple[RunProcess, ...]:
        """Every run that goes on, the oldest first. Of one that waits for its next child there is the keeper."""
        found: dict[Path, RunProcess] = {}
        now = time.monotonic()
        seen: dict[int, tuple[float, float]] = {}
        for process in psutil.process_iter(["pid", "cmdline", "username", "create_time"]):
            module, directory = run_of(process.info.get("cmdline") or ())
            if directory is None or (module == _KEEPER and directory in found):
                continue
            memory, spent = _use(process)
            cpu = None
            if spent is not None:
                before = self._spent.get(process.pid)
                seen[process.pid] = (now, spent)
                if before and now > before[0]:
                    cpu = max(0.0, 100 * (spent - before[1]) / (now - before[0]))
            user = str(process.info.get("username") or "?")
            since = float(process.info.get("create_time") or 0.0)
            found[directory] = RunProcess(directory, process.pid, user, since, cpu, memory)
        self._spent = seen
        return tuple(sorted(found.values(), key=lambda one: one.since))


def run_of(command: Sequence[str]) -> tuple[str, Path | None]:
    """The module and the run's directory of a process that carries a run; ``None`` for any other process."""
    for place, word in enumerate(command):
        if word in (_WORKER, _KEEPER) and place and command[place - 1] == "-m" and place + 1 < len(command):
            return word, Path(command[place + 1])
    return "", None


def _use(process: psutil.Process) -> tuple[int | None, float | None]:
    """Resident bytes and seconds computed, of a process and its children; ``None`` where it may not be looked at."""
    memory, spent = 0, 0.0
    try:
        for member in [process, *process.children(recursive=True)]:
            memory += member.memory_info().rss
            times = member.cpu_times()
            spent += times.user + times.system
    except psutil.Error:
        return (memory, spent) if memory else (None, None)
    return memory, spent


def card_processes() -> tuple[CardProcess, ...]:
    """What computes or draws on each GPU, by card and memory; none where NVML is missing or does not tell."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        found = list(_on_cards(pynvml))
    finally:
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            found = []
    return tuple(sorted(found, key=lambda one: (one.card, -(one.memory or 0), one.pid)))


def _on_cards(nvml: Any) -> Iterator[CardProcess]:
    for card in range(_ask(nvml, nvml.nvmlDeviceGetCount) or 0):
        handle = _ask(nvml, nvml.nvmlDeviceGetHandleByIndex, card)
        told: dict[int, int | None] = {}
        for call in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
            for one in _ask(nvml, call, handle) or ():
                told[one.pid] = one.usedGpuMemory
        for pid, memory in told.items():
            yield CardProcess(card, pid, memory, *_who(pid))


def _ask(nvml: Any, call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except nvml.NVMLError:
        return None


def _who(pid: int) -> tuple[str, str]:
    """User and command line of a process."""
    try:
        process = psutil.Process(pid)
        return process.username(), " ".join(process.cmdline()) or process.name()
    except (psutil.Error, KeyError):  # KeyError: an id of a user without a name
        return "", ""


@dataclass(frozen=True)
class HostProcess:
    """A process by what it holds; ``memory`` in resident bytes."""

    pid: int
    memory: int
    user: str
    command: str


def largest(most: int) -> tuple[HostProcess, ...]:
    """The processes with the most resident memory: what to look at where there is no GPU."""
    known = ((process.info.get("memory_info"), process) for process in psutil.process_iter(["memory_info"]))
    sizes = sorted(((info.rss, process.pid) for info, process in known if info is not None), reverse=True)[:most]
    return tuple(HostProcess(pid, memory, *_who(pid)) for memory, pid in sizes)
