"""The model: from the catalogue, any hub id, or a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import ValidationError
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import DataTable, Static

from tunewiz.backends import sources
from tunewiz.backends.sources.huggingface import offline
from tunewiz.backends.sources.local import is_path
from tunewiz.backends.sources.source import Located, ModelUnavailable
from tunewiz.language import N_, translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.families import known_models as known_models_of
from tunewiz.presets.families import lookup
from tunewiz.presets.preset import Preset
from tunewiz.presets.sections.model import Model
from tunewiz.printable import amount, printable
from tunewiz.problems import Message as Spoken
from tunewiz.problems import say
from tunewiz.tui.forms.questions import Choice, Offer, choices
from tunewiz.tui.screens.messages import ModelsWanted
from tunewiz.tui.widgets.labels import Words
from tunewiz.tui.widgets.table import Table
from tunewiz.tui.wizard import known_models
from tunewiz.tui.wizard.known_models import Entry
from tunewiz.tui.wizard.step import Edited, State, Step, View

# The model: from the catalogue, any hub id, or a folder.


class ModelStep(Step):
    """The model to tune."""

    name = "model"
    order = 30
    title = N_("Model")
    intro = N_("Which model should be tuned? Choose one that knows your language and fits your machine.")
    keys = ("model", "embedding")
    simple = ("model.id", "model.source", "embedding")
    lessons = ("bi-encoder-and-cross-encoder",)
    task_lessons = {"llm": ("qlora", "methods")}

    def offers(self) -> Mapping[str, Offer]:
        """The sources that something can be had from here."""
        return {"model.source": _sources}

    def view(self, advanced: bool) -> View:
        """The catalogue, then the form."""
        return ModelView(self, advanced)


def _sources(draft: Draft) -> Sequence[Choice]:
    """All sources, less those that have nothing here; one that was answered stays."""
    info = draft.field(SOURCE_KEY)
    said = draft.value(SOURCE_KEY)
    every = choices(info) if info else ()
    return [choice for choice in every if choice.value == said or _serves(choice.value, draft)]


def _serves(source: str, draft: Draft) -> bool:
    """Whether anything may come from ``source``: a hub that may be asked, a starter model that is installed."""
    if source == "starter":
        return any(sources.catalogue()[source].local(Model(id=id, source="starter")) for id in starters(draft))
    return source == "auto" or not sources.catalogue()[source].hub or not offline()


def starters(draft: Draft) -> list[str]:
    """The ids of the task's models that come as packages."""
    return [one.size.id for one in known_models_of(draft.kind.model_kind) if one.size.source == "starter"]


def take_source(draft: Draft, source: str) -> Draft:
    """``draft`` with the source; a model that cannot come from it is forgotten, for another one to be suggested."""
    draft, id = draft.answer(SOURCE_KEY, source), str(draft.value(("model", "id")) or "")
    known = lookup(id)
    packaged = known is not None and known.size.source == "starter"
    fits = {"auto": True, "starter": packaged, "local": is_path(id)}.get(source, not packaged and not is_path(id))
    return draft if fits else draft.forget(("model", "id"))


# The model on the screen: the catalogue, what is known of the one under the cursor, and any id or path.


_COLUMNS = (N_("model"), N_("weights"), N_("language"), N_("memory"), N_("download"), N_("licence"))
#: Cells of an id on a screen that is not wide; the licence stands below the table there.
_SHORT = 36
#: Seconds without a key before hubs are asked.
_RESTING = 0.8
_COLOURS = {"yes": "success", "maybe": "warning", "no": "error", "": "dim"}


