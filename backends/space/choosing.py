"""Which texts of a test collection are drawn, and what colours them: their part in the search, or a shared label."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from tunewiz.backends.space.record import Kind
from tunewiz.data.rows.examples import Collection
from tunewiz.problems import BadData, error, say

T = TypeVar("T")
By = Literal["auto", "kind", "label"]
#: Points that are laid out at most; sklearn's t-SNE takes half a minute for them on two cores.
MOST: Final = 5000
FEWEST: Final = 8  # of points: fewer have hardly any neighbours to keep
LABELS: Final = 10  # colours that can be told apart (matplotlib's tab10)
PAIRS: Final = 12  # lines that do not hide what they cross
_FEW: Final = 24  # answers that all queries share, so that an answer is a class
_QUERIES_A_CLASS: Final = 3.0


@dataclass(frozen=True)
class Chosen:
    """Ids in the order of the points, and what they are: queries first, then answers, then other documents.

    ``answers`` are places of queries and of documents that answer them, each within its own kind of list. ``labels``
    are parallel to the points, or empty.
    """

    queries: list[str]
    documents: list[str]
    answering: int  # the first so many of ``documents`` answer a query that is drawn
    answers: list[tuple[int, int]]
    pairs: list[tuple[int, int]]
    labels: list[int]
    names: list[str]

    def kind(self, place: int) -> Kind:
        """Of the point at ``place``."""
        if place < len(self.queries):
            return "query"
        return "positive" if place - len(self.queries) < self.answering else "negative"

    def __len__(self) -> int:
        return len(self.queries) + len(self.documents)


def choose(collection: Collection, seed: int, most: int = MOST, by: By = "auto") -> Chosen:
    """At most ``most`` texts of ``collection``: all, or a third queries, their answers, and others, by ``seed``.

    Lines (``pairs``) are drawn by the seed too: nobody has chosen those that look well. Raises :class:`BadData`
    (``nothing-to-draw``, ``no-labels``).
    """
    dice = random.Random(seed)
    answered = _answered(collection)
    everything = len(answered) + len(collection.corpus) <= most
    queries = list(answered) if everything else _some(dice, list(answered), max(1, most // 3))
    found = dict.fromkeys(name for query in queries for name in answered[query][:1])
    for query in queries:
        found.update(dict.fromkeys(answered[query][1:]))
    documents = list(found) if everything else list(found)[: max(1, most // 3)]
    answering = len(documents)
    others = [name for name in collection.corpus if name not in found]
    room = most - len(queries) - answering
    documents += others if everything else _some(dice, others, max(0, room))
    if len(queries) + len(documents) < FEWEST:
        message = say("{count} texts are too few to draw a space of.", count=len(queries) + len(documents))
        raise BadData(error("nothing-to-draw", message, fix=say("Hold more queries out: data.evaluation.fraction.")))
    at = {name: place for place, name in enumerate(documents[:answering])}
    answers = [(row, at[name]) for row, query in enumerate(queries) for name in answered[query] if name in at]
    firsts = list({row: (row, place) for row, place in reversed(answers)}.values())
    labels, names = _labels(collection, answered, queries, documents) if by != "kind" else ([], [])
    if by == "label" and not names:
        message = say("The data has no labels to colour by: documents share no titles, and queries no answers.")
        raise BadData(error("no-labels", message, fix=say("Colour by their part in the search: --by kind")))
    return Chosen(queries, documents, answering, answers, _some(dice, firsts[::-1], PAIRS), labels, names)


def _some(dice: random.Random, of: Sequence[T], count: int) -> list[T]:
    """``count`` of ``of`` in their own order; all where there are no more."""
    return [of[place] for place in sorted(dice.sample(range(len(of)), min(count, len(of))))]


def _answered(collection: Collection) -> dict[str, list[str]]:
    """Each query that has an answer, and its answers, the best graded first."""
    found: dict[str, list[str]] = {}
    for query, judged in collection.qrels.items():
        right = [name for name, grade in judged.items() if grade > 0 and name in collection.corpus]
        if right and query in collection.queries:
            found[query] = sorted(right, key=lambda name, judged=judged: -judged[name])  # type: ignore[misc]
    if not found:
        message = say("The run keeps no test collection with queries and their answers: there is nothing to draw.")
        fix = say("Set data.evaluation.fraction above 0, or name evaluation data, and run it again.")
        raise BadData(error("nothing-to-draw", message, fix=fix))
    return found


def _labels(
    collection: Collection, answered: Mapping[str, Sequence[str]], queries: Sequence[str], documents: Sequence[str]
) -> tuple[list[int], list[str]]:
    """The label of each point and the labels' names, the most frequent ones; nothing where the data has none.

    Documents with one title belong together, as the paragraphs of an article do. Where a handful of documents answers
    all queries, as when texts are searched for their class, the answer is the label.
    """
    titles = Counter(collection.corpus[name].title.strip() for name in documents)
    titles.pop("", None)
    shared = [title for title, count in titles.most_common() if count > 1]
    if len(shared) >= 2 and 2 * sum(titles[title] for title in shared) >= len(documents):
        of_document = {name: collection.corpus[name].title.strip() for name in documents}
    else:
        right = Counter(answered[query][0] for query in queries)
        if not 2 <= len(right) <= _FEW or len(queries) < _QUERIES_A_CLASS * len(right):
            return [], []
        of_document = {name: collection.corpus[name].full for name in right}
        shared = [of_document[name] for name, _ in right.most_common()]
    names = list(dict.fromkeys(shared))[:LABELS]
    numbers = {name: number for number, name in enumerate(names)}
    told = [of_document.get(answered[query][0], "") for query in queries]
    told += [of_document.get(name, "") for name in documents]
    return [numbers.get(one, -1) for one in told], names
