"""Training rows as the model reads them, on the screen once somebody looks."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from backends.reading import Reading
from data.language import translate
from presets.preset import Preset
from tui import reading
from tui.wizard.errand import ErrandFailed, GivenUp


class RowsRead(Static):
    """What the model of a preset reads; empty until :meth:`look`."""

    _asked: Preset | None = None

    @dataclass
    class Read(Message):
        """Rows of ``preset``, or why there are none."""

        preset: Preset
        found: Reading | str

    def look(self, preset: Preset) -> None:
        """Read rows of ``preset`` in the background, unless that is what was done last."""
        if preset == self._asked:
            return
        self._asked = preset
        self.update(Text(translate("Reading rows with the model's own tokenizer …"), style="italic"))

        def work() -> None:
            worker = get_current_worker()
            try:
                found: Reading | str = reading.ask(preset, unwanted=lambda: worker.is_cancelled) or ""
            except GivenUp:
                return
            except ErrandFailed as fault:
                found = "\n".join(problem.line() for problem in fault.problems)
            self.post_message(self.Read(preset, found))

        self.run_worker(work, thread=True, exclusive=True, group="rows", exit_on_error=False)

    def on_rows_read_read(self, event: Read) -> None:
        """Show them, unless the preset is another by now."""
        event.stop()
        if event.preset == self._asked:
            colours, found = self.app.theme_variables, event.found
            told = Text(found, style=colours["error"]) if isinstance(found, str) else reading.drawn(found, colours)
            self.update(told)
