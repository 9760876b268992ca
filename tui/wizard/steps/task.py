"""The task: what kind of model is tuned, from which preset it begins, and with which backend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from textual import work
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from tunewiz.backends import engines as backends
from tunewiz.language import N_, translate
from tunewiz.presets import tasks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.families import lookup
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml import library
from tunewiz.printable import printable
from tunewiz.problems import BadPreset
from tunewiz.tui.forms.questions import Choice, Offer
from tunewiz.tui.widgets.labels import Words
from tunewiz.tui.wizard.step import Edited, State, Step, View

# The task: what kind of model is tuned, from which preset it begins, and with which backend.


_LESSONS = ("methods", "bi-encoder-and-cross-encoder", "from-data-to-deployment", "pre-training-to-alignment")


class TaskStep(Step):
    """Task, starting point, backend."""

    name = "task"
    order = 10
    title = N_("Task")
    intro = N_("What should the model learn to do? Begin from a preset that works, or choose everything yourself.")
    keys = ("task", "backend", "version")
    simple = ("task",)
    lessons = _LESSONS
    task_lessons = {kind: (_LESSONS[0], f"tutorial-{kind}", *_LESSONS[1:]) for kind in ("embedding", "reranker", "llm")}

    def offers(self) -> Mapping[str, Offer]:
        """The tasks and the backends that are there."""
        return {"task": _tasks, "backend": _backends}

    def view(self, advanced: bool) -> View:
        """The form, and the presets to begin from."""
        return TaskView(self, advanced)


def _tasks(draft: Draft) -> Sequence[Choice]:
    told = {name: kind.model_fields["task"].description for name, kind in tasks.catalogue().items()}
    return [Choice(name, _meaning(translate(text)) if text else "") for name, text in told.items()]


def _meaning(description: str) -> str:
    """What makes a task itself: the part after the colon, for the question stands above the list already."""
    return re.split(r": |：", description, maxsplit=1)[-1].capitalize()


def _backends(draft: Draft) -> Sequence[Choice]:
    task = str(draft.value(("task",)))
    found = [(name, backends.find_engine(name)) for name in backends.names()]
    return [Choice(name, _told(type(backend))) for name, backend in found if task in backend.tasks]


def _told(kind: type) -> str:
    """What a backend says of itself, where it says something to users."""
    told = getattr(kind, "description", "")
    return printable(translate(told)) if told else ""


@lru_cache(maxsize=512)
def _opened(path: Path, changed: int) -> Preset:
    """The preset in a file, read again once it ``changed``: all take half a second, at each visit."""
    return library.load(path)


# The task on the screen: the tasks, and the presets to begin from.


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
                shelf.append((entry.name, _opened(entry.path, entry.path.stat().st_mtime_ns)))
            except (BadPreset, OSError):
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
