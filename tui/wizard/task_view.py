"""The task on the screen: the tasks, and the presets to begin from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from textual import work
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from data.language import N_, translate
from data.printable import printable
from data.problems import BadPreset
from presets import library
from presets.families import lookup
from presets.preset import Preset
from tui.widgets.words import Words
from tui.wizard.messages import Edited
from tui.wizard.state import State
from tui.wizard.view import View

Shelf = Sequence[tuple[str, Preset]]


class TaskView(View):
    """Choosing a preset fills in everything it says; data that was named before stays."""

    _chosen = ""
    _shelf: Shelf = ()

    @dataclass
    class Read(Message):
        """The presets are read."""

        shelf: Shelf

    def below(self) -> Iterable[Widget]:
        """The presets of the task."""
        yield Words(N_("Begin from a preset (optional)"), classes="view--title")
        yield OptionList(id="shelf", compact=True)

    def on_mount(self) -> None:
        """Read the presets."""
        self._read()

    async def show(self, state: State) -> None:
        """Show the presets of the task."""
        await super().show(state)
        task = str(state.draft.value(("task",)) or "")
        if task != self._chosen:
            self._chosen = task
            self._list()

    @work(thread=True, exclusive=True, exit_on_error=False, group="shelf")
    def _read(self) -> None:
        """Load every preset; one that cannot be read is left out: `tunewiz presets` tells why."""
        shelf = []
        for entry in library.listing():
            try:
                shelf.append((entry.name, library.load(entry.path)))
            except BadPreset:
                continue
            if get_current_worker().is_cancelled:
                return
        self.post_message(self.Read(shelf))

    def on_task_view_read(self, event: Read) -> None:
        """List them."""
        event.stop()
        self._shelf = event.shelf
        self._list()

    def _list(self) -> None:
        options = self.query_one("#shelf", OptionList)
        options.clear_options()
        options.add_options([Option(_card(name, preset)) for name, preset in self._here()])
        options.highlighted = None

    def _here(self) -> list[tuple[str, Preset]]:
        return [(name, preset) for name, preset in self._shelf if preset.task == self._chosen]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Begin from the preset."""
        event.stop()
        name, preset = self._here()[event.option_index]
        self.post_message(Edited(lambda draft: draft.begin(preset)))
        told = translate("Begun from {name}. Go on with Ctrl-N; every value can still be changed.")
        self.app.notify(told.format(name=printable(name)), markup=False)


def _card(name: str, preset: Preset) -> Group:
    known = lookup(preset.model.id)
    family = known.family if known else None
    method = getattr(getattr(preset, "method", None), "type", "")
    parts = [printable(preset.model.id), method, ", ".join(family.languages) if family else ""]
    told = Text(" · ".join(part for part in parts if part), style="dim")
    return Group(Text(printable(name)), Padding(told, (0, 0, 0, 2)))
