"""What a loss is to a preset: its options, what rows it needs, who it is for, and how it is built.

A loss of a reranker also says how its rows are laid out, and with what activation the tuned model predicts: a
cross-encoder gives one number (a logit) for a query and a document. Losses over the order of documents learn on the
logit itself, and the model must give it back unchanged; a loss that learns probabilities has a sigmoid put on it.

Adding a loss means adding a subclass of :class:`Loss`, or of :class:`RerankerLoss`, with its own ``name`` to the
file of its family.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import Section, about
from tunewiz.problems import Problem

Rows = Literal["pairs", "triplets", "scored", "labelled"]


class Loss(Section):
    """Options of one loss. The class docstring is for developers, ``who_for`` for users."""

    name: str = Field(title=N_("Loss"), description=N_("What training makes smaller."))
    #: The backends that can train with it.
    backends: ClassVar[frozenset[str]] = frozenset({"sentence_transformers"})
    #: Row shapes the loss can learn from, best first.
    rows: ClassVar[tuple[Rows, ...]] = ()
    #: One or two sentences: when to choose it. Marked with ``N_``.
    who_for: ClassVar[str] = ""
    #: Whether other passages of the batch serve as negatives (so a batch may not hold two positives of one query).
    in_batch_negatives: ClassVar[bool] = False
    #: How many negatives of a row the loss takes; ``None``: any number, all rows alike.
    max_negatives: ClassVar[int | None] = None
    #: Whether scores must lie from 0 to 1; other scales are brought there.
    needs_unit_scores: ClassVar[bool] = False
    #: Whether it encodes a batch twice in small pieces (which gradient checkpointing cannot follow).
    caches_gradients: ClassVar[bool] = False
    #: Options that name a model; a backend puts the local folder in before ``build``.
    models: ClassVar[tuple[str, ...]] = ()

    @property
    def core(self) -> Loss:
        """The loss that decides which rows are needed and how they are batched: this one, or the one inside it."""
        return self

    @property
    def learns_scores(self) -> bool:
        """Whether it learns a teacher's scores of a query's passages."""
        return False

    @property
    def compares_own_part(self) -> bool:
        """Whether it compares rows of a batch that the library does not gather: of several processes each compares
        those of its own part.
        """
        return False

    @property
    def encoded_at_once(self) -> int | None:
        """Texts encoded and kept at a time where gradients are cached; ``None``: the whole batch."""
        size = getattr(self, "mini_batch_size", None)
        return int(size) if self.caches_gradients and size else None

    def passages(self, negatives: int) -> int:
        """Passages of a row that a step encodes, where ``negatives`` are mined for each."""
        return 1 + negatives

    def texts(self, negatives: int) -> int:
        """Texts of an example that a step reads: the query and its passages."""
        return 1 + self.core.passages(negatives)

    def beside(self, vocabulary: int) -> int:
        """Numbers that the loss makes for each token, beside the model's own."""
        return 0

    @abstractmethod
    def build(self, model: Any, losses: Any) -> Any:
        """The library's loss for ``model``: made of its module ``losses``; FlagEmbedding's is arguments of its own."""

    def problems(self, key: str) -> list[Problem]:
        """What is wrong with these options beyond their types; ``key`` is where they stand in the preset."""
        return []


#: ``pairs``: a query, a document and a label; ``lists``: a query, its documents and their labels; ``tuples``: a query,
#: a right document and wrong ones, with the differences of teacher scores where the loss asks for them.
Layout = Literal["pairs", "lists", "tuples"]


class RerankerLoss(Loss):
    """A loss for cross-encoders. ``build`` gets ``sentence_transformers.cross_encoder.losses`` and torch's modules."""

    backends: ClassVar[frozenset[str]] = frozenset({"cross_encoder", "pipeline", "comparison"})
    layout: ClassVar[Layout] = "pairs"
    #: What the tuned model does with its logit when it predicts.
    activation: ClassVar[Literal["sigmoid", "identity"]] = "identity"
    mini_batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        title=N_("Mini-batch size"),
        description=N_(
            "How many documents are scored at a time, each twice, so that their memory is that of one mini-batch; what "
            "is learned stays the same. Empty (null) scores those of all queries of a batch at once."
        ),
        examples=[None, 32, 8],
        json_schema_extra=about(
            typical=N_("empty (null); 8 to 32 where memory runs out, in about a third more time."),
            larger=N_("Faster, more memory."),
            smaller=N_("Slower, less memory."),
        ),
    )
    #: Whether tuples come with the score of the right document less that of each wrong one.
    learns_margins: ClassVar[bool] = False

    @property
    def learns_scores(self) -> bool:
        """By their margins."""
        return self.learns_margins

    @property
    def encoded_at_once(self) -> int | None:
        """A mini-batch, where one is set."""
        return self.mini_batch_size

    def texts(self, negatives: int) -> int:
        """As :meth:`Loss.texts`; a query and a document are read as one text."""
        return 1 if self.layout == "pairs" else self.passages(max(1, negatives))
