"""Ctrl-P: type what you want. Finds what keys do here, fields of presets, presets, runs, lessons and other screens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from rich.align import Align
from rich.text import Text
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.message import Message
from textual.widgets.option_list import Option

from tunewiz.backends.runs.find import all_runs, runs_dir
from tunewiz.backends.runs.process import alive
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.screens import messages
from tunewiz.tui.screens.lesson import lesson, topics


class Found(NamedTuple):
    """Something to go to: how it is called and found, what it is, and how one gets there.

    ``first``: it is offered before anything is typed.
    """

    name: str
    kind: str
    go: Callable[[], Any]
    first: bool = False


class Palette(CommandPalette):
    """Textual's, with its one sentence in the user's language."""

    def _start_no_matches_countdown(self, search_value: str) -> None:
        """Say so when nothing fits; the base has the words in the middle of a function."""
        self._stop_no_matches_countdown()

        def tell() -> None:
            if search_value and self.is_mounted:
                words = Align.center(Text(translate("Nothing is called so.")))
                self.query_one(CommandList).add_option(Option(words, disabled=True, id=self._NO_MATCHES))
                self._list_visible = True

        self._no_matches_timer = self.set_timer(self._NO_MATCHES_COUNTDOWN, tell)


class Everything(Provider):
    """Gathered once a palette is opened, in a thread: the schema of presets takes a moment to import."""

    found: tuple[Found, ...] = ()

    async def startup(self) -> None:
        """Gather what there is."""
        wizard = getattr(getattr(self.screen, "state", None), "draft", None)
        self.found = await asyncio.to_thread(lambda: tuple(self._gather(wizard)))

    def _post(self, message: Message) -> None:
        self.app.post_message(message)

    def _gather(self, draft: Any) -> Iterator[Found]:
        for name, message in _SCREENS:
            yield Found(translate(name), translate(N_("screen")), partial(self._post, message()), first=True)
        for topic in topics():
            go = partial(self._post, messages.LessonWanted(topic))
            yield Found(lesson(topic).title, translate(N_("lesson")), go)
        yield from self._runs()
        yield from self._presets()
        yield from self._fields(draft)

    def _runs(self) -> Iterator[Found]:
        for run in reversed(all_runs(getattr(self.app, "runs", runs_dir()))):
            message = messages.MonitorWanted(run) if alive(run) else messages.ResultWanted(run)
            yield Found(printable(run.name, 80), translate(N_("run")), partial(self._post, message))

    def _presets(self) -> Iterator[Found]:
        from tunewiz.presets.yaml.library import listing

        for entry in listing():
            go = partial(self._post, messages.WizardWanted(entry.path))
            yield Found(printable(entry.name, 80), translate(N_("preset")), go)

    def _fields(self, draft: Any) -> Iterator[Found]:
        """Those of the draft at hand, to go to; else those of every task, to read about."""
        from tunewiz.presets import tasks
        from tunewiz.presets.drafts.draft import Draft
        from tunewiz.tui.forms.questions import Question

        drafts = (
            [draft] if isinstance(draft, Draft) else [Draft().answer(("task",), task) for task in tasks.catalogue()]
        )
        seen: set[str] = set()
        for one in drafts:
            for path in one.paths():
                info = one.field(path)
                key = ".".join(path)
                if info is None or key in seen:
                    continue
                seen.add(key)
                question = Question(path, info)
                go = partial(self._jump, key) if isinstance(draft, Draft) else partial(self._explain, question)
                yield Found(f"{question.title}  {key}", translate(N_("field")), go)

    def _jump(self, key: str) -> None:
        from tunewiz.tui.wizard.step import JumpWanted

        self.screen.post_message(JumpWanted(key))

    def _explain(self, question: Any) -> None:
        from tunewiz.tui.screens.lesson import LessonScreen

        self.app.push_screen(LessonScreen(question, ()))

    async def discover(self) -> Hits:
        """Other screens, before anything is typed."""
        for one in self.found:
            if one.first:
                yield DiscoveryHit(one.name, one.go, help=one.kind)

    async def search(self, query: str) -> Hits:
        """Whatever has what is typed in its name; what has it word by word comes before what has its letters."""
        matcher, words = self.matcher(query), query.lower().split()
        for one in self.found:
            score = matcher.match(one.name)
            if all(word in one.name.lower() for word in words):
                score = max(score, 0.5) + 0.5
            if score > 0:
                yield Hit(score, matcher.highlight(one.name), one.go, help=one.kind)


_SCREENS: tuple[tuple[str, type[Any]], ...] = (
    (N_("New fine-tune"), messages.WizardWanted),
    (N_("Presets"), messages.PresetsWanted),
    (N_("Runs"), messages.RunsWanted),
    (N_("Models"), messages.ModelsWanted),
    (N_("Doctor"), messages.DoctorWanted),
    (N_("All runs and GPUs"), messages.TopWanted),
)
