"""Places to compute: a GPU, or the processor, that one run at a time holds, among all users of the machine.

A place is a file in a folder that all users share, locked by who computes there and with its name in it; who waits has
a ticket beside them. A lock is the kernel's and ends with its last process; a record whose lock is free is an old one.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from tunewiz.backends.machine.hardware import Gpu, gpus
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.run import Run
from tunewiz.files import open_regular, parse_json
from tunewiz.language import translate
from tunewiz.paths import cache
from tunewiz.presets.yaml.tree import read_tree
from tunewiz.printable import printable

#: Names another folder than :data:`_SHARED`, for tests and for containers that mount one of the host's.
VARIABLE: Final = "TUNEWIZ_PLACES"
#: The descriptors that hold the places of a run, in the environment of its processes.
HELD: Final = "TUNEWIZ_PLACE_LOCKS"
_SHARED: Final = Path("/tmp/tunewiz-places")  # one for all users, whatever their TMPDIR
_AT_MOST: Final = 20.0  # seconds that a process may take to stand in line
_LOOK: Final = 0.05
_ROOM: Final = 1024  # bytes of a record, so that a shorter one leaves nothing of a longer one
#: A card on which others have more than this is not free. Drivers reserve up to half a GiB of an empty one, which
#: NVML counts as used; a desktop draws with some hundred MiB.
BUSY: Final = 1 << 30


def inherited() -> tuple[int, ...]:
    """The descriptors that whoever started this process handed down; from now on no other program inherits them."""
    found = tuple(int(word) for word in os.environ.pop(HELD, "").split(",") if word.isdecimal())
    for descriptor in found:
        os.set_inheritable(descriptor, False)
    return found


class Holder(NamedTuple):
    """Who computes in a place or waits for one; ``run`` is a name, ``since`` seconds since the epoch."""

    place: str
    user: str
    run: str
    pid: int
    since: float


@dataclass(frozen=True)
class Wish:
    """What a run asks for: any ``count`` of ``places``, and of those that are free at once up to ``most``.

    ``strict``: only cards on which nobody else computes.
    """

    run: str
    places: tuple[str, ...]
    count: int
    strict: bool = True
    most: int = 0


@dataclass(frozen=True)
class Place:
    """What a run got: the numbers of its cards (none: the processor) and the descriptors that hold them."""

    cards: tuple[int, ...] = ()
    descriptors: tuple[int, ...] = ()

    def environment(self) -> dict[str, str]:
        """What makes the run's processes compute there, by what CUDA reads (CUDA C++ Programming Guide, CUDA
        Environment Variables): NVML numbers the cards by their place on the PCI bus.
        """
        own = {HELD: ",".join(map(str, self.descriptors))} if self.descriptors else {}
        if self.cards:
            own |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, self.cards))}
        return own


def wish(run: Run, queued: bool) -> Wish | None:
    """What ``run`` asks for by ``launch`` in its preset; ``None``: nothing, as a sweep, whose runs ask each.

    One that is launched alone takes all cards that are free where ``processes`` is auto, one of a queue a single one.
    Of the processor only runs of a queue ask for a turn, which is their user's. Where ``CUDA_VISIBLE_DEVICES`` names
    cards, those are the ones; where it names them by another way than their numbers, nothing is asked for.
    """
    device, processes, sweep = _launch_keys(run.preset_file)
    if sweep:
        return None
    found = [] if device == "cpu" else gpus()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if found and named is not None:
        words = [word.strip() for word in named.split(",") if word.strip()]
        if not all(word.isdecimal() for word in words):
            return None
        found = [card for card in found if str(card.index) in words]
    if found:
        count = processes if isinstance(processes, int) else 1
        most = 0 if isinstance(processes, int) or queued else len(found)
        return Wish(run.name, tuple(f"gpu-{card.index}" for card in found), min(count, len(found)), queued, most)
    return Wish(run.name, (f"processor-{os.getuid()}",), 1) if queued else None


def _launch_keys(preset_file: Path) -> tuple[str, object, bool]:
    """``launch.device``, ``launch.processes`` and whether there is a sweep, without validating the preset; defaults
    where it cannot be read, which the run's child tells.
    """
    tree = read_tree(preset_file)
    if tree is None:
        return "auto", "auto", False
    device = str(tree.node(("launch", "device")) or "auto")
    return device, tree.node(("launch", "processes")), bool(tree.node(("sweep",)))


class Turn:
    """A run's turn on this machine: a ticket from when it is made until :meth:`close`."""

    def __init__(self, wanted: Wish, at: int | None = None) -> None:
        """``at``: nanoseconds since the epoch, by which turns are ordered. Raises ``OSError``."""
        self._wanted = wanted
        self._folder = folder()
        self._name = f"ticket-{at or time.time_ns():020d}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        record = _record(wanted.run) | {"places": list(wanted.places), "count": wanted.count}
        part = self._folder / f".{self._name}"
        self._ticket = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.fchmod(self._ticket, 0o644)
        fcntl.flock(self._ticket, fcntl.LOCK_EX)
        _write(self._ticket, record)
        part.rename(self._folder / self._name)

    def take(self) -> Place | None:
        """The places if it is this run's turn and they are free; ``None``: look again later. Raises ``OSError``."""
        wanted, cards = self._wanted, {f"gpu-{card.index}": card for card in gpus()}
        with _gate(self._folder):
            free = [place for place in _places(self._folder, wanted.places, cards) if not _held(self._folder, place)]
            quiet = [place for place in free if not is_busy(cards.get(place))]
            mine = self._after_others(quiet)[: max(wanted.count, wanted.most)]
            if len(mine) < wanted.count and not wanted.strict:
                emptiest = sorted(free, key=lambda place: _used(cards.get(place)))
                mine = self._after_others(emptiest)[: wanted.count]
            return self._taken(mine) if len(mine) >= wanted.count else None

    def _after_others(self, free: Sequence[str]) -> list[str]:
        """What of ``free`` is left once all who came before have theirs; one who lacks some keeps what there is."""
        left = list(free)
        for name, ticket in _tickets(self._folder):
            if name >= self._name:
                break
            wished, count = _wished(ticket)
            for place in [place for place in left if place in wished][:count]:
                left.remove(place)
        return [place for place in left if place in self._wanted.places]

    def _taken(self, places: Sequence[str]) -> Place | None:
        held: list[int] = []
        for place in places:
            descriptor = _locked(self._folder / place)
            if descriptor is None:  # by somebody who does not ask at the gate
                for one in held:
                    os.close(one)
                return None
            held.append(descriptor)
            with suppress(OSError):  # a file of another user's that may only be read
                _write(descriptor, _record(self._wanted.run))
        numbers = [int(place.removeprefix("gpu-")) for place in places if place.startswith("gpu-")]
        return Place(tuple(sorted(numbers)), tuple(held))

    def before(self) -> tuple[Holder, ...]:
        """Who holds what this run asks for, then who waits for it before this one."""
        return tuple(
            [one for one in holders(self._folder) if one.place in self._wanted.places]
            + [_holder("", ticket) for name, ticket in _tickets(self._folder) if name < self._name and self._in(ticket)]
        )

    def _in(self, ticket: dict[str, Any]) -> bool:
        return bool({*_wished(ticket)[0]} & {*self._wanted.places})

    def close(self) -> None:
        """Give the ticket back."""
        with suppress(OSError):
            (self._folder / self._name).unlink()
        os.close(self._ticket)


