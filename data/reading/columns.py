"""Which column plays which role, guessed from its name in English or Chinese, or given by the user.

For each role, ``EXACT`` names (query, 问题) are taken at their word, ``USUAL`` ones (answer of a FAQ) nearly so,
``WEAK`` ones (text, response) are used only with a warning that says how to overrule them.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tunewiz.data.reading.expressions import is_expression
from tunewiz.data.reading.languages import language_of_name
from tunewiz.problems import Message, Problem, Where, error, say

EXACT: Final = 3
USUAL: Final = 2
WEAK: Final = 1


def _names(*lines: str) -> tuple[str, ...]:
    return tuple(name for line in lines for name in line.split())


#: role -> strength -> names, in the order of preference, as :func:`normalise_name` writes them.
NAMES: Final[Mapping[str, Mapping[int, tuple[str, ...]]]] = {
    "query": {
        EXACT: _names("query queries anchor 问题 查询 问 提问 问句 查询语句 查询词"),
        USUAL: _names(
            "question questions querytext questiontext searchquery userquery searchterm faqquestion keyword",
            "标准问 标准问题 用户问题 用户提问 用户问 咨询问题 相似问 相似问题 检索词 搜索词 关键词 关键字 搜索语句",
            "搜索关键词 查询内容 querystring messages generatedquestions generatedqueries syntheticqueries",
        ),
        WEAK: _names("q 问法 题目 标题 sentence1 text1 input ask prompt source docstring"),
    },
    "positive": {
        EXACT: _names(
            "positive positives pos positivepassage positivepassages positivedocument positivetext postext posdoc",
            "正例 正样本 正文档 相关文档 正向样本 正例文档 正例段落",
        ),
        USUAL: _names(
            "answer answers document doc passage context paragraph answertext faqanswer clickeddoc clickeddocument",
            "clickedtext clickedpassage entailment entailed 点击文档 点击内容 蕴含句",
            "答案 回答 答 答复 标准答案 标准回复 回复 解答 文档 段落 篇章 上下文 材料",
        ),
        WEAK: _names("response reply a content body sentence2 text2 target output code 内容 正文 标准问 标准问题"),
    },
    "negative": {
        EXACT: _names(
            "negative negatives neg hardnegative hardnegatives negativepassage negativepassages negativedocument",
            "negativetext negtext negdoc 负例 负样本 难负例 负文档 不相关文档 负例文档 负例段落",
        ),
        USUAL: _names(
            "rejected rejectedresponse rejectedresponses contradiction distractor distractors incorrectanswer",
            "incorrectanswers wronganswer wronganswers wrong wrongs incorrect falseanswers badanswer badanswers",
            "拒绝回答 矛盾句 错误答案 干扰项 错误选项 错误回答",
        ),
    },
    # Other ways to ask the same, in a cell of a FAQ sheet.
    "similar": {
        EXACT: _names(
            "similarquestions similarquestion similarqueries paraphrases paraphrase variations variants utterances",
            "alternativequestions alternatequestions otherquestions synonymquestions relatedquestions",
            "相似问 相似问题 相似问法 相似问句 扩展问 扩展问法 扩展问题 同义问 同义问题 同义问法 问法 类似问题",
        ),
    },
    # Several texts that mean the same, in one list a row.
    "alike": {EXACT: _names("set sets texts sentences similar paraphrases 相似句 同义句 相似文本")},
    "sentence1": {
        EXACT: _names("sentence1 text1 sentencea texta sent1 句子1 句子一 句子a 文本1 文本一 文本a 句1"),
        USUAL: _names(
            "question1 query1 s1 q1 premise first 问题1 问题一 问句1 前提",
            "query queries question searchquery searchterm keyword 问题 查询 用户问题 标准问 搜索词 检索词 查询词",
            "关键词 搜索语句 搜索关键词",
        ),
    },
    "sentence2": {
        EXACT: _names("sentence2 text2 sentenceb textb sent2 句子2 句子二 句子b 文本2 文本二 文本b 句2"),
        USUAL: _names(
            "question2 query2 s2 q2 hypothesis second 问题2 问题二 问句2 假设 相似问",
            "doc document passage positive answer candidate clickeddoc clickeddocument 文档 段落 答案 回答 候选",
            "点击文档",
        ),
        WEAK: _names(
            "para text content description response title clickedtitle clickeditem producttitle itemtitle producttext",
            "item product 正文 内容 标题 点击标题 商品标题 商品名称 商品 点击商品 文档标题 网页标题",
        ),
    },
    "score": {
        EXACT: _names("score label similarity similar relevance grade 相似度 相关性 相关度 是否相似"),
        USUAL: _names(
            "labels rating gold goldscore goldlabel isduplicate issimilar isrelevant relevant similarityscore rel "
            "target",
            "标签 分数 得分 评分 打分 是否相关 匹配 是否匹配",
            "clicks click clicked clickcount clicknum numclicks nclicks isclicked isclick clickrate ctr 点击次数",
            "点击数 点击量 点击 是否点击 有无点击 点击率",
        ),
    },
    "instruction": {EXACT: _names("instruction prompt queryinstruction 指令")},
    "positive_scores": {EXACT: _names("posscores positivescores posscore positivescore")},
    "negative_scores": {EXACT: _names("negscores negativescores negscore negativescore")},
    "query_id": {EXACT: _names("queryid qid questionid 问题id 查询id"), WEAK: _names("query")},
    "document_id": {
        EXACT: _names("corpusid docid documentid passageid pid docno 文档id"),
        WEAK: _names("doc document"),
    },
    "id": {EXACT: _names("id docid queryid qid pid corpusid docno documentid passageid 编号 序号")},
    "title": {
        EXACT: _names("title name 标题 题目"),
        USUAL: _names(
            "headline heading subject subjectline doctitle pagetitle 题名 篇名 主题 新闻标题 文章标题 帖子标题"
        ),
    },
    "text": {
        EXACT: _names("text content contents body passage document 正文 内容 文本 段落 文档"),
        USUAL: _names("query question answer 问题 查询 答案"),
    },
    # Rows for language models.
    "llm_instruction": {EXACT: _names("instruction instructions 指令"), USUAL: _names("task 任务")},
    "llm_input": {EXACT: _names("input inputs 输入 补充 context contexts 上下文 材料 背景")},
    "llm_context": {EXACT: _names("context contexts 上下文 补充 材料 背景 passage background 背景资料")},
    "llm_output": {
        EXACT: _names("output outputs 输出"),
        USUAL: _names("response answer answerkey target completion reply 回答 答案 回复 响应"),
    },
    "llm_prompt": {
        EXACT: _names("prompt prompts 提示 提示词"),
        USUAL: _names(
            "query question questions problem problems ask asks",
            "问题 提问 问 问句 题目 查询 用户问题 用户输入 input inputs source src user",
            "human customer 用户 客户 顾客 买家 咨询 咨询内容 原文 源文 输入 q",
        ),
        WEAK: _names("content text article document passage body inputtext 正文 内容 文本 文章 上文 上联"),
    },
    "llm_completion": {
        EXACT: _names("completion completions response 回复 补全"),
        USUAL: _names(
            "solution solutions",
            "answer answers answerkey output target targets tgt assistant reply replies bot gpt chatbot",
            "回答 答案 答 解答 答复 标准答案 标准回答 标准回复 客服 助手 机器人 卖家 店家 商家 译文 输出 a",
        ),
        WEAK: _names(
            "positive content summary abstract highlights headline translation 摘要 总结 概要 概述 标题 翻译 下文 下联",
        ),
    },
    "llm_reasoning": {
        EXACT: _names(
            "reasoning reasoningcontent reasoningtrace cot complexcot longcot chainofthought thinking thought thoughts",
            "think rationale thinkingprocess thoughtprocess 思考 思考过程 思维链 推理 推理过程 思路",
        ),
    },
    "llm_choices": {
        EXACT: _names(
            "choices options endings answerchoices answeroptions multiplechoiceoptions optionlist",
            "选项 选项列表 备选项 备选答案",
        ),
    },
    "llm_system": {
        EXACT: _names(
            "system systemprompt systemmessage systeminstruction systeminstructions metainstruction",
            "系统 系统提示 系统提示词 系统指令 系统设定 角色设定 人设",
        ),
    },
    # What sets the scene of turns beside it.
    "llm_scene": {
        EXACT: _names(
            "context preamble persona background scenario scene instructions instruction",
            "上下文 背景 背景资料 场景 情景 角色",
        ),
    },
    "llm_history": {EXACT: _names("history 历史 历史对话 对话历史")},
    "llm_tools": {EXACT: _names("tools functions 工具")},
    "llm_turns": {
        EXACT: _names(
            "messages conversations conversation dialogue dialog chat turns segments 对话 消息 会话 聊天记录"
        ),
        USUAL: _names("dialogues items 多轮对话 talk talks utterances conv contents"),
        WEAK: _names("data text content 数据 内容 记录"),
    },
    "llm_text": {
        EXACT: _names("text content 文本 内容 正文"),
        WEAK: _names("document passage body response article 文档 段落 文章"),
    },
    "llm_chosen": {
        EXACT: _names("chosen chosenresponse positivemessages 优选 较好回答"),
        USUAL: _names(
            "preferred preferredoutput winner better response responsechosen best bestanswer answerbest bestresponse",
            "responsebest goodanswer goodresponse answergood betteranswer answerchosen",
            "acceptedanswer answerpreferred preferredanswer accept accepted",
            "好回答 更好回答 最佳回答 优质回答 好答案 优质答案 最佳答案 好回复 优质回复",
        ),
    },
    "llm_rejected": {
        EXACT: _names("rejected rejectedresponse rejectedmessages negativemessages 拒绝 较差回答"),
        USUAL: _names(
            "dispreferred nonpreferredoutput loser worse responserejected worst worstanswer answerworst worstresponse",
            "responseworst badanswer badresponse answerbad worseanswer answerrejected",
            "reject rejects answerreject unpreferred nonpreferred",
            "差回答 更差回答 最差回答 劣质回答 坏回答 坏答案 差答案 劣质答案 差回复 坏回复 拒绝答案",
        ),
    },
    "llm_asked": {
        EXACT: _names("prompt instruction query question input ask 提示 提示词 指令 问题 提问 用户问题 输入 题目"),
        USUAL: _names("user human q 问 问句 用户 客户 questions"),
    },
    "llm_answered": {
        EXACT: _names("completion response output answer reply 输出 回复 回答 答案"),
        USUAL: _names("assistant bot gpt a 答 答复 客服 助手 机器人 answers"),
    },
    "llm_desirable": {
        EXACT: _names("ktotag kto desirable label thumbsup thumbs 是否可取 标签 是否满意"),
        USUAL: _names("isgood good feedback judgment judgement rating verdict quality 评价 反馈 评判 质量"),
    },
    "llm_classified": {
        EXACT: _names("text sentence utterance content review comment 文本 句子 内容 评论 正文"),
        USUAL: _names("query question message title input body article document 问题 标题 输入 用户问题 文章 文档"),
    },
    "llm_label": {
        EXACT: _names(
            "labeltext labelname label labels class category intent sentiment topic",
            "标签 类别 分类 意图 类目 情感 主题",
        ),
        USUAL: _names("tag tags type categories classes 类型 一级分类 类别名称"),
    },
}

#: Names that show that a line is a header, whether or not retrieval has a role for them.
HEADINGS: Final = frozenset(
    name for strengths in NAMES.values() for names in strengths.values() for name in names
) | frozenset(
    _names(
        "instruction input output messages conversations system history chosen rejected completion category intent",
        "split source lang language url link 类别 分类 意图 补充",
    )
)


_SEPARATORS: Final = re.compile(r"[\s_\-./()（）:：\"'“”#*【】\[\]「」《》<>]+")
#: What people add to a header: ``问题（必填）``, ``Answer (required)``.
_NOTE: Final = re.compile(r"[(（][^()（）]*[)）]|(?<=.)[【\[][^【】\[\]]*[】\]]$")
#: Words around a name that change nothing of its role for a language model: ``用户问题内容``, ``reference_answer``.
_BEFORE: Final = re.compile(
    r"^(?:用户|客户|顾客|患者|客服|医生|专家|助手|机器人|商家|店家|卖家|买家|标准|参考|正确|官方|最终|原始|您的|你的|中文|英文|模型|人工|完整|user|customer|reference|standard"
    r"|correct|gold|golden|final|model|expected|official|original|raw|the|full|best|main|agent|bot|assistant|support)(?=.)"
)
_AFTER: Final = re.compile(r"(?<=.)(?:内容|文本|描述|详情|正文|字段|列|text|content|body|string|str|column|field)$")
#: A number or letter before a name: ``1. 问题``, ``A列-问题``.
_NUMBER: Final = re.compile(r"^(?:[(（]?\d{1,2}\s*[)）.、:：]\s*|[A-Z]列\s*[-—:：]?\s*)(?=\D)")
#: ``问题/Question`` and ``Question 问题``.
_TWICE: Final = re.compile(r"^([^/|\n]+?)\s*[/|\n ]\s*([^/|\n]+)$")
_ASKING_ZH: Final = "用户|客户|顾客|买家|患者|病人|学生|访客|消费者|家长|网友|客人|对方|提问者|咨询者|你|他|她|您"
_ANSWERING_ZH: Final = (
    "机器人|客服|助手|小助手|智能助手|ai|bot|卖家|店家|商家|医生|老师|专家|坐席|人工|人工客服|模型|我们?|官方"
)
_ASKING: Final = "user|customer|client|human|caller|visitor|buyer|patient|student|people|person|you|they|he|she"
_ANSWERING: Final = (
    "bot|chatbot|agent|assistant|ai|support|seller|doctor|teacher|staff|model|operator|helpdesk|rep|we|i"
)
_THING: Final = "(?:的|了|过)?(?:话|内容|问题|文本|话术)?"
#: Who speaks and that he speaks, or only that somebody asks.
_ASKED: Final = re.compile(
    f"(?:{_ASKING_ZH})(?:说|问|讲|发言|提问|询问|咨询|输入|消息|发送|话术){_THING}|(?:所|怎么)?问(?:的|了|什么|啥){_THING}"
    f"|(?:what)?(?:the)?(?:{_ASKING})(?:says?|said|asks?|asked|questions?|utterances?|turn|message|input|wrote|writes|speech|query)"
)
_ANSWERED: Final = re.compile(
    f"(?:{_ANSWERING_ZH})(?:说|答|回|讲|发言|回答|回复|答复|应答|回话|输出|消息|话术){_THING}|(?:怎么)?(?:答|回)(?:的|了|什么|啥){_THING}|应答"
    f"|(?:what)?(?:the)?(?:{_ANSWERING})(?:says?|said|answers?|answered|repl(?:y|ies|ied)|responds?|responded|responses?"
    "|utterances?|turn|message|output|wrote|writes|speech)|whatto(?:answer|say|reply)"
)
#: ``esci_label``, ``userQuery``: words joined as programs join them.
_IDENTIFIER: Final = re.compile(r"[A-Za-z]\w*_[A-Za-z]\w*|[a-zA-Z]+[a-z][A-Z]\w*", re.ASCII)
#: What only expressions have: ``问题[必填]`` is a name.
_PATH: Final = re.compile(r"\[[^\]]*\][.\[]|\[!?\]| \+ ")
_NUMBERED: Final = re.compile(r"^(.*?\D)(\d{1,3})$")


@dataclass(frozen=True)
class Guess:
    """A column that may play a role, and how strongly its name says so."""

    column: str
    strength: int


@lru_cache(maxsize=1 << 16)
def normalise_name(name: str) -> str:
    """A column name without case, width, separators and byte-order mark: ``Question_1`` and ``question 1`` agree."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).strip("\ufeff").casefold())


