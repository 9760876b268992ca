"""The review: the preset as it will be saved, what it needs, and the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.language import N_
from tui.steps.base import Step

if TYPE_CHECKING:
    from tui.wizard.view import View


class Review(Step):
    """Everything at once, then start."""

    name = "review"
    order = 70
    title = N_("Review")
    intro = N_("This is the preset: the whole of what will happen. Change it here, save it, or start.")
    keys = ("name", "description")
    simple = ("name",)
    lessons = ("loss-curve", "metrics")

    def view(self, advanced: bool) -> View:
        """The YAML, the native configuration, the estimates and all problems."""
        from tui.wizard.review_view import ReviewView

        return ReviewView(self, advanced)