def is_busy(card: Gpu | None) -> bool:
    """Whether others have more memory of ``card`` than an idle one takes; of one that does not tell that is unknown."""
    return card is not None and (card.memory_used or 0) > BUSY


def _used(card: Gpu | None) -> int:
    return (card.memory_used or 0) if card else 0


def holders(place: Path | None = None) -> tuple[Holder, ...]:
    """Who computes where, by the locks in ``place`` (by default the machine's folder)."""
    where = place or folder()
    names = sorted(path.name for path in _listed(where) if path.name.startswith(("gpu-", "processor-")))
    return tuple(_holder(name, _read(where / name)) for name in names if _held(where, name))


def cards_of(run: str) -> frozenset[int]:
    """The numbers of the cards that the run of this name holds."""
    try:
        held = [one.place.removeprefix("gpu-") for one in holders() if one.run == run]
    except OSError:
        return frozenset()  # nothing is shared here
    return frozenset(int(number) for number in held if number.isdecimal())


def told(one: Holder) -> str:
    """Where, who and what run, in the current language; harmless for a terminal, whoever wrote the record."""
    kind, _, number = one.place.partition("-")
    where = {"gpu": f"GPU {printable(number, 8)}: ", "processor": f"{translate('processor')}: "}.get(kind, "")
    return f"{where}{printable(one.user, 32)} ({printable(one.run, 80)})"


def waiting() -> tuple[Holder, ...]:
    """Who waits for a place, in the order of their turns."""
    return tuple(_holder("", ticket) for _, ticket in _tickets(folder()))


def stands_in_line(pid: int) -> bool:
    """Whether the process waits for a place or has one."""
    try:
        return any(one.pid == pid for one in (*waiting(), *holders()))
    except OSError:
        return True  # nothing is shared here, and nobody waits


