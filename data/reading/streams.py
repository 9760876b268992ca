"""Bytes and decoded lines of a file: decompressed, decoded piece by piece, damage reported and survived."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from tunewiz.problems import Problem, Report, error, say

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from tunewiz.data.reading.source import Compression, Source


_MAGIC: Final[tuple[tuple[bytes, Compression], ...]] = ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"))
_ZIP: Final = b"PK\x03\x04"
#: What systems put beside the files of an archive.
_HIDDEN: Final = re.compile(r"(?:^|/)(?:\.|__MACOSX/|Thumbs\.db$|desktop\.ini$)")
#: What messengers put beside a chat.
_MEDIA: Final = re.compile(
    r"\.(?:jpe?g|png|gif|webp|heic|mp[34]|opus|ogg|m4a|aac|amr|wav|mov|3gp|vcf|thumb)$", re.IGNORECASE
)
_DAMAGE: Final = (EOFError, zlib.error, lzma.LZMAError, OSError, zipfile.BadZipFile)
#: A line longer than this many bytes (or characters, in UTF-16 and UTF-32) is left out rather than held in memory.
LINE_LIMIT: Final = 64 << 20
#: Bytes read at once, large enough that Python's overhead a call vanishes beside decompression.
_CHUNK: Final = 1 << 18


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class Unpacked(io.RawIOBase):
    """The bytes of a file. A damaged archive or disk ends them early and leaves the reason in ``damage``."""

    def __init__(self, stream: _Readable) -> None:
        super().__init__()
        self._stream = stream
        self.damage = ""

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer``; 0 at the end, also where damage makes it."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._stream.read1(len(view))  # a part, so that what precedes the damage is not lost with it
        except _DAMAGE as reason:
            self.damage = str(reason) or type(reason).__name__
            return 0
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file below too."""
        self._stream.close()
        super().close()


def compression_of(path: Path) -> Compression:
    """How the file is compressed, by its first bytes; its name does not count."""
    with path.open("rb") as stream:
        head = stream.read(8)  # the longest mark of _MAGIC has six
    if head.startswith(_ZIP):
        return "zip" if len(members_of(path)) == 1 else ""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def members_of(path: Path) -> list[str]:
    """The files in a zip archive that may hold data; none of a workbook or a text document, which are zips as well."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return []
    if any(name == "[Content_Types].xml" or name.startswith(("xl/", "word/", "ppt/", "META-INF/")) for name in names):
        return []
    return [name for name in names if not name.endswith("/") and not _HIDDEN.search(name) and not _MEDIA.search(name)]


def open_bytes(path: Path, compression: Compression) -> tuple[BinaryIO, Unpacked]:
    """The decompressed bytes, buffered, and the raw stream below that knows of damage."""
    raw = Unpacked(_opened(path, compression))
    return io.BufferedReader(raw, _CHUNK), raw


class _Part:
    """The bytes of a file up to ``end``."""

    def __init__(self, stream: io.BufferedReader, end: int) -> None:
        self._stream = stream
        self._left = end - stream.tell()

    def read1(self, size: int, /) -> bytes:
        data = self._stream.read1(min(size, self._left)) if self._left > 0 else b""
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._stream.close()


def _open_span(source: Source) -> tuple[BinaryIO, Unpacked]:
    """As :func:`open_bytes`, of the source's part of a file that is not compressed."""
    assert source.span is not None
    stream = source.path.open("rb")
    stream.seek(source.span.start)
    raw = Unpacked(_Part(stream, source.span.end))
    return io.BufferedReader(raw, _CHUNK), raw


def _opened(path: Path, compression: Compression) -> _Readable:
    if compression == "gz":
        return gzip.GzipFile(path, "rb")
    if compression == "bz2":
        return bz2.open(path, "rb")
    if compression == "xz":
        return lzma.open(path, "rb")
    if compression == "zip":
        archive = zipfile.ZipFile(path)
        try:
            return cast(_Readable, archive.open(members_of(path)[0]))
        except (RuntimeError, NotImplementedError) as reason:  # a password, a method that Python does not know
            raise OSError(0, str(reason)) from reason
        finally:
            archive.close()  # the file stays open as long as its member is read
    return path.open("rb")


