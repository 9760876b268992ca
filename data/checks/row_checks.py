"""Checks of rows against each other: contradicting labels and parts, repeats, and columns the wrong way round."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import Any, Final

from tunewiz.data.checks.check import Check, Found
from tunewiz.data.checks.columns import COMPARED, Columns
from tunewiz.data.rows.examples import Example, Group, Scale, ScoredPair, scale_of
from tunewiz.data.text.duplicates import Seen, first_of
from tunewiz.language import N_
from tunewiz.problems import Message, Problem, note, say, warning

# Labels of scored pairs: too few of a kind, an odd scale, contradictions.


_DISTINCT: Final = 64  # values told apart; more of them are a continuous score
_SKEW: Final = 0.9  # a model that always gives this score is right nine times of ten
_ONE_SIDED: Final = 0.95  # fewer than one pair in twenty shows the other side of the scale


class Labels(Check):
    """Scores of pairs, as a whole and against each other."""

    def compare(self, rows: Columns) -> Iterator[Found]:
        """Contradictions: the same two texts with another score."""
        if _no_pairs(rows):
            return
        first = first_of(rows.asked)
        scores = _array(rows.scores)
        wrong = (scores[first] != scores) & ~_isnan(scores)
        yield wrong.nonzero()[0].tolist(), lambda row: self._contradiction(rows, int(first[row]), row)

    def _contradiction(self, rows: Columns, earlier: int, row: int) -> Problem:
        message = say(
            "The same two texts have score {other} in line {line} and {score} here.",
            other=rows.scores[earlier],
            line=rows.lines[earlier],
            score=rows.scores[row],
        )
        return warning("contradicting-label", message, self.setting.at(rows.lines[row]), say("Keep the right one."))

    def end(self, rows: Columns) -> Iterator[Problem]:
        """Balance and scale."""
        if _no_pairs(rows):
            return
        scores = [score for score in rows.scores if not isnan(score)]
        where = self.setting.at(0)
        scale = scale_of(scores)
        values = _values(scores)
        if values is not None and len(values) == 1:
            message = say("All {count} pairs have score {score}.", count=len(scores), score=scores[0])
            fix = say("Scored training needs both: pairs that match and pairs that do not.")
            yield warning("single-label", message, where, fix)
            return
        yield from self._balance(scale, scores, values)
        if scale.odd is not None:
            lines = [line for line, score in zip(rows.lines, rows.scores, strict=True) if not isnan(score)]
            message = say(
                "Scores go from {low} to {high} with {score} among them: two scales seem mixed.",
                low=scale.low,
                high=scale.high,
                score=scores[scale.odd],
            )
            where = self.setting.at(lines[scale.odd])
            yield warning("odd-scale", message, where, say("Bring all scores to one scale."))

    def _balance(self, scale: Scale, scores: list[float], values: Counter[float] | None) -> Iterator[Problem]:
        where, total = self.setting.at(0), len(scores)
        value, most = values.most_common(1)[0] if values else (0.0, 0)
        if most > _SKEW * total:
            message = say(
                "{percent} % of the pairs have score {score}.", percent=round(100 * most / total, 1), score=value
            )
            yield warning("label-skew", message, where, say("Add pairs of the other kinds, or weigh them."))
            return
        upper = sum(score >= scale.middle for score in scores) / total
        if max(upper, 1 - upper) >= _ONE_SIDED:
            side = say("match") if upper > 0.5 else say("do not match")
            message = say(
                "Nearly all pairs {side}: {percent} %.", side=side, percent=round(100 * max(upper, 1 - upper), 1)
            )
            yield warning("one-sided-labels", message, where, say("Add pairs of the other kind."))


def _no_pairs(rows: Columns) -> bool:
    return not len(rows) or bool(_isnan(_array(rows.scores)).all())


def _values(scores: Sequence[float]) -> Counter[float] | None:
    """How often each score comes; None where they are more than are told apart."""
    values: Counter[float] = Counter()
    for score in scores:
        values[score] += 1
        if len(values) > _DISTINCT:
            return None
    return values


def _array(values: array[Any]) -> Any:
    import numpy as np

    return np.frombuffer(values, dtype=values.typecode) if values else np.zeros(0, dtype=values.typecode)


def _isnan(values: Any) -> Any:
    return values != values


# Texts that play two parts that exclude each other.


class Overlap(Check):
    """A query that is its own positive; a positive that is also a negative, in one row or across rows of a query."""

    def pass_batch(self, examples: Sequence[Example], texts: Sequence[str]) -> bool:
        """A query and one positive each, which end differently, and neither in a blank."""
        if set(map(type, examples)) != {Group} or len(texts) != 2 * len(examples):
            return False
        if {len(one.positives) for one in examples if isinstance(one, Group)} != {1}:
            return False
        pairs = zip(texts[::2], texts[1::2], strict=True)
        return all(asked[-8:] != told[-8:] == told.strip()[-8:] for asked, told in pairs)

    def look(self, example: Example) -> Iterable[Problem]:
        """What is wrong within the row."""
        if isinstance(example, ScoredPair):
            return ()
        query, positives = example.query, example.positives
        if (
            len(positives) == 1
            and not example.negatives
            and query[-8:] != positives[0][-8:] == positives[0].strip()[-8:]
        ):
            return ()
        query, positives = example.query.strip(), tuple(text.strip() for text in example.positives)
        found: list[Problem] = []
        if query and query in positives:
            message = say("The query and its positive are the same text: there is nothing to learn.")
            where, fix = self.setting.at(example.line), say("Cleaning drops the positive.")
            found.append(warning("query-equals-positive", message, where, fix))
        if example.negatives and set(filter(None, positives)) & {text.strip() for text in example.negatives}:
            message = say("A text is positive and negative in one row.")
            where, fix = self.setting.at(example.line), say("Cleaning drops the negative.")
            found.append(warning("positive-among-negatives", message, where, fix))
        return found

    def compare(self, rows: Columns) -> Iterator[Found]:
        """A text that has the other part in an earlier row of the same query."""
        positives, negatives = Seen(), Seen()
        told: dict[int, Message] = {}
        for row, right, wrong in _contested(rows):
            if set(right) & set(wrong):  # within the row
                continue
            message = _earlier(wrong, positives, right, negatives)
            if message is not None:
                told[row] = message
                continue
            for keys, seen in ((right, positives), (wrong, negatives)):
                for key in keys:
                    seen.first(key, rows.lines[row])
        fix = say("Take it out of the negatives.")
        yield (
            list(told),
            lambda row: warning("positive-among-negatives", told[row], self.setting.at(rows.lines[row]), fix),
        )


def _earlier(wrong: Sequence[int], positives: Seen, right: Sequence[int], negatives: Seen) -> Message | None:
    for keys, others, told in (
        (wrong, positives, N_("A negative is a positive of the same query in line {line}.")),
        (right, negatives, N_("A positive is a negative of the same query in line {line}.")),
    ):
        earlier = next((found for key in keys if (found := others.get(key)) is not None), None)
        if earlier is not None:
            return Message(told, {"line": earlier})
    return None


def _contested(rows: Columns) -> Iterator[tuple[int, Sequence[int], Sequence[int]]]:
    """Rows with a text that is positive here and negative there, and the fingerprints of both sides."""
    import numpy as np

    if not rows.right or not rows.wrong:
        return
    both = np.intersect1d(_array(rows.right), _array(rows.wrong))
    ends = [np.cumsum(_array(counts).astype("int64")) for counts in (rows.rights, rows.wrongs)]
    contested = [np.isin(_array(keys), both) for keys in (rows.right, rows.wrong)]
    counts = (_array(rows.rights), _array(rows.wrongs))
    numbers = [np.repeat(np.arange(len(rows)), count)[one] for count, one in zip(counts, contested, strict=True)]
    for row in np.unique(np.concatenate(numbers)).tolist():
        right_end, wrong_end = int(ends[0][row]), int(ends[1][row])
        right = rows.right[right_end - rows.rights[row] : right_end]
        yield row, right, rows.wrong[wrong_end - rows.wrongs[row] : wrong_end]


# Rows and queries that were there before.


class Repeats(Check):
    """The same row twice, exactly or but for case, width, spaces and punctuation."""

    def compare(self, rows: Columns) -> Iterator[Found]:
        """See :meth:`Check.compare`."""
        import numpy as np

        exact, near = first_of(rows.exact), first_of(rows.near)
        here = np.arange(len(rows))
        same, alike = exact < here, (exact == here) & (near < here)
        fix = say("Cleaning keeps the first.")

        def repeated(row: int) -> Problem:
            told = say("The same row as line {line}.", line=rows.lines[int(exact[row])])
            return warning("duplicate-row", told, self.setting.at(rows.lines[row]), fix)

        def nearly(row: int) -> Problem:
            line = rows.lines[int(near[row])]
            told = say("The same as line {line} but for case, spaces and punctuation.", line=line)
            return warning("near-duplicate-row", told, self.setting.at(rows.lines[row]), fix)

        yield same.nonzero()[0].tolist(), repeated
        yield alike.nonzero()[0].tolist(), nearly


class SimilarQueries(Check):
    """Queries that say nearly the same; the split keeps them on one side."""

    def end(self, rows: Columns) -> Iterator[Problem]:
        """The pairs found, by line."""
        found = sorted((pair.second, pair.first, pair.similarity) for pair in rows.queries.pairs())
        lines = [rows.lines[row] for row in rows.sketched]
        for second, first, similarity in found:
            message = say(
                "The query is nearly that of line {line} ({percent} % alike).",
                line=lines[first],
                percent=round(100 * similarity),
            )
            fix = say("Nothing to do if both are meant: the split keeps them on one side.")
            yield warning("near-duplicate-query", message, self.setting.at(lines[second]), fix)
        if rows.more:
            message = say("Only the first {count} queries were compared for nearly the same ones.", count=COMPARED)
            yield note("compared-first", message, self.setting.at(0))


# One answer to everything.


#: Rows of which this share have the same positive teach hardly more than to answer with it: the other rows of a batch
#: are no wrong answers to one another.
_ONE_ANSWER: Final = 0.5


class OneAnswer(Check):
    """A positive that most queries share: there is nothing to tell apart."""

    def end(self, rows: Columns) -> Iterator[Problem]:
        """A warning where one answer has half of the rows or more."""
        answers: Counter[int] = Counter()
        for key in filter(None, rows.answered) if self.setting.retrieval else ():
            # Of answers that are all different a thousand are enough to know.
            if key in answers or len(answers) < _COUNTED:
                answers[key] += 1
        total = len(rows) - rows.answered.count(0)
        most = max(answers.values(), default=0)
        if total < _ROWS or most < _ONE_ANSWER * total:
            return
        message = say("{count} of {total} rows have the same positive.", count=most, total=total)
        if len(answers) == 1:
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

    def end(self, rows: Columns) -> Iterator[Problem]:
        """Compare each row with what is typical."""
        import numpy as np

        own = _array(rows.answered) != 0
        if not self.setting.retrieval or own.sum() < _ROWS:
            return
        asked, answered, lines = (_array(one)[own] for one in (rows.query_length, rows.positive_length, rows.lines))
        query, positive = float(np.median(asked)), float(np.median(answered))
        if query > _RATIO * positive:
            message = say(
                "Queries are longer than positives: {query} against {positive} characters (medians).",
                query=int(query),
                positive=int(positive),
            )
            fix = say("If the columns are swapped, say so: --map query=... --map positive=...")
            yield warning("swapped-columns", message, self.setting.at(0), fix)
        elif positive > _RATIO * query:
            swapped = (answered > 0) & (_RATIO * answered < asked) & (asked > positive / 2) & (answered < 2 * query)
            for row in swapped.nonzero()[0].tolist():
                message = say(
                    "Query and positive look swapped: {query} and {positive} characters.",
                    query=int(asked[row]),
                    positive=int(answered[row]),
                )
                where = self.setting.at(int(lines[row]))
                yield warning("swapped-row", message, where, say("Swap them, or take the row out."))
