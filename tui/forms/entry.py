"""A line to type into: text, numbers, lists, mappings, and paths, completed from the folder that is typed."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Paste
from textual.suggester import Suggester, SuggestFromList
from textual.widgets import Input

from tunewiz.data.folders.hub_ids import on_hub
from tunewiz.data.reading.source import SAMPLE_PREFIX, samples
from tunewiz.language import N_
from tunewiz.presets.drafts.draft import Draft
from tunewiz.problems import say
from tunewiz.tui.forms.controls import Answered, BrowseWanted, Cleared, Control
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.widgets.typed import TextLine

# Typing paths: completion from the folder that is typed.


_MOST: Final = 2000  # entries of a folder that are looked at


class PathSuggester(Suggester):
    """Completes the last part of a path, or the name of a sample; relative paths begin at ``folder``."""

    def __init__(self, folder: str) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder = folder

    async def get_suggestion(self, value: str) -> str | None:
        """The first completion; folders are read in a thread, for they may be far away."""
        return await asyncio.to_thread(complete, value, self._folder)

    async def is_there(self, value: str) -> bool:
        """Whether something of that name is there, or it names no file at all (a sample, a hub's dataset)."""
        if value.startswith(SAMPLE_PREFIX):
            return value.removeprefix(SAMPLE_PREFIX) in samples()
        return not value or on_hub(value) or await asyncio.to_thread(_exists, value, self._folder)


def _exists(path: str, folder: str) -> bool:
    try:
        return (Path(folder or ".") / Path(path).expanduser()).exists()
    except (OSError, ValueError, RuntimeError):
        return False


def complete(typed: str, folder: str) -> str | None:
    """``typed`` completed by the first entry that begins so, with a slash after a folder; ``None`` if there is none."""
    if not typed:
        return None
    for name in (SAMPLE_PREFIX + sample for sample in samples()):
        if name.startswith(typed) and name != typed:
            return name
    head, slash, begun = typed.rpartition("/")
    try:
        place = Path(folder or ".") / Path(head + slash).expanduser()
        found = sorted(name for name in _names(place) if name.startswith(begun) and (begun or not name.startswith(".")))
    except (OSError, ValueError, RuntimeError):
        return None
    completed = head + slash + found[0] if found else None
    return completed if completed != typed else None


def _names(place: Path) -> list[str]:
    names = []
    with os.scandir(place) as entries:
        for entry in entries:
            names.append(entry.name + ("/" if entry.is_dir() else ""))
            if len(names) >= _MOST:
                break
    return names


class PathLine(TextLine):
    """Takes what is dropped or pasted as the path that it means; Enter completes what is no path yet."""

    def _on_paste(self, event: Paste) -> None:
        event.text = pasted_path(event.text)
        if event.text.startswith("/"):
            self.clear()  # a whole path stands alone; Input's own handler, called next, puts it in

    async def action_submit(self) -> None:
        """Take the completion that is shown, unless there is a file of the name that is typed."""
        typed, suggester = self.value, self.suggester
        if isinstance(suggester, PathSuggester) and self.cursor_at_end and not await suggester.is_there(typed):
            completed = await suggester.get_suggestion(typed)
            if completed and self.value == typed:
                self.value = completed
                self.action_end()
                return
        await super().action_submit()


def pasted_path(text: str) -> str:
    r"""The path that ``text`` means as it is dropped by terminals and copied from file managers.

    >>> pasted_path("'/data/a b.csv' "), pasted_path("file:///data/a%20b.csv"), pasted_path(r"/data/a\ b.csv")
    ('/data/a b.csv', '/data/a b.csv', '/data/a b.csv')
    """
    shown = text.strip().splitlines()[0].strip() if text.strip() else ""
    if len(shown) > 1 and shown[0] == shown[-1] and shown[0] in "'\"":
        shown = shown[1:-1]
    if shown.startswith("file://"):
        return unquote(urlsplit(shown).path)
    unescaped = re.sub(r"\\([ ()&'\[\]])", r"\1", shown)
    return shown if unescaped == shown or Path(shown).exists() else unescaped


# A line to type into: text, numbers, lists, mappings.


class Entry(Control):
    """An input; what would stand there without an answer is shown dimly when it is empty.

    While it has the focus its text is the user's: a draft that comes back late, with what stood there some keys ago,
    changes nothing. What was chosen elsewhere, as in the file browser, does.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+o", "browse", N_("Browse"))]

    def __init__(self, question: Question, draft: Draft) -> None:
        super().__init__(question, draft)
        #: What the draft was last seen to hold, and what was typed since: all of it may come back yet.
        self._on_the_way = [self._held()]

    @classmethod
    def suits(cls, question: Question) -> bool:  # noqa: ARG003
        """Any field can be typed."""
        return True

    def compose(self) -> ComposeResult:
        """The input, completing paths, or the field's examples."""
        kind = PathLine if self.question.is_path else TextLine
        yield kind(
            self._text(),
            placeholder=self._placeholder(),
            suggester=self._suggester(),
            select_on_focus=False,
            compact=True,
        )

    def _suggester(self) -> Suggester | None:
        if self.question.is_path:
            return PathSuggester(self.draft.folder)
        examples = [self.question.write(example) for example in self.question.info.examples or ()]
        return SuggestFromList(examples, case_sensitive=False) if examples else None

    def action_browse(self) -> None:
        """Choose a file where one is asked for."""
        self.post_message(BrowseWanted(self.question.path))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only paths can be browsed for."""
        return self.question.is_path if action == "browse" else True

    def show(self, draft: Draft) -> None:
        """Show the draft's value, unless what is typed already means it."""
        self.draft = draft
        entry = self.query_one(Input)
        entry.placeholder = self._placeholder()
        held = self._held()
        if held != self._meant(entry.value):
            if entry.has_focus and held in self._on_the_way:
                return
            self._write(entry)
        self._on_the_way = [held]

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Write what was typed the way it is written everywhere, now that nobody types."""
        if self._meant(event.input.value) == self._held():
            self._write(event.input)

    def _write(self, entry: Input) -> None:
        with entry.prevent(Input.Changed):
            entry.value = self._text()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Post what is typed, on every key, so that what does not fit is told at once."""
        event.stop()
        answered, value = meant = self._meant(event.value)
        if meant == self._held() == self._on_the_way[-1]:
            return
        self._on_the_way.append(meant)
        self.post_message(Answered(self.question.path, value) if answered else Cleared(self.question.path))

    def _meant(self, text: str) -> tuple[bool, object]:
        """Whether ``text`` is an answer, and which."""
        return (True, self.question.read(text)) if text.strip() else (False, None)

    def _held(self) -> tuple[bool, object]:
        """Whether the draft has an answer, and which."""
        return (True, self.value) if self.draft.is_answered(self.question.path) else (False, None)

    def _text(self) -> str:
        return self.question.write(self._held()[1])

    def _placeholder(self) -> str:
        given = self.draft.default(self.question.path)
        default = self.question.write(given) if given != "" else ""  # nothing, where a preset writes two quotes
        examples = self.question.info.examples or ()
        if default or not self.question.info.is_required() or not examples:
            return default
        return say("for example {example}", example=self.question.write(examples[0])).text()
