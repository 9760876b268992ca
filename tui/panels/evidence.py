"""What a run left behind to judge it by, read from its report; whatever is missing or odd is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunewiz.backends.evaluate.general import lost, measure_name, told_general
from tunewiz.backends.evaluate.records import Measured, Metrics
from tunewiz.backends.evaluate.verdict import LOWER_IS_BETTER, Comparison
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.reports.next_steps import known_of, next_steps
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import parse_json, read_lines
from tunewiz.problems import Message
from tunewiz.tui.outcome import measures_of

SHOWN: Final = 5  # queries at each end
_ANSWERS: Final = 3  # shown side by side; the report has more
KINDS: Final = ("positive", "hard", "random")


@dataclass(frozen=True)
class Change:
    """One measure before and after; the interval is of the mean difference, where it was computed."""

    metric: str
    before: float | None
    after: float
    low: float | None = None
    high: float | None = None
    lower_is_better: bool = False
    search: float | None = None  # what the search alone reaches, whose results a reranker puts in order

    @property
    def better(self) -> bool:
        """Whether the change is for the better."""
        return (self.difference or 0.0) < 0 if self.lower_is_better else (self.difference or 0.0) > 0

    @property
    def certain(self) -> bool:
        """Whether an interval is known and leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def difference(self) -> float | None:
        """After less before; without a measure before, less what the search alone reaches."""
        start = self.search if self.before is None else self.before
        return None if start is None else self.after - start


@dataclass(frozen=True)
class Query:
    """A query, or a row of a language model's data, and what became of it; ``gain`` is above 0 for the better."""

    text: str
    before: float
    after: float
    gain: float
    key: str = ""


@dataclass(frozen=True)
class Answer:
    """What was asked on held-out rows, what was expected, and what the model wrote before and after."""

    prompt: str
    expected: str
    before: str
    after: str


@dataclass(frozen=True)
class Spread:
    """Cosines of one kind of pairs: counts in equal bins from -1 to 1, and their mean."""

    kind: str
    when: str
    bins: tuple[int, ...]
    mean: float | None


@dataclass(frozen=True)
class Point:
    """One combination of a sweep; ``None`` where it was not measured."""

    told: str
    chosen_value: float | None
    before: float | None
    after: float | None
    best: bool


@dataclass(frozen=True)
class Evidence:
    """Everything the result shows. ``primary`` is the measure that the verdict goes by."""

    primary: str = ""
    changes: tuple[Change, ...] = ()
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None
    best: tuple[Query, ...] = ()
    worst: tuple[Query, ...] = ()
    of_rows: bool = False  # measured on rows of a language model's data, not on queries
    spreads: tuple[Spread, ...] = ()
    answers: tuple[Answer, ...] = ()
    general: tuple[Change, ...] = ()  # of data that is not trained on: what the model could before
    general_told: tuple[Message, ...] = ()  # and what that says, a sentence each
    forgot: bool = False
    sweep: tuple[Point, ...] = ()
    chosen_by: str = ""  # the measure by which the best point of a sweep was chosen
    chosen_on: str = ""  # and of which data it is: validation, or held-out
    steps: tuple[Message, ...] = ()  # what to try next, the most telling first

    @property
    def main(self) -> Change | None:
        """The primary measure's change."""
        return next((change for change in self.changes if change.metric == self.primary), None)


