"""A preset: what the user wants, in one YAML file.

:class:`Preset` holds what all tasks share, :class:`RetrievalPreset` what those share whose model is measured by a
search; each task adds its sections in ``presets/tasks/<task>.py``.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final, Literal

from pydantic import Field, SerializeAsAny

from tunewiz.language import N_
from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.sections.data import Data
from tunewiz.presets.sections.evaluation import Evaluation, Export, Tracking
from tunewiz.presets.sections.method import Full, Method
from tunewiz.presets.sections.model import EncoderModel, Model
from tunewiz.presets.sections.section import Section, about
from tunewiz.presets.sections.training import Launch, Training
from tunewiz.problems import Problem, Where, error, say

#: A name that is safe as part of a directory's: no slash, no leading dot or dash.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_RULE: Final = N_("1 to 64 letters (a-z), digits, dots, dashes or underscores, beginning with a letter or digit")


def name_problems(name: str, key: str = "name") -> list[Problem]:
    """Why ``name`` cannot name a preset or a run; ``key`` is what gave it."""
    if NAME.fullmatch(name):
        return []
    message = say("{name} is no name: expected {rule}.", name=repr(name[:80]), rule=say(_NAME_RULE))
    return [error("bad-name", message, Where(key), say("For example: {name}", name="faq-embedding"))]


class Preset(Section):
    """Sections common to all tasks."""

    #: Where its task stands among the tasks: those to begin with come first.
    PLACE: ClassVar[int] = 9
    #: The order in which sections are written; others follow.
    ORDER: ClassVar[tuple[str, ...]] = (
        "version", "name", "description", "task", "backend", "stage", "model", "template", "data", "candidates",
        "method", "loss", "preference", "training", "evaluation", "export", "launch", "tracking",
        "backend_options",
    )  # fmt: skip

    version: Literal[1] = Field(
        1, title=N_("Version"), description=N_("Version of this file's layout, so that later releases can read it.")
    )
    name: str = Field(
        title=N_("Name"),
        description=N_("Names the run's directory, followed by date and time."),
        pattern=rf"^{NAME.pattern}$",
        examples=["faq-embedding"],
        json_schema_extra=about(rule=_NAME_RULE),
    )
    description: str = Field("", title=N_("Description"), description=N_("What it is for, in your own words."))
    task: str
    backend: str
    model: Model = Field(title=N_("Model"), description=N_("Which model is tuned and where it comes from."))
    training: Training = Field(
        default_factory=Training,
        title=N_("Training"),
        description=N_("How long, how fast and how carefully it learns."),
    )
    launch: Launch = Field(default_factory=Launch, title=N_("Launch"), description=N_("Which processors do the work."))
    tracking: Tracking = Field(
        default_factory=Tracking, title=N_("Tracking"), description=N_("Where progress is sent besides the run itself.")
    )

    def problems(self) -> list[Problem]:
        """What does not go together, as far as that can be told without the data, the model or a library."""
        return []


class RetrievalPreset(Preset):
    """A preset whose model is measured by what a search finds."""

    model: EncoderModel = Field(title=N_("Model"), description=N_("Which model is tuned and where it comes from."))
    data: Data = Field(title=N_("Data"), description=N_("What it learns from and what it is measured on."))
    method: Method = Field(
        default_factory=Full, title=N_("Method"), description=N_("How much of the model is trained.")
    )
    loss: SerializeAsAny[Loss]
    evaluation: Evaluation = Field(
        default_factory=Evaluation,
        title=N_("Evaluation"),
        description=N_("How the model is measured, before and after."),
    )
    export: Export = Field(
        default_factory=Export, title=N_("Export"), description=N_("What is left when the run is over.")
    )