@lru_cache(maxsize=1 << 16)
def spellings(name: str) -> tuple[str, str]:
    """A column's name as :func:`normalise_name` writes it, whole and without notes, numbers and a second language.

    >>> spellings("*问题（必填）"), spellings("1. 答案 / Answer")[1]
    (('问题必填', '问题'), '答案')
    """
    bare = language_of_name(_one_language(_NUMBER.sub("", _NOTE.sub("", name.strip()))))[0]
    return normalise_name(name), normalise_name(bare)


def _one_language(name: str) -> str:
    """The Chinese half of a name in two languages (``问题/Question``), whose English half is a known name too."""
    for halves in _TWICE.findall(name):
        chinese, english = sorted(halves, key=str.isascii)
        if not chinese.isascii() and english.isascii() and normalise_name(english) in HEADINGS - _ABOUT:
            return str(chinese)
    return name


@lru_cache(maxsize=1 << 12)
def side_of(name: str) -> str:
    """``asked`` or ``answered`` for a name that says who speaks (``用户说``, ``Bot replies``); else empty."""
    for plain in spellings(name):
        if _ASKED.fullmatch(plain):
            return "asked"
        if _ANSWERED.fullmatch(plain):
            return "answered"
    return ""


@lru_cache(maxsize=1 << 16)
def stem_of(name: str) -> str:
    """The name without words around it that change nothing of the role: 问题 of ``用户问题内容``."""
    return _BEFORE.sub("", _AFTER.sub("", spellings(name)[1]))


