"""What a check is: it looks at training examples as they stream by and tells what is wrong; all checks at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cache
from typing import Final

from tunewiz.data.rows.examples import Example, texts_of_example
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


class Check(ABC):
    """Looks for one kind of damage. Memory: at most some tens of bytes a row, never the texts."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @abstractmethod
    def look(self, example: Example) -> Iterator[Problem]:
        """What is wrong with ``example``, as far as the rows until now tell."""

    def end(self) -> Iterable[Problem]:
        """What only the whole of the rows tells."""
        return ()


class TextCheck(Check):
    """A check that looks at texts one by one, whatever part they play: it serves documents of a corpus too."""

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        return self.judge(list(texts_of_example(example)), self.setting.at(example.line))

    @abstractmethod
    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """What is wrong with ``texts`` (role, text) that stand at ``where``; one finding of a kind at most."""


@cache
def checks() -> tuple[type[Check], ...]:
    """Every check, in the order of their names."""
    return tuple(Registry("tunewiz.data.checks", Check, named=lambda kind: kind.__name__).classes().values())


def watch(examples: Iterable[Example], setting: Setting, report: Callable[[Problem], None]) -> Iterator[Example]:
    """Pass ``examples`` through unchanged while every check looks at them; findings go to ``report``.

    What needs the whole is reported when the stream ends.
    """
    watching = [check(setting) for check in checks()]
    for example in examples:
        texts, where = list(texts_of_example(example)), setting.at(example.line)  # once for all checks of texts
        for check in watching:
            found = check.judge(texts, where) if isinstance(check, TextCheck) else check.look(example)
            for problem in found:
                report(problem)
        yield example
    for check in watching:
        for problem in check.end():
            report(problem)


# Whether prepared rows, read again, are all there.


#: What reading a file raises that is not there, empty, cut off or another one.
DAMAGE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def check_whole(parts: Mapping[str, Sized], counts: Mapping[str, int]) -> None:
    """Raise ``ValueError`` for a part that is empty though ``counts`` tells of something in it."""
    empty = [name for name, part in parts.items() if counts.get(name) and not part]
    if empty:
        raise ValueError(f"{', '.join(empty)}: 0 of {counts[empty[0]]}")
