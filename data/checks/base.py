"""What a check is: it looks at training examples as they stream by and tells what is wrong.

Adding a check means adding one file here with one subclass of :class:`Check`; it is found by its file name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from data.examples import Group, ScoredPair
from data.problems import Problem, Where
from data.tokens import Count

Example = Group | ScoredPair

#: What BERT-like encoders read; longer texts are cut off there.
MAX_TOKENS: Final = 512


@dataclass(frozen=True)
class Setting:
    """What checks are told: the file's name for their findings, the longest text in tokens, and how tokens are counted.

    Without ``count`` tokens are estimated (:func:`data.tokens.estimate`). ``retrieval`` is false for rows for language
    models, whose prompts may well be alike, or longer than their answers.
    """

    file: str = ""
    max_tokens: int = MAX_TOKENS
    count: Count | None = None
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
        return self.judge(list(texts(example)), self.setting.at(example.line))

    @abstractmethod
    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """What is wrong with ``texts`` (role, text) that stand at ``where``; one finding of a kind at most."""


def texts(example: Example) -> Iterator[tuple[str, str]]:
    """Role and text of everything in ``example`` that a model reads."""
    if isinstance(example, ScoredPair):
        yield "first", example.first
        yield "second", example.second
        return
    yield "query", example.query
    for positive in example.positives:
        yield "positive", positive
    for negative in example.negatives:
        yield "negative", negative
