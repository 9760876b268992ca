"""Checkpoints on disk: which of them are whole, which one a training goes on from, which ones may go.

A checkpoint is whole when its manifest, written last, finds every file as it was. Those that older versions wrote have
none: they are judged by their form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunewiz.backends.runs.manifest import MANIFEST, Fault, form_faults, own_faults
from tunewiz.files import discard, read_json
from tunewiz.problems import Message, say

_NAME: Final = re.compile(r"checkpoint-([0-9]+)")
#: What follows the name of a checkpoint that no training goes on from.
DAMAGED: Final = ".damaged"
#: Written last by transformers.
_TRAINER_STATE: Final = "trainer_state.json"
#: The optimizer's state, without which transformers begins a fresh one and says nothing; the rest of what only
#: training reads. What is not among them is the model.
_OPTIMIZER: Final = ("optimizer.pt", "scheduler.pt")
_WEIGHTS: Final = re.compile(r".+\.safetensors|(pytorch|adapter)_model.*\.bin")
_STATE: Final = re.compile(r"(optimizer|scheduler|scaler)\.(pt|bin)|rng_state(_\d+)?\.pth")


@dataclass(frozen=True)
class Choice:
    """The checkpoint to go on from (``None``: from the start), newer ones ``passed`` over and why, and the files of
    the optimizer's state that the chosen one ``lacks``.
    """

    checkpoint: Path | None
    passed: Sequence[tuple[Path, Message]] = ()
    lacks: Sequence[str] = ()


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints in ``folder`` by their steps, the newest first."""
    there = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(((int(match[1]), path) for path in there if (match := _NAME.fullmatch(path.name))), reverse=True)


def newest(folder: Path) -> Path | None:
    """The whole checkpoint with the most steps in ``folder``, as far as can be told without reading all of it."""
    return choose(folder, thorough=False).checkpoint


def choose(folder: Path, thorough: bool = True) -> Choice:
    """The checkpoint in ``folder`` that a training should go on from.

    It is the newest that is whole and has the optimizer's state; else the newest whose weights are whole. With
    ``thorough`` every byte is compared with the manifest.
    """
    found = numbered(folder)
    judged: list[tuple[Path, list[Fault]]] = []
    for place, (_, path) in enumerate(found):
        faults = checkpoint_faults(path, thorough, older=[other for _, other in found[place + 1 :]])
        if not faults:
            return Choice(path, [(other, others[0].why) for other, others in judged])
        judged.append((path, faults))
    for place, (path, faults) in enumerate(judged):
        if _weights_whole(faults):
            passed = [(other, others[0].why) for other, others in judged[:place]]
            return Choice(path, passed, [fault.file for fault in faults])
    return Choice(None, [(path, faults[0].why) for path, faults in judged])


def checkpoint_faults(folder: Path, thorough: bool, older: Sequence[Path] = ()) -> list[Fault]:
    """What keeps a training from going on from the checkpoint ``folder`` as if it had never ended; ``older`` ones of
    the same training tell whether it should have a manifest.
    """
    faults = own_faults(folder, thorough)
    if faults is None:
        if not (folder / _TRAINER_STATE).is_file() or any((path / MANIFEST).exists() for path in older):
            return [Fault(MANIFEST, say("it was not written to its end"))]
        faults = form_faults(folder, thorough)
        if not isinstance(read_json(folder / _TRAINER_STATE), dict):
            faults.append(Fault(_TRAINER_STATE, say("{file} was not written to its end", file=_TRAINER_STATE)))
        if not any(_WEIGHTS.fullmatch(path.name) for path in folder.rglob("*")):
            faults.append(Fault("*.safetensors", say("its weights are missing")))
    known = {fault.file for fault in faults}
    return faults + [
        Fault(name, say("{file} is missing", file=name))
        for name in _OPTIMIZER
        if name not in known and not (folder / name).is_file() and not (name == _OPTIMIZER[0] and divided_state(folder))
    ]


def divided_state(folder: Path) -> str:
    """Whose form the optimizer's state in the checkpoint ``folder`` has where processes divided it; "" otherwise."""
    if any(folder.glob("global_step*")):
        return "deepspeed"
    return "fsdp" if (folder / "optimizer.bin").is_file() else ""


def ranks_of(folder: Path) -> int:
    """How many processes saved the checkpoint ``folder``."""
    return max(1, len(list(folder.glob("rng_state_*.pth"))))


def weights_faults(checkpoint: Path) -> list[Fault]:
    """What keeps the weights in ``checkpoint`` from being loaded; every byte is compared."""
    return [fault for fault in checkpoint_faults(checkpoint, thorough=True) if not _STATE.fullmatch(fault.file)]


def _weights_whole(faults: Sequence[Fault]) -> bool:
    return all(_STATE.fullmatch(fault.file) for fault in faults)


def set_aside(checkpoint: Path) -> Path:
    """Rename a checkpoint that no training can go on from, so that no library takes it for one; its new place."""
    aside = checkpoint.with_name(checkpoint.name + DAMAGED)
    discard(aside)
    return checkpoint.rename(aside)


def set_aside_state(checkpoint: Path, names: Sequence[str]) -> None:
    """Rename damaged files of the optimizer's state in ``checkpoint``: a library that finds none begins afresh."""
    for name in names:
        if (checkpoint / name).is_file():
            (checkpoint / name).rename(checkpoint / (name + DAMAGED))


def prune(folder: Path, keep: int) -> None:
    """Delete checkpoints in ``folder`` until ``keep`` are left: whole ones, the newest first.

    The newest whole one stays, and the best one that it names; where none is whole, all stay. Where none has the
    optimizer's state, because none was asked for, whole weights will do.
    """
    paths = [path for _, path in numbered(folder)]
    judged = {path: checkpoint_faults(path, False, paths[place + 1 :]) for place, path in enumerate(paths)}
    whole = [path for path in paths if not judged[path]] or [path for path in paths if _weights_whole(judged[path])]
    if not whole:
        return
    kept = [whole[0], *(path for path in [best_of(whole[0])] if path in paths and path != whole[0])]
    kept += [path for path in whole if path not in kept][: max(0, keep - len(kept))]
    for path in (*reversed(paths), *folder.glob(f"checkpoint-*{DAMAGED}")):
        if path not in kept:
            discard(path)


def best_of(checkpoint: Path) -> Path | None:
    """The checkpoint beside ``checkpoint`` that its trainer's state calls the best so far."""
    state = read_json(checkpoint / _TRAINER_STATE)
    named = state.get("best_model_checkpoint") if isinstance(state, dict) else None
    return checkpoint.with_name(Path(named).name) if isinstance(named, str) and named else None
