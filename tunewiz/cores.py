"""The cores that this process may use, which can be fewer than the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_GROUP: Final = Path("/proc/self/cgroup")
_MOUNT: Final = Path("/sys/fs/cgroup")
#: What libraries of numbers take their count of threads from; torch reads the first.
_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

#: How often a waiting thread of OpenMP (torch's is GNU's) looks again before it sleeps. By itself it looks for
#: milliseconds, on a core that another process could use: of two threads beside another load a step of training took
#: two to four times as long. With few turns an idle machine is as fast as before.
_WAITING: Final = ("GOMP_SPINCOUNT", "2000")
_WAITS: Final = ("OMP_WAIT_POLICY", _WAITING[0])


def granted_cores() -> int:
    """The cores that the scheduler may put this process on (``taskset``, cpusets)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores(group: Path = _GROUP, mount: Path = _MOUNT) -> int:
    """How many cores this process can keep busy: those granted, and no more than a container's share of time.

    A rented container of four cores on a host of 64 sees all 64; as many threads then wait for each other's turn. The
    share is cgroup v2's ``cpu.max`` or v1's ``cpu.cfs_quota_us`` (kernel documentation, cgroup-v2 and sched-bwc).
    """
    shares = [share for share in _shares(group, mount) if share > 0]
    return max(1, min([granted_cores(), *(math.ceil(share) for share in shares)]))


def _shares(group: Path, mount: Path) -> Iterator[float]:
    """Cores' worth of time that each control group around this process gets; none where nothing limits it."""
    with suppress(OSError, ValueError):
        for line in group.read_text(encoding="utf-8").splitlines():
            _, controllers, inner = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            root = mount / controllers if controllers else mount
            place = root / inner.strip("/")
            for folder in (place, *place.parents):
                if not folder.is_relative_to(root):
                    break
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield _share_v1(folder) if controllers else _share_v2(folder)


def _share_v2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
    return int(quota) / int(period)  # "max" is no number: nothing limits it here


def _share_v1(folder: Path) -> float:
    quota, period = (
        int((folder / name).read_text(encoding="ascii")) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    )
    return quota / period  # -1 where nothing limits it


def threads(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to a child's environment so that it begins no more threads than it can keep busy, and that those
    which wait leave their core to others; nothing that the user has said.
    """
    found = {} if any(environment.get(name) for name in _WAITS) else dict((_WAITING,))
    usable = usable_cores()
    if usable >= granted_cores() or any(environment.get(name) for name in _THREADS):
        return found
    return found | {_THREADS[0]: str(usable)}
