"""Labels of a classification: what is wrong with them, and the prompt that asks a language model for one."""

from __future__ import annotations

import re
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.data.text.duplicates import fingerprint, first_of, normal
from tunewiz.problems import Problem, Where, error, note, say, warning

_SKEW: Final = 0.9  # a model that always answers this label is right nine times of ten
_FEW: Final = 5  # fewer rows cannot be split into training and evaluation and still show what the label means
_SHOWN: Final = 6  # labels named in a message: one line of it
_MOST: Final = 200  # more labels than this hardly fit into a prompt


class LabelChecks:
    """Counts labels as rows come by; ``counts`` holds how many rows each has."""

    def __init__(self, file: str) -> None:
        self.counts: Counter[str] = Counter()
        self._file = file
        self._texts, self._lines, self._rows = array("Q"), array("Q"), array("Q")
        self._names: list[str] = []  # of each row

    def look(self, row: Conversation, number: int) -> None:
        """Take the row of that ``number`` (from 0, of all rows), if it has a label."""
        if row.label:
            self.counts[row.label] += 1
            self._texts.append(fingerprint(normal(row.question)))
            self._lines.append(row.line)
            self._rows.append(number)
            self._names.append(sys.intern(row.label))

    def behind(self, other: LabelChecks, rows: int) -> None:
        """Take what ``other`` saw of the rows that follow the first ``rows``."""
        self.counts.update(other.counts)
        self._texts.extend(other._texts)
        self._lines.extend(other._lines)
        self._rows.extend([number + rows for number in other._rows])
        self._names.extend(map(sys.intern, other._names))

    def contradictions(self) -> tuple[list[int], Callable[[int], Problem]]:
        """Rows whose text has another label in an earlier row, and what makes the problem of one."""
        first = first_of(self._texts).tolist() if self._texts else []
        wrong = {self._rows[at]: at for at, earlier in enumerate(first) if self._names[earlier] != self._names[at]}

        def contradiction(row: int) -> Problem:
            at = wrong[row]
            message = say(
                "The same text has the label {other} in line {line} and {label} here.",
                other=self._names[first[at]],
                line=self._lines[first[at]],
                label=self._names[at],
            )
            where = Where(file=self._file, line=self._lines[at])
            return warning("contradicting-label", message, where, say("Keep the right one."))

        return list(wrong), contradiction

    def end(self) -> Iterator[Problem]:
        """What the whole of the labels tells."""
        if not self.counts:
            return
        where, total = Where(file=self._file), sum(self.counts.values())
        label, most = self.counts.most_common(1)[0]
        if len(self.counts) == 1:
            message = say("All {count} rows have the label {label}.", count=total, label=label)
            yield warning("single-label", message, where, say("Classification needs at least two labels."))
        elif most > _SKEW * total:
            percent = round(100 * most / total, 1)
            message = say("{percent} % of the rows have the label {label}.", percent=percent, label=label)
            yield warning("label-skew", message, where, say("Add rows of the other labels; look at macro-F1."))
        yield from self._several(where)
        yield from self._rare(where)
        yield from self._spellings(where)
        if all(name.lstrip("+-").replace(".", "", 1).isdigit() for name in self.counts):
            message = say("The labels are numbers: {labels}.", labels=_listed(sorted(self.counts)))
            fix = say("A language model learns words more easily: write what each stands for.")
            yield note("numeric-labels", message, where, fix)
        if len(self.counts) > _MOST:
            message = say("There are {count} labels; the prompt that lists them is long.", count=len(self.counts))
            yield note("many-labels", message, where, say("Leave {field} out of data.prompt.", field="{labels}"))

    def _several(self, where: Where) -> Iterator[Problem]:
        """Cells that hold several labels."""
        found = several_labels(self.counts)
        if found:
            count = sum(self.counts[name] for name in found)
            message = say("{count} rows have several labels in one cell: {labels}.", count=count, labels=_listed(found))
            fix = say("Each set of labels is learned as one label; to learn single ones, write a row for each.")
            yield warning("multi-label", message, where, fix)

    def _rare(self, where: Where) -> Iterator[Problem]:
        rare = sorted(name for name, count in self.counts.items() if count < _FEW)
        if rare and len(self.counts) > 1:
            message = say(
                "{count} labels have fewer than {few} rows: {labels}.", count=len(rare), few=_FEW, labels=_listed(rare)
            )
            yield warning("rare-label", message, where, say("Add rows for them, or take them together."))

    def _spellings(self, where: Where) -> Iterator[Problem]:
        spelt: dict[str, list[str]] = {}
        for name in sorted(self.counts):
            spelt.setdefault(normal(name), []).append(name)
        for names in spelt.values():
            if len(names) > 1:
                message = say("These look like one label: {labels}.", labels=_listed(names))
                yield warning("label-spelling", message, where, say("Write it in one way."))


