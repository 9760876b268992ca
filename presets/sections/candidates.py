"""Which documents a reranker puts in order."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section, about


class Candidates(Section):
    """The first stage of a search: it finds the documents that the reranker sees."""

    strategy: Literal["bm25", "dense"] = Field(
        "bm25",
        title=N_("First stage"),
        description=N_("How the candidates are found that the reranker puts in order, when measuring."),
        json_schema_extra=about(
            typical=N_("What your search does today."),
            choices={
                "bm25": N_("by the words they share with the query; fast, no model"),
                "dense": N_("by an embedding model"),
            },
        ),
    )
    model: str = Field(
        "starter",
        min_length=1,
        title=N_("Embedding model"),
        description=N_(
            "The model of a dense first stage, and of dense negatives: a hub id, a folder (such as a run's model), or "
            "starter."
        ),
        examples=["starter", "BAAI/bge-small-zh-v1.5", "runs/faq-embedding-20260101-120000/model"],
        json_schema_extra=about(typical=N_("The embedding model that your search uses.")),
    )
    depth: int = Field(
        100,
        ge=2,
        le=1000,
        title=N_("Depth"),
        description=N_("How many candidates of each query are reranked; what is not among them cannot be found."),
        examples=[20, 50, 100],
        json_schema_extra=about(
            typical=N_("20 to 100."),
            larger=N_("More right documents within reach; every query takes longer."),
            smaller=N_("Faster; the first stage must be good."),
        ),
    )
    search_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        title=N_("Share of the search"),
        description=N_(
            "How much the scores of the first stage count in the final order, the reranker's counting for the rest; "
            "both are standardised over the candidates of a query."
        ),
        examples=[0, 0.5],
        json_schema_extra=about(
            typical=N_("0 for a reranker that learned from much data, 0.3 to 0.7 for one that learned from little."),
            larger=N_("Closer to the search alone; a poor reranker does less harm."),
            smaller=N_("The reranker decides; at 0 alone."),
        ),
    )