def evidence(run: Run, state: RunState) -> Evidence:
    """What is known of ``run``; reads its whole report, so not for the thread that draws."""
    known = known_of(run, state)
    before, after, search = (_measured(run, name) for name in ("before", "after", "search"))
    compared, main = known.numbers.metrics, known.comparison
    measured = after.metrics or _told(measures_of(state, "after"))
    earlier = before.metrics or _told(measures_of(state, "before"))
    searched = search.metrics or _told(state.measured.get("before:search", {}))
    primary = known.numbers.primary or next((name for name in measured if name.startswith("ndcg")), "")
    primary = primary or next(iter(measured), "")
    lower = primary in LOWER_IS_BETTER or bool(main and main.lower_is_better)
    ranked = _queries(run, before, after, primary, lower)
    return Evidence(
        primary=primary,
        changes=tuple(
            _change(name, earlier.get(name), value, compared.get(name), searched.get(name))
            for name, value in measured.items()
        ),
        wins=main.wins if main else None,
        losses=main.losses if main else None,
        ties=main.ties if main else None,
        best=tuple(query for query in reversed(ranked[-SHOWN:]) if query.gain > 0),
        worst=tuple(query for query in ranked[:SHOWN] if query.gain < 0),
        of_rows=known.writes,
        spreads=tuple(_spreads(before, "before")) + tuple(_spreads(after, "after")),
        answers=tuple(_answers(before, after)),
        general=tuple(_general(known.numbers.general)),
        general_told=tuple(told_general(known.numbers.general)),
        forgot=bool(lost(known.numbers.general)),
        sweep=tuple(_points(known.metrics, primary)),
        chosen_by=known.metrics.chosen_by,
        chosen_on=known.metrics.chosen_on,
        steps=tuple(next_steps(known)),
    )


def _general(compared: Mapping[str, Comparison]) -> Iterator[Change]:
    """With the names that people read."""
    for name, one in compared.items():
        yield Change(measure_name(name), one.before, one.after, one.low, one.high, one.lower_is_better)


def _points(numbers: MetricsFile, primary: str) -> Iterator[Point]:
    """Those of a sweep, in its order."""
    for name, told in numbers.points.items():
        own = numbers.variants.get(name, MetricsFile())
        measure = own.primary or primary
        before, after = ((side or {}).get(measure) for side in (own.before, own.after))
        told = told if measure == primary else f"{told} ({measure})"
        yield Point(told, numbers.chosen_values.get(name), before, after, name == numbers.best)


def _told(measures: Mapping[str, float | None]) -> Metrics:
    """Without what was no number."""
    return {name: value for name, value in measures.items() if value is not None}


def _measured(run: Run, name: str) -> Measured:
    """The record of that name; an empty one where there is none."""
    return Measured.read(run.report / f"{name}.json") or Measured(metrics={})


def _change(name: str, before: float | None, after: float, compared: Comparison | None, search: float | None) -> Change:
    low, high = (compared.low, compared.high) if compared else (None, None)
    lower = name in LOWER_IS_BETTER or bool(compared and compared.lower_is_better)
    return Change(name, before, after, low, high, lower, search)


def _answers(before: Measured, after: Measured) -> Iterator[Answer]:
    """Some answers, as both models wrote them."""
    for key, told in list(after.answers.items())[:_ANSWERS]:
        once = before.answers.get(key)
        yield Answer(told.prompt, told.expected, once.answer if once else "", told.answer)


def _queries(run: Run, before: Measured, after: Measured, metric: str, lower_is_better: bool) -> list[Query]:
    """All queries measured twice, from the greatest loss to the greatest gain; only those at the ends have texts."""
    earlier = {key: row[metric] for key, row in before.per_query.items() if metric in row}
    sign = -1 if lower_is_better else 1
    known = sorted(
        ((key, earlier[key], row[metric]) for key, row in after.per_query.items() if key in earlier and metric in row),
        key=lambda item: (sign * (item[2] - item[1]), item[0]),
    )
    ends = {key for key, _, _ in (*known[:SHOWN], *known[-SHOWN:])}
    texts = _texts(run.data / "queries.jsonl", ends) | _texts(run.data / "evaluation.jsonl", ends)
    return [Query(texts.get(key, key), old, new, sign * (new - old), key) for key, old, new in known]


def _texts(file: Path, wanted: set[str]) -> dict[str, str]:
    """Texts of queries by their id, or first turns (else the text) of conversations by their place in the file."""
    texts = {}
    try:
        for place, line in enumerate(read_lines(file)):
            record = parse_json(line)
            name = str(record.get("_id", place))
            if name in wanted:
                turns = record.get("turns")
                texts[name] = str(turns[0][1] if turns else record.get("text", ""))
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        return texts  # as far as it could be read
    return texts


