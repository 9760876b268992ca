"""Turns of a conversation, whoever wrote them down how, brought into one order and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tunewiz.data.dialogues.calls import (
    call_text,
    calls_in,
    calls_in_parts,
    response_text,
    thoughts_in_parts,
    tool_list,
)
from tunewiz.data.dialogues.markup import split_dialogue, spoken, without_control
from tunewiz.data.dialogues.order import ANSWERS, in_order, lost_beside_call
from tunewiz.data.dialogues.plain import plain_talk
from tunewiz.data.dialogues.roles import Part, fold, part_of, speaker_of
from tunewiz.data.dialogues.segments import is_segments, langchain_turn, listed, turns_of_segments
from tunewiz.data.dialogues.trees import Branch, branch
from tunewiz.data.reading.cells import Table, is_empty, parse_nested
from tunewiz.data.rows.conversations import Turn, plain_turns
from tunewiz.problems import Problem, Report, Where, note, say, warning

__all__ = ["ANSWERS", "Talk", "first_turns", "is_turns", "talk", "text_of", "thought", "tool_list"]


def text_of(value: Any) -> str | None:
    """The text of a turn: a text, or a list of parts that are all text; None where a part is something else."""
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return text_of(value["parts"]) if "parts" in value else _part(value)
    if isinstance(value, Sequence):
        parts = [_part(part) for part in value]
        texts = [part for part in parts if part is not None]
        return "\n".join(texts) if len(texts) == len(parts) else None
    return None


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "input_text", "output_text"):
        return None
    text = part.get("text", part.get("value", part.get("content")))
    return text if isinstance(text, str) else None


def thought(reasoning: str, answer: str) -> str:
    """An answer with what was thought before it, between the tags that reasoning models write."""
    return f"<think>\n{reasoning.strip()}\n</think>\n\n{answer}" if reasoning.strip() else answer


#: Under what the name of who speaks stands, what is said, and what was thought before.
_NAMES: Final = ("role", "from", "speaker", "author", "sender", "who", "角色", "说话人", "发言人")
_CONTENTS: Final = ("content", "value", "text", "parts", "message", "utterance", "says", "内容", "文本", "话语")
_THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts", "cot", "思考")
_CALLS: Final = ("tool_calls", "function_call", "function_calls")
_TOOLS: Final = ("functions", "tools")
#: A turn that is not to be learned: OpenAI's weight of 0, ms-swift's loss, axolotl's train and masked.
_WEIGHTS: Final = ("weight", "loss", "loss_scale", "loss_weight", "train", "training", "learn", "train_on_turn")
_MASKS: Final = ("masked", "mask")
_LEARNED: Final = (*_WEIGHTS, *_MASKS)
_LEARNED_KEYS: Final = frozenset(_LEARNED)
#: Fields that say nothing a model would read.
_PLAIN: Final = frozenset(
    (
        *("id", "tool_call_id", "name", "timestamp", "time", "date", "created_at", "index", "turn", "turn_id", "type"),
        *("token_count", "tokens", "model", "recipient", "end_turn", "status", "refusal", "create_time", "update_time"),
        *(
            "uuid",
            "message_id",
            "content_type",
            "parent",
            "parent_id",
            "message_tree_id",
            "lang",
            "language",
            "annotations",
            "audio",
        ),
    )
)
_KNOWN: Final = frozenset((*_NAMES, *_CONTENTS, *_THOUGHTS, *_CALLS, *_TOOLS, *_LEARNED)) | _PLAIN


@dataclass(frozen=True)
class Talk:
    """Turns in order, what the system said, and the tools (as :func:`tool_list` writes them) if they stand inside."""

    turns: tuple[Turn, ...]
    system: str = ""
    tools: str = ""

    @property
    def answered(self) -> bool:
        """Whether the last word is the assistant's."""
        return bool(self.turns) and self.turns[-1].speaker in ANSWERS


