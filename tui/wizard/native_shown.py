"""The native configuration that a preset stands for, and the command that does the same without the screen."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual.message import Message
from textual.widgets import Static

from backends.catalogue import find
from data.language import translate
from data.problems import BadPreset
from presets.preset import Preset


class NativeShown(Static):
    """Asks the backend in a thread: it looks at the machine."""

    @dataclass
    class Found(Message):
        """The native configuration of ``preset``."""

        preset: Preset
        text: str

    def stand_for(self, preset: Preset) -> None:
        """Show what ``preset`` stands for, once it is known."""

        def work() -> None:
            try:
                text = find(preset.backend).native(preset)
            except BadPreset as fault:
                text = "\n".join(problem.line() for problem in fault.problems)
            self.post_message(self.Found(preset, text))

        self.run_worker(work, thread=True, exclusive=True, group="native", exit_on_error=False)

    def on_native_shown_found(self, event: Found) -> None:
        """Show the command and the configuration."""
        event.stop()
        command = translate("The same without this screen: {command}")
        name = f"{event.preset.name}.yaml"
        text = Text(command.format(command=f"tunewiz run {name}"), style="bold")
        self.update(text.append(f"\n\n{event.text}", style="not bold"))
