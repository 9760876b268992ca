"""What is wrong with conversations beyond the order of their turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from data.checks.base import Setting
from data.checks.characters import Characters
from data.conversation_repeats import Repeats, repeated
from data.conversations import Conversation
from data.label_checks import LabelChecks
from data.markup import strip
from data.placeholders import Placeholders
from data.problems import Problem, Where, note, say, warning

_ONE_SIDED: Final = 0.95
_FEW_ANSWERS: Final = 0.05  # different answers a row, below which rows look like a classification
_SHORT_ANSWER: Final = 60
_MANY_ROWS: Final = 50


class ConversationChecks:
    """Looks at conversations as they stream by; memory: some hundreds of bytes a row, never the texts.

    ``turns`` counts conversations by their number of answers, ``labels`` rows by label.
    """

    def __init__(self, file: str, repeats: bool = True, placeholders: bool = True) -> None:
        self.turns: Counter[int] = Counter()
        self.labels = LabelChecks(file)
        self._file = file
        self._characters = Characters(Setting(file))
        self._placeholders = Placeholders({}, file) if placeholders else None
        self._repeats = Repeats() if repeats else None
        self._judged: Counter[bool] = Counter()
        self._answers: Counter[str] | None = Counter()

    def look(self, row: Conversation) -> Iterator[Problem]:
        """What is wrong with ``row``, as far as the rows until now tell."""
        where = Where(file=self._file, line=row.line)
        self.turns[sum(turn.speaker in ("assistant", "call") for turn in row.turns)] += 1
        yield from self._characters.judge(texts(row), where)
        yield from self.labels.look(row)
        if self._placeholders is not None:
            self._placeholders.fill(row)
        self._count(row)
        if self._repeats is not None:
            found = self._repeats.add(row)
            if found is not None:
                yield repeated(*found, where)
        if row.turns and row.turns[-1].text.strip() == row.question.strip() and row.stage == "sft" and not row.label:
            told = say("The answer repeats the question: there is nothing to learn.")
            yield warning("answer-equals-question", told, where, say("Take the row out."))
        if any("</" in text and strip(text) != text for _, text in texts(row)):
            told = say("There is HTML in the text; it stays, as the model may be meant to write it.")
            yield note("html", told, where)

    def _count(self, row: Conversation) -> None:
        if row.desirable is not None:
            self._judged[row.desirable] += 1
        if self._answers is not None and not row.label and row.stage == "sft" and row.turns:
            answer = row.turns[-1].text.strip()
            self._answers[answer] += 1
            if len(answer) > _SHORT_ANSWER or len(self._answers) > 1000:
                self._answers = None

    def end(self) -> Iterator[Problem]:
        """What only the whole of the rows tells."""
        if self._repeats is not None:
            yield from self._repeats.problems(self._file)
        if self._placeholders is not None:
            yield from self._placeholders.problems()
        yield from self.labels.end()
        where, total = Where(file=self._file), sum(self._judged.values())
        if total and max(self._judged.values()) >= _ONE_SIDED * total:
            percent = round(100 * max(self._judged.values()) / total, 1)
            told = say("{percent} % of the judgments are the same.", percent=percent)
            yield warning("one-sided-judgments", told, where, say("KTO needs good and bad answers."))
        answers = self._answers or Counter()
        rows = sum(answers.values())
        if rows >= _MANY_ROWS and 2 <= len(answers) <= _FEW_ANSWERS * rows:
            told = say("There are only {count} different short answers: it looks like a classification.",
                       count=len(answers))  # fmt: skip
            fix = say("To measure accuracy and F1, map it: --map text=COLUMN --map label=COLUMN.")
            yield note("looks-like-labels", told, where, fix)


def texts(row: Conversation) -> list[tuple[str, str]]:
    """Role and text of everything in ``row`` that a model reads; roles are those of :data:`data.roles.ROLES`."""
    found = [("system", row.system)] + [
        ("question" if turn.speaker in ("user", "tool") else "answer", turn.text) for turn in row.turns
    ]
    found += [("chosen", row.chosen), ("rejected", row.rejected), ("answer", row.answer), ("text", row.text)]
    return [(role, text) for role, text in found if text]
