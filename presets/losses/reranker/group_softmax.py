"""A softmax over a query's group of documents, the way BGE rerankers were trained (Xiao et al., 2023)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.info_nce import MOST
from presets.losses.reranker.base import Layout, RerankerLoss
from presets.sections.base import about


class GroupSoftmax(RerankerLoss):
    """The loss of FlagEmbedding's rerankers."""

    name: Literal["group_softmax"] = Field(
        "group_softmax", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    group_size: Literal["auto"] | Annotated[int, Field(ge=2, le=128)] = Field(
        "auto",
        title=N_("Group size"),
        description=N_(
            "Documents a query is compared with in each step: one that answers it and, drawn anew each epoch, group "
            "size - 1 of its negatives. auto takes as many as most queries have, at most 8."
        ),
        examples=["auto", 8, 4],
        json_schema_extra=about(
            typical=N_("auto; 8 with mined negatives (BGE)."),
            larger=N_("A harder lesson; memory and time grow in proportion."),
            smaller=N_("Cheaper; 2 compares a right document with a wrong one."),
        ),
    )
    distillation: Literal["none", "kl_div"] = Field(
        "none",
        title=N_("Distillation"),
        description=N_("Whether the scores of a teacher (pos_scores and neg_scores of the data) are learned as well."),
        json_schema_extra=about(
            typical=N_("none; kl_div where a stronger reranker has scored every document of the data."),
            choices={
                "none": N_("only which document is right"),
                "kl_div": N_("right document, and the teacher's distribution over the group"),
            },
        ),
    )
    backends: ClassVar[frozenset[str]] = frozenset({"flag_embedding"})
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "labelled")
    layout: ClassVar[Layout] = "tuples"
    who_for: ClassVar[str] = N_(
        "The loss BGE rerankers were made with: a right document against several hard wrong ones, and, if there is "
        "one, a teacher's scores."
    )

    @property
    def compares_batch(self) -> bool:
        """A reranker reads a query with its own documents only."""
        return False

    def passages(self, negatives: int) -> int:
        """The group."""
        return min(MOST, 1 + max(1, negatives)) if self.group_size == "auto" else self.group_size

    def build(self, model: Any, losses: Any) -> dict[str, Any]:
        """FlagEmbedding's model computes the loss itself, without options."""
        return {}
