"""What the methods have in common that train made-up tokens before every text."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from data.language import N_
from presets.methods.with_peft import WithPeft
from presets.sections.base import about


class VirtualTokens(WithPeft):
    """Virtual tokens are trained; every weight of the model stays."""

    tokens: int = Field(
        20,
        ge=1,
        le=1024,
        title=N_("Virtual tokens"),
        description=N_("How many made-up tokens stand before every text."),
        examples=[8, 20, 50],
        json_schema_extra=about(
            typical=N_("10 to 50."),
            larger=N_("Learns more, takes room from the text, trains more slowly."),
            smaller=N_("Learns little."),
        ),
    )

    def options(self) -> dict[str, Any]:
        """As peft calls them."""
        return {"num_virtual_tokens": self.tokens}
