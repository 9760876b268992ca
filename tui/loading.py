"""What is loaded before the models of a run can be asked, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from data.language import N_

LOADING: Final[Mapping[str, str]] = {
    "before": N_("Loading the untouched model ..."),
    "after": N_("Loading the tuned model ..."),
    "retrieved": N_("Loading the model of the search ..."),
}
