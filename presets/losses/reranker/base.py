"""What a loss of a reranker says beyond :class:`~presets.losses.base.Loss`: the layout of its rows, and the activation.

A cross-encoder gives one number (a logit) for a query and a document. Losses over the order of documents learn on the
logit itself, and the model must give it back unchanged; a loss that learns probabilities has a sigmoid put on it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from presets.losses.base import Loss

#: ``pairs``: a query, a document and a label; ``lists``: a query, its documents and their labels; ``tuples``: a query,
#: a right document and wrong ones, with the differences of teacher scores where the loss asks for them.
Layout = Literal["pairs", "lists", "tuples"]


class RerankerLoss(Loss):
    """A loss for cross-encoders. ``build`` gets ``sentence_transformers.cross_encoder.losses`` and torch's modules."""

    backends: ClassVar[frozenset[str]] = frozenset({"cross_encoder", "pipeline", "comparison"})
    layout: ClassVar[Layout] = "pairs"
    #: What the tuned model does with its logit when it predicts.
    activation: ClassVar[Literal["sigmoid", "identity"]] = "identity"
    #: Whether tuples come with the score of the right document less that of each wrong one.
    learns_margins: ClassVar[bool] = False
