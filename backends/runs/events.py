"""The facts a run writes, one JSON object a line in ``events.jsonl``.

Each event is a frozen dataclass; its ``kind`` is its class name in lower case. ``time`` is seconds since the epoch.
Unknown kinds and keys are skipped when read, so that an older reader can follow a newer run.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, get_args, get_origin, get_type_hints

from tunewiz.files import parse_json
from tunewiz.language import N_

LATEST: Final = 253402300799.0  # the last second of the year 9999, beyond which no calendar of Python's goes
StageName = Literal["prepare", "baseline", "train", "evaluate", "export", "report"]
STAGES: Final[tuple[StageName, ...]] = get_args(StageName)
#: What they are called, wherever a user reads of them.
STAGE_NAMES: Final[Mapping[str, str]] = {
    "prepare": N_("prepare data"),
    "baseline": N_("measure before"),
    "train": N_("train"),
    "evaluate": N_("measure after"),
    "export": N_("export"),
    "report": N_("report"),
}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a run."""

    time: float = field(default_factory=time.time)

    def line(self) -> str:
        """The event as one line of JSON; numbers that JSON lacks (nan, inf) become null."""
        record = {"event": type(self).__name__.lower()} | {
            item.name: _plain(getattr(self, item.name)) for item in dataclasses.fields(self)
        }
        return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Launched(Event):
    """A child is being started: whatever end was told before is no longer the last word."""


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """The child is alive; ``stages`` are those it will go through, in order."""

    name: str
    task: str
    backend: str
    model: str
    pid: int
    stages: tuple[str, ...] = STAGES
    resumed: bool = False


@dataclass(frozen=True, kw_only=True)
class Stage(Event):
    """A stage began, or ended after ``seconds``."""

    name: str
    ended: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """How far a stage is: ``step`` of ``total``, with what is known of it by name.

    ``values`` uses these names: ``loss``, ``eval_loss``, ``learning_rate``, ``grad_norm``, ``epoch``,
    ``samples_per_second``, ``tokens_per_second``, ``memory`` (bytes the child has in use on its device,
    or resident on a CPU), ``memory_peak`` (bytes), ``positive_cosine``, ``negative_cosine`` and ``margin`` of the
    batch (:mod:`tunewiz.backends.training.cosines`), and for evaluations during training ``eval_<metric>``. ``part`` is
    ``what/stage`` where the stage goes through another run: what that is, and which of its stages.
    """

    stage: str
    step: int
    total: int
    values: Mapping[str, float] = field(default_factory=dict)
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Evaluated(Event):
    """Measures of a model: ``when`` is before, during or after training, ``what`` names the measured system."""

    when: Literal["before", "during", "after"]
    metrics: Mapping[str, float]
    what: str = "retrieval"
    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Sampled(Event):
    """What the machine did at this moment, by the names that :func:`tunewiz.backends.machine.hardware.numbers` gives.

    Bytes and per cent. Written by who waits for the run's child, so that any later watcher has the whole curve.
    """

    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Answered(Event):
    """What the model in training writes to the same few held-out prompts: ``prompt``, ``expected``, ``answer``."""

    step: int
    answers: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Noticed(Event):
    """A problem in a run that goes on: what ``Problem.record`` gives."""

    problem: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Adjusted(Event):
    """The run's preset was changed so that it can go on: ``values`` by dotted key, as in YAML.

    ``repeat`` are stages that were done and are gone through again for it.
    """

    values: Mapping[str, Any]
    repeat: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Probed(Event):
    """The longest batch, of ``rows`` rows, was tried before training and took at most ``peak`` bytes on ``device``.

    ``estimate`` is what was foreseen: low, expected and high, in bytes; empty where nothing was. ``training``: seconds
    that all steps will take by what this one took, without what is measured and saved between them; 0: not known.
    """

    peak: int
    device: str
    rows: int = 0
    seconds: float = 0.0
    training: float = 0.0
    estimate: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Swept(Event):
    """Run ``number`` of ``count`` of a sweep, ``point``, began or ended with ``status``.

    ``values``: the measure by which runs are chosen, of one that finished; ``best``: the number of the best so far, 0
    before there is one.
    """

    number: int
    count: int
    point: str
    status: str
    values: Mapping[str, float] = field(default_factory=dict)
    best: int = 0


@dataclass(frozen=True, kw_only=True)
class Saved(Event):
    """Something was written; ``path`` is relative to the run's directory."""

    what: Literal["data", "checkpoint", "model", "adapter", "report"]
    path: str


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    """The run is complete. ``verdict`` is WIN, MARGINAL, UNPROVEN, REGRESSION or NONE (no baseline)."""

    verdict: str = "NONE"
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The run ended early; ``problems`` say why."""

    exit_code: int
    problems: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """The user stopped the run; ``checkpoint`` is what ``--resume`` goes on from ("" if there is none)."""

    checkpoint: str = ""
    exit_code: int = 130


_KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (
        Launched,
        Started,
        Stage,
        Progress,
        Evaluated,
        Sampled,
        Answered,
        Noticed,
        Adjusted,
        Probed,
        Swept,
        Saved,
        Finished,
        Failed,
        Stopped,
    )
}


def _accepts(hint: Any) -> Callable[[Any], bool]:
    """What tells whether a JSON value may stand for a field of this type; a number that JSON lacks is null."""
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Mapping and arguments[1] is float:
        return lambda value: isinstance(value, dict) and all(isinstance(one, _NUMBER) for one in value.values())
    if origin is tuple:
        fits = _accepts(arguments[0])
        return lambda value: isinstance(value, list) and all(map(fits, value))
    if origin is float:
        return lambda value: isinstance(value, (int, float)) and 0 <= value <= LATEST  # nan is neither
    kinds: Any = {Mapping: dict, Literal: str}.get(origin, origin)
    return lambda value: isinstance(value, kinds)


_NUMBER: Final = (int, float, type(None))
_FIELDS: Final[dict[type[Event], dict[str, Callable[[Any], bool]]]] = {
    kind: {item.name: _accepts(get_type_hints(kind)[item.name]) for item in dataclasses.fields(kind)}
    for kind in _KINDS.values()
}


class Unreadable(ValueError):
    """A line that is no event: half written, or not ours."""

    rule: ClassVar[str] = "one JSON object with a known event"


def parse(line: str) -> Event | None:
    """The event of a line, ``None`` for a kind this version does not know.

    Raises :class:`Unreadable` when the line is not a JSON object or lacks what its kind needs. Whatever the line holds,
    the event has what its fields say: finite numbers, times that a calendar has.
    """
    try:
        record = parse_json(line)
        kind = _KINDS.get(record.pop("event"))
        if kind is None:
            return None
        known = _FIELDS[kind]
        return kind(**{key: _checked(value, known[key]) for key, value in record.items() if key in known})
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise Unreadable(f"{fault}: {line[:80]!r}") from fault


def _plain(value: Any) -> Any:
    if _is_endless(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value  # numpy and torch scalars


def _checked(value: Any, accepts: Callable[[Any], bool]) -> Any:
    if not accepts(value):
        raise TypeError(f"{value!r:.40}")
    if isinstance(value, dict):
        return {key: None if _is_endless(item) else item for key, item in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
