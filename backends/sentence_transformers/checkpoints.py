"""Checkpoints of a training: the newest whole one to go on from, and the model at the end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from backends import adapters
from backends.loading import load_encoder

#: Folder of the tuned model, below ``run.checkpoints``.
TUNED: Final = "tuned"
_NAME: Final = re.compile(r"checkpoint-(\d+)")
#: Written last by transformers: without it a checkpoint is half written.
_STATE: Final = "trainer_state.json"


def newest(folder: Path) -> Path | None:
    """The whole checkpoint with the most steps in ``folder``."""
    if not folder.is_dir():
        return None
    numbered = [(int(match.group(1)), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    whole = [(step, path) for step, path in numbered if (path / _STATE).is_file()]
    return max(whole)[1] if whole else None


def restore(model: Any, checkpoint: Path) -> None:
    """Give ``model`` (a SentenceTransformer) the weights saved in ``checkpoint``, or its adapter for LoRA."""
    if not adapters.restore(model, checkpoint):
        model.load_state_dict(load_encoder(checkpoint, device=str(model.device)).state_dict())


def save_tuned(model: Any, folder: Path) -> Path:
    """Write ``model`` (for LoRA its adapter, the base by reference) into ``folder / "tuned"``, replacing an old one."""
    import shutil

    target = folder / TUNED
    temporary = folder / f".{TUNED}.part"
    for old in (temporary, target):
        shutil.rmtree(old, ignore_errors=True)
    model.save_pretrained(str(temporary), create_model_card=False)
    temporary.rename(target)
    return target
