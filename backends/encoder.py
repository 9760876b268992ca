"""An encoder the way it is used for search: queries and passages, each with its instruction, each encoded once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from backends.batching import Computing, Told, nothing
from backends.encoding import Vectors, encode
from backends.loading import prompts

#: Vectors kept on disk at most, in bytes: beyond it, encoding anew is cheaper than the disk it would take.
MOST_KEPT: Final = 1 << 29
_EDGE: Final = 1 << 20


@dataclass(frozen=True)
class SearchEncoder:
    """A model with its prompts. With ``cache`` (a folder), vectors outlive the process: mining's serve the baseline.

    ``told`` and ``check_stop`` are those of :func:`backends.encoding.encode`.
    """

    model: Any
    how: Computing = field(default_factory=Computing)
    cache: Path | None = None
    fingerprint: str = ""
    told: Told = nothing
    check_stop: Callable[[], None] = nothing

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, fp32, shape (texts, dimension)."""
        return self._encode(texts, prompts(self.model)[0])

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, fp32, shape (texts, dimension)."""
        return self._encode(texts, prompts(self.model)[1])

    def identity(self) -> str:
        """What the vectors depend on: weights, instructions, maximum length, pooling, precision."""
        facts = [self.fingerprint, prompts(self.model), self.model.max_seq_length, str(self.model), self.how.precision]
        return hashlib.sha256(json.dumps(facts, ensure_ascii=False, default=str).encode()).hexdigest()[:32]

    def telling(self, told: Told) -> SearchEncoder:
        """The same encoder, reporting to ``told``."""
        return replace(self, told=told)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        if self.cache is None or not self.fingerprint:
            return encode(self.model, texts, prompt, self.how, self.told, self.check_stop)
        store = _Store(self.cache / f"{self.identity()}.npz")
        keys = [_key(prompt + text) for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in store.places}
        if fresh:
            store.add(
                list(fresh), encode(self.model, list(fresh.values()), prompt, self.how, self.told, self.check_stop)
            )
        return store.vectors[[store.places[key] for key in keys]]


def fingerprint(folder: Path) -> str:
    """A hash of the model in ``folder``: settings in full, large files by size, first and last mebibyte.

    Two models of one architecture differ all over, so that the edges of their weights tell them apart without reading
    gigabytes.
    """
    digest = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file() and not item.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_EDGE))
            if size > 2 * _EDGE:
                stream.seek(-_EDGE, 2)
            digest.update(stream.read(_EDGE))
    return digest.hexdigest()


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Store:
    """Vectors by the hash of their text, in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[bytes] = []
        self.vectors: Vectors = np.zeros((0, 0), np.float32)
        try:
            with np.load(path, allow_pickle=False) as kept:
                self._keys = [row.tobytes() for row in kept["keys"]]
                self.vectors = kept["vectors"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            self._keys = []  # nothing there, or half written: encoded anew
        self.places = {key: place for place, key in enumerate(self._keys)}

    def add(self, keys: list[bytes], vectors: Vectors) -> None:
        """Add vectors, and write all of them unless they are too many."""
        self.vectors = np.concatenate([self.vectors, vectors]) if len(self._keys) else vectors
        self._keys += keys
        self.places = {key: place for place, key in enumerate(self._keys)}
        if self.vectors.nbytes > MOST_KEPT:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.part.npz")
        table = np.frombuffer(b"".join(self._keys), np.uint8).reshape(-1, 16)
        np.savez(temporary, keys=table, vectors=self.vectors)
        temporary.replace(self._path)
