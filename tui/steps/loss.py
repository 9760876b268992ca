"""The loss and the hard negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from backends import negatives
from data.language import N_
from presets.draft import Draft
from tui.forms.questions import Choice, Offer, choices
from tui.steps.base import Step

if TYPE_CHECKING:
    from tui.wizard.view import View


class Loss(Step):
    """What training pulls together and pushes apart."""

    name = "loss"
    order = 50
    title = N_("Loss")
    intro = N_("What is a good vector? The loss says which texts belong together, negatives which do not.")
    keys = ("loss", "data.negatives")
    simple = ("loss", "data.negatives.strategy", "data.negatives.per_query")
    lessons = ("negatives", "contrastive-learning")

    def offers(self) -> Mapping[str, Offer]:
        """The strategies that are there to mine negatives."""
        return {"data.negatives.strategy": _strategies}

    def view(self, advanced: bool) -> View:
        """The form, and a look at mined negatives."""
        from tui.wizard.loss_view import LossView

        return LossView(self, advanced)


def _strategies(draft: Draft) -> Sequence[Choice]:
    info = draft.field(("data", "negatives", "strategy"))
    told = {choice.value: choice for choice in choices(info)} if info else {}
    return [told.get(name, Choice(name)) for name in (negatives.NONE, *negatives.catalogue())]