def order_labels(labels: Counter[str]) -> tuple[str, ...]:
    """The label set in an order that does not depend on that of the rows: numbers by value, words by alphabet."""

    def key(name: str) -> tuple[int, float, str, str]:
        try:
            return 0, float(name), "", name
        except ValueError:
            return 1, 0.0, name.casefold(), name

    return tuple(sorted(labels, key=key))


_BETWEEN: Final = re.compile(r"\s*[,，、;；|]\s*")


def several_labels(names: Iterable[str]) -> list[str]:
    """The labels that are sets of others (``sport, money``), as their parts stand alone or in other sets too."""
    parts = {name: frozenset(filter(None, _BETWEEN.split(name))) for name in names}
    sets = Counter(part for of_name in set(parts.values()) for part in of_name)
    return sorted(name for name, of_name in parts.items() if len(of_name) > 1 and any(sets[one] > 1 for one in of_name))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


# The instruction that asks a language model for the label of a text.


ENGLISH: Final = "Classify the text. Answer with exactly one of these labels: {labels}.\n\nText: {text}"
CHINESE: Final = "判断下面文本的类别，只回答以下标签中的一个：{labels}。\n\n文本：{text}"
_HAN: Final = re.compile("[\u3400-\u9fff]")
_FIELD: Final = re.compile(r"\{(text|labels)\}")


def default_prompt(texts: Iterable[str]) -> str:
    """The prompt in the language of most of ``texts``: Chinese where at least half have Chinese characters."""
    seen = [bool(_HAN.search(text)) for text in texts]
    return CHINESE if sum(seen) * 2 > len(seen) else ENGLISH


def fill_prompt(prompt: str, text: str, labels: Sequence[str]) -> str:
    """``prompt`` with ``{text}`` and ``{labels}`` filled in; whatever else it holds in braces stays."""
    listed = _between(prompt, labels).join(labels)
    return _FIELD.sub(lambda field: text if field[1] == "text" else listed, prompt)


def _between(prompt: str, labels: Sequence[str]) -> str:
    """What stands between labels: a sign that is in none of them, or they could not be told apart."""
    if any("|" in name for name in labels):
        return "\n"
    if any(_BETWEEN.search(name) for name in labels):
        return " | "
    return "、" if _HAN.search(prompt) else ", "


def ask_for_label(row: Conversation, prompt: str, labels: Sequence[str]) -> Conversation:
    """A row with a label as the conversation in which ``prompt`` asks for it; others, and no prompt, as they are."""
    if not prompt or not row.label:
        return row
    return replace(row, turns=(Turn("user", fill_prompt(prompt, row.question, labels)), *row.turns[1:]))


def prompt_problems(prompt: str, where: Where) -> list[Problem]:
    """What is wrong with a prompt that the user wrote: it has to hold ``{text}``."""
    if "{text}" in prompt:
        return []
    message = say("The prompt has no {field}: the model would never see the text.", field="{text}")
    fix = say("Write it as: {example}", example=ENGLISH.replace("\n", " "))
    return [error("prompt-without-text", message, where, fix)]
