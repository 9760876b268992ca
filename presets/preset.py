"""A preset: what the user wants, in one YAML file.

:class:`Preset` holds what all tasks share; each task adds its sections in ``presets/tasks/<task>.py``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section
from presets.sections.evaluation import Tracking
from presets.sections.launch import Launch
from presets.sections.model import Model
from presets.sections.training import Training


class Preset(Section):
    """Sections common to all tasks."""

    version: Literal[1] = Field(1, title=N_("Version"), description=N_("Of the preset's schema."))
    name: str = Field(
        title=N_("Name"),
        description=N_("Names the run's directory."),
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        examples=["faq-embedding"],
    )
    description: str = Field("", title=N_("Description"), description=N_("What it is for, in your words."))
    task: str
    backend: str
    model: Model
    training: Training = Field(default_factory=Training, title=N_("Training"), description=N_("How training goes."))
    launch: Launch = Field(default_factory=Launch, title=N_("Launch"), description=N_("Processes and devices."))
    tracking: Tracking = Field(
        default_factory=Tracking, title=N_("Tracking"), description=N_("Progress sent elsewhere.")
    )