def is_known(name: str) -> bool:
    """Whether any role goes by this name: a strong sign that a line is a header."""
    if side_of(name):
        return True
    if _IDENTIFIER.fullmatch(name.strip()) and len(words := _words(name)) > 1 and words[-1] in HEADINGS:
        return True
    for plain in (*spellings(name), stem_of(name)):
        stem = _NUMBERED.match(plain)
        if plain in HEADINGS or (stem and stem.group(1) in HEADINGS):
            return True
    return False


def guesses(role: str, columns: Sequence[str]) -> list[Guess]:
    """Columns whose name fits ``role``, strongest first; for equal strength in the order of :data:`NAMES`.

    A name that is none of those fits by its words: ``Customer question`` is a question, ``text_neg`` a negative. For
    language models, a name that fits only without the words around it (:func:`stem_of`) is ``USUAL`` at most.
    """
    found: list[Guess] = []
    known = NAMES.get(role, {})
    spelt = {column: spellings(spoken_name(column)) for column in columns}
    if any("b" in names for names in spelt.values()):  # then "a" is the first of several choices
        columns = [column for column in columns if "a" not in spelt[column]]
    called: dict[str, list[str]] = {}
    for column in columns:
        for name in dict.fromkeys(spelt[column]):
            called.setdefault(name, []).append(column)
    for strength, names in known.items():
        for name in names:
            found += [Guess(column, strength) for column in called.get(name, ())]
    if role.startswith("llm_"):
        stems: dict[str, list[str]] = {}
        for column in columns:
            stems.setdefault(stem_of(column), []).append(column)
        for strength, names in known.items():
            for name in names:
                found += [Guess(column, min(strength, USUAL)) for column in stems.get(name, ())]
    side = next((side for side, roles in _SIDES.items() if role in roles), "")
    found += [Guess(column, USUAL) for column in columns if side and side_of(column) == side]
    found += _by_words(role, columns)
    best = {guess.column: guess for guess in sorted(found, key=lambda guess: guess.strength)}
    order = list(dict.fromkeys(guess.column for guess in found))
    return sorted((best[column] for column in order), key=lambda guess: -guess.strength)