class _Raw:
    """Turns as they are read."""

    def __init__(self, where: Where, report: Report, said: Mapping[str, str] | None = None) -> None:
        self.turns: list[Turn] = []
        self.system: list[str] = []
        self.tools = ""
        self.unlearned: set[int] = set()
        self.advice = ""
        self.where = where
        self.report = report
        self.said = said

    def add(self, item: Any) -> bool:
        """Take one item of the list; False, and reported, if it cannot be read."""
        item = parse_nested(item)
        if isinstance(item, (list, tuple)) and len(item) == 2:
            return self._turn("user", item[0]) and self._turn("assistant", item[1])
        if not isinstance(item, Mapping):
            return self._odd("")
        item = plain_keys(item)
        given = next((key for key in _NAMES if item.get(key) is not None), None)
        if given is None:
            return self._named(item)
        name = item[given]
        part = part_of(name, self.said)
        # OpenAI's older name for a tool's answer; ShareGPT's "function" is a call.
        if fold(name) == "function" and (given == "role" or self._answers_a_call(item)):
            part = "tool"
        if part is None:
            return self._odd(str(name))
        return self._item(part, item)

    def _answers_a_call(self, item: Mapping[str, Any]) -> bool:
        """Whether a function's turn is what it gave back (ToolBench) rather than a call: no JSON, after an answer."""
        content = next((item[key] for key in _CONTENTS if item.get(key) is not None), None)
        after = bool(self.turns) and self.turns[-1].speaker in ANSWERS
        return after and isinstance(content, str) and call_text(content) is None

    def _item(self, part: Part, item: Mapping[str, Any]) -> bool:
        content = next((item[key] for key in _CONTENTS if item.get(key) is not None), None)
        calls = next((item[key] for key in _CALLS if not is_empty(item.get(key))), None)
        if content is None and calls is None and (only := _only_text(item)):
            content = item[only]
            item = {key: value for key, value in item.items() if key != only}
        content, inside = thoughts_in_parts(content)
        called, given = calls_in_parts(content)
        if called or given is not None:
            parts = [content] if isinstance(content, Mapping) else content or []
            if any((_part(one) or "").strip() for one in parts):
                self.report(lost_beside_call(self.where))
            part, content = ("call", called) if called else ("tool", given)
        if part == "system" and not self.tools:
            self.tools = next((found for key in _TOOLS if (found := tool_list(item.get(key)))), "")
        self._tell_lost(key for key, value in item.items() if not is_empty(value))
        thoughts = next((str(item[key]) for key in _THOUGHTS if isinstance(item.get(key), str)), inside)
        if part in ("assistant", "call"):
            self._weigh(item)
        if part == "call" or (part == "assistant" and calls is not None):
            return self._call(content if calls is None else calls, "" if calls is None else content, thoughts)
        if part != "assistant":
            return self._turn(part, content)
        return self._answer(content, thoughts)

    def _tell_lost(self, keys: Iterable[Any]) -> None:
        """A warning of fields of a turn that may mean something and are not used."""
        lost = [str(key) for key in keys if str(key).casefold() not in _KNOWN]
        if lost:
            message = say("Fields of a turn that are not used: {fields}.", fields=tuple(lost))
            self.report(warning("turn-fields", message, self.where, say("Write what matters into the turn's text.")))

    def _weigh(self, item: Mapping[str, Any]) -> None:
        """Take down whether the answer that ``item`` holds is to be learned."""
        if _LEARNED_KEYS.isdisjoint(item):
            return
        if _unlearned(item):
            self.unlearned.add(len(self.turns))
            return
        odd = [f"{key} {item[key]}" for key in _WEIGHTS if _weight_of(item.get(key)) not in (None, 0.0, 1.0)]
        if odd:
            message = say("An answer counts by a weight of its own ({weight}); it is learned like the others.",
                       weight=tuple(odd))  # fmt: skip
            fix = say("A turn is learned (1) or not (0). To weigh texts, put them into files: data.train with weight.")
            self.report(warning("turn-weight", message, self.where, fix))

    def _named(self, item: Mapping[str, Any]) -> bool:
        """An object whose fields are named like who speaks: ``{"human": …, "assistant": …}``, or input and output."""
        parts = [(part_of(key, self.said), value) for key, value in item.items() if not is_empty(value)]
        said = [(part, _unmarked(value)) for part, value in parts if part is not None]
        if not {"user", "assistant"} & {part for part, _ in said}:
            return self._odd(", ".join(str(key) for key in item) if len(item) <= _FEW_KEYS else "")
        self._tell_lost(key for key, value in item.items() if part_of(key, self.said) is None and not _is_none(value))
        asked = [text for part, value in said if part == "user" and (text := text_of(value))]
        whole = all(self._turn("system", value) for part, value in said if part == "system")
        whole = whole and (not asked or self._turn("user", "\n".join(asked)))
        return whole and all(self._turn(part, value) for part, value in said if part == "assistant")

    def add_text(self, part: Part, text: str) -> bool:
        """Take a turn that was part of a written dialogue."""
        return self._answer(text, "") if part == "assistant" else self._turn(part, text)

    def add_segment(self, part: Part, text: str, learned: bool) -> bool:
        """Take a turn that was part of segments; see :func:`tunewiz.data.dialogues.segments.turns_of_segments`."""
        if not learned:
            self.unlearned.add(len(self.turns))
        return self._turn(part, text)

    def _answer(self, content: Any, thoughts: str) -> bool:
        text = text_of(content)
        if text is None or thoughts:
            return self._turn("assistant", content if text is None else thought(thoughts, text))
        beside, calls = calls_in(text)
        if calls is None or beside:
            return self._turn("assistant", text)
        self.turns.append(Turn("call", calls))
        return True

    def _turn(self, part: Part, content: Any) -> bool:
        text = text_of(content)
        if text is None:
            message = say("A turn of {role} holds something other than text, a picture perhaps.", role=part)
            fix = say("Only text can be trained on; the row is left out.")
            self.report(warning("not-text", message, self.where, fix))
            return False
        if part == "system":
            if self.turns and text.strip():
                message = say("The system speaks in the middle; what it says is put before the conversation.")
                self.report(warning("system-in-middle", message, self.where))
            self.system += [text] if text.strip() else []
        elif part == "call":
            return self._call(text)
        else:
            self.turns.append(Turn(speaker_of(part), response_text(text) if part == "tool" else text))
        return True

    def _call(self, calls: Any, beside: Any = "", thoughts: str = "") -> bool:
        text = call_text(calls)
        if text is None:
            message = say("A call of a tool is not JSON with a name and arguments; the row is left out.")
            fix = say('Write {{"name": "...", "arguments": {{...}}}}.')
            self.report(warning("bad-tool-call", message, self.where, fix))
            return False
        if (text_of(beside) or "").strip() or thoughts.strip():
            self.report(lost_beside_call(self.where))
        self.turns.append(Turn("call", text))
        return True

    def _odd(self, name: str) -> bool:
        message = say("A turn is by {role}, which is no usual role.", role=name or "-")
        fix = say("Use user and assistant, or human and gpt.")
        if self.advice:
            fix = say("Say who is who, for example: {mapping}", mapping=self.advice)
        self.report(warning("unknown-role", message, self.where, fix))
        return False

    def cut_unlearned(self) -> None:
        """Leave out the last answers that are marked as not to be learned; of others, mark the turns."""
        while self.turns and len(self.turns) - 1 in self.unlearned:
            self.turns.pop()
            while self.turns and self.turns[-1].speaker not in ANSWERS:
                self.turns.pop()
        inside = [index for index in self.unlearned if index < len(self.turns)]
        for index in inside:
            self.turns[index] = replace(self.turns[index], learned=False)
        if inside:
            message = say(
                "An answer is marked as not to be learned (weight 0, loss false): it is read and not learned."
            )
            self.report(note("unlearned-turn", message, self.where))
        elif self.unlearned:
            message = say("The last answers are marked as not to be learned (weight 0, loss false); they are left out.")
            self.report(warning("unlearned-cut", message, self.where))


