"""The data: which file, what it is, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from data.formats import formats
from data.language import N_, translate
from presets.draft import Draft
from tui.forms.questions import Choice, Offer
from tui.steps.base import Step

if TYPE_CHECKING:
    from tui.wizard.view import View


class Data(Step):
    """Training data."""

    name = "data"
    order = 20
    title = N_("Data")
    intro = N_("What should it learn from? Name a file or folder; it is looked through at once.")
    keys = ("data",)
    simple = ("data.train",)
    lessons = ("contrastive-learning",)
    task_lessons = {"llm": ("methods",), "reranker": ("negatives", "bi-encoder-and-cross-encoder")}

    def offers(self) -> Mapping[str, Offer]:
        """The formats that are there for the task."""
        return {"data.format": _formats}

    def view(self, advanced: bool) -> View:
        """The file, its preview and findings, then the form."""
        from tui.wizard.data_view import DataView

        return DataView(self, advanced)


def _formats(draft: Draft) -> Sequence[Choice]:
    from tui.wizard.inspecting import rows_task

    found = formats(rows_task(str(draft.value(("task",)))))
    auto = Choice("auto", translate("decided by the columns"))
    return [auto, *(Choice(name, translate(layout.title)) for name, layout in sorted(found.items()))]
