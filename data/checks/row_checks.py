"""Checks of rows against each other: contradicting labels and parts, repeats, and columns the wrong way round."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Final

from tunewiz.data.checks.check import Check, Setting
from tunewiz.data.rows.examples import Example, Scale, ScoredPair, scale_of
from tunewiz.data.text.duplicates import NearDuplicates, Seen, fingerprint, normal
from tunewiz.language import N_
from tunewiz.problems import Message, Problem, note, say, warning

# Labels of scored pairs: too few of a kind, an odd scale, contradictions.


_DISTINCT: Final = 64  # values told apart; more of them are a continuous score
_SKEW: Final = 0.9  # a model that always gives this score is right nine times of ten
_ONE_SIDED: Final = 0.95  # fewer than one pair in twenty shows the other side of the scale


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
            message = say(
                "The same two texts have score {other} in line {line} and {score} here.",
                other=self._scores[earlier],
                line=self._lines[earlier],
                score=example.score,
            )
            yield warning("contradicting-label", message, self.setting.at(example.line), say("Keep the right one."))

    def end(self) -> Iterator[Problem]:
        """Balance and scale."""
        if not self._scores:
            return
        where = self.setting.at(0)
        scale = scale_of(self._scores)
        if len(self._values) == 1:
            message = say("All {count} pairs have score {score}.", count=len(self._scores), score=self._scores[0])
            fix = say("Scored training needs both: pairs that match and pairs that do not.")
            yield warning("single-label", message, where, fix)
            return
        yield from self._balance(scale)
        if scale.odd is not None:
            line = self._lines[scale.odd]
            message = say(
                "Scores go from {low} to {high} with {score} among them: two scales seem mixed.",
                low=scale.low,
                high=scale.high,
                score=self._scores[scale.odd],
            )
            yield warning("odd-scale", message, self.setting.at(line), say("Bring all scores to one scale."))

    def _balance(self, scale: Scale) -> Iterator[Problem]:
        where, total = self.setting.at(0), len(self._scores)
        value, most = self._values.most_common(1)[0]
        if not self._more_values and most > _SKEW * total:
            message = say(
                "{percent} % of the pairs have score {score}.", percent=round(100 * most / total, 1), score=value
            )
            yield warning("label-skew", message, where, say("Add pairs of the other kinds, or weigh them."))
            return
        upper = sum(score >= scale.middle for score in self._scores) / total
        if max(upper, 1 - upper) >= _ONE_SIDED:
            side = say("match") if upper > 0.5 else say("do not match")
            message = say(
                "Nearly all pairs {side}: {percent} %.", side=side, percent=round(100 * max(upper, 1 - upper), 1)
            )
            yield warning("one-sided-labels", message, where, say("Add pairs of the other kind."))


# Texts that play two parts that exclude each other.


class Overlap(Check):
    """A query that is its own positive; a positive that is also a negative, in one row or across rows of a query."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._positives = Seen()
        self._negatives = Seen()

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        if isinstance(example, ScoredPair):
            return
        query = example.query.strip()
        positives = [text.strip() for text in example.positives]
        negatives = [text.strip() for text in example.negatives]
        where = self.setting.at(example.line)
        if query and query in positives:
            message = say("The query and its positive are the same text: there is nothing to learn.")
            yield warning("query-equals-positive", message, where, say("Cleaning drops the positive."))
        if set(filter(None, positives)) & set(negatives):
            message = say("A text is positive and negative in one row.")
            yield warning("positive-among-negatives", message, where, say("Cleaning drops the negative."))
            return
        told_across = self._across(query, positives, negatives, example.line)
        if told_across is not None:
            yield warning("positive-among-negatives", told_across, where, say("Take it out of the negatives."))

    def _across(self, query: str, positives: list[str], negatives: list[str], line: int) -> Message | None:
        """A text that has the other part in an earlier row of the same query; this row is taken down."""
        right = [fingerprint(query, text) for text in positives]
        wrong = [fingerprint(query, text) for text in negatives]
        for keys, others, told in (
            (wrong, self._positives, N_("A negative is a positive of the same query in line {line}.")),
            (right, self._negatives, N_("A positive is a negative of the same query in line {line}.")),
        ):
            earlier = next((found for key in keys if (found := others.get(key)) is not None), None)
            if earlier is not None:
                return Message(told, {"line": earlier})
        for keys, seen in ((right, self._positives), (wrong, self._negatives)):
            for key in keys:
                seen.first(key, line)
        return None


# Rows and queries that were there before.


#: Queries compared for near-duplicates; beyond, only those that are equal but for case, spaces and punctuation. At 300
#: bytes a query these are 60 MB.
COMPARED: Final = 200_000


def exact_key(example: Example) -> int:
    """The same for rows with the same texts (and score)."""
    if isinstance(example, ScoredPair):
        return fingerprint("pair", example.first, example.second, repr(example.score))
    return fingerprint("group", example.query, *example.positives, "", *example.negatives)


def near_key(example: Example) -> int:
    """The same for rows whose texts differ only in case, width, spaces and punctuation."""
    if isinstance(example, ScoredPair):
        return fingerprint("pair", normal(example.first), normal(example.second), repr(example.score))
    return fingerprint(
        "group", normal(example.query), *map(normal, example.positives), "", *map(normal, example.negatives)
    )


