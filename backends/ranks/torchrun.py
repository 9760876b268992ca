"""The stage ``train`` of a run, gone through by ranks that torchrun starts, and what became of them.

``torch.distributed.run`` starts the processes, finds a port, and ends all when one fails. Ranks write how they ended
beside the run, so that the run fails with the words of the one that failed first and not with "exit status 1".
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.engines import Backend
from tunewiz.backends.ranks.plan import DEEPSPEED, Plan, meeting, required
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.checkpoints import divided_state, newest, ranks_of
from tunewiz.backends.runs.ends import kernel_kills, kernel_kills_since
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.checkpoints import resume_from
from tunewiz.files import read_object, write_json
from tunewiz.presets.preset import Preset
from tunewiz.problems import (
    BadData,
    BadPreset,
    Message,
    OutOfMemory,
    Problem,
    TunewizError,
    Where,
    error,
    note,
    restored,
    say,
)

#: Where ranks find what they are to do and leave how they ended, below the folder of the run.
FOLDER: Final = "ranks"
ORDERS: Final = "launch.json"
#: Signals that reach all processes of a job at once. The run's own process answers them: ranks end when it says so.
_HELD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Codes of what a rank says when another one is gone.
_ECHOES: Final = ("processes-apart", "nccl")
_KINDS: Final[Mapping[int, type[TunewizError]]] = {kind.exit_code: kind for kind in (BadData, BadPreset, OutOfMemory)}


def train(run: Run, backend: Backend[Any], preset: Preset) -> None:
    """Let ``backend`` train ``preset``: in this process, or in as many as :func:`required` says.

    Raises what the training raises: :class:`OutOfMemory`, :class:`StopRequested` once all ranks have saved,
    whatever the rank that failed first ended with.
    """
    plan = required(preset, backend.strategies)
    _require_readable(newest(run.checkpoints), plan)
    if not plan.spread:
        backend.train(run, preset)
        return
    resumed = resume_from(run)
    folder = run.directory / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    orders = {"pid": os.getpid(), "resume": run.relative(resumed) if resumed else "", "run": run.whereabouts()}
    write_json(folder / ORDERS, orders | _for_companions(plan, preset.launch.threads))
    run.notice(_told(plan, run.directory))
    _let_go_of_gpu()
    kills = kernel_kills()
    status = _gone_through(plan, run, preset.launch.threads)
    if status:
        raise _failure(folder, plan, status, kernel_kills_since(kills))
    shutil.rmtree(folder, ignore_errors=True)
    run.check_stop()


def _for_companions(plan: Plan, threads: int) -> dict[str, Any]:
    """What other machines join the training by (:mod:`tunewiz.backends.ranks.companion`)."""
    address, port = meeting()
    return {
        "id": f"{time.time_ns()}-{os.getpid()}",
        "nodes": plan.nodes,
        "processes": plan.processes,
        "strategy": plan.strategy,
        "cards": bool(plan.cards),
        "address": address,
        "port": port,
        "threads": threads,
    }


def _require_readable(checkpoint: Path | None, plan: Plan) -> None:
    """Raise :class:`BadPreset` for a checkpoint whose optimizer's state those who divided it alone can read."""
    if checkpoint is None:
        return
    form, count = divided_state(checkpoint), ranks_of(checkpoint)
    mine = "deepspeed" if plan.strategy in DEEPSPEED else "fsdp" if plan.strategy == "fsdp" else ""
    if form == mine and (form != "deepspeed" or count == plan.size):
        return
    values: dict[str, Any] = {"name": checkpoint.name, "count": count, "form": form or "ddp"}
    message = say("{name} was saved by {count} processes in the form of {form}, which others cannot read.", **values)
    fix = say(
        "Resume it with the launch.strategy and, for DeepSpeed, as many processes as it was saved by. Checkpoints of "
        "ddp take any number of processes."
    )
    raise BadPreset(error("checkpoint-divided", message, Where(key="launch.strategy"), fix))


def _told(plan: Plan, directory: Path) -> Problem:
    values: dict[str, Any] = {"count": plan.size, "strategy": plan.strategy, "command": plan.told(directory)}
    if plan.nodes > 1:
        message = say(
            "Training goes on in {count} processes on {nodes} machines ({strategy}); on each one its line: {command}",
            nodes=plan.nodes,
            **values,
        )
    else:
        message = say("Training goes on in {count} processes ({strategy}): {command}", **values)
    return note("processes", message)


def _let_go_of_gpu() -> None:
    """Give back what measuring took of the card that rank 0 trains on."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _gone_through(plan: Plan, run: Run, threads: int) -> int:
    """The status of torchrun once every rank of this machine is gone."""
    held = lock.inherited()
    environment = os.environ | plan.variables(threads=threads)
    environment.pop(lock.VARIABLE, None)  # it goes to torchrun alone, which outlives its ranks
    with signals_held():
        agent = subprocess.Popen(
            [sys.executable, *plan.command(run.directory)],
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=() if held is None else (held,),
        )
    return agent.wait()


@contextmanager
def signals_held() -> Iterator[None]:
    """Let a process that is started here be born deaf to the signals that a whole job is sent.

    torchrun would take its ranks down in the middle of a step; here they end when all have saved.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# How ranks ended.


def _failure(folder: Path, plan: Plan, status: int, kills: int | None) -> TunewizError:
    """What to raise for a training that ended with ``status``; ``kills``: how many the kernel killed meanwhile."""
    ends = {rank: read_object(folder / f"{rank}.json") for rank in range(plan.size)}
    begun = {rank: end for rank, end in ends.items() if end}
    shutil.rmtree(folder, ignore_errors=True)
    faults = sorted((end for end in begun.values() if end.get("end") == "fault"), key=lambda end: end["time"])
    own = [end for end in faults if _codes(end)[:1] and _codes(end)[0] not in _ECHOES]
    silent = [rank for rank, end in begun.items() if end.get("end") == "begun"]
    if own:
        return _of(own[0])
    if silent:
        return _killed(silent[0], begun[silent[0]], plan, kills)
    if faults:
        return _of(faults[0])
    message = say("torchrun ended with status {status} before the processes of the training had begun.", status=status)
    return TunewizError(error("torchrun", message, fix=_log()))


def _codes(end: Mapping[str, Any]) -> list[str]:
    return [str(problem["code"]) for problem in end.get("problems", ())]


def _of(end: Mapping[str, Any]) -> TunewizError:
    return _KINDS.get(end.get("exit_code", 1), TunewizError)(*map(restored, end.get("problems", ())))


def _killed(rank: int, end: Mapping[str, Any], plan: Plan, kills: int | None) -> TunewizError:
    values = {"rank": rank, "count": plan.size, "pid": end.get("pid", "?"), "host": end.get("host", "?")}
    if kills:
        message = say(
            "Process {rank} of the {count} that train (pid {pid} on {host}) was killed by the kernel: the machine ran "
            "out of memory (RAM).",
            **values,
        )
        fix = say("Each process holds the model and its optimizer: fewer launch.processes need less of the host.")
        return OutOfMemory(error("host-out-of-memory", message, fix=fix))
    message = say(
        "Process {rank} of the {count} that train (pid {pid} on {host}) was killed or crashed without a word; the "
        "others were ended.",
        **values,
    )
    fix = say(
        "Go on with `tunewiz run --resume`, also with another launch.processes. torchrun's table at the end of "
        "output.log names the signal."
    )
    return TunewizError(error("rank-killed", message, fix=fix))


def _log() -> Message:
    return say("The whole story is at the end of output.log in the run's directory.")
