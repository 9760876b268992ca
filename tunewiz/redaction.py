"""Secrets kept out of all that is written or shown: keys that name one, and values that are or look like one.

A value counts as secret when a variable of the environment whose name says so holds it (``HF_TOKEN``), when it has the
shape of an access token (``hf_...``), and when it follows a name that says so (``api_key=...``). A shape is only taken
for a token where nothing else looks like it: ``ms-marco-MiniLM-L6-v2`` is a model.
"""

from __future__ import annotations

import atexit
import io
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunewiz.files import is_full

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: What stands in the place of a secret; it means nothing to a shell, to YAML, to Markdown or to HTML.
HIDDEN: Final = "(redacted)"
#: Characters of a value below which it is no secret worth the name: ``1`` and ``true`` must stay readable.
_SHORTEST: Final = 8
#: No token is longer (a signed JWT has a few hundred characters).
_LONGEST: Final = 4096

# Keys that name a secret.


_ENDINGS: Final = frozenset(
    ("token", "secret", "password", "passwd", "passphrase", "pwd", "credential", "credentials", "apikey",
     "authorization", "cookie")
)  # fmt: skip
#: Tokens of a tokenizer, and counts of them.
_NO_SECRET: Final = frozenset(
    ("pad", "eos", "bos", "unk", "sep", "cls", "mask", "image", "video", "audio", "vision", "start", "stop", "end",
     "special", "decoder", "think", "tool", "per", "first", "last", "max", "min", "prefix", "suffix", "new")
)  # fmt: skip
_KEYS: Final = frozenset(
    ("api", "access", "secret", "private", "auth", "account", "service", "signing", "encryption", "wandb", "swanlab",
     "hf", "openai", "kaggle")
)  # fmt: skip
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN: Final = re.compile(r"[^a-z0-9]+")
#: The variable in whose favour a key is refused, by a part of its name; the first that fits is taken.
_VARIABLES: Final = (
    ("webhook", ""),
    ("lark", ""),
    ("wandb", "WANDB_API_KEY"),
    ("swanlab", "SWANLAB_API_KEY"),
    ("openai", "OPENAI_API_KEY"),
    ("ms", "MODELSCOPE_API_TOKEN"),
    ("modelscope", "MODELSCOPE_API_TOKEN"),
    ("om", ""),
    ("hf", "HF_TOKEN"),
    ("hub", "HF_TOKEN"),
    ("auth", "HF_TOKEN"),
    ("token", "HF_TOKEN"),
)

#: The part that stands for the maker, by how his tokens begin.
_MAKERS: Final = (("hf_", "hf"), ("sk-", "openai"), ("ms-", "ms"), ("wandb_v1_", "wandb"))


def names_secret(key: str) -> bool:
    """Whether a key or variable of this name holds a secret: ``hub_token`` does, ``eos_token`` does not."""
    parts = _parts(key)
    if not parts:
        return False
    before = parts[-2] if len(parts) > 1 else ""
    if parts[-1] == "token" and before in _NO_SECRET:
        return False
    return parts[-1] in _ENDINGS or (parts[-1] == "key" and before in _KEYS) or "webhook" in parts


def variable_for(key: str, value: str = "") -> str:
    """The environment variable for the secret that ``key`` names, or ``value`` looks like; "" if none is usual."""
    parts = _parts(key) if names_secret(key) else []
    parts += [part for mark, part in _MAKERS if value.startswith(mark)]
    return next((variable for part, variable in _VARIABLES if part in parts), "")


def _parts(key: str) -> list[str]:
    return [part for part in _BETWEEN.split(_CAMEL.sub("_", key).lower()) if part]


# Values that are secret.


#: Access tokens of Hugging Face, OpenAI and those who copy its form, ModelScope, GitHub, GitLab, Weights & Biases, AWS,
#: and signed JWTs (RFC 7519). Names begin like some of them, so digits among letters are asked for, or the whole form.
_SHAPES: Final = r"""(?<![A-Za-z0-9])(?:
    (?:hf|api_org)_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{16,}
  | (?<![_-])sk-(?=[A-Za-z0-9_-]*(?:[A-Za-z][0-9]|[0-9][A-Za-z]))[A-Za-z0-9_-]{16,}
  | ms-[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12} | ms-[0-9a-f]{24,}
  | gh[opsur]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,}
  | wandb_v1_[A-Za-z0-9_]{16,} | AKIA[0-9A-Z]{16}
  | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
)"""
#: One of these stands in every shape, and one of those in all that :func:`_after` finds: most texts have none.
_MARKS: Final = ("hf_", "sk-", "ms-", "gh", "api_org_", "glpat-", "wandb_v1_", "AKIA", "eyJ")
_WORDS: Final = ("token", "key", "secret", "passw", "passphrase", "pwd", "webhook", "bearer", "://")
_NAME: Final = r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{0,40}(?:token|key|secret|password|passwd|passphrase|pwd|webhook_url)"
_FLAGS: Final = re.ASCII | re.IGNORECASE | re.VERBOSE
_WORDY: Final = re.compile(r"(?=.*[0-9])[A-Za-z0-9_.~+/-]{16,}=*")
_PLACEHOLDER: Final = ("<", "$", "(", "{", "*", "[")


