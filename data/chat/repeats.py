"""Rows that say what an earlier row says: exactly, but for case and punctuation, or nearly."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.text.duplicates import NearDuplicates, Seen, fingerprint, normal
from tunewiz.problems import Problem, Where, say, warning

Repeat = Literal["duplicate-row", "near-duplicate-row", "similar-row"]

#: Question and answer both have to be this much alike (Jaccard similarity of their n-grams). Higher than for queries:
#: what is found here is dropped by cleaning, while queries nearly alike only stay on one side of the split.
THRESHOLD: Final = 0.9
#: Rows compared with each other; beyond, only those that are equal but for case, spaces and punctuation. At 600 bytes a
#: row these are 120 MB.
COMPARED: Final = 200_000
#: An input of fewer characters ("yes", "3 apples") says too little without its instruction: rows that share it may
#: ask for different things.
_SHORT: Final = 12


def own_part(question: str) -> str:
    """``question`` without its first line, which many rows may share as their instruction, if enough is left."""
    rest = question.partition("\n")[2]
    return rest if len(rest.strip()) >= _SHORT else question


def _texts(conversation: Conversation) -> tuple[str, ...]:
    """Everything that makes a row what it is."""
    judged = "" if conversation.desirable is None else str(conversation.desirable)
    asked = (turn.text for turn in conversation.turns)
    said = (conversation.chosen, conversation.rejected, conversation.answer, judged, conversation.text)
    learned = unlearned_turns(conversation)
    return (conversation.system, conversation.tools, *asked, "", *said, conversation.label, *filter(None, (learned,)))


def unlearned_turns(conversation: Conversation) -> str:
    """Which turns are read and not learned, by their numbers: rows that differ in that alone teach different things."""
    return " ".join(str(number) for number, turn in enumerate(conversation.turns) if not turn.learned)


@dataclass(frozen=True)
class Alike:
    """Row ``second`` (by number, from 0, repeated rows not counted) says nearly what ``first`` says."""

    first: int
    second: int
    similarity: float


def frame(conversation: Conversation) -> int:
    """What else has to be the same where questions and answers are nearly so; 0 for a row that has nothing else."""
    question = conversation.question
    head = question.removesuffix(own_part(question))
    judged = "" if conversation.desirable is None else str(conversation.desirable)
    own = (conversation.system, conversation.tools, conversation.label, judged, unlearned_turns(conversation))
    rest = (normal(head) if head else "", *own)
    return fingerprint(*rest) if any(rest) else 0


class Repeats:
    """Takes conversations as they come; about 600 bytes a row, the texts are not kept."""

    def __init__(self) -> None:
        self._exact, self._normal = Seen(), Seen()
        self._questions = NearDuplicates(THRESHOLD)
        self._answers = NearDuplicates(THRESHOLD)
        self._frames = array("Q")
        self._compared = 0

    def add(self, conversation: Conversation) -> tuple[Repeat, int] | None:
        """What an equal earlier row is called and its line; None if there is none."""
        texts = _texts(conversation)
        earlier = self._exact.first(fingerprint(*texts), conversation.line)
        kind: Repeat = "duplicate-row"
        if earlier is None:
            earlier = self._normal.first(fingerprint(*map(normal, texts)), conversation.line)
            kind = "near-duplicate-row"
        if earlier is None:
            self._compare(conversation)
            return None
        return kind, earlier

    def _compare(self, conversation: Conversation) -> None:
        """Take question and answers for the comparison at the end."""
        if self._compared >= COMPARED:
            return
        self._questions.add(own_part(conversation.question))
        self._answers.add("\n".join(conversation.answers))
        self._frames.append(frame(conversation) or 1)
        self._compared += 1

    def alike(self) -> Iterator[Alike]:
        """Rows whose questions and answers are nearly the same, in the order of the later one."""
        yield from alike(self._questions, self._answers, self._frames)


def alike(questions: NearDuplicates, answers: NearDuplicates, frames: Sequence[int]) -> list[Alike]:
    """Rows nearly the same in ``questions`` and ``answers``, the same in ``frames``, in the order of the later one."""
    found = [
        Alike(pair.first, pair.second, pair.similarity)
        for pair in questions.pairs()
        if frames[pair.first] == frames[pair.second] != 0 and answers.similarity(pair.first, pair.second) >= THRESHOLD
    ]
    return sorted(found, key=lambda pair: (pair.second, pair.first))


def similar_rows(pairs: Iterable[Alike], lines: Sequence[int], file: str) -> Iterator[Problem]:
    """A warning for each of ``pairs``, of rows whose lines are given."""
    for pair in pairs:
        message = say(
            "Nearly the same as line {line} ({percent} % alike), question and answer.",
            line=lines[pair.first],
            percent=round(100 * pair.similarity),
        )
        yield warning(
            "similar-row", message, Where(file=file, line=lines[pair.second]), say("Cleaning keeps the first.")
        )


def surplus(conversations: Iterable[Conversation]) -> dict[int, Repeat]:
    """The numbers (from 0) of the rows that repeat an earlier one, and how; of rows nearly alike the first stays."""
    repeats = Repeats()
    dropped: dict[int, Repeat] = {}
    numbers: list[int] = []
    for number, conversation in enumerate(conversations):
        found = repeats.add(conversation)
        if found is not None:
            dropped[number] = found[0]
        elif len(numbers) < COMPARED:
            numbers.append(number)
    for pair in repeats.alike():
        if numbers[pair.first] not in dropped:
            dropped[numbers[pair.second]] = "similar-row"
    return dropped


def repeat_warning(kind: Repeat, earlier: int, where: Where) -> Problem:
    """The warning for a row that equals the one on line ``earlier``."""
    if kind == "duplicate-row":
        message = say("The same row as line {line}.", line=earlier)
    else:
        message = say("The same as line {line} but for case, spaces and punctuation.", line=earlier)
    return warning(kind, message, where, say("Cleaning keeps the first."))
