"""The task: what kind of model is tuned, from which preset it begins, and with which backend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from backends import catalogue as backends
from data.language import N_, translate
from data.printable import printable
from presets import tasks
from presets.draft import Draft
from tui.forms.questions import Choice, Offer
from tui.steps.base import Step

if TYPE_CHECKING:
    from tui.wizard.view import View


class Task(Step):
    """Task, starting point, backend."""

    name = "task"
    order = 10
    title = N_("Task")
    intro = N_("What should the model learn to do? Begin from a preset that works, or choose everything yourself.")
    keys = ("task", "backend", "version")
    simple = ("task",)
    lessons = ("methods", "bi-encoder-and-cross-encoder")

    def offers(self) -> Mapping[str, Offer]:
        """The tasks and the backends that are there."""
        return {"task": _tasks, "backend": _backends}

    def view(self, advanced: bool) -> View:
        """The form, and the presets to begin from."""
        from tui.wizard.task_view import TaskView

        return TaskView(self, advanced)


def _tasks(draft: Draft) -> Sequence[Choice]:
    told = {name: kind.model_fields["task"].description for name, kind in tasks.catalogue().items()}
    return [Choice(name, _meaning(translate(text)) if text else "") for name, text in told.items()]


def _meaning(description: str) -> str:
    """What makes a task itself: the part after the colon, for the question stands above the list already."""
    return re.split(r": |：", description, maxsplit=1)[-1].capitalize()


def _backends(draft: Draft) -> Sequence[Choice]:
    task = str(draft.value(("task",)))
    found = [(name, backends.find(name)) for name in backends.names()]
    return [Choice(name, _told(type(backend))) for name, backend in found if task in backend.tasks]


def _told(kind: type) -> str:
    """What a backend says of itself, where it says something to users."""
    told = getattr(kind, "description", "")
    return printable(translate(told)) if told else ""
