"""From a file to a proposal: the file is asked for and looked at, then task, model and settings are proposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tunewiz.data.reading.source import SAMPLE_PREFIX, samples
from tunewiz.data.rows.examples import ROLES
from tunewiz.language import N_, translate
from tunewiz.presets import tasks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.families import Weights, lookup
from tunewiz.printable import printable
from tunewiz.problems import errors, say
from tunewiz.tui.forms.controls import Answered, BrowseWanted, Cleared
from tunewiz.tui.forms.entry import Entry
from tunewiz.tui.forms.questions import Question, questions
from tunewiz.tui.screens.browse import BrowseScreen, data_files
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.screens.lesson import LessonScreen
from tunewiz.tui.widgets.labels import KeyHints, TitleBar, Words
from tunewiz.tui.wizard import findings
from tunewiz.tui.wizard.background import Background, Discovered
from tunewiz.tui.wizard.frame import memory_line
from tunewiz.tui.wizard.keeping import recent
from tunewiz.tui.wizard.machine import time_line
from tunewiz.tui.wizard.step import State

_DATA: Final = ("data", "train")
#: So many files are listed to take one.
_LISTED: Final = 12
#: Why a task may be the one that is meant; the others need more than a file to decide on.
_TASKS: Final = {
    "embedding": N_("search: find the right text for a question"),
    "reranker": N_("search, second stage: put the right text first"),
    "llm": N_("chat and classify: write the answer itself"),
}


class BeginScreen(FullScreen):
    """Asks for nothing but the file; one key goes on to the review with all that is proposed."""

    CSS_PATH = Path(__file__).parent.parent / "screens" / "begin.tcss"
    HELP_TEXT = N_(
        "Name the file to learn from, or take one of the list. It is looked through, and task, model and settings are "
        "proposed for it, each with a reason. Enter takes the proposal to the review, where everything can be changed."
    )
    MAIN = ("review", "browse")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "review", N_("Review"), priority=True),
        Binding("down", "into_list", show=False),
        Binding("ctrl+o", "browse", N_("Browse")),
        Binding("f1,question_mark", "help_here", N_("Help"), key_display="F1"),
        Binding("q", "nothing", show=False),
    ]

    @dataclass
    class Proposed(Message):
        """The user takes what ``state`` proposes; the wizard goes on with it."""

        state: State

    def __init__(self, example: bool = False) -> None:
        """``example``: list the samples, not files."""
        super().__init__()
        self._example = example
        self.state = State(Draft(folder=str(Path.cwd()))).settled()
        self._background = Background(self)
        self._found_files: Sequence[str] = ()
        self._files: Sequence[str] = ()
        self._tasks: list[str] = []
        self._wanted = False

    def compose(self) -> ComposeResult:
        """The path, files to take, what was found, the tasks, the proposal."""
        asked = next(one for one in questions(self.state.draft, [_DATA], {}) if isinstance(one, Question))
        yield TitleBar(N_("A ready-made example") if self._example else N_("Fine-tune on my file"))
        with VerticalScroll(id="begin", can_focus=False):
            yield Words(
                N_("Take an example with Enter: it comes with Tunewiz, nothing is downloaded.")
                if self._example
                else N_("Which file should it learn from? Type or paste its path, or take one below."),
                id="ask",
            )
            yield Entry(asked, self.state.draft)
            yield OptionList(id="files", compact=True)
            yield Static(id="found")
            yield Words(N_("What should the model learn to do with it?"), id="tasks-title")
            yield OptionList(id="tasks", compact=True)
            yield Static(id="proposal")
        yield KeyHints()

    def on_mount(self) -> None:
        """Offer files, and find out about the machine."""
        self.query_one(Entry).display = not self._example
        self._list()
        self._show()
        self._background.look_at_machine()
        (self.query_one("#files") if self._example else self.query_one(Input)).focus()

    def on_unmount(self) -> None:
        """Nobody waits any more."""
        self._background.stop()

    def _list(self) -> None:
        own = [] if self._example else list(dict.fromkeys([*recent(), *map(str, data_files(Path.cwd()))]))
        made = [SAMPLE_PREFIX + name for name in samples()] if self._example or not own else []
        self._found_files = [*own, *made]
        self._offer(self._found_files[:_LISTED])

    def _offer(self, files: Sequence[str]) -> None:
        """List ``files`` to take one."""
        if files == self._files:
            return
        self._files = files
        here = str(Path.cwd()) + "/"
        listed = self.query_one("#files", OptionList)
        listed.set_options([Option(Text(printable(path.removeprefix(here)))) for path in files])
        listed.highlighted = 0 if files else None

    def _meant(self) -> Sequence[str]:
        """The files that what is typed may mean, while it names none of them: those whose names hold it."""
        read = self.state.current is not None and self.state.current.inspection.source is not None
        return () if read else like(str(self.state.draft.value(_DATA) or ""), self._found_files)

    # ---- what is answered

    async def on_answered(self, event: Answered) -> None:
        """A path is typed."""
        event.stop()
        self._change(self.state.draft.answer(event.path, event.value))

    async def on_cleared(self, event: Cleared) -> None:
        """No path."""
        event.stop()
        self._change(self.state.draft.forget(event.path))

    def on_browse_wanted(self, event: BrowseWanted) -> None:
        """Look for a file."""
        event.stop()
        self.action_browse()

    def action_browse(self) -> None:
        """Choose a file among those on this machine."""

        def take(chosen: Path | None) -> None:
            if chosen is not None:
                self.call_later(self._take, str(chosen))

        self.app.push_screen(BrowseScreen(Path(self.state.draft.folder)), take)

    def _take(self, path: str) -> None:
        self._change(self.state.draft.answer(_DATA, path))
        if self._tasks:
            self.query_one("#tasks").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the tasks once they are there, with no path to the files below, or takes the one meant."""
        event.stop()
        meant = self._meant() if event.value.strip() else ()
        if meant:
            self._take(meant[0])
            return
        for name in ("#tasks", "#files"):
            if self.query_one(name).display and (name == "#tasks" or self._files):
                self.query_one(name).focus()
                return

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A file is taken, or the proposal for a task."""
        event.stop()
        if event.option_list.id == "files":
            self._take(self._files[event.option_index])
        else:
            self._choose(event.option_index)
            self.action_review()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The proposal follows the cursor among the tasks."""
        event.stop()
        if event.option_list.id == "tasks" and event.option_list.has_focus:
            self._choose(event.option_index)

    def _choose(self, number: int) -> None:
        task = self._tasks[number] if number < len(self._tasks) else ""
        if task and task != self._chosen_task():
            self._change(self.state.draft.answer(("task",), task))

    def _chosen_task(self) -> str:
        """The task that was chosen or is proposed; empty while neither."""
        draft = self.state.draft
        said = draft.is_answered(("task",)) or "task" in draft.suggested
        return str(draft.value(("task",))) if said else ""

    def on_discovered(self, event: Discovered) -> None:
        """Something was found out in the background."""
        self._become(event.into(self.state))

    def _change(self, draft: Draft) -> None:
        named = draft.value(_DATA) != self.state.draft.value(_DATA)
        self._wanted = self._wanted and not named
        self._become(replace(self.state, draft=draft.forget(("task",)) if named else draft))

    def _become(self, state: State) -> None:
        self.state = state.settled()
        self._show()
        self._background.follow(self.state)
        if self._wanted and self.state.current is not None:
            self.action_review()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing to review before the file was looked at, and nothing to browse among examples."""
        if action == "browse":
            return not self._example
        return self.state.current is not None if action == "review" else True

    def action_into_list(self) -> None:
        """Down from the path goes to what can be taken below it."""
        shown = [one for one in self.query(OptionList) if one.display and not one.has_focus]
        if shown:
            shown[0].focus()

    def action_review(self) -> None:
        """Go on with what is proposed."""
        if self.state.current is None:
            waiting = self._wanted = self.state.asked is not None  # gone on with as soon as it is over
            told = N_("The file is still being looked through.") if waiting else N_("Name a file first.")
            self.notify(translate(told), severity="information" if waiting else "warning")
            return
        self._wanted = False
        self.post_message(self.Proposed(self.state))

    # ---- what is shown

    def _show(self) -> None:
        self.query_one(Entry).show(self.state.draft)
        state, colours = self.state, self.app.theme_variables
        named, found = bool(state.draft.value(_DATA)), state.current
        meant = self._meant() if named else self._found_files[:_LISTED]
        self._offer(meant)
        self.query_one("#files").display = bool(meant)
        self.query_one("#found", Static).update(Text("\n").join(_found(state, colours)))
        self.query_one("#found").display = named and not meant
        # While the same file is looked through again for another task, what is shown keeps its place and the cursor.
        known, asked = found or state.inspected, state.asked
        same = known is not None and asked is not None and known.asked.train == asked.train
        ready = known is not None and same and known.inspection.source is not None
        arrived = ready and not self.query_one("#tasks").display
        for name in ("#tasks", "#tasks-title", "#proposal"):
            self.query_one(name).display = ready
        if ready:
            self._list_tasks()
            # What is proposed before the file was looked at for the task is not what will be.
            lines = [_next(state, colours["error"])] if found is not None else []
            if self._chosen_task() and found is not None:
                lines += [_told(label, value, why, colours["dim"]) for label, value, why in proposal(state)]
                lines += _needs(state)
            self.query_one("#proposal", Static).update(Text("\n").join(lines))
        if arrived:
            self.query_one("#tasks").focus()
        self.refresh_bindings()

    def _list_tasks(self) -> None:
        chosen = self._chosen_task()
        listed, why = self.query_one("#tasks", OptionList), self.state.reasons().get("task", "")
        self._tasks = [name for name in tasks.catalogue() if name in _TASKS]
        options = [_task_told(name, name == chosen, why) for name in self._tasks]
        if listed.option_count != len(options):
            listed.set_options([Option(text) for text in options])
        else:
            for number, text in enumerate(options):
                listed.replace_option_prompt_at_index(number, text)
        if listed.highlighted is None or (chosen in self._tasks and not listed.has_focus):
            with listed.prevent(OptionList.OptionHighlighted):
                listed.highlighted = self._tasks.index(chosen) if chosen in self._tasks else 0

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self._show()

    def action_help_here(self) -> None:
        """How data gets here, and what the task is."""
        self.app.push_screen(LessonScreen(self.query_one(Entry).question, ("methods",)))

    def action_nothing(self) -> None:
        """A letter that misses its field must not close the app."""


def like(typed: str, files: Sequence[str]) -> Sequence[str]:
    """Those of ``files`` that a part of a name may mean; none where it names one of them, or is a path.

    >>> like("faq", ["/data/My-FAQ.csv", "/data/other.csv"]), like("other.csv", ["/data/other.csv"])
    (['/data/My-FAQ.csv'], [])
    """
    if "/" in typed or any(typed in (path, Path(path).name) for path in files):
        return []
    return [path for path in files if typed.casefold() in Path(path).name.casefold()][:_LISTED]


def _found(state: State, colours: Mapping[str, str]) -> Iterator[Text]:
    if state.draft.value(_DATA):
        yield Text("  " + printable(state.draft.value(_DATA)), style="bold")
    yield findings.state_line(state, colours)
    if state.current is not None:
        yield from findings.worst(state.current, colours, most=3)


def _task_told(name: str, chosen: bool, why: str) -> Text:
    text = Text(f"{'●' if chosen else '○'} {name}  ", style="bold" if chosen else "")
    text.append(translate(_TASKS[name]), style="not bold")
    return text.append(f"  {why}" if chosen and why else "", style="not bold dim")


def proposal(state: State) -> Iterator[tuple[str, str, str]]:
    """What is proposed, as it is called on the screen, with the reason."""
    draft, reasons = state.draft, state.reasons()
    columns = draft.value(("data", "columns"))
    if columns:
        roles = sorted(columns.items(), key=lambda item: list(ROLES).index(item[0]) if item[0] in ROLES else 99)
        told = translate(", ").join(f"{findings.role_name(role)} ← {name}" for role, name in roles)
        yield translate("Columns"), told, reasons.get("data.columns", "")
    model = str(draft.value(("model", "id")) or "")
    known = lookup(model)
    size = say("{size} weights", size=Weights("", count=known.size.parameters)).text() if known else ""
    yield (
        translate("Model"),
        f"{model}  {size}".strip() or translate("still to be chosen"),
        reasons.get("model.id", "") or ("" if model else _no_model(state)),
    )
    for key in ("method.type", "training.epochs"):
        path = tuple(key.split("."))
        info, value = draft.field(path), draft.value(path)
        if info is not None and value is not None:
            told = translate("by the run") if path in draft.left_open else printable(value)
            yield translate(info.title or path[-1]), told, reasons.get(key, "")


def _no_model(state: State) -> str:
    machine = state.machine
    if machine is None or machine.hubs is None:
        return translate("Asking whether a hub answers …")
    return translate("No model for it is on this machine and no hub can be reached: choose a folder at the review.")


def _needs(state: State) -> Iterator[Text]:
    paces = state.machine.paces if state.machine else ()
    yield Text("".join(part for part, _ in memory_line(state)))
    yield Text("".join(part for part, _ in time_line(state.draft, state.facts.rows, paces)))


def _next(state: State, wrong_style: str) -> Text:
    """What Enter does, or what is still in its way."""
    wrong = errors(state.problems)
    if wrong:
        told = say("{count} things are still missing or wrong; the review leads to them.", count=len(wrong))
        return Text(f"✗ {told.text()}", style=wrong_style)
    return Text("→ " + translate("Enter goes to the review; nothing starts yet."), style="bold")


def _told(label: str, value: str, why: str, dim: str) -> Text:
    text = Text(label + translate(": "), style="bold").append(printable(value, 200), style="not bold")
    return text.append(f"  {why}" if why else "", style=f"not bold {dim}")