#: Roles of what is asked and what is answered.
_SIDES: Final = {
    "asked": ("query", "sentence1", "llm_prompt", "llm_asked"),
    "answered": ("positive", "sentence2", "llm_completion", "llm_answered"),
}
#: What roles are found by a word of a name, and whose names these words are.
_WORDED: Final = {
    "query": ("query",),
    "positive": ("positive",),
    "negative": ("negative",),
    "sentence1": ("sentence1", "query"),
    "sentence2": ("sentence2", "positive"),
    "score": ("score",),
    "title": ("title",),
    "llm_reasoning": ("llm_reasoning",),
}
_MARKS: Final = {
    "positive": frozenset(("positive", "positives", "pos", "gold")),
    "negative": frozenset(("negative", "negatives", "neg", "negs", "rejected")),
}
_MARKS_ZH: Final = {"positive": re.compile("正样本|正例"), "negative": re.compile("负样本|负例|难负|拒绝")}
#: A name with one of these words is of something about the text, not of the text.
_ABOUT: Final = frozenset(
    _names("id ids score scores count num number type label labels url rank date time is has index")
)
_ABOUT_ZH: Final = re.compile("(id|编号|分数|得分|分|类型|时间|链接|数量)$")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: Words at the end of a name that say nothing of its part.
_PLAIN: Final = frozenset(_names("text content string str field value en zh cn"))
_PLAIN_ZH: Final = re.compile("(内容|文本|描述|原文|正文|必填|选填|列)+$")


