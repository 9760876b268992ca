"""The data: which file, what it is, what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from tunewiz.data.folders.hub_ids import ABSENT
from tunewiz.data.formats.format import formats
from tunewiz.data.reading.source import SAMPLE_PREFIX, Dataset, samples
from tunewiz.errand import ErrandFailed, GivenUp, send
from tunewiz.language import N_, translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.preset import Preset
from tunewiz.printable import printable
from tunewiz.problems import Problem
from tunewiz.tui.forms.controls import Answered
from tunewiz.tui.forms.form import Titled
from tunewiz.tui.forms.questions import Choice, Offer
from tunewiz.tui.widgets.drawing import Line
from tunewiz.tui.widgets.labels import Words
from tunewiz.tui.widgets.pulldown import Pulldown
from tunewiz.tui.wizard import findings
from tunewiz.tui.wizard.inspecting import Inspected
from tunewiz.tui.wizard.keeping import recent, remember
from tunewiz.tui.wizard.step import LookWanted, State, Step, View

# The data: which file, what it is, what is wrong with it.


class DataStep(Step):
    """Training data."""

    name = "data"
    order = 20
    title = N_("Data")
    intro = N_("What should it learn from? Name a file or folder; it is looked through at once.")
    keys = ("data",)
    simple = ("data.train",)
    lessons = ("contrastive-learning",)
    task_lessons = {"llm": ("methods",), "reranker": ("negatives", "bi-encoder-and-cross-encoder")}

    def offers(self) -> Mapping[str, Offer]:
        """The formats that are there for the task."""
        return {"data.format": _formats}

    def view(self, advanced: bool) -> View:
        """The file, its preview and findings, then the form."""
        return DataView(self, advanced)


def _formats(draft: Draft) -> Sequence[Choice]:
    found = formats(draft.kind.model_kind)
    auto = Choice("auto", translate("decided by the columns"))
    return [auto, *(Choice(name, translate(layout.title)) for name, layout in sorted(found.items()))]


# The data on the screen: the file, files used before, and what was found in it.


_ABSENT = "-"


class DataView(View):
    """Below the form: what the data is and what is wrong with it, as soon as it is known."""

    _shown: Inspected | None = None
    _listed_for: type[Preset] | None = None
    _files: Sequence[str] = ()

    @dataclass
    class Fetched(Message):
        """The datasets that were ``wanted`` of a hub are here, or not because of ``problems``."""

        wanted: tuple[Dataset, ...]
        problems: tuple[Problem, ...] = ()

    def above(self) -> Iterable[Widget]:
        """Samples and files used lately, until data is named."""
        yield Words(
            N_("Used lately, and samples to try with (Enter takes one)"), classes="view--title", id="lately-title"
        )
        yield OptionList(id="lately", compact=True)

    def below(self) -> Iterable[Widget]:
        """What was found."""
        yield Static(id="found")
        yield Button(translate(N_("Download it now")), id="fetch", compact=True)
        yield Static(id="fetching")
        yield Vertical(id="mapping")
        for name in ("preview", "counts", "lengths", "findings"):
            yield Static(id=name)

    def _list_files(self, kind: type[Preset]) -> None:
        """List what was used before and the samples for the task of ``kind``."""
        if kind is self._listed_for:
            return
        self._listed_for = kind
        self._files = [*recent(), *(SAMPLE_PREFIX + name for name in samples(kind.conversations))]
        options = [Option(Text(printable(path))) for path in self._files]
        self.query_one("#lately", OptionList).set_options(options)

    def focus_first(self) -> None:
        """Begin with the path."""
        if not self.focus_on(("data", "train")):
            super().focus_first()

    async def show(self, state: State) -> None:
        """Show the form and what is known of the data."""
        await super().show(state)
        self._list_files(state.draft.kind)
        named = bool(state.draft.value(("data", "train")))
        self.query_one("#lately").display = not named
        self.query_one("#lately-title").display = not named
        found = state.current
        told = findings.state_line(state, self.app.theme_variables)
        self.query_one("#found", Static).update(told)
        self.query_one("#found").display = bool(told.plain)
        absent = found is not None and any(one.code == ABSENT for one in found.inspection.findings)
        self.query_one("#fetch").display = absent
        self.query_one("#fetching").display = absent
        before = self._shown
        if found is None and before is not None and state.asked and before.asked.train == state.asked.train:
            return  # the same file is looked through again: what is known of it keeps its place
        if found is not before or found is None:
            self._shown = found
            await self._show_found(found)

    async def _show_found(self, found: Inspected | None) -> None:
        for name in ("preview", "counts", "lengths", "findings"):
            place = self.query_one(f"#{name}", Static)
            place.display = found is not None
            if found is not None:
                place.update(getattr(findings, name)(found, self.app.theme_variables))
        if found is not None and found.inspection.usable:
            remember(found.asked.train)
        roles = findings.roles(found) if found else []
        mapping, here = self.query_one("#mapping", Vertical), list(self.query(_Role))
        if roles and [(one.role, one.columns) for one in here] == [(role, columns) for role, _, columns in roles]:
            for one, (_, column, _) in zip(here, roles, strict=True):
                one.take(column)
            return
        await mapping.remove_children()
        if roles:
            needed = findings.needed_roles(found) if found else frozenset()
            title = Words(N_("Columns: which one plays which role"), classes="view--title")
            rows = [_Role(role, column, columns, role in needed) for role, column, columns in roles]
            await mapping.mount(title, *rows)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Download the datasets of a hub that are not here, in a child; then they are looked through."""
        if event.button.id != "fetch" or self._shown is None:
            return
        event.stop()
        wanted = self._shown.asked.datasets
        event.button.disabled = True
        self._tell_fetching(Text(translate(N_("Downloading …")), style="italic"))

        def work() -> None:
            worker = get_current_worker()
            try:
                send("tunewiz.backends.sources.datasets:bring", wanted, unwanted=lambda: worker.is_cancelled)
            except GivenUp:
                return
            except ErrandFailed as fault:
                self.post_message(self.Fetched(wanted, tuple(fault.problems)))
            else:
                self.post_message(self.Fetched(wanted))

        self.run_worker(work, thread=True, exclusive=True, group="fetching", exit_on_error=False)

    def on_data_view_fetched(self, event: Fetched) -> None:
        """Have them looked through, or say why they cannot be had."""
        event.stop()
        self.query_one("#fetch", Button).disabled = False
        told = "\n".join(problem.line() for problem in event.problems)
        self._tell_fetching(Text(told, style=self.app.theme_variables["error"]))
        if not event.problems:
            self.post_message(LookWanted())

    def _tell_fetching(self, words: Text) -> None:
        self.query_one("#fetching", Static).update(words)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take a file used before, or a sample."""
        event.stop()
        self.post_message(Answered(("data", "train"), self._files[event.option_index]))
        self.call_after_refresh(self.focus_on, ("data", "train"))

    def on_pulldown_changed(self, event: Pulldown.Changed) -> None:
        """A column was given another role."""
        event.stop()
        chosen = {role.role: role.column for role in self.query(_Role)}
        columns = {role: column for role, column in chosen.items() if column != _ABSENT}
        self.post_message(Answered(("data", "columns"), columns))


class _Role(Titled):
    """A role and the column that plays it."""

    def __init__(self, role: str, column: str, columns: tuple[str, ...], needed: bool) -> None:
        self.role = role
        self.columns = columns
        self._needed = needed
        self._list = Pulldown(self._options(column), column or _ABSENT)
        super().__init__(findings.role_name(role), self._list)

    def take(self, column: str) -> None:
        """Show that ``column`` plays the role now; the list stays where it is."""
        if self.column != (column or _ABSENT):
            self._list.show(self._options(column), column or _ABSENT)

    def _options(self, column: str) -> list[tuple[Line, str]]:
        told = "○ " + translate("still to be chosen") if self._needed else translate("no column")
        none: Line = [(told, "strong" if self._needed else "dim")]
        # A role may be played by several columns, joined by commas: they are one entry of the list.
        extra = [column] if column and column not in self.columns else []
        return [(none, _ABSENT), *(([(printable(name), "plain")], name) for name in [*extra, *self.columns])]

    @property
    def column(self) -> str:
        """The column chosen now."""
        return self._list.value or _ABSENT
