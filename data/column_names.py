"""Names that columns go by, in English and Chinese: for each role, how strongly a name says that role.

``EXACT`` names (query, 问题) are taken at their word, ``USUAL`` ones (answer of a FAQ) nearly so, ``WEAK`` ones (text,
response) are used only with a warning that says how to overrule them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXACT: Final = 3
USUAL: Final = 2
WEAK: Final = 1

#: role -> strength -> names, in the order of preference, as :func:`normalised` writes them.
NAMES: Final[Mapping[str, Mapping[int, tuple[str, ...]]]] = {
    "query": {
        EXACT: (
            "query",
            "queries",
            "anchor",
            "问题",
            "查询",
            "标准问",
            "问",
            "提问",
            "问句",
            "查询语句",
            "标准问题",
            "查询词",
        ),
        USUAL: (
            *(
                "question",
                "questions",
                "querytext",
                "questiontext",
                "searchquery",
                "userquery",
                "searchterm",
                "keyword",
            ),
            *("用户问题", "用户提问", "用户问", "咨询问题", "检索词", "搜索词", "相似问", "相似问题", "faqquestion"),
        ),
        WEAK: ("q", "问法", "题目", "标题", "sentence1", "text1", "input", "ask", "prompt", "source"),
    },
    "positive": {
        EXACT: (
            *(
                "positive",
                "positives",
                "pos",
                "positivepassage",
                "positivepassages",
                "positivedocument",
                "positivetext",
            ),
            *("正例", "正样本", "正文档", "相关文档", "正向样本", "postext", "posdoc"),
        ),
        USUAL: (
            *(
                "answer",
                "answers",
                "document",
                "doc",
                "passage",
                "答案",
                "回答",
                "答",
                "答复",
                "标准答案",
                "回复",
                "解答",
            ),
            *("文档", "段落", "篇章", "context", "paragraph", "answertext", "faqanswer", "标准回复", "上下文", "材料"),
        ),
        WEAK: ("response", "reply", "a", "内容", "正文", "content", "body", "sentence2", "text2", "target", "output"),
    },
    "negative": {
        EXACT: (
            *("negative", "negatives", "neg", "hardnegative", "hardnegatives", "negativepassage", "negativepassages"),
            *(
                "负例",
                "负样本",
                "难负例",
                "负文档",
                "不相关文档",
                "negativedocument",
                "negativetext",
                "negtext",
                "negdoc",
            ),
        ),
    },
    "sentence1": {
        EXACT: (
            "sentence1",
            "text1",
            "sentencea",
            "texta",
            "sent1",
            "句子1",
            "句子一",
            "文本1",
            "文本一",
            "句1",
            "句子a",
            "文本a",
        ),
        USUAL: (
            *("question1", "query1", "s1", "q1", "问题1", "问题一", "问句1", "premise", "前提", "first", "texta1"),
            *("query", "queries", "question", "问题", "查询", "用户问题", "标准问"),
        ),
    },
    "sentence2": {
        EXACT: (
            "sentence2",
            "text2",
            "sentenceb",
            "textb",
            "sent2",
            "句子2",
            "句子二",
            "文本2",
            "文本二",
            "句2",
            "句子b",
            "文本b",
        ),
        USUAL: (
            *("question2", "query2", "s2", "q2", "问题2", "问题二", "问句2", "hypothesis", "假设", "second", "相似问"),
            *("doc", "document", "passage", "positive", "文档", "段落", "答案", "回答", "answer", "candidate", "候选"),
        ),
        WEAK: ("title", "para", "text", "content", "response", "正文", "内容"),
    },
    "score": {
        EXACT: (
            "score",
            "label",
            "similarity",
            "similar",
            "relevance",
            "grade",
            "相似度",
            "相关性",
            "相关度",
            "是否相似",
        ),
        USUAL: (
            *(
                "labels",
                "rating",
                "gold",
                "goldscore",
                "goldlabel",
                "isduplicate",
                "issimilar",
                "isrelevant",
                "relevant",
            ),
            *(
                "标签",
                "分数",
                "得分",
                "评分",
                "打分",
                "是否相关",
                "匹配",
                "是否匹配",
                "similarityscore",
                "rel",
                "target",
            ),
        ),
    },
    "instruction": {EXACT: ("instruction", "prompt", "queryinstruction", "指令")},
    "positive_scores": {EXACT: ("posscores", "positivescores", "posscore", "positivescore")},
    "negative_scores": {EXACT: ("negscores", "negativescores", "negscore", "negativescore")},
    "query_id": {EXACT: ("queryid", "qid", "questionid", "问题id", "查询id"), WEAK: ("query",)},
    "document_id": {
        EXACT: ("corpusid", "docid", "documentid", "passageid", "pid", "docno", "文档id"),
        WEAK: ("doc", "document"),
    },
    "id": {
        EXACT: ("id", "docid", "queryid", "qid", "pid", "corpusid", "编号", "序号", "docno", "documentid", "passageid")
    },
    "title": {EXACT: ("title", "标题", "题目", "name")},
    "text": {
        EXACT: ("text", "正文", "内容", "content", "contents", "body", "passage", "document", "文本", "段落", "文档"),
        USUAL: ("query", "question", "问题", "查询", "answer", "答案"),
    },
}

#: Names that show that a line is a header, whether or not retrieval has a role for them.
HEADINGS: Final = frozenset(
    {name for strengths in NAMES.values() for names in strengths.values() for name in names}
    | {
        "instruction",
        "input",
        "output",
        "messages",
        "conversations",
        "system",
        "history",
        "chosen",
        "rejected",
        "category",
    }
    | {"类别", "分类", "意图", "intent", "split", "source", "lang", "language", "url", "link", "补充", "completion"}
)
