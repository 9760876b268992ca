"""Losses of rerankers that spread one probability over all documents of a query."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses import ranking
from tunewiz.presets.losses.info_nce import MOST
from tunewiz.presets.losses.loss import Layout, RerankerLoss, Rows
from tunewiz.presets.sections.section import about, vary_field

# ListNet: the scores of a list should be spread as its labels are (Cao et al., 2007).


class ListNet(RerankerLoss):
    """``ListNetLoss``."""

    name: Literal["list_net"] = vary_field(RerankerLoss, "name", "list_net")
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "triplets", "labelled")
    layout: ClassVar[Layout] = "lists"
    who_for: ClassVar[str] = N_(
        "For lists with grades, or with a teacher's scores for every document; calm and without options."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, documents and labels."""
        return losses.ListNetLoss(model, mini_batch_size=-1)


# ListMLE: the order of the labels should be the likeliest one (Xia et al., 2008).


class ListMle(RerankerLoss):
    """``ListMLELoss``; documents with equal labels stand in the order of the data."""

    name: Literal["list_mle"] = vary_field(RerankerLoss, "name", "list_mle")
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "triplets", "labelled")
    layout: ClassVar[Layout] = "lists"
    who_for: ClassVar[str] = N_(
        "For lists whose whole order is known. With few different labels take list_net or lambda_loss: ties have no "
        "order."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, documents and labels."""
        return losses.ListMLELoss(model, mini_batch_size=-1, respect_input_order=False)


# Cross-entropy over a group: the right document against its wrong ones (Gao et al., 2021; the loss of BGE).


class CrossEntropy(RerankerLoss):
    """A softmax over the documents of a query."""

    place = 45
    name: Literal["cross_entropy"] = vary_field(RerankerLoss, "name", "cross_entropy")
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


# A softmax over a query's group of documents, the way BGE rerankers were trained (Xiao et al., 2023).


class GroupSoftmax(RerankerLoss):
    """The loss of FlagEmbedding's rerankers."""

    place = 10
    name: Literal["group_softmax"] = vary_field(RerankerLoss, "name", "group_softmax")
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
    def learns_scores(self) -> bool:
        """As the user says."""
        return self.distillation != "none"

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


# Right documents against those of other queries in the batch, in little memory (Gao et al., 2021).


class CachedMultipleNegativesRanking(RerankerLoss):
    """``CachedMultipleNegativesRankingLoss`` of cross-encoders."""

    name: Literal["cached_multiple_negatives_ranking"] = vary_field(
        RerankerLoss, "name", "cached_multiple_negatives_ranking"
    )
    num_negatives: int = Field(
        4,
        ge=1,
        le=4096,
        title=N_("In-batch negatives"),
        description=N_("How many documents of other queries each query is compared with, beside its own negatives."),
        json_schema_extra=about(
            typical=N_("4 to 16."), larger=N_("A harder lesson, more time."), smaller=N_("Cheaper.")
        ),
    )
    scale: float = vary_field(
        CrossEntropy, "scale", 10.0, description=N_("Scores from 0 to 1 are multiplied by it."), typical=N_("10.")
    )
    mini_batch_size: int = vary_field(ranking.CachedMultipleNegativesRanking, "mini_batch_size")
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "pairs")
    layout: ClassVar[Layout] = "tuples"
    in_batch_negatives: ClassVar[bool] = True
    caches_gradients: ClassVar[bool] = True
    activation: ClassVar[Literal["sigmoid", "identity"]] = "sigmoid"
    who_for: ClassVar[str] = N_(
        "For queries with right documents and nothing else: those of other queries serve as wrong ones. They are easy, "
        "so mined negatives with another loss usually get further."
    )

    @property
    def compares_own_part(self) -> bool:
        """Always: the library gathers nothing for it."""
        return True

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, right document[, wrong documents ...]."""
        return losses.CachedMultipleNegativesRankingLoss(
            model,
            num_negatives=self.num_negatives,
            scale=self.scale,
            activation_fn=losses.Sigmoid(),
            mini_batch_size=self.mini_batch_size,
        )
