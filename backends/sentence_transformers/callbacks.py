"""What happens during a training beside the steps: measures and checkpoints at set steps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


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
