"""Multiple choice among the formats: found by its columns, and how numbers that name the right choice are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tunewiz.data.dialogues.compared import compared_pair, judge_of
from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.formats.choices import choice_of, counted
from tunewiz.data.formats.format import Format, Mapped
from tunewiz.data.formats.preferences import ComparedAnswers
from tunewiz.data.formats.retrieval_rows import MultipleChoice
from tunewiz.data.formats.supervised import PromptCompletion
from tunewiz.data.opening.matching import Match, match
from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.reading.columns import USUAL, guesses, normalise_name
from tunewiz.data.reading.expressions import map_options
from tunewiz.data.reading.source import Source
from tunewiz.data.reading.turns import plain_keys
from tunewiz.problems import Problem, error, note, say

#: Roles that may name the right choice.
_RIGHT = ("right", "completion", "output")


#: Roles beside which the user may leave it open that a row is a multiple choice.
_BESIDE = frozenset(("system", "reasoning", "history", "tools", "input"))


def choice_match(candidates: Mapping[str, Format], table: Table, said: Mapped) -> Match | None:
    """The multiple choice that the columns hold, for retrieval or for a language model; None where they hold none.

    ``said`` is what the user maps: nothing, or only what stands beside question and answer.
    """
    if not set(said) <= _BESIDE:
        return None
    used = {column for columns in said.values() for column in columns}
    table = replace(table, columns=tuple(column for column in table.columns if column not in used))
    compared = _compared(candidates, table, said)
    if compared is not None:
        return compared
    chosen = next((name for name in (MultipleChoice.name, PromptCompletion.name) if name in candidates), "")
    found = choice_of(table) if chosen else None
    if found is None:
        return None
    if chosen == MultipleChoice.name:
        given = {"query": (" + ".join(found.asked),), "choices": found.offered, "right": (found.right,)}
    elif counted(table, found.offered, found.right) == "texts":
        return None  # a question and its answer in words, with the choices beside it
    else:
        given = {"prompt": found.asked, "choices": found.offered, "completion": (found.right,)}
    return match(candidates[chosen], table, {**given, **said})


def _compared(candidates: Mapping[str, Format], table: Table, said: Mapped) -> Match | None:
    """Two answers to one prompt and which of them is the better one, for retrieval or for a language model."""
    pair = compared_pair(table)
    judge = judge_of(table, pair) if pair else ""
    if not pair or not judge:
        return None
    rest = [column for column in table.columns if column not in (*pair, judge) and table.kind(column) == "text"]
    if ComparedAnswers.name in candidates:
        role, format_ = "prompt", candidates[ComparedAnswers.name]
        roles = ("answers", "better")
        asked = [guess.column for name in ("llm_asked", "llm_prompt") for guess in guesses(name, rest)]
    elif MultipleChoice.name in candidates:
        role, format_ = "query", candidates[MultipleChoice.name]
        roles = ("choices", "right")
        asked = [guess.column for name in ("query", "llm_asked") for guess in guesses(name, rest)]
        if any(table.kind(column) != "text" for column in pair):
            return None
    else:
        return None
    given = {roles[0]: pair, roles[1]: (judge,)} | ({role: (asked[0],)} if asked else {})
    return match(format_, table, {**given, **said}) if asked or role == "prompt" else None


def answers_beside(candidates: Mapping[str, Format], table: Table, best: Match) -> Match | None:
    """Turns that end with a question in each row, and a column of the answers to them; None where there is none."""
    turns = next((best.mapping[role][0] for role in ("messages", "conversations") if role in best.mapping), "")
    if not turns or PromptCompletion.name not in candidates or not _all_ask(table, turns):
        return None
    rest = [column for column in table.columns if column != turns]
    named = [guess.column for guess in guesses("llm_completion", rest)
             if guess.strength >= USUAL and table.kind(guess.column) == "text"
             and normalise_name(guess.column) not in _CHECKED]  # fmt: skip
    paths = (path for path in _ANSWERS if path.split("[")[0] in rest)
    answers = next((column for column in (*named, *paths) if _is_filled(table, column)), "")
    given = {"prompt": (turns,), "completion": (answers,)}
    return match(candidates[PromptCompletion.name], table, given) if answers else None


#: What a reward is computed from: seldom an answer in words.
_CHECKED = ("groundtruth", "groundtruths")
#: Where servers of chats put the answers beside the turns that were sent to them.
_ANSWERS = ("choices[].message.content", "choices[].text", "response.choices[].message.content")


def _is_filled(table: Table, column: str) -> bool:
    values = table.values(column)
    texts = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    return len(texts) > len(table.rows) / 2 and all(isinstance(text, str) for text in texts)


def _all_ask(table: Table, column: str) -> bool:
    """Whether the last turn of each row is the user's."""
    held = [parse_nested(value) for value in table.values(column)]
    last = [
        plain_keys(value[-1]) for value in held if isinstance(value, list) and value and isinstance(value[-1], dict)
    ]
    return bool(held) and len(last) == len(held) and all(
        part_of(turn.get("role", turn.get("from", "")), table.source.speakers) == "user" for turn in last
    )  # fmt: skip


def first_choice(source: Source, table: Table, mapping: Mapped) -> tuple[int | None, list[Problem]]:
    """The number of the first choice where numbers name the right one, and what to say of that."""
    offered, right = mapping.get("choices", ()), next((mapping[role][0] for role in _RIGHT if role in mapping), "")
    way = counted(table, offered, right) if offered and right else ""
    if way == "unclear":
        values = sorted({int(float(value)) for value in table.values(right)})
        message = say(
            "{right} holds {numbers}, and nothing says whether the first of the choices in {offered} is 0 or 1.",
            right=right,
            numbers=tuple(map(str, values)),
            offered=tuple(offered),
        )
        fix = say("Write letters (A, B, …) into {right}, or the right choice itself.", right=right)
        return None, [error("choice-number", message, source.at(), fix)]
    told: list[Problem] = []
    if "right" in mapping:
        message = say("The choice that {right} names is what each question is to find; the others are wrong answers.",
                      right=right)  # fmt: skip
        told.append(note("choices-read", message, source.at()))
    if way not in ("from 0", "from 1"):
        return None, told
    first = int(way == "from 1")
    message = say("The numbers in {right} count the choices from {first}.", right=right, first=first)
    return first, [*told, note("choice-number", message, source.at())]


def choice_advice(table: Table, answers: str, right: str, asked: Sequence[str]) -> str:
    """The mapping that reads a list of answers as choices, of which ``right`` names one; "" where it names none."""
    asked = [column for column in asked if column not in (answers, right)]
    if not asked or counted(table, (answers,), right) not in ("letters", "texts", "from 0", "from 1"):
        return ""
    return map_options({"query": asked[0], "choices": answers, "right": right})
