"""What was measured of one model, as it lies in a run's report: ``before.json``, ``after.json``, ``search.json`` ...

Whoever writes a record is held to its schema. Whoever reads one takes what is there: a value that is missing or of a
wrong type counts as not told, so that a file that was damaged, or edited by hand, is shown as far as it goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from tunewiz.backends.evaluate.verdict import Comparison
from tunewiz.files import read_json, write_json

#: In a run's report: what counted words reach on the rows of a classification.
FLOOR: Final = "floor.json"
#: In the context of a validation: a value that does not fit gives way to its default.
_READING: Final = "reading"

#: Ways to search beside a model's own: by shared words, and by both with their ranks fused.
BM25: Final = "bm25"
FUSION: Final = "fusion"

#: A number of things; what no counter reaches (2^63) is damage, and would not become a float.
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Metrics = Mapping[str, float]
#: A comparison in a file holds its verdict too, for programs that read no Python.
Compared = Annotated[Comparison, PlainSerializer(Comparison.record)]


class Record(BaseModel):
    """A JSON object in a file of a run. What was never set is not written."""

    model_config = ConfigDict(frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _as_far_as_it_goes(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return check(value)
        except ValidationError:
            field = cls.model_fields[info.field_name or ""]
            if info.context != _READING or field.is_required():
                raise
            return field.get_default(call_default_factory=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The record in ``path``; ``None`` where there is none: missing, cut off, without what each record has."""
        try:
            return cls.model_validate(read_json(path), context=_READING)
        except ValidationError:
            return None

    def write(self, path: Path) -> None:
        """Write it to ``path``, whole. Raises ``OSError``."""
        write_json(path, self.as_json())

    def as_json(self) -> dict[str, Any]:
        """The JSON object: what was set, by its keys, which are never translated."""
        return self.model_dump(mode="json", exclude_unset=True)


class CosineSpread(Record):
    """Cosines of one kind of pairs: how many, and how they spread; the histogram has equal bins from -1 to 1."""

    count: Count = 0
    mean: float | None = None
    quantiles: Metrics = {}
    histogram: tuple[Count, ...] = ()


#: By kind of pairs: ``positive`` (judged relevant), ``random``, ``hard`` (the best-ranked that are not relevant).
Cosines = Mapping[str, CosineSpread]


class WrittenAnswer(Record):
    """What was asked on a held-out row, what the data expects, and what the model wrote."""

    prompt: str = ""
    expected: str = ""
    answer: str = ""


class SmallerVectors(Record):
    """What documents stored in fewer bytes give: ``numbers`` of ``bits`` each, beside the whole vectors.

    ``difference`` and its 95 % ``interval`` are of the primary metric, on the same queries.
    """

    numbers: Count = 0
    bits: Count = 0
    bytes: Count = 0
    metrics: Metrics = {}
    difference: float = 0.0
    interval: tuple[float, float] = (0.0, 0.0)


class Measured(Record):
    """One model measured. ``metrics`` are means over ``queries`` queries or rows, ``per_query`` what they are means of.

    Which of the others there are depends on what was measured; an evaluator of a plug-in may add facts of its own.
    """

    model_config = ConfigDict(extra="allow")

    metrics: Metrics
    seconds: float = 0.0
    queries: Count | None = None
    documents: Count | None = None
    collection: str = ""  # of ours, by name, where it is not the run's own
    max_length: Count | None = None
    precision: str = ""
    exact_share: float = 1.0  # of the documents, encoded in fp32
    cosines: Cosines | None = None
    smaller: tuple[SmallerVectors, ...] = ()
    # A search in two stages: how deep the first goes, the recall that bounds the second, queries without a right
    # candidate, what one query takes (median, p95), and the weight of the search's own scores in the final order.
    depth: Count = 0
    ceiling: float = 0.0
    out_of_reach: Count = 0
    milliseconds: Metrics = {}
    search_share: float = 0.0
    # A language model: answers by label and by what was answered, the labels, and written answers by row.
    confusion: Mapping[str, Mapping[str, Count]] | None = None
    labels: tuple[str, ...] = ()
    majority: Metrics = {}  # the commonest label of the training rows, and its accuracy as the answer to everything
    answers: Mapping[str, WrittenAnswer] = {}
    per_query: Mapping[str, Metrics] = {}

    def summary(self) -> Measured:
        """It without the numbers of single queries."""
        return Measured(**self.model_dump(exclude={"per_query"}, exclude_unset=True))