def _unlearned(item: Mapping[str, Any]) -> bool:
    off = any(_weight_of(item.get(key)) == 0 for key in _WEIGHTS)
    return off or any(_weight_of(item.get(key)) == 1 for key in _MASKS)


def _weight_of(value: object) -> float | None:
    """The number that a weight or a yes or no is, also as text; None where it is none."""
    if isinstance(value, str):
        value = {"true": 1, "yes": 1, "false": 0, "no": 0}.get(value.strip().casefold(), value)
    try:
        return float(value) if isinstance(value, (bool, int, float, str)) else None
    except (ValueError, OverflowError):
        return None


def talk(
    value: Any, where: Where, report: Report, answered: bool = True, said: Mapping[str, str] | None = None
) -> Talk | None:
    """The conversation that ``value`` holds; None, and reported, if it has none.

    It is a list of turns, that as text, a list of texts of user and assistant in turn, or a dialogue written into one
    text (:func:`tunewiz.data.dialogues.markup.split_dialogue`). ``answered`` says that it has to end with an answer: a
    last question without one is cut off, with a warning. Without it, the conversation is a prompt and has to end with
    the user or a tool. ``said`` is what the user says of who speaks (:func:`tunewiz.data.dialogues.roles.part_of`).

    Codes: ``unknown-role``, ``not-text``, ``bad-tool-call``, ``tool-without-call``, ``no-answer``, ``empty-query``,
    ``empty-answer``, ``answered-prompt``, and those of :data:`tunewiz.data.dialogues.order.MENDED`, which are mended.
    """
    plain = None if said else plain_talk(value, answered)
    if plain is not None:
        return Talk(plain_turns(plain.texts), plain.system)
    raw = _Raw(where, report, said)
    if not _taken(raw, parse_nested(value)):
        return None
    raw.cut_unlearned()
    mended: list[Problem] = []
    turns, problem = in_order(raw.turns, where, mended.append)
    if problem is None and answered:
        problem = _cut_unanswered(turns, where, mended.append)
    elif problem is None and turns and turns[-1].speaker in ANSWERS:
        message = say("The prompt ends with an answer; the answers stand in columns of their own.")
        problem = warning("answered-prompt", message, where, say("Take its last turn out."))
    problem = problem or _empty(turns, where)
    if problem is not None:
        report(problem)
        return None
    for one in mended:
        report(one)
    return Talk(tuple(turns), "\n".join(raw.system), raw.tools)


