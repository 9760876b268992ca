"""A run handed in: its screens drawn once more, without a terminal, and everything put into one zip.

To be called in a child (:func:`tunewiz.errand.send`): an app of its own runs there, with a folder for its drafts.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from textual.css.query import QueryError
from textual.pilot import WaitForScreenTimeout

from tunewiz.backends.runs.run import Run
from tunewiz.backends.space.record import NAME as SPACE
from tunewiz.backends.space.record import read as read_space
from tunewiz.language import current
from tunewiz.problems import BadPreset, Message

#: Columns and rows of a picture: wide enough for every panel, and readable on half a page.
SIZE: Final = (120, 36)
_PATIENCE: Final = 40.0  # seconds that a screen may take to come to what it shows

_Opening = Callable[[Any], Awaitable[None]]
#: What a screen may raise; a picture less is no reason to hand nothing in.
_BROKEN: Final = (
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    AttributeError,
    QueryError,
    WaitForScreenTimeout,
)


def bundle(run: Run, out: Path) -> list[Message]:
    """Write ``out``; what is missing in it. Raises :class:`~tunewiz.problems.BadPreset`."""
    from tunewiz.backends.export import bundle as zipped

    zipped.check(run, out)
    with tempfile.TemporaryDirectory(prefix="tunewiz-pictures-") as place:
        os.environ["XDG_STATE_HOME"] = str(Path(place) / "state")  # the wizard keeps drafts, which are nobody's here
        folder = Path(place) / "pictures"
        folder.mkdir()
        lacking = asyncio.run(_Pictures(run, folder).take())
        return zipped.write(run, folder, lacking, out)


class _Pictures:
    """Opens the screens of a run one after the other and writes each as SVG and PNG."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self._folder = run, folder
        self.lacking: dict[str, str] = {}

    async def take(self) -> dict[str, str]:
        """All of them; why some are missing. Each in an app of its own: what one breaks, the next does not see."""
        from tunewiz.tui.app import TunewizApp
        from tunewiz.tui.terminal.looks import Settings

        for name, opening in (
            ("result", self._result),
            ("monitor", self._monitor),
            *([("space", self._space)] if read_space(self._run.report / SPACE) else []),
            ("model", self._wizard("model")),
            ("method", self._wizard("method")),
        ):
            app = TunewizApp(self._run.directory.parent, Settings(language=current(), characters="unicode"))
            try:
                async with app.run_test(size=SIZE):
                    await self._one(app, name, opening)
            except _BROKEN as fault:  # also what the app itself raised, which is told when it ends
                if not (self._folder / f"{name}.svg").is_file():
                    self.lacking[name] = str(fault) or type(fault).__name__
        return self.lacking

    async def _one(self, app: Any, name: str, opening: _Opening) -> None:
        from tunewiz.tui.terminal.pictures import save, shot

        await opening(app)
        await asyncio.sleep(1.2)  # curves are drawn once a second
        save(shot(app), self._folder / f"{name}.svg")

    async def _result(self, app: Any) -> None:
        from tunewiz.tui.screens.messages import ResultWanted

        app.post_message(ResultWanted(self._run))
        await _until(lambda: getattr(app.screen, "state", None))

    async def _monitor(self, app: Any) -> None:
        from tunewiz.tui.screens.messages import MonitorWanted

        app.post_message(MonitorWanted(self._run, stay=True))
        await _until(lambda: getattr(app.screen, "view", None))

    async def _space(self, app: Any) -> None:
        from tunewiz.tui.screens.messages import SpaceWanted

        app.post_message(SpaceWanted(self._run))
        await _until(lambda: getattr(app.screen, "space", None))

    def _wizard(self, step: str) -> _Opening:
        async def opening(app: Any) -> None:
            from tunewiz.backends.export.bundle import Places
            from tunewiz.presets.drafts.draft import Draft
            from tunewiz.presets.drafts.kept import fresh
            from tunewiz.presets.yaml.library import dumps, load, loads

            preset = load(str(self._run.preset_file))
            with suppress(BadPreset):  # shown with names in the place of paths, where that still is a preset
                preset = loads(Places(self._run, preset).without(dumps(preset), lists=True))
            draft = Draft.of(preset)
            app.open_wizard(replace(fresh(draft), step=step))
            await _until(lambda: getattr(getattr(app.screen, "step", None), "name", "") == step)
            await _until(lambda: app.screen.focused is not None)
            await _settled(app)

        return opening


async def _settled(app: Any) -> None:
    """Wait until the screen has held the same widgets for a second: a step is built bit by bit."""
    end, known, since = time.monotonic() + _PATIENCE, -1, time.monotonic()
    while time.monotonic() - since < 1.0 and time.monotonic() < end:
        await asyncio.sleep(0.1)
        count = len(app.screen.query("*"))
        if count != known:
            known, since = count, time.monotonic()


async def _until(condition: Callable[[], object]) -> None:
    """Let the app run until ``condition`` holds."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the screen did not open")
        await asyncio.sleep(0.05)
