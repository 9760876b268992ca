"""What a way of tuning a language model is to a preset: its options, and what they are called by LLaMA-Factory.

Adding a method means adding one file here: a subclass of :class:`LlmMethod` whose ``type`` is the file's name.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from presets.sections.base import Section

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class LlmMethod(Section):
    """Options of one method."""

    type: str
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
