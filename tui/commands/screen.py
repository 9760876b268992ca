"""``tunewiz`` alone: the full screen."""

from __future__ import annotations

from pathlib import Path

from textual.message import Message

from backends.runs.find import runs_dir
from data.language import current
from tui.app import TunewizApp
from tui.filters import in_ascii


def run_screen(folder: Path | None, opening: Message | None = None) -> int:
    """Run the full screen until the user leaves, then say how to come back to runs that go on.

    ``opening`` asks for the screen to begin with, above home.
    """
    app = TunewizApp(runs_dir(folder), first=opening)
    parting = app.run()
    if parting:
        print(in_ascii(parting, current() != "en") if app.characters == "ascii" else parting)
    return app.return_code or 0