class Repeats(Check):
    """The same row twice, exactly or but for case, width, spaces and punctuation."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._exact = Seen()
        self._near = Seen()

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        earlier = self._exact.first(exact_key(example), example.line)
        if earlier is not None:
            code, told = "duplicate-row", say("The same row as line {line}.", line=earlier)
        else:
            earlier = self._near.first(near_key(example), example.line)
            told = say("The same as line {line} but for case, spaces and punctuation.", line=earlier)
            code = "near-duplicate-row"
        if earlier is not None:
            yield warning(code, told, self.setting.at(example.line), say("Cleaning keeps the first."))


class SimilarQueries(Check):
    """Queries that say nearly the same; the split keeps them on one side."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._seen = Seen()
        self._lines = array("I")
        self._queries = NearDuplicates()
        self._more = False

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        if isinstance(example, ScoredPair) or not self.setting.retrieval:
            return
        if len(self._queries) >= COMPARED:
            self._more = True
            return
        if self._seen.first(fingerprint(normal(example.query)), example.line) is None:
            self._queries.add(example.query)
            self._lines.append(example.line)
        yield from ()

    def end(self) -> Iterator[Problem]:
        """The pairs found, by line."""
        found = sorted((pair.second, pair.first, pair.similarity) for pair in self._queries.pairs())
        for second, first, similarity in found:
            message = say(
                "The query is nearly that of line {line} ({percent} % alike).",
                line=self._lines[first],
                percent=round(100 * similarity),
            )
            fix = say("Nothing to do if both are meant: the split keeps them on one side.")
            yield warning("near-duplicate-query", message, self.setting.at(self._lines[second]), fix)
        if self._more:
            message = say("Only the first {count} queries were compared for nearly the same ones.", count=COMPARED)
            yield note("compared-first", message, self.setting.at(0))


# One answer to everything.


#: Rows of which this share have the same positive teach hardly more than to answer with it: the other rows of a batch
#: are no wrong answers to one another.
_ONE_ANSWER: Final = 0.5


class OneAnswer(Check):
    """A positive that most queries share: there is nothing to tell apart."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._answers: Counter[int] = Counter()
        self._rows = 0

    def look(self, example: Example) -> Iterator[Problem]:
        """Count the first positive of each row; of answers that are all different a thousand are enough to know."""
        if self.setting.retrieval and not isinstance(example, ScoredPair) and example.positives:
            self._rows += 1
            key = fingerprint(normal(example.positives[0]))
            if key in self._answers or len(self._answers) < _COUNTED:
                self._answers[key] += 1
        yield from ()

    def end(self) -> Iterator[Problem]:
        """A warning where one answer has half of the rows or more."""
        most = max(self._answers.values(), default=0)
        if self._rows < _ROWS or most < _ONE_ANSWER * self._rows:
            return
        message = say("{count} of {total} rows have the same positive.", count=most, total=self._rows)
        if len(self._answers) == 1:
            message = say(
                "All {total} rows have the same positive: there is nothing to learn or to measure.", total=most
            )
        fix = say("Take rows with it out, or give each query an answer of its own.")
        yield warning("one-answer", message, self.setting.at(0), fix)


_COUNTED: Final = 1000


# Query and positive the wrong way round, in some rows or in all.


_ROWS: Final = 20  # fewer tell nothing of what is typical
#: How many times one side is longer before length tells query and answer apart: titles against paragraphs are more, and
#: pairs of questions, or of sentences, less.
_RATIO: Final = 3.0


class Swapped(Check):
    """Goes by length: queries are shorter than what answers them, nearly always."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._lines = array("I")
        self._queries = array("I")
        self._positives = array("I")

    def look(self, example: Example) -> Iterator[Problem]:
        """Take the lengths down."""
        if self.setting.retrieval and not isinstance(example, ScoredPair) and example.positives:
            self._lines.append(example.line)
            self._queries.append(len(example.query))
            self._positives.append(len(example.positives[0]))
        yield from ()

    def end(self) -> Iterator[Problem]:
        """Compare each row with what is typical."""
        if len(self._lines) < _ROWS:
            return
        query, positive = median(self._queries), median(self._positives)
        if query > _RATIO * positive:
            message = say(
                "Queries are longer than positives: {query} against {positive} characters (medians).",
                query=int(query),
                positive=int(positive),
            )
            fix = say("If the columns are swapped, say so: --map query=... --map positive=...")
            yield warning("swapped-columns", message, self.setting.at(0), fix)
        elif positive > _RATIO * query:
            yield from self._rows(query, positive)

    def _rows(self, query: float, positive: float) -> Iterator[Problem]:
        for line, asked, answered in zip(self._lines, self._queries, self._positives, strict=True):
            if 0 < _RATIO * answered < asked and asked > positive / 2 and answered < 2 * query:
                message = say(
                    "Query and positive look swapped: {query} and {positive} characters.",
                    query=asked,
                    positive=answered,
                )
                yield warning("swapped-row", message, self.setting.at(line), say("Swap them, or take the row out."))