# Compiled when the first text asks for them: it takes longer than all else that a command does before its first line.


@cache
def _after() -> re.Pattern[str]:
    """A name, and what is said to be its value; the password in an address; what follows the word Bearer."""
    return re.compile(
        rf"""(?P<name>{_NAME})["']?[ ]{{0,4}}[=:][ ]{{0,4}}["']?(?P<value>[^\s"',;&)}}\]]{{6,}})
          | ://[^\s/:@"'\\]{{0,64}}:(?P<login>[^\s/@"'\\]{{1,200}})@
          | (?<![A-Za-z0-9])bearer[ ]{{1,4}}(?P<bearer>[A-Za-z0-9._~+/-]{{16,}}=*)""",
        _FLAGS,
    )


@cache
def _unfinished() -> re.Pattern[str]:
    """What may still become a secret when more comes: the last word, and the name that it may be the value of."""
    return re.compile(
        rf"""(?:{_NAME}["']?[ ]{{0,4}}[=:]?[ ]{{0,4}}["']?|(?<![A-Za-z0-9])bearer[ ]{{1,4}})?[^\s"',;&)}}\]]*\Z""",
        _FLAGS,
    )


@lru_cache(maxsize=8)
def _shapes(values: tuple[str, ...]) -> re.Pattern[str]:
    """``values``, and what has the shape of a token."""
    return re.compile("".join(f"{re.escape(value)} | " for value in values) + _SHAPES, re.ASCII | re.VERBOSE)


def redacted(text: str) -> str:
    """``text`` with :data:`HIDDEN` in the place of every secret."""
    return _hidden(text, _spans(text, _environment()))


def _hidden(text: str, secrets: list[tuple[int, int]]) -> str:
    if not secrets:
        return text
    pieces, at = [], 0
    for start, end in secrets:
        pieces += [text[at:start], HIDDEN]
        at = end
    return "".join([*pieces, text[at:]])


def looks_secret(value: str) -> bool:
    """Whether a value on its own is an access token: one of the environment's, or one by its shape."""
    return value.strip() in _environment() or _shapes(()).search(value) is not None


