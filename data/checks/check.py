"""What a check is: it looks at training examples as they stream by and tells what is wrong; all checks at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cache
from typing import Final

from tunewiz.data.checks.columns import Columns
from tunewiz.data.checks.placed import END, Placed
from tunewiz.data.rows.examples import Example, all_texts, texts_of_example
from tunewiz.data.text.lengths import TokenCount
from tunewiz.problems import Problem, Where
from tunewiz.registry import Registry

#: What BERT-like encoders read; longer texts are cut off there.
MAX_TOKENS: Final = 512


@dataclass(frozen=True)
class Setting:
    """What checks are told: the file's name for their findings, the longest text in tokens, and how tokens are counted.

    Without ``count`` tokens are estimated (:func:`tunewiz.data.text.lengths.estimate_tokens`). ``retrieval`` is false
    for rows for language models, whose prompts may well be alike, or longer than their answers.
    """

    file: str = ""
    max_tokens: int = MAX_TOKENS
    count: TokenCount | None = None
    retrieval: bool = True

    def at(self, line: int) -> Where:
        """A line of the file."""
        return Where(file=self.file, line=line)


#: Rows (by number, ascending) with a problem of one code each, and what makes that of a row.
Found = tuple[Sequence[int], Callable[[int], Problem]]


class Check:
    """Looks for one kind of damage: at rows one by one, and at what was kept of all of them."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def look(self, example: Example) -> Iterable[Problem]:
        """What is wrong with ``example`` by itself."""
        return ()

    def pass_batch(self, examples: Sequence[Example], texts: Sequence[str]) -> bool:
        """Whether nothing is wrong with any of ``examples``, whose ``texts`` are all of theirs, seen at a glance."""
        return False

    def compare(self, rows: Columns) -> Iterable[Found]:
        """What rows are wrong beside other rows."""
        return ()

    def end(self, rows: Columns) -> Iterable[Problem]:
        """What only the whole of the rows tells."""
        return ()


class TextCheck(Check, ABC):
    """A check that looks at texts one by one, whatever part they play: it serves documents of a corpus too."""

    def look(self, example: Example) -> Iterable[Problem]:
        """See :meth:`Check.look`."""
        return self.judge(list(texts_of_example(example)), self.setting.at(example.line))

    @abstractmethod
    def passes(self, text: str) -> bool:
        """Whether a first look is enough to see that nothing is wrong with ``text``, as with most."""

    def pass_all(self, texts: Sequence[str]) -> bool:
        """Whether all of ``texts`` pass, seen at once where that is faster."""
        return all(map(self.passes, texts))

    @abstractmethod
    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """What is wrong with ``texts`` (role, text) that stand at ``where``; one finding of a kind at most."""


@cache
def checks() -> tuple[type[Check], ...]:
    """Every check, in the order of their names."""
    return tuple(Registry("tunewiz.data.checks", Check, named=lambda kind: kind.__name__).classes().values())


class Watch:
    """All checks at once, on a stream of examples: findings go to ``placed``, what is kept of rows to ``rows``.

    ``sample`` is handed every batch too.
    """

    def __init__(
        self,
        setting: Setting,
        placed: Placed,
        sample: Callable[[Sequence[Example]], object] = len,
        opposed: bool = True,
        sketching: bool = True,
    ) -> None:
        self._setting = setting
        self._sample = sample
        self._placed = placed
        self._kept = {"opposed": opposed, "sketching": sketching and setting.retrieval}
        self._checks = [(step, check(setting)) for step, check in enumerate(checks(), 1)]
        self._rows = {step for step, check in self._checks if type(check).look is not Check.look}
        self._batch: list[Example] = []
        self.rows = Columns(**self._kept)
        self._part = Columns(**self._kept)

    def __call__(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Pass ``examples`` through unchanged; every check looks at them, a batch at a time."""
        for example in examples:
            self._batch.append(example)
            self._placed.row += 1
            if len(self._batch) >= _BATCH:
                self._look()
            yield example
        self._look()
        self.finish_part()

    def batches(self, examples: Iterable[Example]) -> Iterator[list[Example]]:
        """As a call, in batches: a generator less for each of a million rows."""
        placed, batch = self._placed, self._batch
        for example in examples:
            batch.append(example)
            placed.row += 1
            if len(batch) >= _BATCH:
                self._look()
                yield batch
                batch = self._batch
        self._look()
        self.finish_part()
        if batch:
            yield batch

    def _look(self) -> None:
        """Look at the rows that wait."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        first = self._placed.row - len(batch)
        texts = [all_texts(example) for example in batch]
        whole = [text for row in texts for text in row]
        for step, check in self._checks:
            if isinstance(check, TextCheck):
                if check.pass_all(whole):
                    continue
                for row, (example, own) in enumerate(zip(batch, texts, strict=True), first):
                    if not check.pass_all(own):
                        self._found(check.look(example), row, step)
            elif step in self._rows and not check.pass_batch(batch, whole):
                for row, example in enumerate(batch, first):
                    found = check.look(example)
                    if found:
                        self._found(found, row, step)
        self._sample(batch)
        self._part.add(batch, texts)
        if len(self._part) >= _PART:
            self.finish_part()

    def _found(self, problems: Iterable[Problem], row: int, step: int) -> None:
        for problem in problems:
            self._placed.take(problem, row, step)

    def finish_part(self) -> None:
        """Put the rows since the last part to the others."""
        self.rows.behind(self._part)
        self._part = Columns(**self._kept)

    def end(self) -> None:
        """Compare the rows with each other and look at the whole of them."""
        for step, check in self._checks:
            for rows, make in check.compare(self.rows):
                self._placed.many(rows, step, make)
            for problem in check.end(self.rows):
                self._placed.take(problem, END, step)


#: Rows looked at at once: enough that what a batch costs is little a row.
_BATCH: Final = 128
#: Rows that are kept apart from the others, so that a long stream costs as much a row as a short one.
_PART: Final = 20_000


def watch(examples: Iterable[Example], setting: Setting, placed: Placed) -> Iterator[Example]:
    """Pass ``examples`` through unchanged while every check looks at them; findings go to ``placed``.

    What needs the whole is found when the stream ends.
    """
    watching = Watch(setting, placed)
    yield from watching(examples)
    watching.end()


# Whether prepared rows, read again, are all there.


#: What reading a file raises that is not there, empty, cut off or another one.
DAMAGE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def check_whole(parts: Mapping[str, Sized], counts: Mapping[str, int]) -> None:
    """Raise ``ValueError`` for a part that is empty though ``counts`` tells of something in it."""
    empty = [name for name, part in parts.items() if counts.get(name) and not part]
    if empty:
        raise ValueError(f"{', '.join(empty)}: 0 of {counts[empty[0]]}")
