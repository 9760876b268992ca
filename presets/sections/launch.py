"""On how many processes and machines a run is launched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section, about


class Launch(Section):
    """Processes and devices."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        title=N_("Device"),
        description=N_("What computes."),
        json_schema_extra=about(
            choices={
                "auto": N_("a GPU where there is one, otherwise the CPU"),
                "cpu": N_("the processor, even where a GPU is free"),
                "cuda": N_("an NVIDIA GPU; the run fails early where there is none"),
            },
        ),
    )
    processes: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = Field(
        "auto",
        title=N_("Processes"),
        description=N_("How many processes train together; auto starts one for each GPU."),
        json_schema_extra=about(typical=N_("auto."), larger=N_("Each process holds a whole copy of the model.")),
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        title=N_("CPU threads"),
        description=N_("Processor threads for computing; 0 takes as many as there are cores."),
        json_schema_extra=about(
            typical=N_("0; fewer where you share the machine."),
            larger=N_("More than there are cores is slower."),
            smaller=N_("Leaves the machine usable for others."),
        ),
    )
