"""The order of turns that training needs: questions and answers in turn, mended by one rule for every layout.

Neighbouring turns of one speaker are joined, calls of tools one after another are one parallel call, and what the
assistant says before anybody asked is left out. What cannot be mended so is told.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from tunewiz.data.rows.conversations import Turn
from tunewiz.problems import Problem, Report, Where, say, warning

ANSWERS: Final = ("assistant", "call")
#: What is told of turns that mending would lose more of.
KEPT: Final = frozenset(("unlearned-turn", "turn-fields", "call-text"))
#: What shows that an answer's text calls a tool: Hermes's tag, and what ReAct writes.
_CALLS: Final = ("<tool_call>", "Action:")
#: What mending tells, each once a conversation.
MENDED: Final = frozenset(("assistant-first", "repeated-role", "unanswered-turn", "system-in-middle", "unlearned-cut"))


def in_order(turns: Sequence[Turn], where: Where, report: Report) -> tuple[list[Turn], Problem | None]:
    """``turns`` mended, which is reported, and why they cannot be trained on, if they cannot."""
    told: list[Problem] = []
    whole = _from_first_question(_joined(turns, where, told), where, told)
    for one in told:
        report(one)
    return whole, _wrong_order(whole, where)


def _joined(turns: Sequence[Turn], where: Where, told: list[Problem]) -> list[Turn]:
    found: list[Turn] = []
    for turn in turns:
        last = found[-1] if found else None
        if turn.speaker == "call" and last is not None and last.speaker == "assistant":
            told += [lost_beside_call(where)] if last.text.strip() else []
            found[-1] = turn
        elif last is None or last.speaker != turn.speaker:
            found.append(turn)
        elif turn.speaker == "call":
            found[-1] = Turn("call", _parallel(last.text, turn.text), last.learned and turn.learned)
        else:
            text = "\n".join(text for text in (last.text, turn.text) if text)
            found[-1] = Turn(turn.speaker, text, last.learned and turn.learned)
            if last.learned != turn.learned:
                message = say("Of two answers that follow each other one is not to be learned; neither is.")
                told.append(warning("unlearned-joined", message, where, say("Put what was asked between them.")))
            if turn.speaker != "tool" and "repeated-role" not in [one.code for one in told]:
                message = say("Two turns of {role} follow each other; they are joined.", role=turn.speaker)
                told.append(warning("repeated-role", message, where))
    return found


def lost_beside_call(where: Where) -> Problem:
    """That what stands beside a call of a tool has no place in training."""
    message = say("The text beside a call of a tool is left out: templates have no place for it.")
    fix = say("To keep it, write the call into the text: … <tool_call>{{…}}</tool_call>.")
    return warning("call-text", message, where, fix)


def _parallel(one: str, other: str) -> str:
    """Two texts of calls as that of one call of all of them."""
    first, second = json.loads(one), json.loads(other)
    listed = first if isinstance(first, list) else [first]
    return json.dumps([*listed, *(second if isinstance(second, list) else [second])], ensure_ascii=False)


def _from_first_question(turns: list[Turn], where: Where, told: list[Problem]) -> list[Turn]:
    if not turns or turns[0].speaker != "assistant" or not any(turn.speaker == "user" for turn in turns):
        return turns
    message = say("The conversation starts with the assistant; what it says before the first question is left out.")
    told.append(warning("assistant-first", message, where))
    return turns[1:]


def _wrong_order(turns: Sequence[Turn], where: Where) -> Problem | None:
    """Why the order of turns cannot be trained on, if it cannot."""
    if turns and turns[0].speaker in ANSWERS:
        message = say("The conversation starts with the assistant.")
        return warning("assistant-first", message, where, say("Start with the user, or take the turn out."))
    if turns and turns[0].speaker == "tool":
        return warning("tool-without-call", say("A tool answers that was not called."), where)
    for one, other in pairwise(turns):
        if other.speaker == "tool" and one.speaker not in ANSWERS:
            return warning("tool-without-call", say("A tool answers that was not called."), where)
        if other.speaker == "tool" and one.speaker == "assistant" and not any(sign in one.text for sign in _CALLS):
            return warning("tool-without-call", say("A tool answers that was not called."), where)
        if (one.speaker in ANSWERS) != (other.speaker in ANSWERS):
            continue
        message = say("{role} speaks after {other}; questions and answers should alternate.", role=other.speaker,
                   other=one.speaker)  # fmt: skip
        return warning("repeated-role", message, where, say("Join them, or take one out."))
    return None