def until_in_line(child: subprocess.Popen[bytes]) -> None:
    """Wait until a run has its ticket: on a busy machine a later one would find an empty line and begin before it."""
    end = time.monotonic() + _AT_MOST
    while child.poll() is None and not stands_in_line(child.pid) and time.monotonic() < end:
        time.sleep(_LOOK)


def folder() -> Path:
    """The folder that all users share; one of the user's own where that cannot be had. Raises ``OSError``."""
    wanted = Path(os.environ.get(VARIABLE) or _SHARED)
    try:
        if not os.path.lexists(wanted):
            _make(wanted)
    except OSError:
        return _own()
    there = wanted.lstat()
    usable = stat.S_ISDIR(there.st_mode) and os.access(wanted, os.W_OK | os.X_OK)
    return wanted if usable else _own()


def _make(wanted: Path) -> None:
    """Another user never sees it before all may write there. Raises ``OSError``."""
    part = wanted.with_name(f".{wanted.name}-{uuid.uuid4().hex}")
    part.mkdir(0o700)
    part.chmod(0o1777)  # as /tmp itself: everybody writes, only its owner deletes
    try:
        part.rename(wanted)
    except OSError:  # made by another meanwhile
        part.rmdir()
        wanted.lstat()


def _own() -> Path:
    place = cache() / "places"
    place.mkdir(0o700, parents=True, exist_ok=True)
    return place


def _places(where: Path, wished: Sequence[str], cards: dict[str, Gpu]) -> list[str]:
    return [place for place in wished if place in cards or not place.startswith("gpu-")]


def _record(run: str) -> dict[str, Any]:
    pid = os.getpid()
    return {"pid": pid, "create_time": lock.began(pid), "user": lock.user_name(), "run": run, "since": time.time()}


def _write(descriptor: int, record: dict[str, Any]) -> None:
    text = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.ljust(_ROOM - 1) + b"\n", 0)


def _read(path: Path) -> dict[str, Any]:
    try:
        with open_regular(path) as stream:
            found = parse_json(stream.read(4 * _ROOM).decode("utf-8", "replace"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _holder(place: str, record: dict[str, Any]) -> Holder:
    user, run, pid, since = (record.get(name) for name in ("user", "run", "pid", "since"))
    return Holder(
        place,
        user if isinstance(user, str) and user else "?",
        run if isinstance(run, str) else "",
        pid if isinstance(pid, int) else 0,
        float(since) if isinstance(since, (int, float)) else 0.0,
    )


def _wished(ticket: dict[str, Any]) -> tuple[list[str], int]:
    places, count = ticket.get("places"), ticket.get("count")
    return places if isinstance(places, list) else [], count if isinstance(count, int) and count > 0 else 0


def _listed(where: Path) -> list[Path]:
    try:
        return list(where.iterdir())
    except OSError:
        return []


def _tickets(where: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tickets of those who live, in order; what the others left is swept."""
    for name in sorted(path.name for path in _listed(where) if path.name.startswith("ticket-")):
        if _held(where, name):
            yield name, _read(where / name)
        else:
            with suppress(OSError):  # another user's: a sticky folder lets its owner alone delete it
                (where / name).unlink()


def _held(where: Path, name: str) -> bool:
    """Whether a living process holds the lock; where locks are unknown, whether the one of the record lives."""
    try:
        with open_regular(where / name) as stream:
            fcntl.flock(stream.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return _lives(_read(where / name))


def _lives(record: dict[str, Any]) -> bool:
    pid, began = record.get("pid"), record.get("create_time")
    if not isinstance(pid, int) or not isinstance(began, (int, float)):
        return False
    return psutil.pid_exists(pid) and abs(lock.began(pid) - began) < 2.0  # the clock may have been set a little


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of ``path``, made if need be; ``None`` where another has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # no locks: the record alone tells
        return descriptor
    return descriptor


def _open(path: Path) -> int:
    """The file, which all users may write.

    The kernel opens no file of another user's in such a folder with O_CREAT (fs.protected_regular, proc(5)).
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    for attempt in range(10):
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            with suppress(FileExistsError):
                made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(made, 0o666)  # a umask took some away
                return made
            continue
        except PermissionError:
            if attempt == 9:
                return os.open(path, (flags & ~os.O_RDWR) | os.O_RDONLY)
            time.sleep(0.01)  # its maker has not opened it for all yet
            continue
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(f"{path}: no regular file")
        return descriptor
    raise OSError(f"{path}: cannot be opened")


@contextmanager
def _gate(where: Path) -> Iterator[None]:
    """One at a time looks and takes, for the milliseconds that this lasts."""
    descriptor = _open(where / "gate")
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
