"""What the machine is: processor, memory, disk and GPUs (through NVML), without importing torch."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil


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
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
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
