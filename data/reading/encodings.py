"""Which encoding a text file is in, decided on evidence from the whole file rather than its first kilobyte.

Order of evidence: what the user says, a byte-order mark, NUL patterns of UTF-16/32, strict UTF-8, and then how
plausible the text is as Chinese (GBK/GB18030, Big5) or as Western European (Windows-1252). ``charset_normalizer`` is
asked only when none of these fits, and its answer counts as uncertain.
"""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Final

from tunewiz.data.reading.source import EncodingBasis, Newline

_BOMS: Final = (  # the UTF-32 marks begin with the UTF-16 ones, so they come first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
#: Bytes to which Windows-1252 gives no character.
_UNDEFINED: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_CHUNK: Final = 1 << 20
#: A byte-order mark, NUL bytes and line ends show at the beginning; 64 KiB hold hundreds of lines.
_HEAD: Final = 1 << 16
#: Non-ASCII text to look at; ASCII megabytes before it are skipped at the speed of the disk.
_EVIDENCE: Final = 4 << 20
_KNOWN: Final = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk", "gb18030", "gb2312", "big5"),
    *("cp1252", "latin-1", "cp1250", "cp1251", "shift_jis", "euc-jp", "euc-kr", "ascii"),
)


# Where one kind of text ends and the next begins. Measured on help texts in twelve languages and on the samples that
# ship, by the functions at the end of this module:
#
#                             high_byte_runs   western_share   chinese_share
#   Western, Central European    1.0 - 1.6       0.89 - 1.0      0 - 0.25
#   Cyrillic, Greek              4.2 - 4.9       0.22 - 0.24     0 - 0.06
#   Chinese in GBK                15 - 20        0.43 - 0.48     1.0
#   Chinese in Big5                 2.5          0.57            1.0         (half of its second bytes are ASCII)
#   Korean, Japanese               5 - 92        0.38 - 0.57     0 - 0.53
_WESTERN_RUN: Final = 2.5
_WESTERN: Final = 0.8
#: A table of prices or names has few letters beyond ASCII, and signs of its own among them: a guess, and told as one.
_PERHAPS_WESTERN: Final = 0.4
_CHINESE: Final = 0.7
#: Four characters decode as UTF-8 for each that does not: no chance. Of the others above, one in four at most decodes.
_DAMAGED_UTF8: Final = 4
#: Decoded in the wrong one of :data:`_WIDE` a text has 0 to 67 % readable characters, in the right one 99 to 100 %.
_READS_WELL: Final = 0.95
#: One place in fifty may be damaged and the file is still Chinese. What is in another encoding fails in a fifth of its
#: characters and more; where it decodes (German, Korean), :func:`chinese_share` tells.
_DAMAGED_CHINESE: Final = 50


@dataclass(frozen=True)
class Encoding:
    """An encoding by Python's name for it, why it was chosen, how sure that is (0-1) and the line ends used."""

    name: str
    basis: EncodingBasis
    confidence: float
    newline: Newline
    #: For UTF-8 with damage: characters that decode for each that does not. 0 when nothing is damaged.
    damaged: int = 0


def known_encoding(name: str) -> str | None:
    """``name`` as a usable text encoding, or None. Codecs that are no character sets (base64, rot13) are refused."""
    plain = name.strip().replace(" ", "")
    try:
        codec = codecs.lookup(plain).name
        sample = "a,\n".encode(plain).decode(plain)
    except (LookupError, UnicodeError, ValueError):
        return None
    return (
        codec
        if sample == "a,\n" and codec not in ("unicode_escape", "raw_unicode_escape", "idna", "punycode")
        else None
    )


def nearest_encoding(name: str) -> str:
    """The known encoding whose name is most like ``name``, or an empty string."""
    return next(iter(difflib.get_close_matches(name.lower(), _KNOWN, n=1)), "")


def detect_encoding(stream: BinaryIO, given: str = "auto") -> Encoding:
    """The encoding of ``stream``, read from its start. ``given`` (a name that :func:`known_encoding` takes) wins.

    A byte-order mark overrules nothing that is given, except that it is never left in the text: utf-8 becomes
    utf-8-sig. Memory stays below a few megabytes whatever the file's size. Raises ``UnicodeError`` where a given
    ``utf-16`` or ``utf-32`` has no mark to tell the order of its bytes and fits in neither.
    """
    head = stream.read(_HEAD)
    marked = next((name for mark, name in _BOMS if head.startswith(mark)), "")
    if given != "auto":
        name = _with_mark(known_encoding(given) or "utf-8", marked)
        if name in ("utf-16", "utf-32") and marked != name:
            name = _unmarked(head, name)
        return Encoding(name, "given", 1.0, _newline(head, name))
    if marked:
        return Encoding(marked, "bom", 1.0, _newline(head, marked))
    wide = _wide(head)
    if wide:
        # Not sure, since no mark says so; it reads well, which 95 of 100 characters have shown.
        return Encoding(wide, "plausible", 0.9, _newline(head, wide))
    evidence = b"".join(_non_ascii(head, stream))
    name, basis, confidence, damaged = _from_bytes(evidence)
    return Encoding(name, basis, confidence, _newline(head, name), damaged)


def _with_mark(name: str, marked: str) -> str:
    if name == "utf-8" and marked == "utf-8-sig":
        return "utf-8-sig"
    if marked in ("utf-16", "utf-32") and name.startswith(marked):
        return marked
    return name


