"""What a run left behind to judge it by, read from its report, and what to try after it.

Whatever is missing or odd is left out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import read_json
from tunewiz.problems import Message, say
from tunewiz.tui.outcome import measures_of as measured_in

# What a run left behind to judge it by, read from its report; whatever is missing or odd is left out.


SHOWN: Final = 5  # queries at each end
_ANSWERS: Final = 3  # shown side by side; the report has more
#: Measures of which less is better, where the report does not say.
_LOWER: Final = frozenset({"loss", "perplexity", "chosen_loss", "liked_loss", "invalid"})
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
    bins: tuple[float, ...]
    mean: float | None


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
    advice: tuple[str, ...] = ()  # of the run's own report, in the language it was written in

    @property
    def main(self) -> Change | None:
        """The primary measure's change."""
        return next((change for change in self.changes if change.metric == self.primary), None)


def evidence(run: Run, state: RunState) -> Evidence:
    """What is known of ``run``; reads its whole report, so not for the thread that draws."""
    before, after = _object(run.report / "before.json"), _object(run.report / "after.json")
    report = _object(run.report / "metrics.json")
    compared = {str(record["metric"]): record for record in _comparisons(report) if "metric" in record}
    measured = _numbers(after.get("metrics")) or _numbers(measured_in(state, "after"))
    earlier = _numbers(before.get("metrics")) or _numbers(measured_in(state, "before"))
    searched = _object(run.report / "search.json").get("metrics")
    search = _numbers(searched) or _numbers(state.measured.get("before:search"))
    primary = next(iter(compared), "") or next((name for name in measured if name.startswith("ndcg")), "")
    primary = primary or next(iter(measured), "")
    main = compared.get(primary, {})
    ranked = _queries(run, before, after, primary, _lower(primary, main))
    return Evidence(
        primary=primary,
        changes=tuple(
            _change(name, earlier.get(name), value, compared.get(name, {}), search.get(name))
            for name, value in measured.items()
        ),
        wins=_count(main, "wins"),
        losses=_count(main, "losses"),
        ties=_count(main, "ties"),
        best=tuple(query for query in reversed(ranked[-SHOWN:]) if query.gain > 0),
        worst=tuple(query for query in ranked[:SHOWN] if query.gain < 0),
        of_rows=state.task == "llm",
        spreads=tuple(_spreads(before, "before")) + tuple(_spreads(after, "after")),
        answers=tuple(_answers(before, after)),
        advice=tuple(str(step) for step in _list(report.get("next"))),
    )


def _object(path: Path) -> Mapping[str, Any]:
    found = read_json(path)
    return found if isinstance(found, dict) else {}


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _numbers(found: Any) -> dict[str, float]:
    items = found.items() if isinstance(found, Mapping) else ()
    return {str(name): float(value) for name, value in items if isinstance(value, (int, float))}


