"""How a training is spread over processes, as launchers, DeepSpeed and FSDP say it, and the keys of ``launch``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tunewiz.backends.importing.foreign import (
    NOTHING,
    SEVERAL,
    Draft,
    Given,
    NoPlace,
    Rule,
    found_around,
    one_of,
    whole,
)
from tunewiz.backends.importing.shell import Word
from tunewiz.files import read_bytes, read_json
from tunewiz.language import N_
from tunewiz.presets.yaml.tree import LARGEST, plain
from tunewiz.problems import Where, note, say, warning

_SETTINGS: Final = N_("launch.strategy brings settings of its own")
_WHOLE: Final = N_("each process holds the whole of an embedding model or a reranker")
_STAGE: Final = re.compile(r"(?i)(?:z|zero|stage)[_-]?([0-3])(?!\d)")


def spreading(file: Path, divides: bool) -> Mapping[str, Rule | str]:
    """The rules of what a Trainer is told of DeepSpeed and FSDP, whose files are looked up around ``file``.

    ``divides``: whether the preset's kind of model can be divided among processes.
    """
    rules: dict[str, Rule | str] = {"deepspeed": lambda value: _deepspeed(value, file, divides)}
    return rules | {"fsdp": _fsdp(divides), "fsdp_config": _fsdp(divides), "fsdp_version": _SETTINGS}


def _deepspeed(value: Any, file: Path, divides: bool) -> Mapping[str, Any]:
    known = value
    if not isinstance(value, dict):
        place = found_around(str(value), file)
        known = read_json(place) if place else None
    if isinstance(known, dict):
        zero = known.get("zero_optimization")
        zero = zero if isinstance(zero, dict) else {}
        stage, away = whole(zero.get("stage", 0)), any(key.startswith("offload_") for key in zero)
    else:
        named = _STAGE.search(Path(str(value)).name)
        if named is None:
            raise NoPlace(say("{path} is not here to be read: set launch.strategy", path=str(value)))
        stage, away = int(named[1]), "offload" in str(value).lower()
    if not stage:
        return {}
    if not divides:
        raise NoPlace(say(_WHOLE))
    return {"launch.strategy": "zero2" if stage < 3 else "zero3_offload" if away else "zero3"}


def _fsdp(divides: bool) -> Rule:
    def rule(value: Any) -> Mapping[str, Any]:
        if value in (False, "", [], {}) or str(value).strip().lower() == "false":
            return {}
        if not divides:
            raise NoPlace(say(_WHOLE))
        return {"launch.strategy": "fsdp"}

    return rule


def options_of(words: Sequence[Word], file: str) -> list[Given]:
    """``--key value``, ``--key=value`` and ``--flag``; what stands between belongs to the key before it."""
    found: list[tuple[Word, list[str]]] = []
    for word in words:
        if re.match(r"--?[A-Za-z]", word.text):
            key, mark, value = word.text.partition("=")
            found.append((Word(key.lstrip("-"), word.line), [value] if mark else []))
        elif found:
            found[-1][1].append(word.text)
    return [
        Given(key.text, _value(values), Where(f"--{key.text}", file, key.line)) for key, values in found
    ]  # fmt: skip


def _value(values: Sequence[str]) -> Any:
    if not values:
        return True
    read = [plain(value) for value in values]
    return read[0] if len(read) == 1 else read


# Launchers: torchrun, accelerate, deepspeed.


_COUNTED: Final = ("nproc_per_node", "num_gpus", "NPROC_PER_NODE")
_AROUND: Final[Mapping[str, Rule | str]] = {
    **dict.fromkeys(("multi_gpu", "use_deepspeed", "use_fsdp", "standalone"), NOTHING),
    "mixed_precision": one_of("training.precision", {"bf16": "bf16", "fp16": "fp16", "no": "fp32"}),
}


def of_launcher(draft: Draft, words: Sequence[Word], file: Path, divides: bool) -> None:
    """Take what stands before the program.

    Processes and machines become keys of ``launch``; cards are chosen where the preset runs.
    """
    total = 0
    for given in [*_environment(words, file), *options_of(words, str(file))]:
        key, number = given.key.replace("-", "_"), _number(given.value)
        if key in ("m", "u"):
            continue
        if key in _COUNTED and number:
            draft.put(given, {"launch.processes": number})
        elif key == "num_processes" and number:
            total = number
            draft.put(given, {"launch.processes": number})
        elif key in ("nnodes", "num_machines", "num_nodes") and number:
            draft.put(given, {"launch.nodes": number} if number > 1 else {})
        elif key == "config_file":
            _accelerate(draft, given, file, divides)
        elif key == "CUDA_VISIBLE_DEVICES":
            draft.not_needed(given, N_("the environment says it where the preset runs"))
        elif not draft.take(Given(key, given.value, given.where), _AROUND):
            draft.not_needed(given, SEVERAL)
    nodes = int(draft.values.get("launch.nodes", 1))
    if total and nodes > 1:  # accelerate counts those of all machines
        draft.values["launch.processes"] = max(1, total // nodes)


def _environment(words: Sequence[Word], file: Path) -> list[Given]:
    found = [(word, *word.text.partition("=")) for word in words if "=" in word.text and word.text[0] != "-"]
    return [
        Given(key, value, Where(key, str(file), word.line))
        for word, key, _, value in found
        if key in ("CUDA_VISIBLE_DEVICES", *_COUNTED)
    ]


def _number(value: Any) -> int:
    """A count of processes; 0 for ``gpu``, ``auto`` and what is filled in elsewhere."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _accelerate(draft: Draft, given: Given, file: Path, divides: bool) -> None:
    """What accelerate's own file says."""
    place = found_around(str(given.value), file)
    try:
        told = yaml.safe_load(read_bytes(place, LARGEST)) if place else None
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        told = None
    if not isinstance(told, dict):
        draft.no_place(given, say("{path} is not here to be read: set launch.strategy", path=str(given.value)))
        return
    kind = str(told.get("distributed_type", "")).upper()
    inside = told.get("deepspeed_config")
    stage = _number(inside.get("zero_stage")) if isinstance(inside, dict) else 0
    parts = {"num_processes": _number(told.get("num_processes")), "num_machines": _number(told.get("num_machines"))}
    if parts["num_processes"]:
        nodes = max(1, parts["num_machines"])
        draft.put(given, {"launch.processes": max(1, parts["num_processes"] // nodes)})
        draft.put(given, {"launch.nodes": nodes} if nodes > 1 else {})
    if "FSDP" in kind or stage:
        rules = spreading(file, divides)
        key, value = ("fsdp", True) if "FSDP" in kind else ("deepspeed", {"zero_optimization": {"stage": stage}})
        draft.take(Given(key, value, given.where), rules)


# Batches: every program counts those of one process, a preset the rows of all.


def of_all_processes(draft: Draft) -> None:
    """Bring the batch of one process to the rows of all, once everything else is taken."""
    batch, file = draft.values.get("training.batch_size"), draft.origins.get("training.batch_size")
    if not isinstance(batch, int):
        return
    where = file.where if file else Where(key="training.batch_size")
    processes, nodes = draft.values.get("launch.processes"), int(draft.values.get("launch.nodes", 1))
    if isinstance(processes, int) and processes * nodes > 1:
        draft.values["training.batch_size"] = batch * processes * nodes
        message = say(
            "The batch of {batch} is that of one process; training.batch_size counts the rows of all {count}: {rows}.",
            batch=batch, count=processes * nodes, rows=batch * processes * nodes,
        )  # fmt: skip
        draft.told.append(note("batch-of-all", message, where))
    elif draft.values.get("launch.strategy"):
        message = say(
            "The batch of {batch} is that of one process, and how many there are is not said here; "
            "training.batch_size counts the rows of all.",
            batch=batch,
        )
        fix = say("With N processes that were used: set it to N times {batch}.", batch=batch)
        draft.told.append(warning("batch-of-one", message, where, fix))
