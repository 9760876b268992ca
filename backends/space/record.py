"""What ``report/space.json`` holds: points with their places before and after training, and numbers of the space.

Written once by :mod:`tunewiz.backends.space.making`; read by reports, by the screen and by ``tunewiz space``, which
import nothing heavy for it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tunewiz.files import read_json, write_json
from tunewiz.language import N_
from tunewiz.problems import Message, say

Kind = Literal["query", "positive", "negative"]
Place = tuple[float, float]
When = Literal["before", "after"]
SIDES: Final[tuple[When, When]] = ("before", "after")
KINDS: Final[dict[Kind, str]] = {
    "query": N_("queries"),
    "positive": N_("their answers"),
    "negative": N_("other documents"),
}
NAME: Final = "space.json"
_VERSION: Final = 1


@dataclass(frozen=True)
class Point:
    """A text: ``positive`` answers one of the queries that are drawn. ``label`` is a place in :attr:`Space.labels`, -1
    for none.
    """

    id: str
    kind: Kind
    text: str
    before: Place
    after: Place
    label: int = -1


@dataclass(frozen=True)
class Pair:
    """A query and a document that answers it, as places in :attr:`Space.points`, and their cosines."""

    query: int
    document: int
    before: float
    after: float


@dataclass(frozen=True)
class Cosines:
    """Means in the space itself, over what is drawn.

    ``positive``: queries and their answers; ``negative``: queries and all other documents; ``nearest``: each query and
    the nearest document that does not answer it. ``kept``: of each point's ten nearest in the space, the share that is
    among its ten nearest in the picture.
    """

    positive: float
    negative: float
    nearest: float
    kept: float


@dataclass(frozen=True)
class Space:
    """Both layouts. ``queries`` and ``documents`` say how many there are in all, of which ``points`` are drawn."""

    model: str
    before: Cosines
    after: Cosines
    points: tuple[Point, ...]
    pairs: tuple[Pair, ...]
    labels: tuple[str, ...] = ()
    queries: int = 0
    documents: int = 0
    seed: int = 0
    perplexity: float = 0.0
    made_of: str = ""

    def write(self, file: Path) -> None:
        """Write it whole."""
        write_json(file, {"version": _VERSION, **asdict(self)})

    def count(self, kind: Kind) -> int:
        """How many points are of ``kind``."""
        return sum(point.kind == kind for point in self.points)

    def places(self, when: When) -> list[Place]:
        """Where the points are, in their order."""
        return [getattr(point, when) for point in self.points]

    def numbers(self) -> list[tuple[str, float, float]]:
        """What stands beside the picture: a name marked for translation, before, after."""
        told = (
            (N_("mean cosine, query and answer"), "positive"),
            (N_("mean cosine, query and other documents"), "negative"),
            (N_("mean cosine, query and the nearest wrong document"), "nearest"),
            (N_("nearest neighbours that the picture keeps"), "kept"),
        )
        return [(name, getattr(self.before, key), getattr(self.after, key)) for name, key in told]

    def drawn(self) -> Message:
        """What the points are."""
        told = {
            "queries": self.count("query"),
            "answers": self.count("positive"),
            "others": self.count("negative"),
        }
        if len(self.points) >= self.queries + self.documents:
            return say("{queries} queries, {answers} documents that answer them, {others} others", **told)
        return say(
            "{queries} of {all_queries} queries, {answers} documents that answer them, {others} others of "
            "{all_documents} documents in all, drawn by the seed",
            **told,
            all_queries=self.queries,
            all_documents=self.documents,
        )


#: How to read it; what a picture of a space cannot show, whoever draws it.
CAPTION: Final = N_(
    "t-SNE keeps neighbours together; the size of a cluster and the distance between two of them mean nothing. Both "
    "sides begin from one layout that counts both models alike, and are refined for the same number of steps, each by "
    "its own model's cosines alone: texts that training did not move stand in the same place. The numbers are those of "
    "the space itself, not of the picture."
)


def read(file: Path) -> Space | None:
    """What ``file`` holds; ``None`` where it is missing, damaged or of another kind."""
    told = read_json(file)
    try:
        return _space(told) if isinstance(told, dict) and told.get("version") == _VERSION else None
    except (KeyError, TypeError, ValueError):
        return None


def _space(told: dict[str, Any]) -> Space:
    points = tuple(
        Point(str(one["id"]), _kind(one["kind"]), str(one["text"]), _place(one["before"]), _place(one["after"]),
              int(one.get("label", -1)))
        for one in told["points"]
    )  # fmt: skip
    labels = tuple(map(str, told.get("labels", ())))
    pairs = tuple(Pair(int(one["query"]), int(one["document"]), float(one["before"]), float(one["after"]))
                  for one in told["pairs"])  # fmt: skip
    if not points or any(not 0 <= at < len(points) for pair in pairs for at in (pair.query, pair.document)):
        raise ValueError("points")
    if any(not -1 <= point.label < len(labels) for point in points):
        raise ValueError("labels")
    return Space(
        model=str(told["model"]),
        before=Cosines(**{name: float(value) for name, value in told["before"].items()}),
        after=Cosines(**{name: float(value) for name, value in told["after"].items()}),
        points=points,
        pairs=pairs,
        labels=labels,
        queries=int(told.get("queries", 0)),
        documents=int(told.get("documents", 0)),
        seed=int(told.get("seed", 0)),
        perplexity=float(told.get("perplexity", 0)),
        made_of=str(told.get("made_of", "")),
    )


def _kind(told: Any) -> Kind:
    if told not in KINDS:
        raise ValueError(told)
    kind: Kind = told
    return kind


def _place(told: Any) -> Place:
    across, up = map(float, told)
    if not (math.isfinite(across) and math.isfinite(up)):
        raise ValueError(told)
    return across, up
