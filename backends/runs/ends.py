"""Why a run ended, where it could not tell so itself: killed, crashed, gone with its machine, or not to be read."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import psutil

from tunewiz.backends.runs import lock
from tunewiz.backends.runs.run import Run
from tunewiz.files import keep_private, no_files, read_bytes
from tunewiz.problems import BadData, ExitCode, Message, Problem, Where, error, say
from tunewiz.redaction import redact_file

#: Exit status of a child whose preset was made smaller: who waits for it starts another (EX_TEMPFAIL of sysexits.h).
AGAIN: Final = os.EX_TEMPFAIL
_SHIFT: Final = 60.0  # seconds by which the boot time moves when a clock is set
_GIB: Final = 1 << 30
_LARGEST: Final = 1 << 20  # bytes of a preset; no loader takes a quarter of it


class Read(Protocol):
    """What became of reading the events: the error, whether any was read, and how many lines were damaged."""

    fault: OSError | None
    read_any: bool
    unreadable: int


def why_unreadable(run: Run, read: Read) -> Problem | None:
    """Why nothing can be told of ``run``; ``None`` where its events, or at least its preset, can be read."""
    if read.fault is not None:
        return _unreadable(run.events_file, reason(read.fault))
    if read.read_any:
        return None
    if read.unreadable:
        return _unreadable(run.events_file, say("none of its lines is an event"))
    try:
        read_bytes(run.preset_file, _LARGEST).decode("utf-8")
    except UnicodeDecodeError:
        return _unreadable(run.preset_file, say("it is not text in UTF-8"))
    except OSError as fault:
        return _unreadable(run.preset_file, reason(fault))
    return None


def _unreadable(file: Path, why: Message) -> Problem:
    message = say("{file} cannot be read: {reason}.", file=file, reason=why)
    return error("run-unreadable", message, fix=say("Put the file back from a backup, or delete the folder."))


def require_files(run: Run) -> None:
    """Raise ``BadData`` where a pipe or a device stands in the folder of ``run``: who opens it waits for ever."""
    for path in no_files(run.directory):
        message = say("{file} is a pipe or a device, not a file: reading it would wait for ever.", file=path)
        raise BadData(
            error("no-file", message, Where(file=str(path)), say("Delete it, and ask where the run is from."))
        )


def put_in_order(run: Run) -> None:
    """What is done once the end of ``run`` is told, by its child or by who waited for one that was killed.

    The space set aside is given back, what libraries wrote is taken from others, and secrets that they printed past
    Python's streams are taken out of the log.
    """
    run.release()
    keep_private(run.directory)
    with suppress(OSError):  # the run is told to its end
        redact_file(run.log_file)


def reason(fault: OSError) -> Message:
    """Why a file cannot be read or written."""
    known = {
        errno.ENOENT: say("it is missing"),
        errno.EISDIR: say("it is a folder"),
        errno.EINVAL: say("it is a pipe or a device, not a file"),
        errno.EFBIG: say("it is too large"),
        errno.EACCES: say("permission denied"),
        errno.ELOOP: say("it is a link, which leads nowhere or must not stand here"),
        errno.EROFS: say("the disk is mounted for reading only"),
    }
    return known.get(fault.errno or 0, say("{reason}", reason=fault.strerror or type(fault).__name__))


def why_lost(run: Run) -> Problem:
    """Why the process of ``run`` is gone without a last word, as far as can be told from what it left."""
    owner = lock.owner_of(run.directory)
    if owner is None:
        message = say("No process is known for it: it was made and never started, or its process.json is gone.")
    elif not owner.here:
        message = say("Its process {pid} on {host} is gone without a word.", pid=owner.pid, host=owner.host)
    elif owner.boot_time and abs(psutil.boot_time() - owner.boot_time) > _SHIFT:
        message = say("The machine was restarted while it ran.")
    else:
        message = say(
            "Its process {pid} is gone without a word, and so is the one that waited for it: both were killed, as at "
            "the end of a batch job or of a login that takes all its processes along.",
            pid=owner.pid,
        )
    return error("run-lost", message, fix=_see(run))


def _see(run: Run) -> Message:
    return say("See the end of {file}.", file=run.log_file)


def ended(run: Run, status: int, peak: int, kills: int | None) -> tuple[Problem, ExitCode]:
    """What to tell of a child that ended without a word, and the exit code that goes with it.

    ``status`` is the negated number of the signal that ended it, or its exit status; ``peak`` the most memory it had,
    in bytes; ``kills`` how many processes the kernel killed meanwhile because memory ran out (``None``: not known).
    """
    if status == -signal.SIGKILL:
        return _killed(run, peak, kills), ExitCode.FAILED if kills == 0 else ExitCode.OUT_OF_MEMORY
    if status >= 0:
        message = say("The run ended without a word (exit status {status}).", status=status)
        return error("run-ended", message, fix=_see(run)), ExitCode.FAILED
    name = signal.Signals(-status).name if -status in set(signal.Signals) else "?"
    if -status in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        message = say("The run ended without a word: somebody ended it by signal {number} ({name}).",
                      number=-status, name=name)  # fmt: skip
        return error("run-ended", message, fix=_see(run)), ExitCode.FAILED
    message = say(
        "The run ended without a word: a library crashed (signal {number}, {name}).", number=-status, name=name
    )
    return error("run-crashed", message, fix=_see(run)), ExitCode.FAILED


def _killed(run: Run, peak: int, kills: int | None) -> Problem:
    sizes = {"peak": f"{peak / _GIB:.1f}", "total": f"{psutil.virtual_memory().total / _GIB:.1f}"}
    if kills:
        message = say(
            "The run ended without a word: killed by signal 9, by the kernel, because host memory ran out. It had "
            "{peak} of the machine's {total} GiB.",
            **sizes,
        )
    elif kills is None:
        message = say(
            "The run ended without a word: killed by signal 9, most likely out of host memory. It had {peak} of the "
            "machine's {total} GiB.",
            **sizes,
        )
    else:
        message = say(
            "The run ended without a word: killed by signal 9, but not by the kernel for want of memory: by a person, "
            "a batch system or a memory guard. It had {peak} of the machine's {total} GiB.",
            **sizes,
        )
    fix = say(
        "Where memory ran out: lower training.batch_size, training.max_length or data.limit. See the end of {file}.",
        file=run.log_file,
    )
    return error("run-killed", message, fix=fix)


def given_up(run: Run, status: int, kills: int | None) -> tuple[Problem, ExitCode]:
    """What its launcher tells of a run that nobody is left to tell of, and the exit code that goes with it.

    ``status`` is how the process ended that waited for the run's child; ``kills`` as in :func:`ended`.
    """
    if status != -signal.SIGKILL:
        return ended(run, status, 0, kills)
    if kills:
        message = say(
            "The process of the run and the one that waited for it were killed (SIGKILL), by the kernel, because host "
            "memory ran out."
        )
    elif kills is None:
        message = say(
            "The process of the run and the one that waited for it were killed (SIGKILL): at the end of a batch job or "
            "of a login that takes all its processes along, by a person, or because host memory ran out."
        )
    else:
        message = say(
            "The process of the run and the one that waited for it were killed (SIGKILL), but not by the kernel for "
            "want of memory: by a person, or at the end of a batch job or of a login that takes all its processes "
            "along."
        )
    return error("run-killed", message, fix=_see(run)), ExitCode.OUT_OF_MEMORY if kills else ExitCode.FAILED


def kernel_kills() -> int | None:
    """How many processes the kernel has killed so far because memory ran out (Linux 4.13 on); ``None``: not known.

    Those of this process's control group, which are its own children; without one, those of the whole machine.
    """
    return next((count for file in _counters() if (count := _kills_in(file)) is not None), None)


def kernel_kills_since(before: int | None) -> int | None:
    """How many were killed since :func:`kernel_kills` gave ``before``."""
    now = kernel_kills()
    # Moved to another control group meanwhile, it counts from another beginning.
    return None if before is None or now is None or now < before else now - before


def _counters() -> list[Path]:
    """The files with the counts, the most precise one first (cgroups(7); Linux, cgroup-v1/memory and cgroup-v2)."""
    found = []
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, folder = line.split(":", 2)
            if not controllers:
                found.append(Path(f"/sys/fs/cgroup{folder}/memory.events"))
            elif "memory" in controllers.split(","):
                found.append(Path(f"/sys/fs/cgroup/memory{folder}/memory.oom_control"))
    return [*found, Path("/proc/vmstat")]


def _kills_in(file: Path) -> int | None:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
    except (OSError, ValueError):
        return None