class ModelView(View):
    """Enter takes the model under the cursor; the form below takes any other."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "every", N_("All or fitting")),
        Binding("slash", "search", N_("Search"), tooltip=N_("Find one among all models that are known")),
    ]

    #: What was weighed last, and what came out.
    _weighed: ClassVar[list[Any]] = []
    _entries: Sequence[Entry] = ()
    _every = False
    _state: State | None = None
    _known_by: object = None
    _model: Model | None = None
    _timer: Timer | None = None

    @dataclass
    class Asked(Message):
        """Where ``model`` is, or why it cannot be had."""

        model: Model
        found: Located | ModelUnavailable

    def above(self) -> Iterable[Widget]:
        """The catalogue and what is known of one model."""
        yield Table[Text](id="models", cursor_type="row", zebra_stripes=False)
        yield Static(id="about")
        yield Words(N_("Or any other: a hub id, or a folder on this machine"), classes="view--title")

    def below(self) -> Iterable[Widget]:
        """What was found out about the chosen one."""
        yield Static(id="located")

    async def show(self, state: State) -> None:
        """Show the catalogue as it fits, and the form."""
        await super().show(state)
        self._state = state
        # Weighing every model takes a moment: not at each letter of an id that is being typed, nor at each visit.
        known_by = (state.draft.forget(("model",)), state.facts, state.machine, self._every)
        if known_by != self._known_by:
            self._known_by = known_by
            if self._weighed[:1] != [known_by]:
                entries = known_models.entries(state.draft, state.facts, state.machine, self._every)
                self._weighed[:] = [known_by, entries]
            self._entries = self._weighed[1]
            self._fill()
        self._mark()
        self._locate(state)

    def _locate(self, state: State) -> None:
        """Ask where the chosen model is, once it is not typed any more."""
        said = state.draft.filled["model"]  # what else a task asks of its model says nothing of where it is
        try:
            model = Model.model_validate({key: said[key] for key in Model.model_fields if key in said})
        except ValidationError:
            model = None
        if model == self._model:
            return
        self._model = model
        if self._timer:
            self._timer.stop()
        self._tell(Text())
        if model is not None:
            self._tell(Text(translate("Asking where the model is …"), style="italic"))
            self._timer = self.set_timer(_RESTING, lambda: self._ask(model))

    def _ask(self, model: Model) -> None:
        def work() -> None:
            try:
                found: Located | ModelUnavailable = sources.resolve(model)
            except ModelUnavailable as fault:
                found = fault
            self.post_message(self.Asked(model, found))

        self.run_worker(work, thread=True, exclusive=True, group="model", exit_on_error=False)

    def on_model_view_asked(self, event: Asked) -> None:
        """Say where it is, or why it cannot be had."""
        event.stop()
        if event.model == self._model:
            self._tell(_told(event.found, self.app.theme_variables))

    def _tell(self, words: Text) -> None:
        self.query_one("#located", Static).update(words)

    def action_every(self) -> None:
        """All models, or those that fit the language and the memory."""
        self._every = not self._every
        if self._state:
            self.call_later(self.show, self._state)

    def _fill(self) -> None:
        table = self.query_one(DataTable)
        chosen = str(self._state.draft.value(("model", "id"))) if self._state else ""
        table.clear(columns=True)
        shown = _COLUMNS if self._wide else _COLUMNS[:-1]
        ram = self._state is not None and self._state.machine is not None and self._state.machine.gpu is None
        told = {N_("memory"): N_("RAM")} if ram else {}
        table.add_columns(*(translate(told.get(title, title)) for title in shown))
        for entry in self._entries:
            table.add_row(*self._row(entry)[: len(shown)])
        ids = [[entry.id, *entry.known.size.aliases] for entry in self._entries]
        place = next((number for number, names in enumerate(ids) if chosen in names), 0)
        table.move_cursor(row=place)

    @property
    def _wide(self) -> bool:
        return self.app.size.width >= 100

    def _row(self, entry: Entry) -> list[Text]:
        name, weights, languages, licence, download, fit = known_models.cells(entry)
        colour = self.app.theme_variables[_COLOURS[entry.fit]]
        name = name if self._wide or len(name) <= _SHORT else f"…{name[1 - _SHORT :]}"
        cells = [name, weights, languages, fit, download, licence]
        return [Text(printable(cell, 60), style=colour if cell is fit else "") for cell in cells]

    def _mark(self) -> None:
        entry = self._under_cursor()
        machine = self._state.machine if self._state else None
        lines = (
            known_models.about(entry, machine)
            if entry
            else [translate("No known model fits; press A for all of them.")]
        )
        self.query_one("#about", Static).update(Text("\n".join(lines), style=self.app.theme_variables["dim"]))

    def _under_cursor(self) -> Entry | None:
        row = self.query_one(DataTable).cursor_row
        return self._entries[row] if 0 <= row < len(self._entries) else None

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Tell of the model under the cursor."""
        event.stop()
        self._mark()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Take it."""
        event.stop()
        entry = self._under_cursor()
        if entry:
            self._take(entry.id)

    def action_search(self) -> None:
        """Look among all models of the kind, those that LLaMA-Factory knows too."""
        kind = self._state.draft.kind if self._state else Preset
        self.post_message(ModelsWanted(None if kind is Preset else kind, self._take))

    def _take(self, model: str) -> None:
        self.post_message(Edited(lambda draft: take_model(draft, model)))
        told = translate("{model} is chosen. Go on with Ctrl-N.").format(model=printable(model))
        self.app.notify(told, markup=False)


SOURCE_KEY: Final = ("model", "source")
#: The key that lets code of the model's own run; the wizard wants a yes for it that names the model.
REMOTE_CODE_KEY: Final = ("model", "trust_remote_code")


def trust_question(draft: Draft) -> tuple[Spoken, Spoken]:
    """Whether the code that comes with the draft's model may run here, and what that means."""
    question = say("Run the Python code that comes with {id}?", id=str(draft.value(("model", "id"))))
    detail = say(
        "It runs with your rights, now and whenever the model is loaded: it can read your files and keys, change them "
        "and send them away. Say yes only if you trust its authors."
    )
    return question, detail


def take_model(draft: Draft, model: str) -> Draft:
    """``draft`` with the model; what was said of the source and the code of another one is forgotten."""
    for key in ("source", "revision", REMOTE_CODE_KEY[-1], "pooling", "template"):
        draft = draft.forget(("model", key))
    return draft.answer(("model", "id"), model)


def _told(found: Located | ModelUnavailable, colours: Mapping[str, str]) -> Text:
    if isinstance(found, ModelUnavailable):
        return Text("\n").join(Text(f"✗ {problem.line()}", style=colours["error"]) for problem in found.problems)
    if found.cached:
        here = say("On this machine: {place}", place=found.place)
        return Text(f"✓ {here.text()}", style=colours["success"])
    unknown = translate("unknown")
    message = say(
        "Found on {source}: {size} to download, licence {licence}.",
        source=found.source,
        size=amount(found.size) if found.size else unknown,
        licence=found.licence or unknown,
    )
    return Text(f"✓ {message.text()}", style=colours["success"])