def _taken(raw: _Raw, found: Any) -> bool:
    """Take everything that ``found`` holds; False, and reported, if it is no conversation."""
    if isinstance(found, str):
        written = split_dialogue(found)
        if written is None:
            raw.report(warning("unknown-role", say("The conversation is no list of turns."), raw.where))
            return False
        return all(raw.add_text(part, text) for part, text in written if text or part != "assistant")
    if isinstance(found, list) and len(found) > 1 and all(isinstance(item, str) for item in found):
        return all(raw.add_text(part, text) for part, text in alternating(found))
    tree = branch(found)
    if tree is not None:
        found = tree.turns
        _tell_passed(raw, tree)
    found = listed(found)
    if not isinstance(found, list):
        raw.report(warning("unknown-role", say("The conversation is no list of turns."), raw.where))
        return False
    raw.advice = _who_is_who(found, raw.said)
    if is_segments(found):
        return all(raw.add_segment(part, text, learned) for part, text, learned in turns_of_segments(found))
    if _names_first(found):
        found = [{"role": item[0], "content": item[1]} for item in found]
    return all(raw.add(item) for item in found)


def _tell_passed(raw: _Raw, tree: Branch) -> None:
    """A warning of messages of a tree that make no turns."""
    if tree.passed:
        message = say("Messages that are no text of user or assistant are left out: {kinds}.",
                      kinds=tuple(tree.passed))  # fmt: skip
        raw.report(warning("messages-passed", message, raw.where, say("What is said in them is not learned.")))
    if tree.answers:
        message = say("Messages were answered several times; of {count} other answers none is read.",
                      count=tree.answers)  # fmt: skip
        raw.report(warning("answers-passed", message, raw.where, say("The last one, or that of the best rank, is.")))


def alternating(texts: Sequence[str]) -> list[tuple[Part, str]]:
    """Texts of user and assistant in turn, each without the name (``问：``) that it may begin with."""
    named = [spoken(text) for text in texts]
    if all(part is not None for part, _ in named):
        return [(part, text) for part, text in named if part is not None]
    return [("user" if index % 2 == 0 else "assistant", text) for index, text in enumerate(texts)]


_FEW_KEYS: Final = 2  # of a turn whose key tells who speaks


def _who_is_who(items: Sequence[Any], said: Mapping[str, str] | None) -> str:
    """What to map for two speakers, one or both of unusual names: who speaks first asks; "" where they are others."""
    turns = [item for item in items if isinstance(item, Mapping)]
    names = [str(item[key]) for item in turns for key in _NAMES if item.get(key) is not None]
    if not names and all(len(item) == 1 for item in turns):  # {"A": "…"}
        names = [str(key) for item in turns for key in item]
        if len(letters := list(dict.fromkeys(names))) == 2 and all(len(name) == 1 for name in letters):
            return f"--map user={letters[0]} --map assistant={letters[1]}"
    speakers = [name for name in dict.fromkeys(names) if part_of(name, said) not in ("system", "tool", "call")]
    unknown = [name for name in speakers if part_of(name, said) is None]
    if len(speakers) != 2 or not unknown or any("," in name or " " in name for name in unknown):
        return ""
    known = {part_of(name, said) for name in speakers}
    parts = [part for part in ("user", "assistant") if part not in known]
    return " ".join(f"--map {part}={name}" for part, name in zip(parts, unknown, strict=False))


