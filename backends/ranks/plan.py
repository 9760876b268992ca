"""How a training is spread: processes, cards, the part of a batch that each takes, and the command that starts them."""

from __future__ import annotations

import math
import os
import shlex
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

from tunewiz.backends.machine.hardware import Gpu, gpus
from tunewiz.backends.ranks import ray
from tunewiz.backends.ranks.place import here
from tunewiz.cores import usable_cores
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.section import Auto
from tunewiz.presets.sections.training import Launch
from tunewiz.problems import BadPreset, Message, Problem, Where, error, say, warning

P = TypeVar("P", bound=Preset)
VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
#: A card on which less than this share, or fewer than these bytes, are taken counts as free: a driver, a display and
#: the context of a program that idles take some hundred MB.
FREE_SHARE, FREE_BYTES = 0.05, 1 << 30
#: Where processes of several machines meet, unless MASTER_PORT says otherwise: torchrun's own default.
PORT: Final = 29500
#: Strategies that divide more than the rows among the processes.
SHARDED: Final = ("zero2", "zero3", "zero3_offload", "fsdp")
DEEPSPEED: Final = ("zero2", "zero3", "zero3_offload")


def meeting(environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Address and port where processes of several machines meet."""
    return environment.get("MASTER_ADDR") or socket.gethostname(), environment.get("MASTER_PORT") or str(PORT)


@dataclass(frozen=True)
class Plan:
    """``processes`` on each of ``nodes`` machines, on ``cards`` here (none: on the CPU), by ``strategy``."""

    processes: int = 1
    nodes: int = 1
    strategy: str = "ddp"
    cards: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Processes of the whole training."""
        return self.processes * self.nodes

    @property
    def spread(self) -> bool:
        """Whether it takes torchrun."""
        return self.size > 1 or self.strategy in SHARDED

    def command(self, directory: Path | str, node: int = 0, environment: Mapping[str, str] = os.environ) -> list[str]:
        """The arguments after ``python``; ``node`` counts the machines, of which 0 carries the run."""
        meet = ["--standalone", "--local-addr=127.0.0.1"]
        if self.nodes > 1:
            address, port = meeting(environment)
            meet = [
                f"--nnodes={self.nodes}",
                f"--node-rank={node}",
                f"--master-addr={address}",
                f"--master-port={port}",
            ]
        module = ["-m", "tunewiz.backends.ranks.rank", str(directory)]
        return ["-m", "torch.distributed.run", f"--nproc-per-node={self.processes}", *meet, *module]

    def variables(self, environment: Mapping[str, str] = os.environ, threads: int = 0) -> dict[str, str]:
        """What the environment of the processes has beside this one's."""
        own = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", VISIBLE: ",".join(self.cards)} if self.cards else {}
        each = threads or max(1, usable_cores() // self.processes)
        own |= {"OMP_NUM_THREADS": environment.get("OMP_NUM_THREADS") or str(each)}
        if self.nodes == 1:  # what stays on a machine needs no network
            loop = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
            own |= {name: value for name, value in loop.items() if name not in environment}
        return own

    def told(self, directory: Path | str = "RUN") -> str:
        """Command lines, one a machine, as a shell would take them."""
        own = {name: value for name, value in self.variables().items() if name.startswith("CUDA_")}
        before = [f"{name}={shlex.quote(value)}" for name, value in own.items()]
        lines = [[*before, "python", *map(shlex.quote, self.command(directory, node))] for node in range(self.nodes)]
        return "\n".join(" ".join(line) for line in lines)


#: A training in the run's own process.
ALONE: Final = Plan()


def divided(preset: Preset, size: int) -> tuple[int, int] | None:
    """Rows a batch and batches a step for each of ``size`` processes; ``None`` where they cannot be shared evenly.

    All rows of a step stay what the preset says. A batch whose rows are compared with each other by vectors that can be
    gathered is cut; of others fewer are accumulated first.
    """
    batch, times = int(preset.training.batch_size), preset.training.accumulation
    together = isinstance(preset, RetrievalPreset) and preset.loss.core.in_batch_negatives
    fewer = 1 if together else math.gcd(times, size)
    rest = size // fewer
    return None if batch % rest else (batch // rest, times // fewer)


def own_batch(preset: Preset) -> tuple[int, int]:
    """Rows a batch and batches a step of this process."""
    return divided(preset, here().size) or (int(preset.training.batch_size), preset.training.accumulation)


def estimated(preset: P, size: int) -> P:
    """``preset`` with what one of ``size`` processes trains, for an estimate of its memory."""
    shared = divided(preset, size)
    if size == 1 or shared is None:
        return preset
    parts = {"batch_size": shared[0], "accumulation": shared[1]}
    return preset.model_copy(update={"training": preset.training.model_copy(update=parts)})


# Cards.


def is_free(card: Gpu) -> bool:
    """Whether hardly anything is taken of it; one of which that is not known counts as free."""
    if card.memory_used is None:
        return True
    return card.memory_used <= max(FREE_BYTES, FREE_SHARE * (card.memory_total or 0))


def named(environment: Mapping[str, str]) -> list[str] | None:
    """The cards that CUDA_VISIBLE_DEVICES names, as it names them; ``None`` where it is not set."""
    told = environment.get(VISIBLE)
    return None if told is None else [part.strip() for part in told.split(",") if part.strip()]


def unknown_cards(names: Sequence[str], cards: Sequence[Gpu]) -> list[str]:
    """Of ``names`` the numbers that no card has; UUIDs are left to the driver."""
    numbers = {str(card.index) for card in cards}
    return [name for name in names if name.lstrip("-").isdigit() and name not in numbers]


def choice(launch: Launch, cards: Sequence[Gpu], environment: Mapping[str, str]) -> list[str]:
    """The cards that a run may take, best first: those the user names, else all that are free, else the emptiest."""
    if launch.device == "cpu" or not cards:
        return []
    told = named(environment)
    if told is not None:
        return told
    free = [str(card.index) for card in cards if is_free(card)]
    return free or [str(max(cards, key=lambda card: card.memory_free or 0).index)]


#: What this run may take, chosen before it takes anything itself; ``None``: nobody chose yet.
_taken: list[list[str] | None] = [None]


def take_cards(launch: Launch, environment: Any = os.environ) -> None:
    """Choose the cards of this run. This process itself sees the first of them from here on.

    To be called once, before torch looks: what this process then takes would make its own card seem taken.
    """
    if launch.device == "cpu":
        _taken[0] = []
        return
    cards = gpus()
    found = choice(launch, cards, environment)
    _taken[0] = found
    if len(found) > 1 or (found and len(cards) > 1 and named(environment) is None):
        environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as NVML counts them
        environment[VISIBLE] = found[0]


def plan_of(
    preset: Preset,
    strategies: Collection[str],
    cards: Sequence[Gpu] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Plan:
    """How ``preset`` would be trained here, by an engine that knows ``strategies``; its wishes are taken as they are.

    ``processes: auto`` takes as many cards as there are for it and share its batch evenly; one process on a CPU, and
    where the engine knows no strategy.
    """
    if ray.wanted(preset):
        return ALONE  # the library starts its workers itself
    launch = preset.launch
    mine = _taken[0]
    if mine is None:
        mine = choice(launch, gpus() if cards is None else cards, environment)
    strategy = "ddp" if launch.strategy == "auto" else launch.strategy
    if launch.processes != "auto":
        return Plan(launch.processes, launch.nodes, strategy, tuple(mine[: launch.processes]))
    most = max(1, len(mine)) if strategies else 1
    fitting = (count for count in range(most, 1, -1) if divided(preset, count * launch.nodes))
    count = next(fitting, 1)
    return Plan(count, launch.nodes, strategy, tuple(mine[:count]))


# What keeps a plan from being carried out.


def plan_problems(preset: Preset, strategies: Collection[str], cards: Sequence[Gpu]) -> Iterator[Problem]:
    """What is wrong with ``launch`` on this machine; ``strategies`` are those of the engine that trains."""
    plan = plan_of(preset, strategies, cards)
    yield from ray.problems(preset, cards, lambda count: divided(preset, count))
    yield from _cards(preset.launch, cards, os.environ)
    if not plan.spread:
        if ray.wanted(preset):
            yield from _deepspeed(preset)
        return
    if not strategies:
        message = say("This backend trains in one process; {count} are asked for.", count=plan.size)
        fix = say("Set launch.processes to 1 and launch.strategy to auto.")
        yield error("processes-unsupported", message, Where(key="launch.processes"), fix)
    elif plan.strategy not in strategies:
        message = say("This backend does not train by the strategy {name}.", name=plan.strategy)
        fix = say("Set launch.strategy to one of: {names}.", names=("auto", *sorted(strategies)))
        yield error("strategy-unsupported", message, Where(key="launch.strategy"), fix)
    yield from _deepspeed(preset)
    yield from _batch(preset, plan)
    yield from _losses(preset, plan)
    yield from _libraries(plan)


def _losses(preset: Preset, plan: Plan) -> Iterator[Problem]:
    if isinstance(preset, RetrievalPreset) and preset.loss.core.compares_own_part:
        message = say(
            "The loss {name} compares the rows of a batch with each other; each of {count} processes compares those of "
            "its own part, which is another lesson than one process learns.",
            name=preset.loss.core.name, count=plan.size,
        )  # fmt: skip
        fix = say("launch.processes: 1 compares all rows of a batch.")
        yield warning("rows-compared-apart", message, Where(key="loss.name"), fix)


def _deepspeed(preset: Preset) -> Iterator[Problem]:
    """DeepSpeed where the strategy is its, or a file of its settings is given, whoever starts the processes."""
    if find_spec("deepspeed") is not None:
        return
    strategy, given = preset.launch.strategy, getattr(preset, "backend_options", {}).get("deepspeed")
    if strategy in DEEPSPEED:
        message = say("The strategy {name} needs the package deepspeed, which is not installed.", name=strategy)
        fix = say("Run: pip install deepspeed, or set launch.strategy to fsdp, which torch brings.")
        yield error("packages-missing", message, Where(key="launch.strategy"), fix)
    elif given:
        key = "backend_options.deepspeed"
        message = say("{key} needs the package deepspeed, which is not installed.", key=key)
        yield error("packages-missing", message, Where(key=key), say("Run: pip install deepspeed, or leave it out."))


def _libraries(plan: Plan) -> Iterator[Problem]:
    """GPUs where the strategy is for them, NCCL where processes have one each."""
    if plan.strategy in SHARDED and not plan.cards:
        message = say("The strategy {name} is for GPUs.", name=plan.strategy)
        yield error("strategy-needs-gpu", message, Where(key="launch.strategy"), say("Set launch.strategy to auto."))
    if plan.cards and plan.size > 1 and not _has_nccl():
        message = say("The installed torch has no NCCL, by which GPUs exchange what they computed.")
        fix = say("Install the build of PyTorch for CUDA (pytorch.org, Get started), or set launch.processes to 1.")
        yield error("nccl-missing", message, Where(key="launch.processes"), fix)


def _has_nccl() -> bool:
    """Whether torch is built for CUDA, as its wheels for Linux are with NCCL; torch itself is too slow to be asked."""
    found = find_spec("torch")
    library = Path(found.origin).parent / "lib" / "libtorch_cuda.so" if found and found.origin else None
    return library is not None and library.exists()


def _batch(preset: Preset, plan: Plan) -> Iterator[Problem]:
    batch, rows = int(preset.training.batch_size), int(preset.training.batch_size) * preset.training.accumulation
    chosen_later = isinstance(preset.training.batch_size, Auto) and rows % plan.size == 0
    if chosen_later or divided(preset, plan.size):
        return
    message = say(
        "{rows} rows a step (training.batch_size {batch}, accumulation {times}) cannot be shared evenly by {count} "
        "processes.",
        rows=rows, batch=batch, times=preset.training.accumulation, count=plan.size,
    )  # fmt: skip
    below, above = batch - batch % plan.size, batch + -batch % plan.size
    sizes = [str(size) for size in (below, above) if size]
    counts = [count for count in range(1, plan.size) if divided(preset, count)]
    fix = say(
        "Set training.batch_size to {sizes}, or launch.processes to {count}.",
        sizes=say("{first} or {second}", first=sizes[0], second=sizes[1]) if len(sizes) > 1 else sizes[0],
        count=max(counts, default=1),
    )
    yield error("batch-not-shared", message, Where(key="training.batch_size"), fix)


def _cards(launch: Launch, cards: Sequence[Gpu], environment: Mapping[str, str]) -> Iterator[Problem]:
    if launch.device == "cpu" or not cards:
        return
    told = named(environment)
    gone = unknown_cards(told or (), cards)
    if gone:
        message = say("CUDA_VISIBLE_DEVICES names GPU {names}; there are {there}.", names=tuple(gone),
                      there=_numbers(cards))  # fmt: skip
        yield error("gpu-not-there", message, Where(key="launch.processes"), say("Name GPUs that are there."))
        return
    wanted = 1 if launch.processes == "auto" else launch.processes
    usable = choice(launch, cards, environment)
    if wanted > (len(told) if told is not None else len(cards)):
        count = len(told) if told is not None else len(cards)
        message = say("{wanted} processes need as many GPUs; there are {count}.", wanted=wanted, count=count)
        fix = say("Set launch.processes to auto, or to {count} at most.", count=count)
        yield error("gpus-too-few", message, Where(key="launch.processes"), fix)
        return
    busy = [card for card in cards if not is_free(card) and (told is None or str(card.index) in told)]
    short = wanted > len(usable) if told is None else len(busy) > 0 and launch.processes != "auto"
    if short and wanted > 1:
        message = say("{wanted} processes need as many free GPUs; {busy}.", wanted=wanted, busy=_busy(busy))
        fix = say("Wait for them, set launch.processes to auto, or name others in CUDA_VISIBLE_DEVICES.")
        yield error("gpus-not-free", message, Where(key="launch.processes"), fix)


def _numbers(cards: Sequence[Gpu]) -> str:
    return ", ".join(str(card.index) for card in cards)


def _busy(cards: Sequence[Gpu]) -> Message:
    taken = ", ".join(f"{card.index} ({(card.memory_used or 0) / 2**30:.1f} GiB)" for card in cards)
    return say("others use GPU {taken}", taken=taken)


def required(preset: Preset, strategies: Collection[str]) -> Plan:
    """The plan that a run is trained by now. Raises :class:`BadPreset` where its batch cannot be shared."""
    plan = plan_of(preset, strategies)
    found = list(_batch(preset, plan)) if plan.spread else []
    if found:
        raise BadPreset(*found)
    return plan
