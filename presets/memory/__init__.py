"""How much memory tuning takes, before anything is loaded: low, expected and high.

Here is what all estimates share; the formulas stand in ``encoder`` and ``language_model``, and what a preset puts
into them with the class of its task (:meth:`tunewiz.presets.preset.Preset.memory`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

GB: Final = 1024**3
Optimizer = Literal["adamw", "adamw_8bit", "adafactor", "sgd"]
#: Bytes of optimizer state for each trained weight.
STATE: Final[dict[str, float]] = {"adamw": 8, "adamw_8bit": 2, "adafactor": 4, "sgd": 0}


#: GiB beside the model, low, expected, high: CUDA's context and libraries; on the host the libraries, the rows, and
#: what measuring before training left (tests/bench/host_memory.py).
DEVICE: Final = (0.3, 0.5, 0.9)
HOST: Final = (0.7, 1.0, 1.4)


@dataclass(frozen=True)
class Shares:
    """The part that a process holds of weights, of gradients, and of the optimizer with its copy of the weights.

    ZeRO's stages (Rajbhandari et al., 2020, section 5) divide them from the last to the first; ``buckets``: whether
    gradients are held once more while they are exchanged, as torch's DistributedDataParallel does.
    """

    weights: float = 1.0
    gradients: float = 1.0
    states: float = 1.0
    buckets: bool = False

    @classmethod
    def of(cls, processes: int, strategy: str) -> Shares:
        """For ``processes`` by ``strategy``; offloaded states and weights are on the host, but for a layer."""
        part = 1 / processes
        known = {
            "zero2": cls(1.0, part, part),
            "zero3": cls(part, part, part),
            "fsdp": cls(part, part, part),
            "zero3_offload": cls(0.0, part, 0.0),
        }
        return known.get(strategy, cls(buckets=processes > 1))


WHOLE: Final = Shares()


@dataclass(frozen=True)
class Conditions:
    """What a preset does not say. ``half``: whether precision auto means 16 bit on the device; ``cpu``: whether that is
    a CPU. ``texts``: how many a row of its data makes a step read, on average over the largest rows; 0: not known.
    ``processes``: how many train together, by ``strategy``.
    """

    half: bool = True
    cpu: bool = False
    texts: float = 0.0
    processes: int = 1
    strategy: str = "ddp"

    @property
    def shares(self) -> Shares:
        """What of weights and states a process holds."""
        return Shares.of(self.processes, self.strategy)


ON_GPU: Final = Conditions()


@dataclass(frozen=True)
class Estimate:
    """Bytes on the device: ``low`` when texts are short, ``expected``, ``high`` when all are at full length."""

    low: int
    expected: int
    high: int
    texts: int
    trained: int

    def fits(self, free: int) -> Literal["yes", "maybe", "no"]:
        """Whether ``free`` bytes are enough: even for the high estimate, only for the low one, or not even for that."""
        return "yes" if self.high <= free else "maybe" if self.low <= free else "no"
