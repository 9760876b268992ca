"""Saving the preset under a name or a path."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Checkbox, Input, Static

from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml import library
from tunewiz.printable import printable
from tunewiz.problems import BadPreset
from tunewiz.tui.forms.controls import Box
from tunewiz.tui.screens.kinds import Dialog
from tunewiz.tui.widgets.labels import Words
from tunewiz.tui.widgets.typed import TextLine


class SaveScreen(Dialog[Path]):
    """Asks for a name; dismissed with the file that was written."""

    CSS_PATH = "save.tcss"

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self._preset = preset

    def compose(self) -> ComposeResult:
        """The name, whether to replace, what happened."""
        with Vertical(id="box"):
            yield Words(N_("Save the preset"), classes="title")
            yield Words(N_("A name keeps it with your presets; a path ending in .yaml writes it there. Enter saves."))
            yield TextLine(self._preset.name, compact=True)
            yield Box(translate("Replace a file that is there"), compact=True)
            yield Static(classes="problem")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Write it."""
        event.stop()
        try:
            file = library.save(self._preset, event.value.strip(), overwrite=self.query_one(Checkbox).value)
        except BadPreset as fault:
            told = "\n".join(problem.line() for problem in fault.problems)
            self.query_one(".problem", Static).update(Text(f"✗ {told}"))
            return
        self.app.notify(translate("Saved: {file}").format(file=printable(file)), markup=False)
        self.dismiss(file)
