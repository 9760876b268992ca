"""Models and losses to begin with."""

from __future__ import annotations

from typing import Final

from data.language import N_

#: The model to begin with and why, by task and language.
MODELS: Final = {
    ("embedding", "zh"): (
        "BAAI/bge-small-zh-v1.5", N_("Your texts are Chinese; this one is small, Chinese and a good start.")
    ),
    ("embedding", "en"): (
        "all-MiniLM-L6-v2",
        N_("Your texts are English; this one is small and installs with Tunewiz, so no network is needed."),
    ),
    ("reranker", "zh"): (
        "BAAI/bge-reranker-base", N_("Your texts are Chinese; this one knows how to rank them already.")
    ),
    ("reranker", "en"): (
        "all-MiniLM-L6-v2",
        N_("Your texts are English; this one is small and installs with Tunewiz, so no network is needed."),
    ),
}  # fmt: skip
_FITS: Final = N_("Knows your language, and is of a size that this machine can tune.")
#: GiB of free GPU memory from which a model is a good start, and why; without a GPU the last.
LANGUAGE_MODELS: Final = (
    (24, "Qwen/Qwen3-4B-Instruct-2507", _FITS),
    (12, "Qwen/Qwen3-1.7B", _FITS),
    (4, "Qwen/Qwen3-0.6B", _FITS),
    (0, "starter-llm", N_("Small enough for a processor, and installs with Tunewiz, so no network is needed.")),
)
#: The loss to begin with, of each backend that has one.
LOSSES: Final = {
    ("embedding", "groups"): ("multiple_negatives_ranking", "info_nce"),
    ("embedding", "scored"): ("cosent",),
    ("reranker", "groups"): ("binary_cross_entropy",),
    ("reranker", "scored"): ("binary_cross_entropy",),
}
