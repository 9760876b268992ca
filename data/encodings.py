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
from typing import BinaryIO, Final

from data.plausibility import chinese_share, high_byte_runs, readable_share, western_share
from data.source import EncodingBasis, Newline

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
_HEAD: Final = 1 << 16
#: Non-ASCII text to look at; ASCII megabytes before it are skipped at the speed of the disk.
_EVIDENCE: Final = 4 << 20
_KNOWN: Final = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk", "gb18030", "gb2312", "big5"),
    *("cp1252", "latin-1", "cp1250", "cp1251", "shift_jis", "euc-jp", "euc-kr", "ascii"),
)


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
    utf-8-sig. Memory stays below a few megabytes whatever the file's size.
    """
    head = stream.read(_HEAD)
    marked = next((name for mark, name in _BOMS if head.startswith(mark)), "")
    if given != "auto":
        name = _with_mark(known_encoding(given) or "utf-8", marked)
        return Encoding(name, "given", 1.0, _newline(head, name))
    if marked:
        return Encoding(marked, "bom", 1.0, _newline(head, marked))
    wide = _wide(head)
    if wide:
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
    return best if share >= 0.95 else ""


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
    western = western_share(evidence) if high_byte_runs(evidence) < 2.5 else 0.0
    if good >= 4 * bad:
        return "utf-8", "plausible", round(good / (good + bad), 3), bad
    if chinese and chinese[1] > western:
        return chinese[0], "plausible", chinese[1], 0
    if western >= 0.4 and not _UNDEFINED.search(evidence):
        return "cp1252", "plausible" if western >= 0.8 else "uncertain", round(western, 3), 0
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
        if text.count("\ufffd") <= beyond // 50:
            found.append((chinese_share(text, traditional=name == "big5"), name))
    share, name = max(found, default=(0.0, ""))
    if share < 0.7:
        return None
    if name == "gb18030" and not _decoded(evidence, "gbk")[1]:
        name = "gbk"  # the subset without four-byte characters, and the name people know
    return name, round(share, 3)


def _last_resort(evidence: bytes) -> tuple[str, EncodingBasis, float]:
    import charset_normalizer

    best = charset_normalizer.from_bytes(evidence[: 1 << 18]).best()
    if best is not None and known_encoding(best.encoding):
        return best.encoding, "uncertain", round(max(0.1, 0.6 - best.chaos), 3)
    western = western_share(evidence)
    return ("cp1252", "uncertain", 0.2) if western > 0.5 else ("utf-8", "uncertain", 0.1)
