"""The model: from the catalogue, any hub id, or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.language import N_
from tui.steps.base import Step

if TYPE_CHECKING:
    from tui.wizard.view import View


class Model(Step):
    """The model to tune."""

    name = "model"
    order = 30
    title = N_("Model")
    intro = N_("Which model should be tuned? Choose one that knows your language and fits your machine.")
    keys = ("model", "embedding")
    simple = ("model.id", "model.source", "embedding")
    lessons = ("bi-encoder-and-cross-encoder",)
    task_lessons = {"llm": ("qlora", "methods")}

    def view(self, advanced: bool) -> View:
        """The catalogue, then the form."""
        from tui.wizard.model_view import ModelView

        return ModelView(self, advanced)
