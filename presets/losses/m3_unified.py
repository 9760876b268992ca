"""BGE-M3's unified loss: dense, sparse and multi-vector scores trained together (Chen et al., 2024)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.info_nce import Grouped
from presets.sections.base import about


class M3Unified(Grouped):
    """The loss of FlagEmbedding's M3 embedder with ``unified_finetuning``."""

    name: Literal["m3_unified"] = Field("m3_unified", title=N_("Loss"), description=N_("What training makes smaller."))
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

    def build(self, model: Any, losses: Any) -> dict[str, Any]:
        """As :meth:`Grouped.build`, with what the M3 model takes."""
        return super().build(model, losses) | {
            "unified_finetuning": True,
            "use_self_distill": self.self_distillation,
            "self_distill_start_step": self.self_distillation_from - 1,
            "fix_encoder": self.freeze_encoder,
        }
