"""Scales that labels in words come from, and which end of each is right.

Which end is right is never guessed: labels that stand in no scale here are asked for (``data.labels``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class LabelScale:
    """A name, and what each label is worth, by the word as :func:`label_word` writes it."""

    name: str
    worth: Mapping[str, float]


def _levels(*levels: tuple[float, str]) -> dict[str, float]:
    """Worth and its words, separated by commas."""
    return {word.strip(): worth for worth, words in levels for word in words.split(",")}


_YES_NO: Final = LabelScale(
    "yes-no",
    _levels(
        (
            1.0,
            "yes,y,true,t,similar,relevant,related,match,matched,matching,duplicate,same,correct,right,positive,pos,"
            "paraphrase,equivalent,entailed,accepted,good,好,好评,满意,是,对,相似,相关,相同,匹配,有关,符合,一致,正确,正例,"
            "正样本,正,重复,同义,有用",
        ),
        (
            0.0,
            "no,n,false,f,dissimilar,irrelevant,not similar,not relevant,non relevant,nonrelevant,unrelated,"
            "not related,no match,not match,mismatch,unmatched,not matching,not duplicate,different,incorrect,wrong,"
            "negative,neg,not paraphrase,not equivalent,not entailed,rejected,bad,坏,差,不好,差评,不满意,否,不,不是,"
            "错,不相似,不相关,不同,不匹配,无关,不符合,不一致,错误,不正确,负例,负样本,负,不重复,非同义,无用",
        ),
    ),
)

#: Of the scales that know all labels of a column, the one that tells most of them apart is theirs; then the first.
SCALES: Final[tuple[LabelScale, ...]] = (
    _YES_NO,
    # Grades of three: what lies between is worth half of the whole.
    LabelScale(
        "relevance-partial",
        _levels(
            (
                0.0,
                "irrelevant,not relevant,non relevant,nonrelevant,unrelated,不相关,无关,完全不相关,毫不相关,"
                "不匹配,完全不匹配,not match,no match,mismatch",
            ),
            (
                1.0,
                "partial,partially relevant,partly relevant,somewhat relevant,slightly relevant,marginally relevant,"
                "weakly relevant,partial match,"
                "部分相关,部分匹配,有些相关,有点相关,弱相关,略微相关,一般相关,基本相关,比较相关",
            ),
            (
                2.0,
                "relevant,fully relevant,highly relevant,very relevant,perfectly relevant,exact,exact match,相关,"
                "完全相关,强相关,高度相关,非常相关,很相关,完全匹配",
            ),
        ),
    ),
    LabelScale(
        "relevance-high",
        _levels(
            (0.0, "irrelevant,not relevant,non relevant,nonrelevant,不相关,无关"),
            (1.0, "related,relevant,相关,弱相关"),
            (2.0, "highly relevant,very relevant,高度相关,强相关,非常相关"),
            (3.0, "perfectly relevant,完全相关"),
        ),
    ),
    LabelScale(
        "relevance-four",
        _levels(
            (0.0, "irrelevant,not relevant,不相关,无关"),
            (1.0, "partially relevant,somewhat relevant,slightly relevant,marginally relevant,弱相关,部分相关"),
            (2.0, "relevant,相关"),
            (3.0, "highly relevant,very relevant,perfectly relevant,高度相关,强相关,非常相关,完全相关"),
        ),
    ),
    # The Shopping Queries data (ESCI) and the gains its authors measure with (Reddy et al., 2022).
    LabelScale("esci", _levels((1.0, "exact,e"), (0.1, "substitute,s"), (0.01, "complement,c"), (0.0, "irrelevant,i"))),
    LabelScale(
        "esci-zh",
        _levels((1.0, "完全匹配,精确,精确匹配"), (0.1, "替代,替代品"), (0.01, "互补,互补品"), (0.0, "不相关,无关")),
    ),
    # Marks in words.
    LabelScale(
        "good-ok-bad",
        _levels(
            (2.0, "good,great,好,优,满意"),
            (1.0, "ok,okay,fair,medium,average,acceptable,neutral,一般,中,还行,尚可,普通,及格"),
            (0.0, "bad,poor,差,坏,不好,不及格,不满意"),
        ),
    ),
    LabelScale(
        "perfect-bad",
        _levels((4.0, "perfect"), (3.0, "excellent"), (2.0, "good"), (1.0, "fair,ok,okay"), (0.0, "bad,poor")),
    ),
    LabelScale("marks-zh", _levels((3.0, "优,优秀"), (2.0, "良,良好,好"), (1.0, "中,一般,及格"), (0.0, "差,不及格"))),
    LabelScale(
        "high-low",
        _levels((2.0, "high,strong,高,强"), (1.0, "medium,mid,moderate,中,中等"), (0.0, "low,weak,none,低,弱,无")),
    ),
)

#: Natural-language inference: what is entailed is right. Not neutral and not contradicted are both not the same, and
#: how much each is worth depends on the aim, so that this scale is proposed and never taken unasked.
INFERENCE: Final = _levels(
    (1.0, "entailment,entails,entail,蕴含,蕴涵"),
    (0.0, "neutral,中性,中立,contradiction,contradicts,矛盾,contradictory,冲突"),
)
_SPACES: Final = re.compile(r"[\s_\-]+")


#: Decimals as half of Europe writes them: 0,25 and 3,5. What may count thousands (1,234) is left alone.
_COMMA: Final = re.compile(r"([+-]?(?:\d{1,4}(?=,\d{1,2}$)|0)),(\d+)")


def with_point(number: str) -> str:
    """A number as programs write it: ``3,5`` is ``3.5``; any other text as it is."""
    found = _COMMA.fullmatch(number)
    return f"{found[1]}.{found[2]}" if found else number


def label_word(value: object) -> str:
    """A label as scales and ``data.labels`` know it: ``Not_Relevant`` is ``not relevant``, ``1.0`` is ``1``."""
    if isinstance(value, (bool, int, float)):
        return f"{float(value):g}"
    text = unicodedata.normalize("NFKC", str(value)).strip().casefold()
    try:
        number = with_point(text)
        return f"{float(number):g}" if text[:1] in "+-.0123456789" and "_" not in text else _SPACES.sub(" ", text)
    except ValueError:
        return _SPACES.sub(" ", text)


def word_worth(value: object) -> float | None:
    """1 or 0 for a word that says yes or no, else None."""
    return _YES_NO.worth.get(label_word(value)) if isinstance(value, str) else None


#: What tables hold where a label is missing.
_MISSING: Final = frozenset(("", "?", "-", "nan", "null", "none", "n/a", "na", "inf", "nat"))


def words_in(values: Iterable[object]) -> list[str]:
    """The different labels that are words, in order; numbers and what stands for a missing one are none."""
    found = dict.fromkeys(label_word(value) for value in values)
    return [word for word in found if word not in _MISSING and not _is_number(word)]


def _is_number(word: str) -> bool:
    try:
        float(with_point(word.removesuffix("%")))  # a percentage
    except ValueError:
        return False
    return True


def known_labels(values: Iterable[object], given: Mapping[str, float]) -> Mapping[str, float]:
    """What each label is worth: as ``given``, or by the scale that knows all words of ``values``; else empty."""
    if given:
        return {label_word(label): worth for label, worth in given.items()}
    words = set(words_in(values))
    known = [scale.worth for scale in SCALES if words and words <= scale.worth.keys()]
    return max(known, key=lambda worth: len({worth[word] for word in words}), default={})
