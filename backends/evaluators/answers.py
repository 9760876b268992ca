"""How near written answers come to the expected ones: BLEU-4 and ROUGE-L, Chinese cut into words first.

``bleu4`` is sacrebleu's sentence BLEU with up to four-grams, exponential smoothing and its own tokenizer for Chinese;
``rouge_l`` the F-measure of the longest common subsequence of words (Lin, 2004), jieba's for Chinese. Both are from 0
to 1. They compare wording, not truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_CJK: Final = (("\u3400", "\u9fff"), ("\uf900", "\ufaff"))

NAMES: Final = ("bleu4", "rouge_l")


def is_chinese(text: str) -> bool:
    """Whether a noticeable part of ``text`` is written in Chinese characters."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(any(low <= letter <= high for low, high in _CJK) for letter in letters) > 0.2 * len(letters)


def closeness(written: str, expected: str) -> dict[str, float]:
    """``bleu4`` and ``rouge_l`` of one answer, 0 to 1; both 0 for an empty one."""
    chinese = is_chinese(expected)
    found, wanted = _words(written, chinese), _words(expected, chinese)
    if not found or not wanted:
        return dict.fromkeys(NAMES, 0.0)
    return {"bleu4": _bleu(written, expected, chinese), "rouge_l": _rouge(found, wanted)}


def _bleu(written: str, expected: str, chinese: bool) -> float:
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(tokenize="zh" if chinese else "13a", effective_order=True)
    return float(bleu.sentence_score(written, [expected]).score) / 100


def _rouge(found: Sequence[str], wanted: Sequence[str]) -> float:
    from rouge_chinese import Rouge

    scores = Rouge(metrics=["rouge-l"]).get_scores(" ".join(found), " ".join(wanted))
    return float(scores[0]["rouge-l"]["f"])


def _words(text: str, chinese: bool) -> list[str]:
    if not chinese:
        return text.lower().split()
    import jieba

    jieba.setLogLevel("WARNING")
    return [word for word in jieba.cut(text) if word.strip()]
