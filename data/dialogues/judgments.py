"""Words that judge an answer, in English and Chinese: which mean good and which mean bad."""

from __future__ import annotations

import unicodedata
from typing import Final

from tunewiz.data.reading.cells import score_of

_GOOD: Final = frozenset(
    (
        *("good", "great", "positive", "pos", "like", "liked", "up", "thumbs up", "thumbs_up", "thumbup", "upvote"),
        *("accept", "accepted", "approve", "approved", "chosen", "desirable", "preferred", "correct", "right", "pass"),
        *("satisfied", "helpful", "acceptable", "win", "ok", "valid", "👍", "好", "很好", "好评", "好的", "优", "优秀"),
        *("正确", "满意", "赞", "点赞", "喜欢", "采纳", "通过", "接受", "合格", "有用", "可取", "正面", "对的"),
    )
)
_BAD: Final = frozenset(
    (
        *("bad", "poor", "negative", "neg", "dislike", "disliked", "down", "thumbs down", "thumbs_down", "thumbdown"),
        *("downvote", "reject", "rejected", "disapproved", "undesirable", "incorrect", "wrong", "fail", "failed"),
        *("unsatisfied", "dissatisfied", "unhelpful", "unacceptable", "lose", "invalid", "👎", "不好", "差", "差评"),
        *("很差", "错误", "不正确", "不满意", "踩", "点踩", "不喜欢", "未采纳", "不通过", "拒绝", "不合格"),
        *("没用", "坏", "无用", "不可取", "负面"),
    )
)


def verdict_of(value: object) -> bool | None:
    """Whether a judgment (1, true, good, 好, 👍; -1 for bad) is a good one; None where it is no such judgment.

    >>> verdict_of("good"), verdict_of("差"), verdict_of(1), verdict_of("so-so")
    (True, False, True, None)
    """
    word = unicodedata.normalize("NFKC", value).strip().casefold() if isinstance(value, str) else ""
    if word in _GOOD or word in _BAD:
        return word in _GOOD
    score = score_of(value)
    return {1.0: True, 0.0: False, -1.0: False}.get(score) if score is not None else None
