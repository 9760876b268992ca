"""What the model would have seen in training of the conversations it is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data.conversation_repeats import own_part
from data.conversations import Conversation
from data.fingerprints import Seen, fingerprint, normal
from data.near_duplicates import NearDuplicates
from data.problems import Problem, Where, say, warning


def leaks(train: Sequence[Conversation], measured: Sequence[Conversation], file: str) -> Iterator[Problem]:
    """First questions of ``measured`` that ``train`` (of ``file``) has too, exactly or nearly, each with its row."""
    trained, near = Seen(), NearDuplicates()
    lines: list[int] = []
    for row in train:
        if trained.first(fingerprint(normal(row.question)), row.line) is None:
            near.add(own_part(row.question))
            lines.append(row.line)
    first = len(near)
    asked: list[str] = []
    for row in measured:
        line = trained.get(fingerprint(normal(row.question)))
        if line is not None:
            told = say('The evaluation\'s question "{question}" is trained on.', question=row.question[:60])
            fix = say("Take the row out of the training data.")
            yield warning("leak-question", told, Where(file=file, line=line), fix)
        else:
            near.add(own_part(row.question))
            asked.append(row.question)
    for pair in near.pairs():
        if pair.first < first <= pair.second:
            question = asked[pair.second - first][:60]
            told = say('The evaluation\'s question "{question}" is nearly one that is trained on.', question=question)
            fix = say("Take the row out of the training data if both ask the same.")
            yield warning("leak-near-question", told, Where(file=file, line=lines[pair.first]), fix)
