"""One registry for everything that can be added by adding a class: formats, losses, engines, exports ...

Ours lie in a *room*, a package whose modules define them; a third party announces its own by an entry point, so that
nobody has to fork. In the third party's ``pyproject.toml``::

    [project.entry-points."tunewiz.losses"]
    hardest = "their_package.losses:Hardest"

A class counts where it is defined, not where it is imported; abstract classes are passed over. On equal names ours win.
What a third party brings and does not load is reported by :func:`problems` and never takes Tunewiz down.
"""

from __future__ import annotations

import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from tunewiz.problems import Problem, Where, say, warning

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

K = TypeVar("K")

_problems: dict[str, Problem] = {}
_bases: dict[str, list[type]] = {}  # by group: two registries may share one


def problems() -> list[Problem]:
    """What was wrong with the plug-ins met so far (``plugin-broken``, ``plugin-name``, ``plugin-kind``; warnings)."""
    return list(_problems.values())


def _attribute(kind: Any) -> object:
    return getattr(kind, "name", None)


def field_default(field: str) -> Callable[[Any], object]:
    """For classes that are pydantic models: they go by the default of ``field``."""

    def named(kind: Any) -> object:
        known = getattr(kind, "model_fields", {}).get(field)
        return known.default if known is not None else None

    return named


class Registry(Generic[K]):
    """The concrete subclasses of ``base`` by name, in alphabetical order: those of ``room``, then those announced.

    ``group`` is the entry-point group without its prefix (``"losses"`` for ``tunewiz.losses``; empty: none), ``named``
    tells the name of a class, ``besides`` is a base whose subclasses belong to another registry of the same group.
    With ``by_module`` each module (or folder) of the room brings in one class that goes by its name: names are known,
    and a class is found, without importing the others.
    """

    def __init__(
        self,
        room: str,
        base: Callable[..., K],  # mypy takes no abstract class where a type[K] is wanted
        group: str = "",
        *,
        named: Callable[[Any], object] = _attribute,
        besides: type | None = None,
        by_module: bool = False,
    ) -> None:
        self.room, self.base, self.group = room, cast("type[K]", base), group
        self._named, self._besides, self._by_module = named, besides, by_module
        self._found: Mapping[str, type[K]] | None = None
        _bases.setdefault(group, []).append(self.base)

    def classes(self) -> Mapping[str, type[K]]:
        """Every class by its name.

        Nothing is locked, two threads may both look: a lock held during an import waits for another thread's import,
        which may itself ask a registry (``functools.cached_property`` of Python 3.11 has one lock for all instances).
        """
        if self._found is None:
            self._found = self._all()
        return self._found

    def names(self) -> tuple[str, ...]:
        """Every name, in alphabetical order; with ``by_module`` nothing is imported for it."""
        if not self._by_module:
            return tuple(self.classes())
        return tuple(sorted({*_modules(self.room), *(point.name for point in _announced(self.group))}))

    def find(self, name: str) -> type[K] | None:
        """The class called ``name``."""
        if not self._by_module:
            return self.classes().get(name)
        if name in _modules(self.room):
            module = import_module(f"{self.room}.{name}")
            return next(
                (kind for kind in vars(module).values() if self._is_ours(kind) and self._named(kind) == name), None
            )
        return next((kind for kind in self._theirs() if self._named(kind) == name), None)

    def _all(self) -> Mapping[str, type[K]]:
        found: dict[str, type[K]] = {}
        if self._by_module:
            every = ((name, self.find(name)) for name in self.names())
            return {name: kind for name, kind in every if kind is not None}
        for kind in self._defined():
            found[str(self._named(kind))] = kind
        for kind in self._theirs():
            if (name := str(self._named(kind))) in found:
                message = say("The plug-in {name} is passed over: the name is taken.", name=f"{kind.__module__}:{name}")
                _problems[f"{kind.__module__}:{name}"] = warning("plugin-name", message)
            found.setdefault(name, kind)
        return dict(sorted(found.items()))

    def _defined(self) -> Iterator[type[K]]:
        for name in _modules(self.room):
            module = import_module(f"{self.room}.{name}")
            for kind in list(vars(module).values()):
                if self._is_ours(kind) and kind.__module__ == module.__name__:
                    yield kind

    def _theirs(self) -> Iterator[type[K]]:
        for point in _announced(self.group):
            kind = _loaded(self.group, point)
            if kind is not None and self._is_ours(kind):
                yield kind

    def _is_ours(self, kind: Any) -> bool:
        if not (inspect.isclass(kind) and issubclass(kind, self.base)) or inspect.isabstract(kind):
            return False
        return isinstance(self._named(kind), str) and not (self._besides and issubclass(kind, self._besides))


@cache
def _modules(room: str) -> tuple[str, ...]:
    """The names of the modules in ``room``; none is imported but the room itself."""
    return tuple(sorted(item.name for item in pkgutil.iter_modules(import_module(room).__path__)))


@cache
def _announced(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of ``tunewiz.<group>``."""
    if not group or not _somebody_announces():
        return ()
    from importlib.metadata import entry_points

    return tuple(entry_points(group=f"tunewiz.{group}"))


@cache
def _somebody_announces() -> bool:
    """Whether any installed package names an entry point of ours.

    importlib.metadata costs 0.2 s of the first screen (its import, and parsing 190 packages); nearly always nobody
    does, and that is found out by looking for the bare words in 4 ms.
    """
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as entries:
                known = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
        except OSError:  # a zip file, or a folder that is not there
            continue
        for path in known:
            try:
                with open(os.path.join(path, "entry_points.txt"), "rb") as stream:  # noqa: PTH118, PTH123  pathlib doubles it
                    if b"[tunewiz." in stream.read():
                        return True
            except OSError:
                continue
    return False


@cache
def _loaded(group: str, point: EntryPoint) -> type | None:
    """The class an entry point names; what is wrong with it is kept for :func:`problems`."""
    try:
        kind: Any = point.load()
    except Exception as fault:  # noqa: BLE001  whatever a stranger's module raises while it is imported
        message = say(
            "The plug-in {name} ({place}) cannot be loaded: {what}", name=point.name, place=point.value, what=str(fault)
        )
        fix = say("Update or remove the package it comes from.")
        _problems[f"{group}:{point.name}"] = warning("plugin-broken", message, Where(), fix)
        return None
    if inspect.isclass(kind) and any(issubclass(kind, base) for base in _bases[group]):
        return cast("type", kind)
    wanted = " / ".join(base.__name__ for base in _bases[group])
    message = say("The plug-in {name} ({place}) is no {kind}.", name=point.name, place=point.value, kind=wanted)
    _problems[f"{group}:{point.name}"] = warning("plugin-kind", message)
    return None
