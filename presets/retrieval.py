"""What presets of all retrieval tasks share: data, method, loss, how the result is measured and exported."""

from __future__ import annotations

from pydantic import Field, SerializeAsAny

from data.language import N_
from presets.losses.base import Loss
from presets.preset import Preset
from presets.sections.data import Data
from presets.sections.evaluation import Evaluation, Export
from presets.sections.method import Full, Method
from presets.sections.model import EncoderModel


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
