"""Losses over groups of passages, the way BGE models were trained: those of FlagEmbedding."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses.loss import Loss, Rows
from tunewiz.presets.sections.section import about, vary_field
from tunewiz.problems import Problem, Where, error, say

# InfoNCE over groups of passages (van den Oord et al., 2018), the way BGE models were trained (Xiao et al., 2023).


#: The largest group that ``auto`` makes: BGE's own.
MOST: Final = 8


class Grouped(Loss):
    """What FlagEmbedding's losses share: a query with one right passage and ``group_size`` - 1 wrong ones."""

    temperature: float = Field(
        0.02,
        gt=0,
        le=10,
        title=N_("Temperature"),
        description=N_("Similarities are divided by it."),
        examples=[0.01, 0.02, 0.05],
        json_schema_extra=about(
            typical=N_("0.02, as BGE models were trained; 0.05 for others."),
            larger=N_("Pushes all wrong passages away alike."),
            smaller=N_("Looks at the hardest wrong passages only."),
        ),
    )
    group_size: Literal["auto"] | Annotated[int, Field(ge=1, le=128)] = Field(
        "auto",
        title=N_("Group size"),
        description=N_(
            "Passages a query is compared with in each step: one that answers it and, drawn anew each epoch, group "
            "size - 1 of its negatives. auto takes as many as most queries have, at most 8."
        ),
        examples=["auto", 8, 2, 1],
        json_schema_extra=about(
            typical=N_("auto; 8 with mined negatives (BGE), 1 without any."),
            larger=N_("A harder lesson; memory and time grow in proportion."),
            smaller=N_("Cheaper; 1 compares with the other queries' passages only."),
        ),
    )
    distillation: Literal["none", "kl_div", "m3_kd_loss"] = Field(
        "none",
        title=N_("Distillation"),
        description=N_("Whether the scores of a teacher (pos_scores and neg_scores of the data) are learned as well."),
        json_schema_extra=about(
            typical=N_("none; kl_div where a strong reranker has scored every passage of the data."),
            choices={
                "none": N_("only which passage is right"),
                "kl_div": N_("right passage, and the teacher's distribution over the group"),
                "m3_kd_loss": N_("each passage of the group against the batch, weighted by the teacher (BGE-M3)"),
            },
        ),
    )
    backends: ClassVar[frozenset[str]] = frozenset({"flag_embedding"})
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "pairs")
    in_batch_negatives: ClassVar[bool] = True

    def passages(self, negatives: int) -> int:
        """The group."""
        return min(MOST, 1 + negatives) if self.group_size == "auto" else self.group_size

    @property
    def learns_scores(self) -> bool:
        """As the user says."""
        return self.distillation != "none"

    @property
    def compares_batch(self) -> bool:
        """Whether passages of the batch's other queries are wrong answers; M3's loss cannot do without (1.4.2)."""
        return True

    def build(self, model: Any, losses: Any) -> dict[str, Any]:
        """The arguments of FlagEmbedding's model, which computes the loss itself."""
        kind = {} if self.distillation == "none" else {"kd_loss_type": self.distillation}
        return {"temperature": self.temperature, **kind}

    def problems(self, key: str) -> list[Problem]:
        """A group without negatives in a batch without negatives."""
        if self.group_size == 1 and not self.compares_batch:
            message = say(
                "A group of 1 without in-batch negatives has nothing to compare with: the loss is always zero."
            )
            return [error("group-of-one", message, Where(key=f"{key}.group_size"), say("Use at least 2, better 8."))]
        if self.group_size == 1 and self.distillation != "none":
            message = say("A teacher's scores say nothing about a group of 1.")
            return [error("group-of-one", message, Where(key=f"{key}.group_size"), say("Use at least 2, better 8."))]
        return []


class InfoNce(Grouped):
    """The loss of FlagEmbedding's embedders, encoders and decoders."""

    place = 10
    name: Literal["info_nce"] = vary_field(Loss, "name", "info_nce")
    dimensions: list[Annotated[int, Field(ge=1)]] = Field(
        default_factory=list,
        title=N_("Matryoshka dimensions"),
        description=N_(
            "Lengths that vectors may later be cut to: the loss is computed at each of them (Kusupati et al., 2022). "
            "Empty trains the full length only."
        ),
        examples=[[], [512, 256, 128]],
        json_schema_extra=about(typical=N_("Empty, or the full length and halves of it.")),
    )
    batch_negatives: bool = Field(
        True,
        title=N_("In-batch negatives"),
        description=N_("Whether the passages of the batch's other queries serve as wrong answers too."),
        json_schema_extra=about(
            typical=N_("true; false where most passages of the data would answer most queries, as in classification.")
        ),
    )
    who_for: ClassVar[str] = N_(
        "The loss BGE models were made with: queries, passages that answer them and, at best, several hard negatives "
        "each. Can also learn from a teacher's scores."
    )

    @property
    def compares_batch(self) -> bool:
        """As the user says."""
        return self.batch_negatives

    @property
    def compares_own_part(self) -> bool:
        """Beside a teacher: the library's gathered loss then weighs what is gathered and what is not alike."""
        return self.compares_batch and self.distillation != "none"

    def build(self, model: Any, losses: Any) -> dict[str, Any]:
        """As :meth:`Grouped.build`, with the lengths."""
        cut = {"use_mrl": True, "mrl_dims": list(self.dimensions)} if self.dimensions else {}
        return super().build(model, losses) | cut


# BGE-M3's unified loss: dense, sparse and multi-vector scores trained together (Chen et al., 2024).


class M3Unified(Grouped):
    """The loss of FlagEmbedding's M3 embedder with ``unified_finetuning``."""

    place = 20
    name: Literal["m3_unified"] = vary_field(Loss, "name", "m3_unified")
    self_distillation: bool = Field(
        True,
        title=N_("Self-distillation"),
        description=N_("The three kinds of scores also learn from their weighted sum, which is better than each."),
        json_schema_extra=about(typical=N_("true, as BGE-M3 was trained.")),
    )
    self_distillation_from: int = Field(
        0,
        ge=0,
        title=N_("Self-distillation from step"),
        description=N_("The step from which on they do; before it, the sum may not be worth learning from."),
        examples=[0, 500],
        json_schema_extra=about(typical=N_("0 for BGE-M3; a few hundred for a model whose heads are new.")),
    )
    freeze_encoder: bool = Field(
        False,
        title=N_("Freeze the encoder"),
        description=N_("Train the sparse and the multi-vector head only; dense vectors stay as they are."),
        json_schema_extra=about(typical=N_("false; true to give a model these heads and keep its dense search.")),
    )
    who_for: ClassVar[str] = N_(
        "For BGE-M3 used whole: its vectors, its word weights and its token vectors are tuned together. Takes more "
        "memory and time than the dense vectors alone. All three ways to search are measured; the verdict is on the "
        "dense one."
    )

    def beside(self, vocabulary: int) -> int:
        """The library writes each token's weight into a row as long as the vocabulary."""
        return vocabulary

    @property
    def compares_own_part(self) -> bool:
        """The library gathers the dense vectors alone, of four losses that are added."""
        return True

    def build(self, model: Any, losses: Any) -> dict[str, Any]:
        """As :meth:`Grouped.build`, with what the M3 model takes."""
        return super().build(model, losses) | {
            "unified_finetuning": True,
            "use_self_distill": self.self_distillation,
            "self_distill_start_step": self.self_distillation_from - 1,
            "fix_encoder": self.freeze_encoder,
        }
