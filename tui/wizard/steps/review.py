"""The review: the preset to read and edit, its problems, what it stands for, what the model reads, and the start."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Checkbox, OptionList, Static, TabbedContent, TabPane, Tabs, TextArea
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from tunewiz.backends.engines import find_engine
from tunewiz.backends.evaluate.lengths import Reading
from tunewiz.backends.training.batch_sizes import settled
from tunewiz.errand import ErrandFailed, GivenUp
from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml import opening, writing
from tunewiz.printable import operand
from tunewiz.problems import BadPreset, Problem, errors, say
from tunewiz.tui import encoded_rows
from tunewiz.tui.encoded_rows import can_be_read
from tunewiz.tui.forms.controls import Box
from tunewiz.tui.forms.form import Form
from tunewiz.tui.terminal.characters import original_environment
from tunewiz.tui.terminal.patches import let_tabs_go
from tunewiz.tui.widgets.typed import TextBox
from tunewiz.tui.wizard.background import QUIET
from tunewiz.tui.wizard.pace import measure
from tunewiz.tui.wizard.step import Edited, JumpWanted, LaunchWanted, SaveWanted, State, Step, Unfinished, View
from tunewiz.tui.wizard.summary import summary

# The review: the preset as it will be saved, what it needs, and the start.


class ReviewStep(Step):
    """Everything at once, then start."""

    name = "review"
    order = 70
    title = N_("Review")
    intro = N_("This is what will happen. Start it, change it, or save it as a preset.")
    keys = ("name", "description", "sweep", "sweep_trials")
    simple = ("name",)
    lessons = ("loss-curve", "metrics", "reading-before-after")

    def view(self, advanced: bool) -> View:
        """The YAML, the native configuration, the estimates and all problems."""
        return ReviewView(self, advanced)


# The user's own editor.


def edit_text(text: str) -> str | None:
    """``text`` after the user's editor (``$VISUAL``, ``$EDITOR``, else vi) was closed; ``None`` if it could not run."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", suffix=".yaml", encoding="utf-8", delete=False) as file:
        file.write(text)
    path = Path(file.name)
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], env=original_environment(), check=False)
        return path.read_text(encoding="utf-8", errors="replace") if done.returncode == 0 else None
    except (OSError, ValueError):  # no such program, or quotes that do not end
        return None
    finally:
        path.unlink(missing_ok=True)


# The native configuration that a preset stands for, and the command that does the same without the screen.


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
                text = find_engine(preset.backend).shown(settled(preset).preset)
            except BadPreset as fault:
                text = "\n".join(problem.line() for problem in fault.problems)
            self.post_message(self.Found(preset, text))

        self.run_worker(work, thread=True, exclusive=True, group="native", exit_on_error=False)

    def on_native_shown_found(self, event: Found) -> None:
        """Show the command and the configuration."""
        event.stop()
        command = translate("The same without this screen: {command}")
        name = f"{event.preset.name}.yaml"
        text = Text(command.format(command=f"tunewiz run {operand(name)}"), style="bold")
        self.update(text.append(f"\n\n{event.text}", style="not bold"))


# Training rows as the model reads them, on the screen once somebody looks.


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
                found: Reading | str = encoded_rows.ask(preset, unwanted=lambda: worker.is_cancelled) or ""
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
            told = Text(found, style=colours["error"]) if isinstance(found, str) else encoded_rows.drawn(found, colours)
            self.update(told)


# The review on the screen: the preset to read and edit, its problems, what it stands for, and the start.


@dataclass(frozen=True)
class Read:
    """What the text in the editor means: a preset, or what is wrong with it."""

    text: str
    preset: Preset | None
    problems: Sequence[Problem]


