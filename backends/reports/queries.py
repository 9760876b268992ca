"""The queries that gained and lost most, with what was found for them before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backends.evaluators.metrics import Rankings
from backends.evaluators.ranking import read_run
from backends.reports.facts import Facts
from data.examples import Collection

SHOWN: Final = 5


@dataclass(frozen=True)
class Change:
    """One query: the metric and the rank of its best relevant document before and after (0: not in the ranking).

    ``relevant`` is that document's text, ``first`` the text ranked first after training.
    """

    query_id: str
    query: str
    before: float
    after: float
    rank_before: int
    rank_after: int
    relevant: str
    first: str

    @property
    def difference(self) -> float:
        """Positive where training helped."""
        return self.after - self.before


def changes(facts: Facts, collection: Collection) -> tuple[list[Change], list[Change]]:
    """The queries that gained most and those that lost most, at most :data:`SHOWN` each, without those that did not."""
    if not facts.before or not facts.after:
        return [], []
    before, after = facts.before["per_query"], facts.after["per_query"]
    shared = [name for name in after if name in before and name in collection.queries]
    by_gain = sorted(shared, key=lambda name: (after[name][facts.primary] - before[name][facts.primary], name))
    gained = [name for name in reversed(by_gain) if after[name][facts.primary] > before[name][facts.primary]]
    lost = [name for name in by_gain if after[name][facts.primary] < before[name][facts.primary]]
    runs = _rankings(facts, facts.before_name), _rankings(facts, "after")
    return (
        [_change(facts, collection, runs, name) for name in gained[:SHOWN]],
        [_change(facts, collection, runs, name) for name in lost[:SHOWN]],
    )


def _rankings(facts: Facts, when: str) -> Rankings:
    path = facts.run.report / f"{when}.run.tsv"
    return read_run(path) if path.is_file() else {}


def _change(facts: Facts, collection: Collection, runs: tuple[Rankings, Rankings], name: str) -> Change:
    relevant = {key for key, grade in collection.qrels.get(name, {}).items() if grade > 0}
    (rank_before, _), (rank_after, best) = (_best(run.get(name, []), relevant) for run in runs)
    best = best or next((key for key in sorted(relevant) if key in collection.corpus), "")
    first = next((key for key, _ in runs[1].get(name, [])), "")
    return Change(
        query_id=name,
        query=collection.queries[name],
        before=_of(facts.before, name, facts.primary),
        after=_of(facts.after, name, facts.primary),
        rank_before=rank_before,
        rank_after=rank_after,
        relevant=_text(collection, best),
        first=_text(collection, first),
    )


def _best(ranking: list[tuple[str, float]], relevant: set[str]) -> tuple[int, str]:
    return next(((rank, key) for rank, (key, _) in enumerate(ranking, 1) if key in relevant), (0, ""))


def _of(record: Mapping[str, Mapping[str, Mapping[str, float]]] | None, query: str, metric: str) -> float:
    return record["per_query"][query][metric] if record else 0.0


def _text(collection: Collection, name: str) -> str:
    document = collection.corpus.get(name)
    return document.full if document else ""
