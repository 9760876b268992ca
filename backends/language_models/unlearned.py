"""Answers that are read and not learned (``weight: 0``), which LLaMA-Factory's files and processors do not know of.

Its converter for ShareGPT's layout is made to keep the mark of a turn, its processor to leave the tokens of marked
turns out of the labels; what it does otherwise stays its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tunewiz.data.rows.conversations import Conversation

#: The key of a turn in our files, and in what the library's converter makes of it.
LEARNED: Final = "learned"
_IGNORED: Final = -100  # ignore_index of torch's cross_entropy


def has_unlearned(rows: Sequence[Conversation]) -> bool:
    """Whether an answer of a row is not to be learned."""
    return any(not turn.learned for row in rows for turn in row.turns)


class _Ignoring:
    """A template whose answers in the marked ``places`` (pairs of question and answer, from 0) count as ignored."""

    def __init__(self, template: Any, places: set[int]) -> None:
        self._template = template
        self._places = places

    def __getattr__(self, name: str) -> Any:
        return getattr(self._template, name)

    def encode_multiturn(self, *given: Any, **named: Any) -> list[tuple[list[int], list[int]]]:
        pairs = self._template.encode_multiturn(*given, **named)
        return [
            (asked, [_IGNORED] * len(said) if place in self._places else said)
            for place, (asked, said) in enumerate(pairs)
        ]


def leaving_out(processor: Any) -> Any:
    """A supervised ``processor`` whose labels leave marked turns out."""
    marked = copy.copy(processor)
    marked._encode_data_example = lambda **example: _encoded(type(processor)._encode_data_example, processor, example)
    return marked


def _encoded(encode: Any, processor: Any, example: dict[str, Any]) -> tuple[list[int], list[int]]:
    ids, labels = encode(processor, **example)
    turns = [*example["prompt"], *example["response"]]
    places = {number // 2 for number, turn in enumerate(turns) if turn.get(LEARNED) is False}
    if not places:
        return ids, labels
    # Cut off and put in order by the library a second time, with what is not to be learned ignored from the start.
    ignoring = copy.copy(processor)
    ignoring.template = _Ignoring(processor.template, places)
    _, labels = encode(ignoring, **example)
    if processor.template.efficient_eos:  # it puts the end sign behind an answer by itself, as a token to learn
        end = processor.tokenizer.eos_token_id
        labels = [
            _IGNORED if label == end and place and labels[place - 1] == _IGNORED else label
            for place, label in enumerate(labels)
        ]
    return ids, labels


@contextmanager
def marks_kept() -> Iterator[None]:
    """Inside, LLaMA-Factory's own training knows of marked turns."""
    from llamafactory.data import converter
    from llamafactory.data.processor import SupervisedDatasetProcessor as Supervised

    plain, encode = converter.DATASET_CONVERTERS["sharegpt"], Supervised._encode_data_example

    class Marking(plain):  # type: ignore[misc, valid-type]  # a class found at run time
        def __call__(self, example: dict[str, Any]) -> dict[str, Any]:
            found: dict[str, Any] = super().__call__(example)
            said = example[self.dataset_attr.messages]
            if any(LEARNED in turn for turn in said):
                for turn, own in zip([*found["_prompt"], *found["_response"]], said, strict=False):
                    turn[LEARNED] = own.get(LEARNED) is not False
            return found

    converter.DATASET_CONVERTERS["sharegpt"] = Marking
    Supervised._encode_data_example = lambda self, **example: _encoded(encode, self, example)
    try:
        yield
    finally:
        converter.DATASET_CONVERTERS["sharegpt"] = plain
        Supervised._encode_data_example = encode
