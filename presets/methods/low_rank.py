"""What LoRA has in common, whatever the frozen weights are stored in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from data.language import N_
from presets.methods.base import LlmMethod
from presets.sections.base import about, varied
from presets.sections.method import Lora as EncoderLora

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class LowRank(LlmMethod):
    """Small low-rank matrices beside frozen weights (Hu et al., 2021).

    The defaults are those of LLaMA-Factory's ``examples/train_lora``: rank 8, alpha twice the rank, no dropout.
    """

    rank: int = varied(EncoderLora, "rank", 8)
    alpha: int = Field(
        16,
        ge=1,
        le=4096,
        title=N_("Alpha"),
        description=N_("Strength of the adapter: its output is multiplied by alpha / rank."),
        json_schema_extra=about(
            typical=N_("Twice the rank."),
            larger=N_("Acts like a higher learning rate; too large is unstable."),
            smaller=N_("The adapter changes little."),
        ),
    )
    dropout: float = varied(EncoderLora, "dropout", 0.0)
    target_modules: Literal["all"] | list[str] = varied(
        EncoderLora,
        "target_modules",
        examples=["all", ["q_proj", "v_proj"]],
        typical=N_("all. Attention only ([q_proj, k_proj, v_proj, o_proj]) saves memory and learns less."),
    )
    use_rslora: bool = varied(EncoderLora, "use_rslora")
    use_dora: bool = varied(EncoderLora, "use_dora")
    loraplus_ratio: float | None = Field(
        None,
        gt=0,
        le=1024,
        title=N_("LoRA+ ratio"),
        description=N_(
            "Learn the second matrix of each pair this many times faster than the first (Hayou et al., 2024); null "
            "treats both alike."
        ),
        examples=[None, 16],
        json_schema_extra=about(typical=N_("null; 16 to try it, with half the learning rate.")),
    )

    def arguments(self) -> dict[str, Any]:
        """These options as LLaMA-Factory's training arguments."""
        found: dict[str, Any] = {
            "finetuning_type": "lora",
            "lora_rank": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "lora_target": targets(self.target_modules),
        }
        found |= {name: True for name in ("use_rslora", "use_dora") if getattr(self, name)}
        return found | ({"loraplus_lr_ratio": self.loraplus_ratio} if self.loraplus_ratio else {})

    def trained(self, shape: Decoder) -> int:
        """The adapters' weights; an upper bound where layers are named."""
        from presets.memory_llm import adapter_weights

        return adapter_weights(shape, self.rank, attention_only=attention_only(self.target_modules))


def targets(modules: Literal["all"] | list[str]) -> str:
    """As LLaMA-Factory writes a list of layers."""
    return modules if isinstance(modules, str) else ",".join(modules)


def attention_only(modules: Literal["all"] | list[str]) -> bool:
    """Whether only layers of attention are named."""
    return modules != "all" and all(name in ("q_proj", "k_proj", "v_proj", "o_proj") for name in modules)