def lines(source: Source, report: Report) -> Iterator[tuple[int, str]]:
    """Each physical line with its number from 1 and its line end; undecodable bytes are reported and replaced."""
    stream, raw = open_bytes(source.path, source.compression) if source.span is None else _open_span(source)
    with stream:
        by_bytes = source.newline != "CR" and not source.encoding.startswith(("utf-16", "utf-32"))
        yield from (_byte_lines if by_bytes else _text_lines)(stream, source, report)
    report_damage(raw, source, report)


def _byte_lines(stream: BinaryIO, source: Source, report: Report) -> Iterator[tuple[int, str]]:
    """Lines of an encoding in which a newline byte is always a newline, so that damage stays in its line."""
    first = "utf-8" if source.encoding == "utf-8-sig" else source.encoding
    number = source.span.first_line - 1 if source.span is not None else 0
    while data := stream.readline(LINE_LIMIT):
        number += 1
        if len(data) >= LINE_LIMIT and not data.endswith(b"\n"):
            report(_too_long(source, number))
            while (data := stream.readline(LINE_LIMIT)) and not data.endswith(b"\n"):
                pass
            continue
        if first == "utf-8" and data.startswith(codecs.BOM_UTF8):  # of a file that was put behind another
            data = data.removeprefix(codecs.BOM_UTF8)
        try:
            yield number, data.decode(first)
        except UnicodeDecodeError as reason:
            report(bad_encoding(source, number, data[reason.start : reason.start + 4]))
            yield number, data.decode(first, errors="replace")


def _text_lines(stream: BinaryIO, source: Source, report: Report) -> Iterator[tuple[int, str]]:
    text = io.TextIOWrapper(stream, source.encoding, errors="replace", newline="\r" if source.newline == "CR" else "\n")
    number = 0
    while line := text.readline(LINE_LIMIT):
        number += 1
        line = line.removeprefix("\ufeff")  # also of a file that was put behind another
        if "\ufffd" in line:
            report(bad_encoding(source, number, b""))
        if len(line) >= LINE_LIMIT:
            report(_too_long(source, number))
            while (line := text.readline(LINE_LIMIT)) and len(line) >= LINE_LIMIT:
                pass
            continue
        yield number, line.removesuffix("\r") + "\n" if source.newline == "CR" else line


def chunks(source: Source, report: Report) -> Generator[str, None, None]:
    """Decoded text in pieces of about 256 KiB, for formats in which a line may be as long as the file."""
    stream, raw = open_bytes(source.path, source.compression)
    decoder = codecs.getincrementaldecoder(source.encoding)(errors="replace")
    written = "\ufffd".encode() if source.encoding.startswith("utf-8") else b""
    line = 1
    with stream:
        while True:
            data = stream.read(_CHUNK)
            text = decoder.decode(data, final=not data)
            if text.count("\ufffd") > (data.count(written) if written else 0):
                report(bad_encoding(source, line + text[: text.index("\ufffd")].count("\n"), b""))
            line += text.count("\n")
            if text:
                yield text
            if not data:
                break
    report_damage(raw, source, report)


def report_damage(raw: Unpacked, source: Source, report: Report) -> None:
    """Say that an archive ended early, if it did."""
    if raw.damage:
        message = say("The file is damaged and could be read only up to here: {reason}.", reason=raw.damage)
        report(error("damaged-file", message, source.at(), say("Copy or download it again.")))


def bad_encoding(source: Source, line: int, data: bytes) -> Problem:
    """The problem of bytes that are no character in the source's encoding."""
    if data:
        message = say("Bytes {bytes} are no character in {encoding}.", bytes=data.hex(" "), encoding=source.encoding)
    else:
        message = say("There are bytes that are no character in {encoding}.", encoding=source.encoding)
    fix = say("They were replaced by \ufffd; name another encoding if the whole file looks wrong.")
    return Problem("warning", "bad-encoding", message, source.at(line), fix)


def _too_long(source: Source, line: int) -> Problem:
    message = say("The line is longer than {limit} MiB and is left out.", limit=LINE_LIMIT >> 20)
    return error("line-too-long", message, source.at(line))
