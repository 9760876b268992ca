"""What this machine has, what can be reached from it, and what keeps a task from running here.

Nothing heavy is imported: torch is asked in a child, hubs and disks in threads, each with a time limit.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from tunewiz import registry
from tunewiz.backends import engines, evaluate, negatives, sources, trackers
from tunewiz.backends.export import targets
from tunewiz.backends.machine import torch_probe
from tunewiz.backends.machine.hardware import describe
from tunewiz.backends.machine.precision import cpu_has_bf16
from tunewiz.backends.sources import huggingface, modelscope
from tunewiz.backends.sources.asking import Answer, all_in_time, ask
from tunewiz.data.formats.format import formats
from tunewiz.presets import losses, methods
from tunewiz.problems import Problem

# Which packages each extra of Tunewiz asks for, which are here, and which have a version that does not fit.


DISTRIBUTION: Final = "tunewiz"


@dataclass(frozen=True)
class Package:
    """A package that is asked for; ``version`` is empty when it is not installed."""

    name: str
    asked: str
    version: str

    @property
    def good(self) -> bool:
        """Whether it is here in a version that fits."""
        return bool(self.version) and Requirement(f"{self.name}{self.asked}").specifier.contains(
            self.version, prereleases=True
        )


def packages(extra: str) -> tuple[Package, ...]:
    """What ``tunewiz[extra]`` asks for, those of extras it includes too; nothing where Tunewiz is not installed."""
    found = {package.name: package for package in _asked(extra, frozenset())}
    return tuple(found.values())


def extras() -> Mapping[str, tuple[Package, ...]]:
    """Every extra that users may want."""
    return {name: packages(name) for name in _extras() if name not in ("dev", "all")}


def _extras() -> list[str]:
    try:
        return metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []


def _asked(extra: str, above: frozenset[str]) -> Iterator[Package]:
    for text in _requirements():
        wanted = Requirement(text)
        if wanted.marker is None or not wanted.marker.evaluate({"extra": extra}) or wanted.marker.evaluate():
            continue
        if wanted.name == DISTRIBUTION:
            for inner in wanted.extras - above - {extra}:
                yield from _asked(inner, above | {extra})
        else:
            yield Package(wanted.name, str(wanted.specifier), version_of(wanted.name))


def _requirements() -> list[str]:
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []


def version_of(name: str) -> str:
    """The installed version, empty if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


#: The extra that a task needs, where it is not the one for retrieval.
_EXTRAS: Final = {"llm": "llm"}
_HUB_SECONDS: Final = 3.0  # a hub behind a slow line answers in one; a firewall that drops packets never does
_DISK_SECONDS: Final = 5.0  # caches of a hundred thousand files on a network disk are not counted to the end


@dataclass(frozen=True)
class Hub:
    """A place that models come from: its address, whether it answers, and after how long or why not."""

    name: str
    address: str
    reachable: bool
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Folder:
    """A folder that fills: bytes in it (``None``: not counted in time) and bytes free on its disk."""

    name: str
    path: Path
    used: int | None
    free: int | None


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was looked at. ``torch`` is what :mod:`tunewiz.backends.machine.torch_probe` prints."""

    python: str
    tunewiz: str
    hardware: Mapping[str, Any]
    cpu_bf16: bool
    torch: Mapping[str, Any]
    extras: Mapping[str, tuple[Package, ...]]
    needed: Mapping[str, tuple[Package, ...]]
    hubs: tuple[Hub, ...]
    offline: bool
    folders: tuple[Folder, ...]

    def missing(self, task: str) -> tuple[Package, ...]:
        """What ``task`` needs and is not here, or not in a version that fits."""
        return tuple(package for package in self.needed[task] if not package.good)

    def runs(self, task: str) -> bool:
        """Whether presets of ``task`` can run here at all."""
        there = all(package.version for package in self.needed[task])
        return there and bool(self.needed[task]) and "fault" not in self.torch


def diagnose(tasks: Iterable[str], runs: Path) -> Diagnosis:
    """Look at everything at once; a few seconds, most of them torch's."""
    questions: dict[str, Callable[[], Any]] = {
        "torch": torch_probe.ask,
        "hubs": hubs,
        "folders": partial(folders, runs),
    }
    # Each question has its own limit; five seconds more let the slowest tell that it met its own.
    found: dict[str, Any] = all_in_time(questions, torch_probe.SECONDS + 5.0)
    for answer in found.values():
        if isinstance(answer, BaseException):
            raise answer
    return Diagnosis(
        python=sys.version.split()[0],
        tunewiz=version_of("tunewiz"),
        hardware=describe(_existing(runs)) | {"machine": platform.machine()},
        cpu_bf16=cpu_has_bf16(),
        torch=found["torch"] or {"fault": "no answer"},
        extras=extras(),
        needed={task: packages(_EXTRAS.get(task, "retrieval")) for task in tasks},
        hubs=found["hubs"] or (),
        offline=huggingface.offline(),
        folders=found["folders"] or (),
    )


def hubs() -> tuple[Hub, ...]:
    """Hugging Face and ModelScope, or their mirrors, asked at once; none where the network is forbidden."""
    if huggingface.offline():
        return ()
    places = {"Hugging Face": huggingface.endpoint(), "ModelScope": modelscope.endpoint()}
    questions = {name: partial(_timed, address) for name, address in places.items()}
    # A second more than each may take: names are looked up before, which no limit of ours bounds.
    answers = all_in_time(questions, _HUB_SECONDS + 1.0)
    return tuple(_hub(name, _without_login(places[name]), answer) for name, answer in answers.items())


def _without_login(address: str) -> str:
    """``address`` without the user and password that a mirror's may hold."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _timed(address: str) -> tuple[Answer, float]:
    begun = time.monotonic()
    return ask(address, _HUB_SECONDS), time.monotonic() - begun


def _hub(name: str, address: str, found: tuple[Answer, float] | BaseException | None) -> Hub:
    if isinstance(found, BaseException):
        raise found
    if found is None:
        return Hub(name, address, False, reason="no answer in time")
    answer, seconds = found
    return Hub(name, address, answer.status > 0, seconds, answer.reason.text() if answer.reason else "")


def folders(runs: Path) -> tuple[Folder, ...]:
    """Where runs and the hubs' caches lie, and how much room there is."""
    places = {"runs": runs, "Hugging Face": huggingface.cache(), "ModelScope": modelscope.cache()}
    sizes = all_in_time({name: partial(_bytes_in, path) for name, path in places.items()}, _DISK_SECONDS)
    return tuple(Folder(name, path, _known(sizes[name]), _free(path)) for name, path in places.items())


def _known(size: int | BaseException | None) -> int | None:
    return size if isinstance(size, int) else None


def _bytes_in(folder: Path) -> int:
    """Bytes of the files in ``folder``; links, with which caches point to their blobs, are not followed."""
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue  # gone meanwhile, or not ours to read
    return total


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        return None


def _existing(folder: Path) -> Path:
    """``folder``, or the nearest parent that is there."""
    return next((place for place in (folder, *folder.parents) if place.is_dir()), Path("/"))


def plugin_problems() -> list[Problem]:
    """What is wrong with the plug-ins that are installed; every room that takes some is looked through."""
    losses.rerankers()
    for room in (losses, methods, engines, evaluate, negatives, sources, targets, trackers):
        room.catalogue()
    formats()
    return registry.problems()
