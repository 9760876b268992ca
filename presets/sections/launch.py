"""On how many processes and machines a run is launched."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section


class Launch(Section):
    """Processes and devices."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", title=N_("Device"), description=N_("auto: a GPU if there is.")
    )
    processes: Literal["auto"] | int = Field("auto", title=N_("Processes"), description=N_("auto: one a GPU."))
    threads: int = Field(0, ge=0, le=1024, title=N_("CPU threads"), description=N_("0: as many as there are cores."))
