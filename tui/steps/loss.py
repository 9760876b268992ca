"""The loss and the hard negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from backends import negatives
from data.language import N_
from presets import fields
from presets.draft import Draft
from presets.losses import trained_by
from tui.forms.questions import Choice, Offer, choices
from tui.steps.base import Step

if TYPE_CHECKING:
    from tui.wizard.view import View


class Loss(Step):
    """What training pulls together and pushes apart."""

    name = "loss"
    order = 50
    title = N_("Loss")
    intro = N_("What is right, what is wrong? The loss compares texts; negatives are wrong ones that look right.")
    keys = ("loss", "data.negatives", "strategies")
    simple = ("loss", "data.negatives.strategy", "data.negatives.per_query", "strategies")
    lessons = ("negatives", "contrastive-learning")
    task_lessons = {"reranker": ("negatives", "bi-encoder-and-cross-encoder")}

    def offers(self) -> Mapping[str, Offer]:
        """The losses of the backend, and the strategies that are there to mine negatives."""
        return {"loss": _losses, "data.negatives.strategy": _strategies}

    def view(self, advanced: bool) -> View:
        """The form, and a look at mined negatives."""
        from tui.wizard.loss_view import LossView

        return LossView(self, advanced)


def _losses(draft: Draft) -> Sequence[Choice]:
    """What the chosen backend trains with; all of them while that is nothing known."""
    info, backend = draft.field(("loss",)), str(draft.value(("backend",)))
    every = choices(info) if info else ()
    kind = fields.losses_of(info) if info else None
    fitting = trained_by(backend, kind) if kind else {}
    return [choice for choice in every if choice.value in fitting] or every


def _strategies(draft: Draft) -> Sequence[Choice]:
    info = draft.field(("data", "negatives", "strategy"))
    told = {choice.value: choice for choice in choices(info)} if info else {}
    return [told.get(name, Choice(name)) for name in (negatives.NONE, *negatives.catalogue())]
