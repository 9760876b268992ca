"""Checkpoints of a training: when they are saved, the newest whole one to go on from, the model at the end."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.models import adapters
from tunewiz.backends.models.loading import load_encoder

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


def restore_weights(model: Any, checkpoint: Path) -> None:
    """Give ``model`` (a SentenceTransformer) the weights saved in ``checkpoint``, or its adapter for LoRA."""
    if not adapters.restore_adapter(model, checkpoint):
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


# What happens during a training beside the steps: measures and checkpoints at set steps.


def measured_at(steps: Collection[int], measure: bool) -> Any:
    """A callback that saves, and with ``measure`` also evaluates, after each of ``steps``."""
    from transformers import TrainerCallback

    class MeasuredAt(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Sets the flags the Trainer looks at."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step in steps:
                control.should_save = True
                control.should_evaluate = measure

    return MeasuredAt()


def measured_at_the_end() -> Any:
    """A callback that measures after the last step too: even shares of the steps need not end there."""
    from transformers import TrainerCallback

    class MeasuredAtTheEnd(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Sets the flag the Trainer looks at."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps and args.eval_strategy != "no":
                control.should_evaluate = True

    return MeasuredAtTheEnd()
