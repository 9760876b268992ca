"""Files that are either whole or not there: temporary name, fsync, rename."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def whole(path: Path, encoding: str = "utf-8", newline: str = "\n") -> Iterator[IO[str]]:
    """A text stream that becomes ``path`` when the block ends well and vanishes when it does not.

    A reader, or a power cut, never sees half of the file; what was at ``path`` before stays until the rename.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding=encoding, newline=newline) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8), whole. Raises ``OSError``."""
    with whole(path) as stream:
        stream.write(text)


def write_json(path: Path, record: Any) -> None:
    """Write ``record`` as indented JSON, whole."""
    write_whole(path, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def write_jsonl(path: Path, records: Iterable[Any]) -> int:
    """Write one JSON value a line, whole; how many there were."""
    count = 0
    with whole(path) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_json(path: Path) -> Any:
    """The JSON value in ``path``; ``None`` when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the last: brackets in brackets, thousands deep
        return None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