def _spreads(measured: Measured, when: str) -> Iterator[Spread]:
    cosines = measured.cosines or {}
    for kind in KINDS:
        if kind in cosines and cosines[kind].histogram:
            yield Spread(kind, when, cosines[kind].histogram, cosines[kind].mean)


# One query with its documents: what was found before and after, which of it is right.


#: Documents of each ranking that are shown; a screen holds no more side by side.
RANKED: Final = 10


@dataclass(frozen=True)
class Found:
    """A document at its rank (from 1); ``right`` says whether it answers the query."""

    rank: int
    name: str
    text: str
    score: float
    right: bool


@dataclass(frozen=True)
class Opened:
    """A query, its right documents with their ranks before and after (0 for none), and both rankings."""

    query: str
    right: tuple[tuple[str, int, int], ...] = ()
    before: tuple[Found, ...] = ()
    after: tuple[Found, ...] = ()
    answers: tuple[Answer, ...] = ()


def opened(run: Run, query: Query) -> Opened:
    """What is known of one query; reads the run's rankings and documents, so not for the thread that draws."""
    grades = _judged(run.data / "qrels.tsv", query.key)
    sides = {when: _ranking(run.report / f"{when}.run.tsv", query.key) for when in ("before", "search", "after")}
    earlier = sides["before"] or sides["search"]
    wanted = {name for ranking in (earlier[:RANKED], sides["after"][:RANKED]) for name, _ in ranking} | set(grades)
    texts = _documents(run.data / "corpus.jsonl", wanted)
    ranks = [{name: rank for rank, (name, _) in enumerate(ranking, 1)} for ranking in (earlier, sides["after"])]
    right = tuple((texts.get(name, name), ranks[0].get(name, 0), ranks[1].get(name, 0)) for name in grades)
    before, after = (
        tuple(
            Found(rank, name, texts.get(name, name), score, name in grades)
            for rank, (name, score) in enumerate(ranking[:RANKED], 1)
        )
        for ranking in (earlier, sides["after"])
    )
    both = [_measured(run, when).answers.get(query.key) for when in ("before", "after")]
    told = both[1]
    answers = (Answer(told.prompt, told.expected, both[0].answer if both[0] else "", told.answer),) if told else ()
    return Opened(query.text, right, before, after, answers)


def _judged(file: Path, query: str) -> list[str]:
    """The documents that answer ``query``; its id has blanks where the file cannot hold them."""
    return [
        cells[-2]
        for cells in _cells(file, query)
        if len(cells) >= 3 and cells[-1].lstrip("-").isdigit() and int(cells[-1]) > 0
    ]


def _ranking(file: Path, query: str) -> list[tuple[str, float]]:
    found = []
    for cells in _cells(file, query):
        try:
            found.append((cells[2], float(cells[4])))
        except (LookupError, ValueError):
            continue
    return found


def _cells(file: Path, query: str) -> Iterator[list[str]]:
    """The lines of a table that begin with ``query``; what cannot be read has none."""
    try:
        for line in read_lines(file):
            cells = line.rstrip("\n").split("\t")
            if cells[0] in (query, "_".join(query.split())):
                yield cells
    except (OSError, ValueError):
        return


def _documents(file: Path, wanted: set[str]) -> dict[str, str]:
    """Title and text of documents by their id."""
    texts: dict[str, str] = {}
    try:
        for line in read_lines(file):
            record = parse_json(line)
            name = str(record.get("_id"))
            if name in wanted or "_".join(name.split()) in wanted:
                texts[name] = " ".join(part for part in (record.get("title"), record.get("text")) if part)
                texts.setdefault("_".join(name.split()), texts[name])
    except (OSError, ValueError, AttributeError, TypeError):
        return texts
    return texts
