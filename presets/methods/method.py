"""What a way of tuning a language model is to a preset: its options, and what they are called by LLaMA-Factory.

Adding a method means adding a subclass of :class:`LlmMethod` with its own ``type`` to the file of its family, and
what it is to :data:`METHODS`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import Section, about

if TYPE_CHECKING:
    from tunewiz.presets.memory.language_model import Decoder


# What each method is, in the words of its form control.


METHODS: Final = {
    "lora": N_("train small matrices beside the frozen weights: the usual choice, an adapter of a few megabytes"),
    "qlora": N_("as lora, with the frozen weights stored in 4 or 8 bits: a quarter of the memory, somewhat slower"),
    "full": N_("train every weight: learns most, and needs eight times the memory and more data"),
    "freeze": N_("train the last layers whole and leave the others alone"),
    "ia3": N_("learn one factor for each channel of keys, values and the MLP: kilobytes, merges without a trace"),
    "prefix_tuning": N_("learn keys and values that stand before every text in each layer; the model stays as it is"),
    "prompt_tuning": N_("learn a few made-up tokens that stand before every text: the smallest adapter there is"),
    "oft": N_("turn the weights by small orthogonal matrices: keeps more of what the model knew"),
}


class LlmMethod(Section):
    """Options of one method."""

    type: str = Field(
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    #: One sentence: what it does and when to choose it. Marked with ``N_``.
    who_for: ClassVar[str] = ""
    #: The backend that trains with it.
    backend: ClassVar[str] = "llama_factory"
    #: A learning rate to begin with, where the method decides it more than the model does.
    rate: ClassVar[float | None] = None
    #: Whether it trains small weights beside frozen ones, which end up in an adapter.
    adapter: ClassVar[bool] = True

    @property
    def stored_bits(self) -> Literal[4, 8, 16]:
        """Bits of a frozen weight."""
        return 16

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """These options as LLaMA-Factory's training arguments."""

    @abstractmethod
    def trained(self, shape: Decoder) -> int:
        """How many weights of a model of this shape change."""

    def usual_rate(self) -> tuple[float, float]:
        """The lowest and highest learning rate that is usual for it."""
        return 2e-5, 1e-3


# Methods that LLaMA-Factory lacks: peft puts them on, the backend ``peft`` trains them.


class WithPeft(LlmMethod):
    """A method given to peft by the name of its configuration."""

    backend: ClassVar[str] = "peft"
    #: The class of its configuration in peft.
    configuration: ClassVar[str]

    def arguments(self) -> dict[str, Any]:
        """LLaMA-Factory, which only loads the model, is told nothing of it."""
        return {}

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The options of peft's configuration."""