def _unmarked(head: bytes, name: str) -> str:
    """``utf-16`` or ``utf-32`` with the order of bytes in which ``head`` reads best. Raises ``UnicodeError``."""
    # Line ends and commas have zero bytes in either order; text without any would read as Chinese nonsense.
    if head and b"\0" not in head:
        raise UnicodeError(name)
    scored = []
    for wide in _WIDE:
        if wide.startswith(name):
            text = codecs.getincrementaldecoder(wide)(errors="replace").decode(head)
            scored.append((readable_share(text), wide))
    share, best = max(scored)
    if head and share < 0.5:
        raise UnicodeError(name)
    return best


def _newline(head: bytes, encoding: str) -> Newline:
    text = (
        head.decode(encoding, errors="replace") if encoding.startswith(("utf-16", "utf-32")) else head.decode("latin-1")
    )
    crlf, lf, cr = text.count("\r\n"), text.count("\n"), text.count("\r")
    lone_lf, lone_cr = lf - crlf, cr - crlf
    if not lf and not cr:
        return ""
    if not lf:
        return "CR"
    if crlf and (lone_lf or lone_cr > 1):  # one lone CR may be a pair cut at the end of the head
        return "mixed"
    return "CRLF" if crlf else "LF"


def _wide(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: text with NUL bytes that reads well in one of them."""
    if b"\0" not in head:
        return ""
    scored = []
    for name in _WIDE:
        text = codecs.getincrementaldecoder(name)(errors="replace").decode(head)
        scored.append((readable_share(text), name))
    share, best = max(scored)
    return best if share >= _READS_WELL else ""


def _non_ascii(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Up to ``_EVIDENCE`` bytes of the chunks that hold non-ASCII bytes."""
    taken = 0
    chunk = head
    while chunk and taken < _EVIDENCE:
        if not chunk.isascii():
            taken += len(chunk)
            yield chunk
        chunk = stream.read(_CHUNK)


def _from_bytes(evidence: bytes) -> tuple[str, EncodingBasis, float, int]:
    if not evidence:
        return "utf-8", "ascii", 1.0, 0
    good, bad = _decoded(evidence, "utf-8")
    if not bad:
        return "utf-8", "strict", 1.0, 0
    chinese = _chinese(evidence)
    western = western_share(evidence) if high_byte_runs(evidence) < _WESTERN_RUN else 0.0
    if good >= _DAMAGED_UTF8 * bad:
        return "utf-8", "plausible", round(good / (good + bad), 3), bad
    if chinese and chinese[1] > western:
        return chinese[0], "plausible", chinese[1], 0
    if western >= _PERHAPS_WESTERN and not _UNDEFINED.search(evidence):
        return "cp1252", "plausible" if western >= _WESTERN else "uncertain", round(western, 3), 0
    return (*_last_resort(evidence), 0)


def _decoded(evidence: bytes, encoding: str) -> tuple[int, int]:
    """Non-ASCII characters that decode and places that do not; a character cut off at the end counts as neither."""
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(evidence)
    written = evidence.count("\ufffd".encode()) if encoding == "utf-8" else 0  # U+FFFD that is in the file itself
    bad = max(0, text.count("\ufffd") - written)
    return max(0, _beyond_ascii(text) - text.count("\ufffd")), bad


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _chinese(evidence: bytes) -> tuple[str, float] | None:
    """The Chinese encoding in which nearly all decodes and the characters are those Chinese is written with."""
    found: list[tuple[float, str]] = []
    for name in ("gb18030", "big5"):
        text = codecs.getincrementaldecoder(name)(errors="replace").decode(evidence)
        beyond = max(1, _beyond_ascii(text))
        if text.count("\ufffd") <= beyond // _DAMAGED_CHINESE:
            found.append((chinese_share(text, traditional=name == "big5"), name))
    share, name = max(found, default=(0.0, ""))
    if share < _CHINESE:
        return None
    if name == "gb18030" and not _decoded(evidence, "gbk")[1]:
        name = "gbk"  # the subset without four-byte characters, and the name people know
    return name, round(share, 3)


def _last_resort(evidence: bytes) -> tuple[str, EncodingBasis, float]:
    import charset_normalizer

    # 256 KiB: it tries what it is given in up to 99 encodings.
    best = charset_normalizer.from_bytes(evidence[: 1 << 18]).best()
    if best is not None and known_encoding(best.encoding):
        # Its "chaos" (0: none) is no probability; 0.6 at most, since every sure kind of evidence has failed by now.
        return best.encoding, "uncertain", round(max(0.1, 0.6 - best.chaos), 3)
    # Nothing fits. Windows-1252 at least shows each byte as some sign, so that a person sees what is wrong.
    western = western_share(evidence)
    return ("cp1252", "uncertain", 0.2) if western > 0.5 else ("utf-8", "uncertain", 0.1)


# How much a text looks like Chinese or Western European writing: evidence for guessing its encoding.


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
    # Row 16 begins at B0; of row 55 (D7) the last five cells are empty.
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
        return min(share, 0.75)  # nothing but signs: just enough to be taken, never sure
    common = sum(character in frequent for character in han) / len(han)
    # The commonest characters are 60 to 68 % of the Chinese samples that ship, half of postal addresses, and 10 % of
    # Korean read as GBK. (Bare names and parts have 20 %: those are left to charset_normalizer, and told as a guess.)
    # With fewer than thirty characters they may be missing by chance.
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