def redacted_record(record: Any) -> Any:
    """Plain data with every secret hidden: values of keys that name one, and secrets within texts, at any depth."""
    if isinstance(record, Mapping):
        return {key: _under(str(key), value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [redacted_record(item) for item in record]
    return redacted(record) if isinstance(record, str) else record


def _under(key: str, value: Any) -> Any:
    hidden = names_secret(key.rpartition(".")[2]) and isinstance(value, str) and bool(value)
    return HIDDEN if hidden else redacted_record(value)


def redacted_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line as it may be kept: ``KEY=VALUE`` of a key that names a secret without its value."""
    found = []
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        named = equals and names_secret(key.rpartition(".")[2])
        found.append(f"{key}={HIDDEN}" if named else redacted(argument))
    return found


def _environment() -> tuple[str, ...]:
    """The secrets of the environment as it is now, the longest first."""
    # Its bytes as they are kept, which tell at once whether anything changed; decoding them each time costs ten times
    # as much as all the rest.
    kept = getattr(os.environ, "_data", None) or dict(os.environb)
    return _secrets_in(tuple(kept.items()))


@lru_cache(maxsize=4)
def _secrets_in(variables: tuple[tuple[bytes, bytes], ...]) -> tuple[str, ...]:
    named = {os.fsdecode(value).strip() for name, value in variables if names_secret(os.fsdecode(name))}
    return tuple(sorted(filter(_is_strong, named), key=lambda value: (-len(value), value)))


def _is_strong(value: str) -> bool:
    """Whether a value is no everyday word (``PGPASSWORD=postgres``) and no path."""
    everyday = value.isascii() and value.isalpha() and value.islower() and len(value) < 16
    return _SHORTEST <= len(value) <= _LONGEST and not everyday and not value.startswith(("/", "~"))


def _spans(text: str, values: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where the secrets stand in ``text``, in order and apart."""
    found: list[tuple[int, int]] = []
    if any(mark in text for mark in (*_MARKS, *values)):
        found += [match.span() for match in _shapes(values).finditer(text)]
    lowered = text.lower()
    if any(word in lowered for word in _WORDS):
        found += _told(text)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _told(text: str) -> Iterator[tuple[int, int]]:
    for found in _after().finditer(text):
        group = found.lastgroup or ""
        if group != "value":
            yield found.span(group)
            continue
        name, value = found["name"], found["value"]
        # A word such as "token: " stands in many texts: what follows it must look the part.
        certain = len(_parts(name)) > 1 or _WORDY.fullmatch(value) is not None
        if certain and names_secret(name) and not value.startswith(_PLACEHOLDER):
            yield found.span("value")


# Secrets in a stream of bytes and in a file.


class RedactingWriter(io.RawIOBase):
    """Bytes on their way to the file ``descriptor``, secrets hidden, also one that comes in several pieces.

    What may be the beginning of a secret (the last word) waits until the next piece, or until :meth:`release`.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._waiting = b""
        self._waits = True
        self._begin()
        # A child made by fork has the same bytes waiting, and perhaps a lock that nobody opens any more.
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._waiting = b""

    def writable(self) -> bool:
        """Always true."""
        return True

    def fileno(self) -> int:
        """The descriptor of the file; what is written there passes by."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        """Take ``data``; all of it counts as written."""
        piece = bytes(data)
        with self._lock:
            text = (self._waiting + piece).decode("latin-1")
            values = _in_bytes(_environment())
            secrets = _spans(text, values)
            end = _finished(text, secrets, values) if self._waits else len(text)
            self._waiting = text[end:].encode("latin-1")
            self._put(text, [(start, stop) for start, stop in secrets if stop <= end], end)
        return len(piece)

    def release(self) -> None:
        """Write what waits; nothing waits from now on."""
        with self._lock:
            self._waits = False
            text, self._waiting = self._waiting.decode("latin-1"), b""
            self._put(text, _spans(text, _in_bytes(_environment())), len(text))

    def _put(self, text: str, secrets: list[tuple[int, int]], end: int) -> None:
        """Write ``text`` up to ``end``, with ``secrets`` in it hidden; what a full disk does not take is dropped."""
        rest = memoryview(_hidden(text[:end], secrets).encode("latin-1"))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as fault:
            if not is_full(fault):  # no run should end for want of a line in its log
                raise


def _finished(text: str, secrets: list[tuple[int, int]], values: tuple[str, ...]) -> int:
    """How much of ``text`` (bytes as Latin-1) can be judged without what comes after it."""
    unfinished = _unfinished().search(text, max(0, len(text) - _LONGEST))
    end = unfinished.start() if unfinished else len(text)
    for value in values:
        begun = next((length for length in range(len(value) - 1, 0, -1) if text.endswith(value[:length])), 0)
        end = min(end, len(text) - begun)
    return next((start for start, stop in secrets if start < end < stop), end)


@lru_cache(maxsize=8)
def _in_bytes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.encode("utf-8", "surrogateescape").decode("latin-1") for value in values)


def redact_output() -> None:
    """From now on what Python code of this process prints passes :class:`RedactingWriter`.

    The process writes to its file itself: no pipe could break or fill, and nothing is lost with a crash but a word.
    What a library writes past Python's streams is left to :func:`redact_file`.
    """
    for name in ("stdout", "stderr"):
        writer = RedactingWriter(getattr(sys, name).fileno())
        stream = io.TextIOWrapper(writer, "utf-8", "backslashreplace", write_through=True)  # type: ignore[type-var]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        atexit.register(writer.release)


_BLOCK: Final = 1 << 20


def redact_file(path: Path) -> int:
    """Overwrite the secrets in a file with ``*``, in place: nobody who appends or reads meanwhile is disturbed.

    How many there were; a file that is not there has none. Raises ``OSError``.
    """
    count, at = 0, 0
    values = _in_bytes(_environment())
    if not path.is_file():
        return 0
    with path.open("r+b") as stream:
        while True:
            stream.seek(at)
            block = stream.read(_BLOCK)
            for start, end in _spans(block.decode("latin-1"), values):
                if end == _BLOCK and start > _BLOCK - _LONGEST // 2:
                    continue  # it may go on: the next block has all of it
                stream.seek(at + start)
                stream.write(b"*" * (end - start))
                count += 1
            if len(block) < _BLOCK:
                return count
            at += _BLOCK - _LONGEST