def _names_first(items: Sequence[Any]) -> bool:
    """Whether each item is a pair of who speaks and what, rather than of question and answer."""
    pairs = [item for item in items if isinstance(item, (list, tuple)) and len(item) == 2]
    parts = {part_of(item[0]) if isinstance(item[0], str) and len(item[0]) < 20 else None for item in pairs}
    return len(pairs) == len(items) > 1 and None not in parts and {"user", "assistant"} <= parts


def _cut_unanswered(turns: list[Turn], where: Where, report: Report) -> Problem | None:
    """Cut off what is said after the last answer; a problem if there is no answer at all."""
    last = max((index for index, turn in enumerate(turns) if turn.speaker in ANSWERS), default=-1)
    if last < 0:
        message = say("The conversation does not end with an answer.")
        return warning("no-answer", message, where, say("Take the last question out."))
    if last + 1 < len(turns):
        del turns[last + 1 :]
        message = say("The last turn has no answer and is cut off; the rest of the conversation is used.")
        report(warning("unanswered-turn", message, where))
    return None


def _empty(turns: Sequence[Turn], where: Where) -> Problem | None:
    if any(turn.speaker in ANSWERS and not turn.text.strip() for turn in turns):
        return warning("empty-answer", say("The answer is empty."), where)
    if not turns or any(turn.speaker == "user" and not turn.text.strip() for turn in turns):
        return warning("empty-query", say("The question is empty."), where)
    return None


def _unmarked(value: Any) -> Any:
    """A text under the name of who speaks, without the same name and the signs of a template around it (MOSS)."""
    bare = without_control(value) if isinstance(value, str) else value
    return value if bare == value else spoken(bare.strip().lstrip(":： "))[1].strip()


def _only_text(item: Mapping[str, Any]) -> str:
    """The one key of no usual name under which a text stands beside who speaks: what is said; "" if there are more."""
    texts = [
        key for key, value in item.items() if str(key).casefold() not in _KNOWN and isinstance(value, str) and value
    ]
    return str(texts[0]) if len(texts) == 1 else ""


def plain_keys(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """A turn whose keys are written like ``Role`` and ``Content``, with the usual ones; any other as it is."""
    if any(key in item for key in _NAMES):
        return item
    if (own := langchain_turn(item)) is not None:
        return own
    if not any(str(key).casefold() in _NAMES for key in item):
        return item
    return {str(key).casefold(): value for key, value in item.items()}


def _is_none(value: Any) -> bool:
    """Whether nothing is said: also ``<|Commands|>: None<eoc>``."""
    bare = _unmarked(value)
    return is_empty(bare) or (isinstance(bare, str) and bare.strip().casefold() == "none")


def first_turns(table: Table, column: str) -> list[Any]:
    """The turns of the first row of ``column`` that has any."""
    values = table.values(column)
    found = (tree.turns if (tree := branch(value)) else listed(parse_nested(value)) for value in values)
    turns = (value for value in found if isinstance(value, list) and value)
    return next((value for value in turns if is_turns(value)), [])


def is_turns(value: Sequence[Any]) -> bool:
    """Whether a list holds turns: objects that tell who speaks, pairs, or texts of which not all are mere words."""
    first = parse_nested(value[0]) if value else None
    if isinstance(first, Mapping):
        first = plain_keys(first)
        name = next((first[key] for key in _NAMES if first.get(key) is not None), None)
        said = any(key in first for key in (*_CONTENTS, *_CALLS)) or (
            part_of(name) is not None and _only_text(first) != ""
        )
        named = name is not None and said
        parts = [part_of(key) for key in first]
        # An answer under two names (its model, its text) is one of several to a question rather than a turn.
        beside = all(part is not None or str(key).casefold() in _KNOWN for key, part in zip(first, parts, strict=True))
        spoke = "user" in parts or (parts.count("assistant") == 1 and beside)
        return named or is_segments(value) or spoke
    if isinstance(first, list):
        return len(first) == 2
    if len(value) < 2 or not all(isinstance(item, str) for item in value):
        return False
    return all(spoken(item)[0] for item in value) or max(map(len, value)) > _WORD


#: Labels and keywords are shorter than the longest turn of a conversation.
_WORD: Final = 12
