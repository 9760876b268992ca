"""How much a text looks like Chinese or Western European writing: evidence for guessing its encoding."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

#: The most used characters of modern Chinese (simplified); together more than half of any running text.
_FREQUENT: Final = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法"
    "学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正"
    "业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原"
    "东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资"
    "命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规"
    "万取拉格望觉术领共确传师观清今切院让识候带导争运答案请怎吗呢款退换货费用户服务"
)
_FREQUENT_TRADITIONAL: Final = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法"
    "學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日者意無力它與長把機十民第公此已工使情明性知全三又關點正業"
    "外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西月話合回特代內信表化老給世位次度門任常先海通教兒原東聲"
    "提立及比員解水名真論處走義各入幾口認條平系氣題活更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直資請怎嗎呢"
)
_PUNCTUATION: Final = re.compile(
    "[\u3000-\u303f\uff00-\uffef“”‘’—…·℃×→①-⑳\U0001f300-\U0001faff\u2600-\u27bf\ufe0f\u200d]"
)
_HAN: Final = re.compile("[\u4e00-\u9fff]")
_BEYOND: Final = re.compile("[^\x00-\x7f]")
_RUN: Final = re.compile(rb"[\x80-\xff]+")
#: What Windows-1252 text has beyond ASCII: letters inside words, and punctuation, currency and the like.
_WESTERN_LETTER: Final = re.compile("(?<=[A-Za-z])[À-ÖØ-öø-ÿŠšŽžŒœŸ]|[À-ÖØ-öø-ÿŠšŽžŒœŸ](?=[A-Za-z ,.;:!?])")
_WESTERN_SIGN: Final = re.compile("[\u20ac‚„…‘’“”•–—™£¥§©«»®°±²³·¼½¾¿¡\u00a0¢¬¹ºª´¨×÷µ¶]")
_READABLE: Final = re.compile(
    "[\t\n\r\x20-\x7e\u00a0-\u024f\u0370-\u04ff\u2010-\u206f\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff00-\uffef]"
)


@cache
def _level_one() -> frozenset[str]:
    """The 3,755 everyday characters of GB 2312, rows 16 to 55."""
    rows = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return frozenset("".join(pair.decode("gb2312", errors="ignore") for pair in rows))


@cache
def _level_one_traditional() -> frozenset[str]:
    """The 5,401 everyday characters of Big5, A440 to C67E."""
    trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    pairs = (bytes((lead, trail)) for lead in range(0xA4, 0xC7) for trail in trails)
    return frozenset("".join(pair.decode("big5", errors="ignore") for pair in pairs))


def chinese_share(text: str, traditional: bool = False) -> float:
    """0-1: how much of what is not ASCII is everyday Chinese, lowered when the commonest characters are missing.

    Korean in EUC-KR lands on the same two-byte codes as everyday Chinese, but hardly ever on its commonest characters.
    """
    beyond = _BEYOND.findall(text)
    if not beyond:
        return 0.0
    everyday = _level_one_traditional() if traditional else _level_one()
    frequent = _FREQUENT_TRADITIONAL if traditional else _FREQUENT
    signs = sum(1 for character in beyond if _PUNCTUATION.match(character))
    han = [character for character in beyond if _HAN.match(character)]
    share = (signs + sum(character in everyday for character in han)) / len(beyond)
    if not han:
        return min(share, 0.75)
    common = sum(character in frequent for character in han) / len(han)
    if len(han) >= 30:
        return share * min(1.0, common / 0.35)
    return share * (1.0 if common else 0.8)


def western_share(evidence: bytes) -> float:
    """0-1: how much of the high bytes are, as Windows-1252, letters within words or the usual signs."""
    text = evidence.decode("cp1252", errors="replace")
    beyond = len(_BEYOND.findall(text))
    if not beyond:
        return 0.0
    return min(1.0, (len(_WESTERN_LETTER.findall(text)) + len(_WESTERN_SIGN.findall(text))) / beyond)


def high_byte_runs(evidence: bytes) -> float:
    """Mean length of runs of bytes above 127: 1 to 2 in Western text, long in Chinese, Cyrillic or Greek."""
    runs = _RUN.findall(evidence)
    return sum(map(len, runs)) / len(runs) if runs else 0.0


def readable_share(text: str) -> float:
    """0-1: characters that a person would write; control characters and rare blocks are not."""
    return len(_READABLE.findall(text)) / len(text) if text else 0.0
