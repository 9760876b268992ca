"""The candidates of a query: as the search gives them, and in the order of the rerankers."""

from __future__ import annotations

from tui.answers.embedding import look

__all__ = ["look"]