def _by_words(role: str, columns: Sequence[str]) -> list[Guess]:
    if role not in _WORDED:
        return []
    found = []
    stems = {_without_mark(column) for column in columns} - {""} if role == "query" else set()
    listed = [name for of in _WORDED[role] for some in NAMES[of].values() for name in some]
    names = {name: place for place, name in reversed(list(enumerate(listed)))}
    worded: list[tuple[int, Guess]] = []
    for column in columns:
        words = _words(column)
        if any(_is_marked(other, column, words) for other in _MARKS if other != role):
            continue
        if role in _MARKS and _is_marked(role, column, words):
            rejected = "rejected" in words or "拒绝" in column  # by people, among answers: no mined negative
            found.append(Guess(column, USUAL if rejected else EXACT))
        elif stems & set(spellings(column)):
            found.append(Guess(column, USUAL))
        elif (place := _last_word(column, words, names)) is not None:
            worded.append((place, Guess(column, USUAL if role == "llm_reasoning" else WEAK)))
    return [*found, *(guess for _, guess in sorted(worded, key=lambda item: item[0]))]


@lru_cache(maxsize=1 << 16)
def _words(column: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _WORD.findall(unicodedata.normalize("NFKC", spoken_name(column))))


def _is_marked(role: str, column: str, words: Sequence[str]) -> bool:
    name = normalise_name(spoken_name(column))
    if _NUMBERED.match(name) or _ABOUT & set(words) or _ABOUT_ZH.search(name):
        return False
    return bool(_MARKS[role] & set(words)) or bool(_MARKS_ZH[role].search(name))


