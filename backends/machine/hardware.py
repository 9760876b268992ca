"""What the machine is: processor, memory, disk and GPUs (through NVML), without importing torch.

And how it fares while a run goes on.
"""

from __future__ import annotations

import platform
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tunewiz.backends.runs.process import process
from tunewiz.backends.runs.run import Run
from tunewiz.cores import usable_cores


@dataclass(frozen=True)
class Gpu:
    """One GPU as NVML sees it; ``None`` where a call is not supported or failed. Memory in bytes, power in watts."""

    index: int
    name: str
    memory_total: int | None = None
    memory_used: int | None = None
    utilisation: int | None = None
    temperature: int | None = None
    power: float | None = None
    driver: str = ""

    @property
    def memory_free(self) -> int | None:
        """Bytes free, if both numbers are known."""
        if self.memory_total is None or self.memory_used is None:
            return None
        return self.memory_total - self.memory_used


def host_free() -> int:
    """Bytes of host memory that this process can have without swapping, within the limits it was given.

    A container's limit (cgroup v2's ``memory.max``) and a shell's (``ulimit -v``, ``-d``) are below what the machine
    has free.
    """
    free = [int(psutil.virtual_memory().available), *_left_of_group(Path("/proc/self/cgroup")), *_left_of_limits()]
    return max(0, min(free))


