"""Drafts on disk: one file each, written whole, so that a lost line or a killed terminal costs no answers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tunewiz import paths
from tunewiz.files import ABANDONED, PRIVATE, read_json, sweep, write_json
from tunewiz.presets.drafts.draft import Draft
from tunewiz.redaction import redacted_record

_VERSION: Final = 1


@dataclass(frozen=True)
class Kept:
    """A draft with its place on disk. ``step`` and ``advanced`` say where the user was; ``changed`` is a Unix time.

    ``run`` is the directory of the run that was started from it, which may not have trained yet.
    """

    file: Path
    draft: Draft = field(default_factory=Draft)
    step: str = ""
    advanced: bool = False
    changed: float = 0.0
    run: str = ""

    @property
    def title(self) -> str:
        """The name given so far, or what can be told of the draft; may be empty."""
        parts = (self.draft.value(path) for path in (("name",), ("data", "train"), ("model", "id")))
        return next((str(part) for part in parts if part), "")


def fresh(draft: Draft) -> Kept:
    """A place for a new draft; nothing is written yet."""
    stem, taken = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}", 0
    while (file := paths.drafts() / f"{stem}-{taken}.json").exists():
        taken += 1
    return Kept(file, draft)


def keep(kept: Kept) -> Kept:
    """Write ``kept``, whole, its owner's alone and without secrets that were typed; the result says when.

    Raises ``OSError``.
    """
    kept = replace(kept, changed=time.time())
    draft = kept.draft
    record = {
        "version": _VERSION,
        "changed": kept.changed,
        "step": kept.step,
        "advanced": kept.advanced,
        "run": kept.run,
        "folder": draft.folder,
        "answers": draft.answers,
        "suggested": draft.suggested,
        "aside": draft.aside,
        "trusted": draft.trusted,
    }
    kept.file.parent.mkdir(parents=True, exist_ok=True)
    kept.file.parent.chmod(0o700)
    write_json(kept.file, redacted_record(record), PRIVATE)
    return kept


def drafts() -> list[Kept]:
    """All drafts, the newest first. What is damaged, or of a later release, is left alone.

    What a process that was killed began to write here is removed.
    """
    folder = paths.drafts()
    for place in (folder, folder.parent):
        sweep(place, ABANDONED)
    found = [_read(file) for file in folder.glob("*.json")] if folder.is_dir() else []
    return sorted((kept for kept in found if kept), key=lambda kept: -kept.changed)


def discard(kept: Kept) -> None:
    """Remove a draft; one that is gone already is fine."""
    kept.file.unlink(missing_ok=True)


def _read(file: Path) -> Kept | None:
    record = read_json(file)
    if not isinstance(record, Mapping) or record.get("version") != _VERSION:
        return None
    parts = {name: record.get(name) for name in ("answers", "suggested", "aside")}
    changed = record.get("changed")
    if not all(isinstance(part, dict) for part in parts.values()) or not isinstance(changed, (int, float)):
        return None
    given: dict[str, Any] = {name: part for name, part in parts.items() if isinstance(part, dict)}
    draft = Draft(**given, folder=str(record.get("folder", "")), trusted=str(record.get("trusted", "")))
    step, run = str(record.get("step", "")), str(record.get("run", ""))
    return Kept(file, draft, step, record.get("advanced") is True, float(changed), run)
