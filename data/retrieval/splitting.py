"""Splits that do not leak: seeded, by query, and never a shared document or a near-duplicate query on both sides.

Examples that share a query, a near-duplicate of it, a positive text or a positive's id are tied together (union-find);
whole components go to one side. The same examples, fraction and seed give the same split in every process.
Of evaluation data that is given, :func:`leaks` says what the model would have seen in training.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from tunewiz.data.rows.examples import Collection, Example, ScoredPair, query_of
from tunewiz.data.text.duplicates import NearDuplicates, Seen, fingerprint, near_pairs, normal
from tunewiz.problems import Problem, Where, note, say, warning

E = TypeVar("E", bound=Example)
Ties = Literal["all", "documents", "queries"]

#: How far from the asked share of queries a split may end before looser ties are tried: half of it, or double. A share
#: that is off by less costs a wider interval, or some training rows; a tie given up costs the honesty of the numbers.
_TOLERANCE: Final = 0.5


@dataclass(frozen=True)
class Split(Generic[E]):
    """Examples on two sides, each in their original order, and what should be said about it.

    ``ties`` is what was kept together: near-duplicate queries, documents and queries (all); documents and queries; or
    only equal queries.
    """

    train: list[E]
    held_out: list[E]
    ties: Ties
    problems: tuple[Problem, ...] = ()


def split(examples: Sequence[E], fraction: float, seed: int, most: int | None = None) -> Split[E]:
    """Hold out about ``fraction`` (0 to 1) of the distinct queries, at most ``most`` of them.

    Where one component is so big that the share cannot be had, near-duplicate ties are given up first, then shared
    documents, each with a warning (``split-near-duplicates``, ``split-shared-documents``); equal queries never part.
    With fewer than two queries nothing is held out (``split-impossible``).
    """
    queries = [normal(query_of(example)) for example in examples]
    distinct = len(set(queries))
    # Whatever the share, a query stays to be trained on.
    wanted = min(round(fraction * distinct) or 1, distinct - 1, most or distinct) if fraction > 0 else 0
    if not wanted or distinct < 2:
        problems = () if fraction == 0 else (_impossible(distinct),)
        return Split(list(examples), [], "all", problems)
    components = Components(len(examples))
    tie_equal(components, queries)
    by_query = components.copy()
    _tie_documents(components, examples)
    by_document = components.copy()
    _tie_near(components, examples)
    levels: list[tuple[Ties, Components]] = [("all", components), ("documents", by_document), ("queries", by_query)]
    for ties, level in levels:
        held = choose(level.groups(), queries, wanted, random.Random(seed))
        if _close(len({queries[index] for index in held}), wanted, distinct) or ties == "queries":
            break
    chosen = set(held)
    return Split(
        [example for index, example in enumerate(examples) if index not in chosen],
        [example for index, example in enumerate(examples) if index in chosen],
        ties,
        _loosened(ties, levels, fraction),
    )


class Components:
    """Union-find with path halving; the root is always the smallest member."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def copy(self) -> Components:
        """An independent copy."""
        twin = Components(0)
        twin._parent = self._parent.copy()
        return twin

    def root(self, item: int) -> int:
        """The member that stands for the component of ``item``."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = item = parent[parent[item]]
        return item

    def tie(self, first: int, second: int) -> None:
        """Make one component of two."""
        low, high = sorted((self.root(first), self.root(second)))
        self._parent[high] = low

    def groups(self) -> list[list[int]]:
        """The components, each with its members in order."""
        found: dict[int, list[int]] = {}
        for item in range(len(self._parent)):
            found.setdefault(self.root(item), []).append(item)
        return list(found.values())


def _documents(example: Example) -> set[int]:
    """Fingerprints of what must not be on both sides."""
    if isinstance(example, ScoredPair):
        return {fingerprint(normal(example.second))}
    texts = {fingerprint(normal(text)) for text in example.positives}
    return texts | {fingerprint("id", name) for name in example.positive_ids if name}


def tie_equal(components: Components, queries: Sequence[str]) -> None:
    """Tie equal texts."""
    first: dict[str, int] = {}
    for index, query in enumerate(queries):
        components.tie(first.setdefault(query, index), index)


def _tie_documents(components: Components, examples: Sequence[Example]) -> None:
    first: dict[int, int] = {}
    for index, example in enumerate(examples):
        for document in _documents(example):
            components.tie(first.setdefault(document, index), index)


def _tie_near(components: Components, examples: Sequence[Example]) -> None:
    for pair in near_pairs(query_of(example) for example in examples):
        components.tie(pair.first, pair.second)


def choose(groups: list[list[int]], queries: Sequence[str], wanted: int, draw: random.Random) -> list[int]:
    """Members of the groups to hold out, whose distinct queries come as close to ``wanted`` as groups allow.

    Groups are drawn at random while they fit; one more is taken, the smallest, if that comes closer than none.
    """
    sizes = [len({queries[index] for index in group}) for group in groups]
    order = list(range(len(groups)))
    draw.shuffle(order)
    held: list[int] = []
    taken: set[int] = set()
    total = 0
    for number in order:
        if total + sizes[number] <= wanted:
            held += groups[number]
            taken.add(number)
            total += sizes[number]
        if total == wanted:
            return held
    rest = [number for number in order if number not in taken]
    smallest = min(rest, key=lambda number: sizes[number], default=None)
    if (
        smallest is not None
        and sizes[smallest] < sum(sizes) - total
        and total + sizes[smallest] - wanted < wanted - total
    ):
        held += groups[smallest]
    return held


def _close(got: int, wanted: int, distinct: int) -> bool:
    return got < distinct and (1 - _TOLERANCE) * wanted <= got <= wanted / (1 - _TOLERANCE)


def _impossible(distinct: int) -> Problem:
    message = say("Too few different queries ({count}): none can be held out.", count=distinct)
    return warning("split-impossible", message, fix=say("Give evaluation data of its own."))


def _loosened(ties: Ties, levels: list[tuple[Ties, Components]], fraction: float) -> tuple[Problem, ...]:
    if ties == "all":
        return ()
    components = dict(levels)
    biggest = max(map(len, components["all" if ties == "documents" else "documents"].groups()))
    if ties == "documents":
        message = say(
            "{count} rows hang together by near-duplicate queries: holding out {percent} % puts some on both sides.",
            count=biggest,
            percent=round(100 * fraction, 1),
        )
        return (warning("split-near-duplicates", message, fix=say("Scores may be a little too good.")),)
    message = say(
        "{count} rows hang together by shared documents: holding out {percent} % puts some documents on both sides.",
        count=biggest,
        percent=round(100 * fraction, 1),
    )
    fix = say("Scores tell how well known documents are found for new queries.")
    return (warning("split-shared-documents", message, fix=fix),)


# What the model would have seen in training of the data it is measured on.


def leaks(train: Sequence[Example], evaluation: Collection, file: str) -> Iterator[Problem]:
    """Queries of ``evaluation`` that are in ``train`` of ``file``, exactly or nearly, and relevant documents that are.

    ``leak-query`` and ``leak-near-query`` are warnings, each with the training row. Shared documents are one note
    (``leak-document``): in a corpus that both search, they are meant.
    """
    yield from _queries(train, evaluation.queries.values(), file)
    relevant = {name for judged in evaluation.qrels.values() for name, grade in judged.items() if grade > 0}
    shown = {fingerprint(normal(text)) for example in train for text in _positives(example)}
    documents = (evaluation.corpus[name] for name in relevant if name in evaluation.corpus)
    shared = sum(bool({fingerprint(normal(item.full)), fingerprint(normal(item.text))} & shown) for item in documents)
    if shared:
        message = say(
            "{count} of {total} relevant documents of the evaluation are positives in training too.",
            count=shared,
            total=len(relevant),
        )
        fix = say("Expected with a shared corpus; the score then tells of new queries for known documents.")
        yield note("leak-document", message, Where(file=file), fix)


def _queries(train: Sequence[Example], queries: Iterable[str], file: str) -> Iterator[Problem]:
    trained = Seen()
    near = NearDuplicates()
    places: list[Where] = []
    for example in train:
        if trained.first(fingerprint(normal(_query(example))), len(places)) is None:
            near.add(_query(example))
            places.append(Where(file=example.source or file, line=example.line))
    first_measured = len(near)
    texts: list[str] = []
    for text in queries:
        place = trained.get(fingerprint(normal(text)))
        if place is not None:
            message = say('The evaluation\'s query "{query}" is trained on.', query=text)
            fix = say("Take the row out of the training data.")
            yield warning("leak-query", message, places[place], fix)
        else:
            near.add(text)
            texts.append(text)
    for pair in near.pairs():
        if pair.first < first_measured <= pair.second:
            text = texts[pair.second - first_measured]
            message = say('The evaluation\'s query "{query}" is nearly one that is trained on.', query=text)
            fix = say("Take the row out of the training data if both ask the same.")
            yield warning("leak-near-query", message, places[pair.first], fix)


def _query(example: Example) -> str:
    return example.first if isinstance(example, ScoredPair) else example.query


def _positives(example: Example) -> tuple[str, ...]:
    return (example.second,) if isinstance(example, ScoredPair) else example.positives
