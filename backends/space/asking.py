"""Asking for the picture of a run's space from a process that imports none of what it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunewiz.backends.runs.run import Run
from tunewiz.errand import send
from tunewiz.files import read_json
from tunewiz.language import N_
from tunewiz.problems import Message, say

if TYPE_CHECKING:
    from tunewiz.backends.space.choosing import By

#: What is done, in the order in which it is done.
_STEPS: Final = {
    "before": N_("Encoding with the untouched model"),
    "after": N_("Encoding with the tuned model"),
    "layout": N_("Laying out both sides (t-SNE)"),
    "drawing": N_("Drawing"),
}


def ask(
    run: Run,
    tell: Callable[[Message], None],
    unwanted: Callable[[], bool] = lambda: False,
    points: int | None = None,
    seed: int | None = None,
    by: By = "auto",
    anew: bool = False,
) -> list[Path]:
    """The files of the picture, made in a child if they are not there. Blocks: call it in a thread.

    ``tell`` is told how far it is, ``unwanted`` asked whether to stop. Raises ``GivenUp`` and what
    :func:`tunewiz.backends.space.making.draw` raises.
    """
    with tempfile.TemporaryDirectory(prefix="tunewiz-space-") as place:
        file, last = Path(place) / "told.json", ""

        def look() -> bool:
            nonlocal last
            message = step(read_json(file))
            if message is not None and message.text() != last:
                last = message.text()
                tell(message)
            return unwanted()

        wanted = {"seed": seed, "by": by, "anew": anew} | ({} if points is None else {"points": points})
        found: list[Path] = send("tunewiz.backends.space.making:draw", run, wanted, file, unwanted=look)
        return found


def step(told: Any) -> Message | None:
    """How far it is, in words; ``None`` where nothing is told yet."""
    if not isinstance(told, list) or len(told) != 3 or told[0] not in _STEPS:
        return None
    what, done, total = told
    if not total:
        return say("{what} ...", what=say(_STEPS[what]))
    if what == "layout":
        return say("{what}: {percent} %", what=say(_STEPS[what]), percent=round(100 * done / total))
    return say("{what}: {done} of {total} texts", what=say(_STEPS[what]), done=done, total=total)