def _without_mark(column: str) -> str:
    """``text`` of ``text_pos``: what such a column is the right or wrong answer to; "" without a mark."""
    words = _words(column)
    marked = any(_is_marked(role, column, words) for role in _MARKS)
    return "".join(word for word in words if not any(word in marks for marks in _MARKS.values())) if marked else ""


def _last_word(column: str, words: Sequence[str], names: Mapping[str, int]) -> int | None:
    """The place among ``names`` of the one (of two letters at least) that a name of several words ends in."""
    core = list(words)
    while len(core) > 1 and core[-1] in _PLAIN:
        core.pop()
    if core and (core[-1] in HEADINGS or core[-1].removesuffix("s") in HEADINGS):
        words = core if len(core) > 1 else [*core, *core]
    ends = (words[-1], words[-1].removesuffix("s")) if len(words) > 1 and not _ABOUT & set(words[:-1]) else ()
    found = [names[end] for end in ends if len(end) > 1 and end in names]
    if found:
        return found[0]
    name = normalise_name(spoken_name(column))
    shorter = _PLAIN_ZH.sub("", name)
    texts = [text[-length:] for text in dict.fromkeys((shorter, name)) for length in (4, 3, 2) if len(text) >= length]
    return next((names[end] for end in texts if not end.isascii() and end in names), None)


def spoken_name(column: str) -> str:
    """What a column, or the container that an expression begins at, is called: ``ctxs`` of ``ctxs[].text``."""
    if not _PATH.search(column):
        return column
    last = column.rsplit(" + ", 1)[-1]
    if "[!" in last:
        return "negative"
    mark = re.search(r"\[([^\]\d][^\]]*)\]", last)
    return "positive" if mark else re.split(r"[\[.]", last)[0]


def numbered_columns(role: str, columns: Sequence[str]) -> list[str]:
    """Columns named like the role with a number (``negative_1``, ``neg2``, ``负例3``), in the order of the numbers."""
    stems = {name for names in NAMES.get(role, {}).values() for name in names}
    found: list[tuple[int, str]] = []
    for column in columns:
        match = _NUMBERED.match(normalise_name(column))
        if match and match.group(1) in stems:
            found.append((int(match.group(2)), column))
    return [column for _, column in sorted(found)]


def columns_of(value: str, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that a mapping's value names: one, or several joined by commas."""
    known = set(columns)
    if value in known or "," not in value:
        return (value,)
    return tuple(part.strip() for part in value.split(",") if part.strip())


def mapping_problems(
    mapping: Mapping[str, str], columns: Sequence[str], roles: Sequence[str], where: Where
) -> list[Problem]:
    """What is wrong with a mapping the user gave: roles that do not exist, columns that are not there."""
    found: list[Problem] = []
    for role, value in mapping.items():
        place = Where(key=f"{role}={value}", file=where.file)
        if role not in roles:
            message = say("There is no role {role}; the roles are {roles}.", role=role, roles=", ".join(roles))
            found.append(error("unknown-role", message, place, _did_you_mean(role, roles)))
        for column in columns_of(value, columns):
            if column not in columns and not is_expression(column, columns):
                message = say(
                    "There is no column {column}; the columns are {columns}.",
                    column=column,
                    columns=list_columns(columns),
                )
                found.append(error("unknown-column", message, place, _did_you_mean(column, columns)))
    return found


def list_columns(columns: Sequence[str]) -> str:
    """Column names for a message, the first dozen."""
    return ", ".join(columns[:12]) + (" …" if len(columns) > 12 else "")


def _did_you_mean(name: str, known: Sequence[str]) -> Message | None:
    plain = {normalise_name(item): item for item in known}
    # Lower than difflib's 0.6: names are short, and one letter of "pos" or 答案 is a third or half of it.
    near = difflib.get_close_matches(normalise_name(name), plain, n=1, cutoff=0.5)
    return say("Did you mean {name}?", name=plain[near[0]]) if near else None
