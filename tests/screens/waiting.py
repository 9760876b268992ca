"""Waiting for a screen to come to a state, for as long as a busy machine may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from tunewiz.tui.app import TunewizApp
from tunewiz.tui.terminal.characters import in_ascii

PATIENCE = 60.0  # seconds
_LOOK = 0.05  # seconds between two looks


async def until(pilot: Pilot[Any], condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Let the app run until ``condition`` holds, and then until every widget has answered what it was told."""
    await pilot.pause()
    for look in range(int(seconds / _LOOK)):
        if condition():
            if look:
                await pilot.pause()  # asks each of some hundred widgets: not at every look
            return
        await asyncio.sleep(_LOOK)
    raise AssertionError(f"did not come about; the screen:\n{seen(pilot.app)}")


def seen(app: Any) -> str:
    """The text on the screen, as a terminal would show it."""
    lines = [strip.text for strip in app.screen._compositor.render_strips()]
    if isinstance(app, TunewizApp) and app.characters == "ascii":
        lines = [in_ascii(line) for line in lines]
    return "\n".join(lines)
