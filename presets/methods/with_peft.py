"""Methods that LLaMA-Factory lacks: peft puts them on, the backend ``peft`` trains them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from presets.methods.base import LlmMethod


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