def _left_of_group(file: Path, mount: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """What each control group that this process is in has left; none where there are none, or no limit."""
    try:
        inner = next(line[3:] for line in file.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return
    place = mount / inner.strip("/")
    for group in (place, *place.parents):
        if not group.is_relative_to(mount):
            return
        with suppress(OSError, ValueError):
            limit, used = ((group / name).read_text() for name in ("memory.max", "memory.current"))
            cached = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
            yield int(limit) - int(used) + (int(cached[1]) if cached else 0)


def _left_of_limits() -> Iterator[int]:
    with suppress(ImportError, psutil.Error, AttributeError):
        import resource

        used = psutil.Process().memory_info()
        for limit, taken in ((resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, used.data)):
            most = resource.getrlimit(limit)[0]
            if most != resource.RLIM_INFINITY:
                yield most - taken


def gpus() -> tuple[Gpu, ...]:
    """The GPUs of this machine; none where NVML is missing or fails."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = _text(_ask(pynvml.nvmlSystemGetDriverVersion) or "")
        return tuple(_gpu(pynvml, index, driver) for index in range(_ask(pynvml.nvmlDeviceGetCount) or 0))
    finally:
        _ask(pynvml.nvmlShutdown)


def most_free(cards: Iterable[Gpu]) -> int | None:
    """Bytes free on the GPU with the most room; ``None`` where that of none is known."""
    return max((card.memory_free for card in cards if card.memory_free is not None), default=None)


def _gpu(nvml: Any, index: int, driver: str) -> Gpu:
    device = _ask(nvml.nvmlDeviceGetHandleByIndex, index)
    if device is None:
        return Gpu(index, "?", driver=driver)
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, device)
    rates = _ask(nvml.nvmlDeviceGetUtilizationRates, device)
    milliwatts = _ask(nvml.nvmlDeviceGetPowerUsage, device)
    return Gpu(
        index=index,
        name=_text(_ask(nvml.nvmlDeviceGetName, device) or "?"),
        memory_total=memory.total if memory else None,
        memory_used=memory.used if memory else None,
        utilisation=rates.gpu if rates else None,
        temperature=_ask(nvml.nvmlDeviceGetTemperature, device, nvml.NVML_TEMPERATURE_GPU),
        power=milliwatts / 1000 if milliwatts is not None else None,
        driver=driver,
    )


def _ask(call: Any, *arguments: Any) -> Any:
    """The answer of an NVML call, ``None`` if this card, driver or container does not give it."""
    import pynvml

    try:
        return call(*arguments)
    except (pynvml.NVMLError, UnicodeDecodeError):  # pynvml decodes names, which a broken card may not have in UTF-8
        return None


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def describe(folder: Path) -> dict[str, Any]:
    """Facts for ``run.json``: processor, cores, memory and disk in bytes, GPUs."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": usable_cores(),
        "memory": psutil.virtual_memory().total,
        "disk_free": shutil.disk_usage(folder).free,
        "gpus": [asdict(gpu) for gpu in gpus()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


# Looking at the machine while a run goes on: GPUs, host memory, disk and the child's own memory.


@dataclass(frozen=True)
class Sample:
    """The machine at one moment. Memory and disk in bytes, ``None`` where unknown; ``load`` in per cent of all cores.

    ``child_memory`` is resident memory of the run's process and its own children, ``child_cpu`` the seconds they have
    computed so far, ``child_log`` when something was last written to the log.
    """

    time: float
    gpus: tuple[Gpu, ...] = ()
    host_total: int = 0
    host_used: int = 0
    load: float = 0.0
    disk_total: int | None = None
    disk_free: int | None = None
    child_memory: int | None = None
    child_cpu: float | None = None
    child_log: float | None = None

    @property
    def host_free(self) -> int:
        """Bytes of host memory that can still be had."""
        return self.host_total - self.host_used


class Sampler:
    """Takes a :class:`Sample` of the machine that holds ``folder``; for a run, of its child too.

    NVML stays initialised between :meth:`take` and :meth:`close`: starting it costs up to seconds on some drivers.
    A driver that goes away meanwhile leaves its fields ``None``.
    """

    def __init__(self, folder: Path, run: Run | None = None) -> None:
        self._folder = folder
        self._run = run
        self._held = False

    def take(self) -> Sample:
        """The machine now."""
        self._hold()
        memory = psutil.virtual_memory()
        disk = _disk(self._folder)
        use = child_use(self._run) if self._run else Use()
        return Sample(
            time=time.time(),
            gpus=gpus(),
            host_total=memory.total,
            host_used=memory.total - memory.available,
            load=psutil.cpu_percent(),
            disk_total=disk[0] if disk else None,
            disk_free=disk[1] if disk else None,
            child_memory=use.memory,
            child_cpu=use.cpu,
            child_log=last_written(self._run.log_file) if self._run else None,
        )

    def close(self) -> None:
        """Let NVML go."""
        if self._held:
            import pynvml

            self._held = False
            _quietly(pynvml.nvmlShutdown)

    def _hold(self) -> None:
        if not self._held:
            import pynvml

            self._held = _quietly(pynvml.nvmlInit)


def numbers(sample: Sample) -> dict[str, float]:
    """A sample as numbers by name: ``gpu0_memory`` and ``gpu0_total`` (bytes), ``gpu0_utilisation`` (per cent), of
    every card; ``load`` (per cent of all cores), ``host_memory`` and ``run_memory`` (bytes). Unknown ones are left out.
    """
    found: dict[str, float | None] = {"load": sample.load, "host_memory": float(sample.host_used)}
    found["run_memory"] = None if sample.child_memory is None else float(sample.child_memory)
    for card in sample.gpus:
        name = f"gpu{card.index}"
        found |= {f"{name}_memory": card.memory_used, f"{name}_total": card.memory_total}
        found[f"{name}_utilisation"] = card.utilisation
    return {name: value for name, value in found.items() if value is not None}


def _quietly(call: Callable[[], object]) -> bool:
    """Whether an NVML call went well."""
    import pynvml

    try:
        call()
    except pynvml.NVMLError:
        return False
    return True


def _disk(folder: Path) -> tuple[int, int] | None:
    """Total and free bytes of the disk that ``folder``, or the nearest parent that exists, is on."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.total, usage.free
    return None


class Use(NamedTuple):
    """What processes take: resident bytes, and seconds computed so far; ``None`` where that is not known."""

    memory: int | None = None
    cpu: float | None = None


def child_use(run: Run) -> Use:
    """What the child of ``run`` and its own children take; nothing is known when it is gone or on another machine."""
    child = process(run)
    if child is None:
        return Use()
    try:
        family = [child, *child.children(recursive=True)]
    except psutil.Error:
        family = [child]
    memory, cpu = 0, 0.0
    for member in family:
        try:
            memory += member.memory_info().rss
            times = member.cpu_times()
        except psutil.Error:
            continue
        cpu += times.user + times.system
    return Use(memory, cpu)


def last_written(file: Path) -> float | None:
    """When ``file`` was last written to, in seconds since the epoch; ``None`` if it is not there."""
    try:
        return file.stat().st_mtime
    except OSError:
        return None
