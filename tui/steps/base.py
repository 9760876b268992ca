"""What a step is. Adding one means adding a file here with a subclass of :class:`Step`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from presets.draft import Draft
from tui.forms.questions import Offer

if TYPE_CHECKING:
    from tui.wizard.view import View


class Step:
    """Part of the wizard: the keys it asks for and how they are shown. It holds no state; the draft does."""

    #: Its file's name.
    name: ClassVar[str]
    #: Steps are asked by rising order.
    order: ClassVar[int]
    #: Its name on the screen, and what is decided here, in a sentence; both marked with ``N_``.
    title: ClassVar[str]
    intro: ClassVar[str]
    #: Keys and sections it owns (dotted). One that is named more precisely elsewhere belongs there.
    keys: ClassVar[tuple[str, ...]] = ()
    #: Those asked when few are, in the order they are asked.
    simple: ClassVar[tuple[str, ...]] = ()
    #: Lessons that belong to it, the first one foremost.
    lessons: ClassVar[tuple[str, ...]] = ()
    #: Others in their place, where a task needs them.
    task_lessons: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: Whether it also takes every key that no step names.
    rest: ClassVar[bool] = False

    def applies(self, draft: Draft) -> bool:
        """Whether the draft's task has any of its keys."""
        return self.rest or any(draft.field(tuple(key.split("."))) for key in self.keys)

    def topics(self, draft: Draft) -> tuple[str, ...]:
        """The lessons for the draft's task."""
        return self.task_lessons.get(str(draft.value(("task",))), self.lessons)

    def offers(self) -> Mapping[str, Offer]:
        """Answers to choose from that are found out elsewhere (tasks, backends, formats), by key."""
        return {}

    def view(self, advanced: bool) -> View:
        """The widget that shows it; by default a form of its questions."""
        from tui.wizard.view import View

        return View(self, advanced)