class ReviewView(View):
    """The text is the preset: what is typed there is taken over as soon as it is one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f9", "edit", N_("Editor")),
        Binding("ctrl+t", "next_tab", N_("Tab"), priority=True),
        Binding("f4", "measure", N_("Measure time"), priority=True),
    ]

    _state: State | None = None
    _shown: Preset | None = None
    _timer: Timer | None = None
    _pace: tuple[Preset, float] | None = None
    _measuring: Preset | None = None

    @dataclass
    class Measured(Message):
        """Seconds a step of ``preset`` takes here, or why they cannot be told."""

        preset: Preset
        found: float | str

    @dataclass
    class Checked(Message):
        """The text was read."""

        read: Read

    def compose(self) -> ComposeResult:
        """What will happen comes first, the preset behind it."""
        yield from self.below()

    def focus_first(self) -> None:
        """Begin where Enter starts the run."""
        start = self.query_one("#start", Button)
        (self.query_one(Tabs) if start.disabled else start).focus(scroll_visible=False)

    def below(self) -> Iterable[Widget]:
        """Buttons, then the preset, the problems and the native configuration as tabs."""
        with Horizontal(id="buttons"):
            yield Button(_labelled(N_("Start"), "F5"), id="start", variant="primary", compact=True)
            yield Button(_labelled(N_("Save preset"), "F8"), id="save", compact=True)
            yield Button(_labelled(N_("Open in editor"), "F9"), id="edit", compact=True)
        let_tabs_go()
        with TabbedContent(id="tabs"):
            with TabPane(translate("What will happen"), id="tab-summary"):
                yield Static(id="summary")
                yield Form(roomy=False)
            with TabPane(translate("Preset"), id="tab-preset"):
                yield Box(translate("every key, with its explanation"), id="every", compact=True)
                yield TextBox("", language=None, show_line_numbers=True, id="yaml", compact=True)
            with TabPane(translate("Problems"), id="tab-problems"):
                yield OptionList(id="problems", compact=True)
            with TabPane(translate("What it stands for"), id="tab-native"):
                yield NativeShown(id="native")
            with TabPane(translate("What the model reads"), id="tab-rows"):
                yield RowsRead(id="rows")

    async def show(self, state: State) -> None:
        """Show the preset as it would be saved, unless it is being typed, with all problems."""
        await super().show(state)
        self._state = state
        preset = state.draft.checked()[0]
        if state.unfinished:
            self._resume(state.unfinished, preset)
        elif preset != self._shown:
            self._shown = preset
            self._write(preset)
        colours = self.app.theme_variables
        measuring = preset is not None and self._measuring == preset
        self.query_one("#summary", Static).update(summary(state, self._pace_of(preset), colours, measuring))
        self._list()
        self._offer_rows(preset)
        self.query_one("#start", Button).disabled = bool(errors(state.problems))

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """Every key, or what differs from the defaults; a text that is no preset yet stays as it is."""
        event.stop()
        if self._state and not self._state.unfinished:
            self._write(self._shown)

    def _pace_of(self, preset: Preset | None) -> float | None:
        """Seconds a step, if they were measured for ``preset``."""
        return self._pace[1] if preset is not None and self._pace and self._pace[0] == preset else None

    def action_measure(self) -> None:
        """Train a few steps on the side, for the time that a step takes here."""
        preset = self._shown
        if preset is None or self._state is None or errors(self._state.problems):
            self.app.notify(translate("It can be measured once nothing is missing or wrong (F7)."), severity="warning")
            return
        self.app.notify(translate("A few steps are trained on the side; you can go on meanwhile."))
        self._measuring = preset
        self.call_later(self.show, self._state)

        def work() -> None:
            worker = get_current_worker()
            found = measure(preset, lambda: worker.is_cancelled)
            self.post_message(self.Measured(preset, found))

        self.run_worker(work, thread=True, exclusive=True, group="pace", exit_on_error=False)

    def on_review_view_measured(self, event: Measured) -> None:
        """Show how long it will take."""
        event.stop()
        if self._measuring == event.preset:
            self._measuring = None
        if isinstance(event.found, float):
            self._pace = (event.preset, event.found)
        if self._state:
            self.call_later(self.show, self._state)
        if not isinstance(event.found, float):
            told = say("The time cannot be measured: {reason}", reason=event.found)
            self.app.notify(told.text(), severity="warning", markup=False)

    def _write(self, preset: Preset | None) -> None:
        area = self.query_one("#yaml", TextArea)
        if preset is None:
            told = translate("# The preset stands here once nothing is missing or wrong: see the tab Problems.")
            text = f"{told}\n"
        else:
            text = writing.dumps(preset, brief=not self.query_one("#every", Checkbox).value)
            self.query_one(NativeShown).stand_for(preset)
        if area.text != text:
            cursor = area.cursor_location
            with area.prevent(TextArea.Changed):
                area.load_text(text)
            area.move_cursor(cursor)
        area.read_only = preset is None
        area.remove_class("-wrong")

    def _resume(self, text: str, preset: Preset | None) -> None:
        """Go on with a text that was left unfinished, if nothing stands in the editor yet."""
        area = self.query_one("#yaml", TextArea)
        if not area.text:
            self._shown = preset
            area.load_text(text)

    def _all(self) -> list[Problem]:
        return list(self._state.problems) if self._state else []

    def _list(self) -> None:
        found, options = self._all(), self.query_one("#problems", OptionList)
        options.clear_options()
        options.add_options([Option(_told(problem, self.app.theme_variables)) for problem in found])
        if not found:
            options.add_option(Option(Text(translate("There is no problem.")), disabled=True))
        wrong = len(errors(found))
        label = translate("Problems") + (f" ✗{wrong}" if wrong else f" ({len(found)})" if found else "")
        self.query_one("#tabs", TabbedContent).get_tab("tab-problems").label = label

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go to the field of a problem, or to its line in the text."""
        event.stop()
        problem = self._all()[event.option_index]
        if self._state and self._state.unfinished:
            self.show_problem(problem)
        elif problem.where.key:
            self.post_message(JumpWanted(problem.where.key))

    def show_problem(self, problem: Problem) -> None:
        """Go to its line in the text that is being changed, or to the list of problems."""
        tabs = self.query_one("#tabs", TabbedContent)
        if self._state is None or not self._state.unfinished:
            tabs.active = "tab-problems"
            self.query_one("#problems", OptionList).focus()
            return
        tabs.active = "tab-preset"
        area = self.query_one("#yaml", TextArea)
        area.move_cursor((max(0, (problem.where.line or 1) - 1), 0))
        area.focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Start, save, or open the editor."""
        event.stop()
        if event.button.id == "edit":
            self.action_edit()
        else:
            self.post_message(LaunchWanted() if event.button.id == "start" else SaveWanted())

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Read what is typed once the keys rest."""
        event.stop()
        self.post_message(Unfinished(event.text_area.text))
        if self._timer:
            self._timer.stop()
        self._timer = self.set_timer(QUIET, self._read)

    def _read(self) -> None:
        text, folder = self.query_one("#yaml", TextArea).text, self._state.draft.folder if self._state else ""

        def work() -> None:
            self.post_message(self.Checked(_meaning(text, folder)))

        self.run_worker(work, thread=True, exclusive=True, group="yaml", exit_on_error=False)

    def on_review_view_checked(self, event: Checked) -> None:
        """Take over a text that is a preset; say what is wrong with one that is not."""
        event.stop()
        read = event.read
        if read.text != self.query_one("#yaml", TextArea).text:
            return
        preset = read.preset
        if preset is None:
            self.post_message(Unfinished(read.text, tuple(read.problems)))
        elif preset != self._shown:
            self._shown = preset
            self.query_one(NativeShown).stand_for(preset)
            self.post_message(Edited(lambda draft: draft.become(preset)))
        if preset is not None:
            self.post_message(Unfinished("", ()))  # only now: until then the draft is an older one
        self.query_one("#yaml", TextArea).set_class(preset is None, "-wrong")

    def action_next_tab(self) -> None:
        """Show the next tab and go to it."""
        tabs = self.query_one("#tabs", TabbedContent)
        panes = [pane for pane in tabs.query(TabPane) if tabs.get_tab(pane).display]
        here = next((number for number, pane in enumerate(panes) if pane.id == tabs.active), 0)
        tabs.active = str(panes[(here + 1) % len(panes)].id)
        tabs.query_one(Tabs).focus()

    def action_edit(self) -> None:
        """Edit the text in the user's editor."""
        area = self.query_one("#yaml", TextArea)
        if area.read_only:
            return
        try:
            with self.app.suspend():
                text = edit_text(area.text)
        except SuspendNotSupported:
            text = None
            self.app.notify(translate("An editor cannot be opened here."), severity="warning")
        if text is not None and text != area.text:
            area.load_text(text)

    def _offer_rows(self, preset: Preset | None) -> None:
        """Show the tab with rows where there is something in it, and fill it if it is looked at."""
        tabs = self.query_one("#tabs", TabbedContent)
        if preset is None or not can_be_read(preset):
            tabs.hide_tab("tab-rows")
            return
        tabs.show_tab("tab-rows")
        if tabs.active == "tab-rows":
            self.query_one(RowsRead).look(preset)

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Rows are read once somebody wants to see them: it takes seconds."""
        event.stop()
        if event.pane.id == "tab-rows" and self._shown is not None:
            self.query_one(RowsRead).look(self._shown)


def _meaning(text: str, folder: str) -> Read:
    try:
        found = opening.parse_preset(text, "", folder=Path(folder) if folder else None)
    except BadPreset as fault:
        return Read(text, None, fault.problems)
    return Read(text, found.preset, found.placed(found.preset.problems()))


def _told(problem: Problem, colours: Mapping[str, str]) -> Text:
    mark = {"error": "✗", "warning": "⚠", "note": "·"}[problem.severity]
    colour = colours[{"error": "error", "warning": "warning", "note": "dim"}[problem.severity]]
    place = f"{problem.where.key}" + (f" ({problem.where.line})" if problem.where.line else "")
    text = Text(f"{mark} {place}{translate(': ') if place else ''}", style=colour)
    return text.append(problem.told(), style="default")


def _labelled(action: str, key: str) -> str:
    """What a button does, in the current language, and the key that does the same."""
    return f"{translate(action)} ({key})"
