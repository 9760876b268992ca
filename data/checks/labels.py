"""Labels of scored pairs: too few of a kind, an odd scale, contradictions."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Final

from data.checks.base import Check, Example, Setting
from data.examples import ScoredPair
from data.fingerprints import Seen, fingerprint
from data.problems import Problem, say, warning
from data.scales import Scale, scale_of

_DISTINCT: Final = 64  # values told apart; more of them are a continuous score
_SKEW: Final = 0.9
_ONE_SIDED: Final = 0.95


class Labels(Check):
    """Scores of pairs, as a whole and against each other."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._pairs = Seen()
        self._scores = array("d")
        self._lines = array("I")
        self._values: Counter[float] = Counter()
        self._more_values = False

    def look(self, example: Example) -> Iterator[Problem]:
        """Contradictions: the same two texts with another score."""
        if not isinstance(example, ScoredPair):
            return
        if example.score in self._values or len(self._values) < _DISTINCT:
            self._values[example.score] += 1
        else:
            self._more_values = True
        earlier = self._pairs.first(fingerprint(example.first, example.second), len(self._scores))
        self._scores.append(example.score)
        self._lines.append(example.line)
        if earlier is not None and self._scores[earlier] != example.score:
            told = say(
                "The same two texts have score {other} in line {line} and {score} here.",
                other=self._scores[earlier],
                line=self._lines[earlier],
                score=example.score,
            )
            yield warning("contradicting-label", told, self.setting.at(example.line), say("Keep the right one."))

    def end(self) -> Iterator[Problem]:
        """Balance and scale."""
        if not self._scores:
            return
        where = self.setting.at(0)
        scale = scale_of(self._scores)
        if len(self._values) == 1:
            told = say("All {count} pairs have score {score}.", count=len(self._scores), score=self._scores[0])
            fix = say("Scored training needs both: pairs that match and pairs that do not.")
            yield warning("single-label", told, where, fix)
            return
        yield from self._balance(scale)
        if scale.odd is not None:
            line = self._lines[scale.odd]
            told = say(
                "Scores go from {low} to {high} with {score} among them: two scales seem mixed.",
                low=scale.low,
                high=scale.high,
                score=self._scores[scale.odd],
            )
            yield warning("odd-scale", told, self.setting.at(line), say("Bring all scores to one scale."))

    def _balance(self, scale: Scale) -> Iterator[Problem]:
        where, total = self.setting.at(0), len(self._scores)
        value, most = self._values.most_common(1)[0]
        if not self._more_values and most > _SKEW * total:
            told = say(
                "{percent} % of the pairs have score {score}.", percent=round(100 * most / total, 1), score=value
            )
            yield warning("label-skew", told, where, say("Add pairs of the other kinds, or weigh them."))
            return
        upper = sum(score >= scale.middle for score in self._scores) / total
        if max(upper, 1 - upper) >= _ONE_SIDED:
            side = say("match") if upper > 0.5 else say("do not match")
            told = say(
                "Nearly all pairs {side}: {percent} %.", side=side, percent=round(100 * max(upper, 1 - upper), 1)
            )
            yield warning("one-sided-labels", told, where, say("Add pairs of the other kind."))
