"""Which of the processes of a training this one is; a process that nobody started as a rank is the only one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True)
class Place:
    """Process ``rank`` (from 0) of ``size``; training goes on from the checkpoint ``resume``, if there is one."""

    rank: int = 0
    size: int = 1
    resume: Path | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that tells, saves and measures."""
        return self.rank == 0

    def share(self, rows: list[int]) -> list[int]:
        """This process's part of the rows of a batch, which is a multiple of ``size``.

        >>> Place(1, 2).share([5, 6, 7, 8])
        [7, 8]
        """
        count = len(rows) // self.size
        return rows[self.rank * count : (self.rank + 1) * count]


_here: Final = [Place()]


def here() -> Place:
    """The place of this process."""
    return _here[0]


def take(place: Place) -> None:
    """Make ``place`` that of this process, once, before anything is trained."""
    _here[0] = place


def agreed(value: bool) -> bool:
    """What rank 0 says, on every rank: each calls this at the same point. With one process ``value`` itself.

    Ranks look at clocks, files and free memory at different moments; what they then do together must be one thing.
    """
    if here().size == 1:
        return value
    import torch
    from accelerate.state import PartialState
    from accelerate.utils import broadcast

    said = broadcast(torch.tensor([int(value)], device=PartialState().device), from_process=0)
    return bool(said.item())


def waited() -> None:
    """Return once every rank has come here."""
    if here().size > 1:
        from accelerate.utils import wait_for_everyone

        wait_for_everyone()


def parted() -> None:
    """End what ranks exchange, all at once: what comes now rank 0 does alone."""
    if here().size > 1:
        from accelerate.state import PartialState

        PartialState().destroy_process_group()
