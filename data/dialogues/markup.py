"""Whole dialogues in one text: ``Human: … Assistant: …``, ChatML, ``[INST]`` and their like, seen and taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tunewiz.data.dialogues.roles import Part, part_of

#: Signs that only templates write: ChatML and Llama 3 (``<|…|>``), Llama 2, Gemma, DeepSeek, and ends of sentences.
CONTROL: Final = re.compile(
    r"<\|[A-Za-z][\w ]{0,40}\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|eo[acmrth]|sop)>"
    r"|<｜[^｜<>]{1,30}｜>|\[Round \d{1,3}\]|\[gMASK\]|<reserved_10[2367]>"
    r"|<s>(?=\s*(?:\[INST\]|$))|</s>(?=\s*(?:$|<s>))"
)
_ROLE: Final = r"[A-Za-z_ ]{1,20}"
_CHATML: Final = re.compile(rf"<\|im_start\|>\s*(?:({_ROLE})(?:\n|$)|(system|user|assistant|tool) )")
_LLAMA3: Final = re.compile(
    rf"<\|(?:start_header_id|header_start|start_of_role)\|>\s*({_ROLE})\s*<\|(?:end_header_id|header_end|end_of_role)\|>"
)
_GEMMA: Final = re.compile(rf"<start_of_turn>\s*({_ROLE})\n")
_TAGS: Final = re.compile(
    r"<[|｜]\s*(user|human|prompter|system|assistant|observation|tool|bot|chatbot|moss|model)(?:_token)?\s*[|｜]>"
    r"[ \t]*:?",
    re.I,
)
#: MOSS in plain words, ``[Human]: … [MOSS]: …``, also on one line.
_BRACKETS: Final = re.compile(
    r"[\[【<](human|user|system|assistant|bot|moss|ai|用户|助手|系统)[\]】>][ \t]*[:：]", re.I
)
#: Vicuna writes a whole dialogue on one line; in capitals, as no prose does.
_VICUNA: Final = re.compile(r"(?:^|(?<=[\s>]))(SYSTEM|USER|ASSISTANT):")
#: Baichuan's signs of who speaks, of both generations.
_RESERVED: Final = re.compile(r"<reserved_(10[2367])>")
_SPEAKERS: Final = {"102": "user", "103": "assistant", "106": "user", "107": "assistant"}
_INST: Final = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=\[INST\]|$)", re.S)
_SYS: Final = re.compile(r"<<SYS>>(.*?)<</SYS>>\s*", re.S)
#: Names before a colon that hardly begin a line of anything but a dialogue.
_SPOKEN: Final = (
    "human|user|assistant|gpt|chatgpt|bot|chatbot|ai assistant|ai|system|function response|function call|observation"
    "|customer|agent|用户|客户|顾客|客服|助手|机器人|人类|患者|病人|医生|系统"
)
#: And those that also head the parts of one question (``Question: … Context: …``).
_ASKED: Final = "question|answer|instruction|input|response|q|a|问题|回答|答案|问|答|提问|指令|输入|输出|回复"
#: They may be numbered (``Q3:``, ``Q3.``, ``问题2：``) and stand in brackets (``【问】``).
_HEADS: Final = (
    rf"({_ASKED})[ \t]?\d{{0,5}}\**[ \t]*[:：]|({_ASKED})\d{{1,5}}[.、．)）](?!\d)"
    rf"|[【\[]({_ASKED})[ \t]?\d{{0,5}}[】\]][ \t]*[:：]?"
)
_NAMED: Final = rf"\**(?:({_SPOKEN})\**[ \t]*[:：]|{_HEADS})\**"
_LABELS: Final = re.compile(rf"(?:^|\n|(?=###))[ \t]*(?:#{{2,}}[ \t]*)?{_NAMED}", re.I)
_SURE_LABELS: Final = re.compile(rf"(?:^|\n|(?=###))[ \t]*(?:#{{2,}}[ \t]*)?\**({_SPOKEN})\**[ \t]*[:：]", re.I)

_HEAD: Final = 200  # characters that hold the signs and the mark that a dialogue begins with

Turns = list[tuple[Part, str]]


def control_mark(text: str) -> str:
    """The first sign in ``text`` that only a chat template writes, or an empty string."""
    found = CONTROL.search(text) if "<" in text or "[" in text else None
    return found[0] if found else ""


def template_mark(text: str) -> str:
    """As :func:`control_mark`, but at the ends of a line: inside a sentence it may be what is spoken of."""
    for found in CONTROL.finditer(text) if "<" in text or "[" in text else ():
        before, after = text[: found.start()].rstrip(" "), text[found.end() :].strip(" ")
        if not after or after[0] == "\n" or not before or before[-1] == "\n":
            return found[0]
    return ""


def without_control(text: str) -> str:
    """``text`` without the signs of chat templates."""
    return CONTROL.sub("", text) if control_mark(text) else text


def chat_mark(text: str) -> str:
    """What shows that ``text`` is a chat written out: a sign of a template, or the mark before its first turn."""
    mark = control_mark(text)
    if mark:
        return mark
    return _first_label(text) if split_dialogue(text) is not None else ""


def _first_label(text: str) -> str:
    found = next((one for mark in (_LABELS, _BRACKETS, _VICUNA) if (one := mark.search(text))), None)
    return found[0].strip() if found else ""


def split_dialogue(text: str, sure: bool = False) -> Turns | None:
    """The turns of a dialogue that is written into one text; None where the text is none.

    It begins with the mark of a turn, and has turns of the user and of the assistant, of which the last may be empty
    (``Assistant:`` at the end of a prompt). With ``sure``, ``Question:`` and ``Answer:``, which also head parts of one
    question, are no marks of turns.
    """
    turns = _templated(text)
    if turns is None:
        turns = _labelled(text, _SURE_LABELS if sure else _LABELS)
    if turns is None or {"user", "assistant"} - {part for part, _ in turns}:
        return None
    return turns


def _templated(text: str) -> Turns | None:
    if "[INST]" in text:
        return _llama2(text)
    marks = (*((_CHATML, _LLAMA3, _GEMMA, _TAGS, _RESERVED) if "<" in text else ()), _BRACKETS)
    for mark in marks:
        found = list(mark.finditer(text)) if mark is not _BRACKETS or text.lstrip()[:1] in tuple("[【<") else []
        if len(found) > 1 and not CONTROL.sub("", text[: found[0].start()]).strip():
            names = [one[1] or one[one.lastindex or 1] for one in found]
            return _cut(
                text, [(_SPEAKERS.get(name, name), *one.span()) for name, one in zip(names, found, strict=True)]
            )
    return _one_line(text) if "ASSISTANT:" in text else None


def _one_line(text: str) -> Turns | None:
    """``A chat … USER: … ASSISTANT: …``: what stands before the first mark sets the scene."""
    found = list(_VICUNA.finditer(text))
    if len(found) < 2 or found[0][1] == "ASSISTANT" or text.count("\nASSISTANT:") > 0:
        return None
    turns = _cut(text, [(one[1], one.start(), one.end()) for one in found])
    before = _bare(text[: found[0].start()])
    return [("system", before), *turns] if turns and before else turns


def _llama2(text: str) -> Turns | None:
    turns: Turns = []
    for asked, answered in _INST.findall(text):
        system = _SYS.search(asked)
        turns += [("system", system[1].strip())] if system else []
        turns += [("user", _SYS.sub("", asked).strip()), ("assistant", _bare(answered))]
    return turns or None


def _labelled(text: str, labels: re.Pattern[str]) -> Turns | None:
    # Nearly all texts are none: what they begin with tells.
    if "##" not in text and not labels.match(without_control(text[:_HEAD]).lstrip()):
        return None
    found = list(labels.finditer(text))
    before = CONTROL.sub("", text[: found[0].start()]).strip() if found else ""
    if len(found) < 2 or (before and "##" not in found[0][0]):
        return None
    turns = _cut(text, [(one[one.lastindex or 1], one.start(), one.end()) for one in found])
    # What stands above the first mark of Alpaca's prompt says what kind of task it is.
    return [("system", before), *turns] if turns and before else turns


def _cut(text: str, marks: Sequence[tuple[str, int, int]]) -> Turns | None:
    turns: Turns = []
    for part, said in _pieces(text, marks):
        if part is None:
            return None
        turns.append((part, said))
    return turns


def _pieces(text: str, marks: Sequence[tuple[str, int, int]]) -> Iterator[tuple[Part | None, str]]:
    ends = [start for _, start, _ in marks[1:]] + [len(text)]
    for (name, _, start), end in zip(marks, ends, strict=True):
        yield part_of(name), _bare(text[start:end])


def _bare(text: str) -> str:
    """Without the signs of templates at its ends, the end of bold type that begins with the name, and blanks."""
    bare = CONTROL.sub("", text).strip()
    return bare[:-2].rstrip() if bare.endswith("**") and bare.count("**") % 2 else bare


_PREFIX: Final = re.compile(rf"^\s*{_NAMED}\s*", re.I)


def spoken(text: str) -> tuple[Part | None, str]:
    """Who says a text that begins with a name (``问：…``), and what; (None, text) where none does."""
    found = _PREFIX.match(text)
    part = part_of(found[found.lastindex or 1]) if found else None
    return (part, text[found.end() :]) if found and part else (None, text)
