"""Who speaks: the names that roles go by in data from all over, in English and Chinese, folded to ours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, get_args

from tunewiz.data.reading.names import SIMPLER
from tunewiz.data.rows.conversations import Speaker

#: A speaker, or who sets the scene for all of them.
Part = Literal["user", "assistant", "tool", "call", "system"]

_NAMES: Final[Mapping[Part, str]] = {
    "user": (
        "user human customer client question questioner asker q prompter patient visitor guest buyer student caller "
        "usr input instruction query prompt 用户 客户 顾客 买家 患者 病人 学生 提问者 提问 问 问题 人类 访客 咨询者 "
        "使用者 求助者 来访者 家长 会员 旅客 乘客 市民 网友"
    ),
    "assistant": (
        "assistant gpt chatgpt bot model ai chatbot agent robot gpt4 gpt3.5 claude llm answer a response reply helper "
        "support operator seller doctor advisor counselor counsellor tutor teacher therapist output completion "
        "moss clerk staff representative "
        "助手 助理 客服 坐席 座席 医生 答 答案 回答 回复 机器人 智能助手 人工智能 小助手 人工客服 在线客服 智能客服 "
        "店员 服务员 工作人员 接线员 管家 经理 接待 咨询师 心理咨询师 老师 教师 店家 卖家 商家 店主 顾问 专家 模型 律师"
    ),
    "system": "system developer sys 系统 系统提示 系统提示词 systemprompt",
    "tool": (
        "tool observation toolresponse toolresult tooloutput functionresponse functionresult functionoutput "
        "environment env ipython 工具 观察 工具返回 工具结果 函数返回 函数结果 环境"
    ),
    "call": "function functioncall toolcall toolcalls 工具调用 函数调用",
}
_PARTS: Final[Mapping[str, Part]] = {name: part for part, names in _NAMES.items() for name in names.split()}
#: What stands around a name: ``<|user|>``, ``[User]``, ``User:``, ``【客户】``, ``tool_call``.
_AROUND: Final = re.compile(r"[\s_\-|<>\[\]()（）【】#*:：]+")
#: Speakers are numbered where there are several of a kind: ``user1``, ``客服2``.
_NUMBER: Final = re.compile(r"(?<=\D)\d{1,2}$")

PARTS: Final = get_args(Part)


def fold(name: object) -> str:
    """A role's name without case, width, blanks and the signs around it."""
    return _folded(str(name))


@lru_cache(maxsize=1 << 12)  # a million rows have a handful of names
def _folded(name: str) -> str:
    return _AROUND.sub("", unicodedata.normalize("NFKC", name).casefold()).translate(SIMPLER)


def part_of(name: object, said: Mapping[str, str] | None = None) -> Part | None:
    """The part that a role of this name plays; None where it is no usual one.

    ``said`` holds what the user says of names (``{"店小二": "assistant"}``), which goes before all else.

    >>> part_of("User "), part_of("客服"), part_of("gpt"), part_of("environment"), part_of("nobody")
    ('user', 'assistant', 'assistant', 'tool', None)
    """
    folded = fold(name)
    for given, part in (said or {}).items():
        if fold(given) == folded and part in PARTS:
            return part  # type: ignore[return-value]  # one of PARTS
    return _PARTS.get(folded) or _PARTS.get(_NUMBER.sub("", folded))


def speaker_of(part: Part) -> Speaker:
    """The speaker of a part that is not the system's."""
    assert part != "system"
    return part