def _comparisons(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Every comparison of a measure (it has an interval) anywhere in ``tree``."""
    if isinstance(tree, Mapping):
        if {"low", "high", "difference"} <= tree.keys():
            yield tree
        for name, value in tree.items():
            for found in _comparisons(value):
                yield found if "metric" in found else {**found, "metric": name}
    elif isinstance(tree, list):
        for value in tree:
            yield from _comparisons(value)


def _change(name: str, before: float | None, after: float, compared: Mapping[str, Any], search: float | None) -> Change:
    limits = (compared.get("low"), compared.get("high"))
    low, high = (float(limit) if isinstance(limit, (int, float)) else None for limit in limits)
    return Change(name, before, after, low, high, _lower(name, compared), search)


def _lower(name: str, compared: Mapping[str, Any]) -> bool:
    """Whether less is better."""
    return compared.get("lower_is_better") is True or name in _LOWER


def _answers(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Answer]:
    """Some answers, as both models wrote them."""
    earlier, later = before.get("answers"), after.get("answers")
    if not isinstance(later, Mapping):
        return
    for key, told in list(later.items())[:_ANSWERS]:
        once = earlier.get(key) if isinstance(earlier, Mapping) else None
        if isinstance(told, Mapping):
            said = _text(once, "answer") if isinstance(once, Mapping) else ""
            yield Answer(_text(told, "prompt"), _text(told, "expected"), said, _text(told, "answer"))


def _text(record: Mapping[str, Any], name: str) -> str:
    return str(record.get(name) or "")


def _count(record: Mapping[str, Any], name: str) -> int | None:
    value = record.get(name)
    return value if isinstance(value, int) else None


def _queries(
    run: Run, before: Mapping[str, Any], after: Mapping[str, Any], metric: str, lower_is_better: bool
) -> list[Query]:
    """All queries measured twice, from the greatest loss to the greatest gain; only those at the ends have texts."""
    earlier, later = before.get("per_query"), after.get("per_query")
    if not isinstance(earlier, Mapping) or not isinstance(later, Mapping):
        return []
    values = [
        (key, _numbers(earlier[key]).get(metric), _numbers(later[key]).get(metric)) for key in later if key in earlier
    ]
    sign = -1 if lower_is_better else 1
    known = sorted(
        ((key, old, new) for key, old, new in values if old is not None and new is not None),
        key=lambda item: (sign * (item[2] - item[1]), str(item[0])),
    )
    ends = {str(key) for key, _, _ in (*known[:SHOWN], *known[-SHOWN:])}
    texts = _texts(run.data / "queries.jsonl", ends) | _texts(run.data / "evaluation.jsonl", ends)
    return [Query(texts.get(str(key), str(key)), old, new, sign * (new - old)) for key, old, new in known]


def _texts(file: Path, wanted: set[str]) -> dict[str, str]:
    """Texts of queries by their id, or first turns (else the text) of conversations by their place in the file."""
    texts = {}
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            for place, line in enumerate(stream):
                record = json.loads(line)
                name = str(record.get("_id", place))
                if name in wanted:
                    turns = record.get("turns")
                    texts[name] = str(turns[0][1] if turns else record.get("text", ""))
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        return texts  # as far as it could be read
    return texts


def _spreads(measured: Mapping[str, Any], when: str) -> Iterator[Spread]:
    cosines = measured.get("cosines")
    for kind in KINDS if isinstance(cosines, Mapping) else ():
        record = cosines.get(kind) if isinstance(cosines, Mapping) else None
        bins = record.get("histogram") if isinstance(record, Mapping) else None
        if (
            isinstance(record, Mapping)
            and isinstance(bins, list)
            and all(isinstance(one, (int, float)) for one in bins)
        ):
            mean = record.get("mean")
            yield Spread(kind, when, tuple(map(float, bins)), float(mean) if isinstance(mean, (int, float)) else None)


# What to try after a run: a pure function of how it ended and what was measured.


def next_steps(state: RunState, found: Evidence) -> tuple[Message, ...]:
    """Advice, the most useful first."""
    if state.status == "stopped":
        return (
            say(
                "Go on from the last checkpoint: press r here, or `tunewiz run --resume {name}`.",
                name=shlex.quote(state.name),
            ),
            say("Or clone it with other settings: press c."),
        )
    if state.status == "lost":
        return (
            say("Its process is gone without a word: killed, out of memory (RAM), or the machine restarted."),
            say("Look at the end of the log (l), then go on from the last checkpoint (r)."),
        )
    if state.status == "failed":
        return (
            say("Do what stands above, then go on from the last checkpoint (r), or clone it with other settings (c)."),
            say("The log (l) has the whole story at its end."),
        )
    return (*_BY_VERDICT.get(state.verdict, ()), *_by_numbers(found))


_BY_VERDICT = {
    "WIN": (
        say("Use it: the folder under Model loads by path, its prompts are saved with it."),
        say("More may be had from harder negatives (data.negatives) or a larger base model; clone it and compare."),
    ),
    "MARGINAL": (
        say("Try a higher learning rate or more epochs while the loss on held-out rows still falls."),
        say("Mine harder negatives: with easy ones there is little left to learn (data.negatives.strategy: dense)."),
        say("If the base model is good already on your queries, more data brings more than more training."),
    ),
    "REGRESSION": (
        say("Lower training.learning_rate to a third, or train for fewer epochs."),
        say("Look at the queries that lost below: wrong or too broad positives in the data show there first."),
        say("Check for false negatives: raise data.negatives.relative_margin, or train without mined negatives."),
        say("LoRA changes less of the model and forgets less (method.type: lora)."),
    ),
    "NONE": (say("There was no baseline to compare with: set evaluation.baseline to true and run it again."),),
}


def _by_numbers(found: Evidence) -> tuple[Message, ...]:
    advice = []
    main = found.main
    if main and main.low is not None and main.high is not None and main.low <= 0 <= main.high:
        advice.append(say("The interval includes zero: measure on more queries before you rely on the difference."))
    means = {(spread.kind, spread.when): spread.mean for spread in found.spreads}
    positive, hard = means.get(("positive", "after")), means.get(("hard", "after"))
    if positive is not None and hard is not None and hard > positive:
        advice.append(
            say("Wrong passages score above right ones on average: the data may lack judgments, or need cleaning.")
        )
    return tuple(advice)
