"""Which packages each extra of Tunewiz asks for, which are here, and which have a version that does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement

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
