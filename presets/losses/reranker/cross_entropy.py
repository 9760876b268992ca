"""Cross-entropy over a group: the right document against its wrong ones (Gao et al., 2021; the loss of BGE)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import Layout, RerankerLoss
from presets.sections.base import about


class CrossEntropy(RerankerLoss):
    """A softmax over the documents of a query."""

    name: Literal["cross_entropy"] = Field(
        "cross_entropy", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    scale: float = Field(
        1.0,
        gt=0,
        le=1000,
        title=N_("Scale"),
        description=N_("Scores are multiplied by it before they are compared; 1 / scale is the temperature."),
        json_schema_extra=about(
            typical=N_("1."),
            larger=N_("Looks at the hardest wrong documents only."),
            smaller=N_("Pushes all wrong documents away alike."),
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "scored", "labelled")
    layout: ClassVar[Layout] = "tuples"
    who_for: ClassVar[str] = N_(
        "For a right document among several hard wrong ones, the way BGE rerankers were trained: 4 to 15 mined "
        "negatives a query."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, right document, wrong documents ..."""
        return losses.GroupCrossEntropyLoss(model, scale=self.scale)
