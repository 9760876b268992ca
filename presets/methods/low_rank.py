"""LoRA and QLoRA: small matrices beside frozen weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.methods.method import METHODS, LlmMethod
from tunewiz.presets.sections.method import Lora as EncoderLora
from tunewiz.presets.sections.section import about, vary_field

if TYPE_CHECKING:
    from tunewiz.presets.memory.language_model import Decoder


# What LoRA has in common, whatever the frozen weights are stored in.


class LowRank(LlmMethod):
    """Small low-rank matrices beside frozen weights (Hu et al., 2021).

    The defaults are those of LLaMA-Factory's ``examples/train_lora``: rank 8, alpha twice the rank, no dropout.
    """

    rank: int = vary_field(EncoderLora, "rank", 8)
    alpha: int = vary_field(EncoderLora, "alpha", 16, limits={"ge": 1, "le": 4096})
    dropout: float = vary_field(EncoderLora, "dropout", 0.0)
    target_modules: Literal["all"] | list[str] = vary_field(
        EncoderLora,
        "target_modules",
        examples=["all", ["q_proj", "v_proj"]],
        typical=N_("all. Attention only ([q_proj, k_proj, v_proj, o_proj]) saves memory and learns less."),
    )
    use_rslora: bool = vary_field(EncoderLora, "use_rslora")
    use_dora: bool = vary_field(EncoderLora, "use_dora")
    loraplus_ratio: float | None = Field(
        None,
        gt=0,
        le=1024,
        title=N_("LoRA+ ratio"),
        description=N_(
            "Learn the second matrix of each pair this many times faster than the first (Hayou et al., 2024); empty "
            "(null) treats both alike."
        ),
        examples=[None, 16],
        json_schema_extra=about(typical=N_("empty (null); 16 to try it, with half the learning rate.")),
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
        from tunewiz.presets.memory.language_model import adapter_weights

        return adapter_weights(shape, self.rank, attention_only=attention_only(self.target_modules))


def targets(modules: Literal["all"] | list[str]) -> str:
    """As LLaMA-Factory writes a list of layers."""
    return modules if isinstance(modules, str) else ",".join(modules)


def attention_only(modules: Literal["all"] | list[str]) -> bool:
    """Whether only layers of attention are named."""
    return modules != "all" and all(name in ("q_proj", "k_proj", "v_proj", "o_proj") for name in modules)


# LoRA: small matrices beside frozen 16-bit weights.


class Lora(LowRank):
    """Low-rank matrices are trained beside the frozen weights."""

    place = 10
    type: Literal["lora"] = vary_field(LlmMethod, "type", "lora")
    who_for: ClassVar[str] = METHODS["lora"]
    pissa: bool = Field(
        False,
        title=N_("PiSSA"),
        description=N_(
            "Start the adapter from the principal singular values of the weights instead of zero (Meng et al., 2024): "
            "learns faster at first. The result is turned into an ordinary adapter."
        ),
        json_schema_extra=about(typical=N_("false; not with dpo or kto.")),
    )

    def arguments(self) -> dict[str, Any]:
        """As LLaMA-Factory calls them; PiSSA by 16 rounds of fast SVD, seconds instead of minutes."""
        start = {"pissa_init": True, "pissa_iter": 16, "pissa_convert": True} if self.pissa else {}
        return super().arguments() | start


# QLoRA: small matrices beside frozen weights that are stored in 4 or 8 bits (Dettmers et al., 2023).


class Qlora(LowRank):
    """Low-rank matrices are trained beside quantised weights."""

    place = 20
    type: Literal["qlora"] = vary_field(LlmMethod, "type", "qlora")
    who_for: ClassVar[str] = METHODS["qlora"]
    bits: Literal[4, 8] = Field(
        4,
        title=N_("Bits"),
        description=N_("Bits in which the frozen weights are stored (bitsandbytes); computing stays in 16 bit."),
        json_schema_extra=about(
            typical=N_("4."), larger=N_("8 is nearer to the original model and takes twice the memory.")
        ),
    )
    quant_type: Literal["nf4", "fp4"] = Field(
        "nf4",
        title=N_("Quantisation type"),
        description=N_("Which 16 values four bits stand for."),
        json_schema_extra=about(
            choices={
                "nf4": N_("spaced for weights that are normally distributed, as they are"),
                "fp4": N_("a tiny floating-point number"),
            },
        ),
    )
    double_quantisation: bool = Field(
        True,
        title=N_("Double quantisation"),
        description=N_("Also quantise the scale of each block: saves 0.4 bits a weight."),
        json_schema_extra=about(typical=N_("true.")),
    )

    @property
    def stored_bits(self) -> Literal[4, 8, 16]:
        """Bits of a frozen weight."""
        return self.bits

    def arguments(self) -> dict[str, Any]:
        """As LLaMA-Factory calls them; normalisation layers are kept in fp32, as it recommends."""
        quantised: dict[str, Any] = {"quantization_bit": self.bits, "quantization_method": "bnb"}
        if self.bits == 4:
            quantised |= {"quantization_type": self.quant_type, "double_quantization": self.double_quantisation}
        return super().arguments() | quantised
