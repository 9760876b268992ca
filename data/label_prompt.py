"""The instruction that asks a language model for the label of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from data.conversations import Conversation, Turn
from data.problems import Problem, Where, error, say

ENGLISH: Final = "Classify the text. Answer with exactly one of these labels: {labels}.\n\nText: {text}"
CHINESE: Final = "判断下面文本的类别，只回答以下标签中的一个：{labels}。\n\n文本：{text}"
_HAN: Final = re.compile("[\u3400-\u9fff]")
_FIELD: Final = re.compile(r"\{(text|labels)\}")


def default_prompt(texts: Iterable[str]) -> str:
    """The prompt in the language of most of ``texts``: Chinese where at least half have Chinese characters."""
    seen = [bool(_HAN.search(text)) for text in texts]
    return CHINESE if sum(seen) * 2 > len(seen) else ENGLISH


def filled(prompt: str, text: str, labels: Sequence[str]) -> str:
    """``prompt`` with ``{text}`` and ``{labels}`` filled in; whatever else it holds in braces stays."""
    listed = ("、" if _HAN.search(prompt) else ", ").join(labels)
    return _FIELD.sub(lambda field: text if field[1] == "text" else listed, prompt)


def asked(row: Conversation, prompt: str, labels: Sequence[str]) -> Conversation:
    """A row with a label as the conversation in which ``prompt`` asks for it; others, and no prompt, as they are."""
    if not prompt or not row.label:
        return row
    return replace(row, turns=(Turn("user", filled(prompt, row.question, labels)), *row.turns[1:]))


def prompt_problems(prompt: str, where: Where) -> list[Problem]:
    """What is wrong with a prompt that the user wrote: it has to hold ``{text}``."""
    if "{text}" in prompt:
        return []
    told = say("The prompt has no {field}: the model would never see the text.", field="{text}")
    fix = say("Write it as: {example}", example=ENGLISH.replace("\n", " "))
    return [error("prompt-without-text", told, where, fix)]
