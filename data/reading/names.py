"""The names that columns go by, role by role, in English and Chinese, and how much each tells.

``EXACT`` names (query, 问题) are taken at their word, ``USUAL`` ones (answer of a FAQ) nearly so, ``WEAK`` ones (text,
response) are used only with a warning that says how to overrule them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXACT: Final = 3
USUAL: Final = 2
WEAK: Final = 1


#: Characters of traditional writing that stand in names of columns and roles, and what they are in simplified writing.
SIMPLER: Final = dict(
    zip(
        map(
            ord,
            "問題標準類別詞語應術關鍵輸請說對會話內訊時間編號單點擊選項擇錯誤較優質評價譯總結參條復覆檢尋顧買賣歷資樣難負據記錄補機師醫務線產導戶員確調簡體複詢續",
        ),
        "问题标准类别词语应术关键输请说对会话内讯时间编号单点击选项择错误较优质评价译总结参条复复检寻顾买卖历资样难负据记录补机师医务线产导户员确调简体复询续",
        strict=True,
    )
)


def _names(*lines: str) -> tuple[str, ...]:
    return tuple(name for line in lines for name in line.split())


#: role -> strength -> names, in the order of preference, as :func:`normalise_name` writes them.
NAMES: Final[Mapping[str, Mapping[int, tuple[str, ...]]]] = {
    "query": {
        EXACT: _names("query queries anchor 问题 查询 问 提问 问句 查询语句 查询词"),
        USUAL: _names(
            "sent0 question questions querytext questiontext searchquery userquery searchterm faqquestion keyword",
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
            "chunk",
            "clickedtext clickedpassage entailment entailed 点击文档 点击内容 蕴含句",
            "标准话术 话术 应答 应答话术 参考话术 人工修正答案 修正答案 correctedanswer",
            "答案 回答 答 答复 标准答案 标准回复 回复 解答 文档 段落 篇章 上下文 材料",
        ),
        WEAK: _names(
            "response reply a content body sent1 sentence2 text2 target output code 内容 正文 标准问 标准问题"
        ),
    },
    "negative": {
        EXACT: _names(
            "negative negatives neg hardnegative hardnegatives negativepassage negativepassages negativedocument",
            "negativetext negtext negdoc hardneg hardnegs randomneg bm25neg softneg negativecontext",
            "负例 负样本 难负例 负文档 不相关文档 负例文档 负例段落",
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
            "labels rating gold goldscore goldlabel isduplicate issimilar isrelevant relevant similarityscore rel",
            "ismatch target",
            "标签 分数 得分 评分 打分 是否相关 匹配 是否匹配 是否相同 是否一致 是否同义 是否重复 是否等价 是否近义",
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
            "问题 提问 问 问句 题目 查询 用户问题 用户输入 用户问法 input inputs source src user",
            "userinput userquery userquestion textinput",
            "human customer 用户 客户 顾客 买家 咨询 咨询内容 原文 源文 输入 q",
        ),
        WEAK: _names("content text article document passage body inputtext 正文 内容 文本 文章 上文 上联"),
    },
    "llm_completion": {
        EXACT: _names("completion completions response 回复 补全"),
        USUAL: _names(
            "solution solutions canonicalsolution ideal idealanswer referenceanswer goldanswer",
            "人工修正答案 修正答案 correctedanswer correctedresponse expectedanswer expectedoutput expectedresponse",
            "answer answers answerkey output target targets tgt assistant reply replies bot gpt chatbot",
            "标准话术 话术 应答 应答话术",
            "回答 答案 答 解答 答复 标准答案 标准回答 标准回复 客服 助手 机器人 卖家 店家 商家 译文 输出 a",
            "groundtruth groundtruths expected",
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
        USUAL: _names(
            "dialogues items 多轮对话 talk talks utterances conv contents",
            "chatmessages contextmessages messagelist msgs messagehistory",
        ),
        WEAK: _names("data text content 数据 内容 记录"),
    },
    # Of tables with a turn a row: who speaks, what, in which conversation, and in what order.
    "llm_speaker": {
        EXACT: _names("role speaker sender from author who speakerrole 角色 说话人 发言人 发送方 发送者 身份 说话者"),
        USUAL: _names(
            "sendername nickname nick username authorname speakername fromname 昵称 发送人 说话人昵称 发送者昵称"
        ),
        WEAK: _names("user name talker remark issender isself isfromme direction inbound 姓名 是否本人"),
    },
    "llm_said": {
        EXACT: _names("content message utterance text value said msg body what messagetext messagecontent messagebody"),
        USUAL: _names("内容 消息 消息内容 话语 文本 发言 发言内容 聊天内容 对话内容 说的话 strcontent"),
    },
    "llm_conversation": {
        EXACT: _names(
            "conversationid dialogueid dialogid sessionid chatid threadid ticketid convid caseid callid messagetreeid",
            "会话id 对话id 会话编号 对话编号 会话号 对话号 工单号 工单编号 通话id 会话标识",
        ),
        USUAL: _names("conversation dialogue dialog session thread ticket chat conv case call 会话 对话 工单 通话"),
        WEAK: _names("id groupid group parentid did cid sid tid 编号 组号"),
    },
    "llm_order": {
        EXACT: _names(
            "turn turnid turnindex turnnumber turnno messageindex seq sequence order position step 轮次 顺序"
        ),
        USUAL: _names(
            "timestamp time createdat sentat datetime createtime ts created sent sendtime msgtime messagetime",
            "strtime eventtime sentdate createdtime senttime timesent datesent loggedat receivedat startedat",
            "时间 发送时间 时间戳 序号 顺序 消息时间 创建时间 发言时间 聊天时间 对话时间 会话时间 日期时间",
        ),
        WEAK: _names("index idx no number date 日期"),
    },
    "llm_text": {
        EXACT: _names("text content 文本 内容 正文"),
        WEAK: _names("document passage body response article 文档 段落 文章"),
    },
    "llm_chosen": {
        EXACT: _names("chosen chosenresponse chosenmessages positivemessages 优选 较好回答"),
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

#: Names that show that a line is a header, whether or not retrieval has a role for them; a date stands in titles too.
HEADINGS: Final = frozenset(
    name for role, strengths in NAMES.items() if role != "llm_order" for names in strengths.values() for name in names
) | frozenset(
    _names(
        "instruction input output messages conversations system history chosen rejected completion category intent",
        "split source lang language url link 类别 分类 意图 补充",
    )
)
