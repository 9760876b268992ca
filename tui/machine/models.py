"""The models that are known, what fits here and what is here; and all that LLaMA-Factory knows, searched by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.message import Message
from textual.widget import Widget
from textual.widgets import DataTable, Input

from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.printable import amount, printable
from tunewiz.tui.dialogs.copying import Copyable, Copying
from tunewiz.tui.dialogs.narrowed import NarrowedScreen
from tunewiz.tui.screens.messages import WizardWanted
from tunewiz.tui.widgets.labels import KeyHints, TitleBar, Words
from tunewiz.tui.widgets.table import Table
from tunewiz.tui.widgets.typed import TextLine
from tunewiz.tui.words import weights

WIDE = 100  # cells with room for all columns
#: Bytes a weight: in 16 bit with LoRA, and in 4 bit (LLaMA-Factory's README), each with a tenth and 2 GB to compute in.
_LORA, _QLORA, _MORE = 2.2, 0.7, 2e9


@dataclass(frozen=True)
class ModelRow:
    """A model of either list. ``fits`` is marked for translation; ``told`` is what more there is to say, in lines."""

    id: str
    task: str
    parameters: float
    languages: str
    fits: str
    here: bool
    download: float
    told: tuple[str, ...]

    @property
    def sought(self) -> str:
        """What is looked at when one searches."""
        return f"{self.id} {self.task} {self.languages} {' '.join(self.told)}".lower()


def known_rows() -> list[ModelRow]:
    """The models of the families, whose facts are kept with Tunewiz."""
    from tunewiz.presets import families
    from tunewiz.tui.commands.models import FITS, facts, few, free_memory

    free = free_memory()
    rows = []
    for entry in families.known_models():
        told = facts(entry, free)
        both = [FITS[told[method]["fits"]] for method in ("full", "lora")]
        fits = both[0] if both[0] == both[1] else N_("with LoRA") if both[1] == FITS["yes"] else both[1]
        hubs = [f"Hugging Face  {told['id']}", *([f"ModelScope  {told['modelscope']}"] if told["modelscope"] else [])]
        more = (*hubs, translate("Licence: {name}").format(name=told["licence"]), told["notes"])
        tasks = " ".join(told["tasks"])
        rows.append(ModelRow(told["id"], tasks, told["parameters"], few(told["languages"]), fits,
                             bool(told["cached"]), told["download"], more))  # fmt: skip
    return rows


def catalogue_rows(known: Sequence[ModelRow]) -> list[ModelRow]:
    """What LLaMA-Factory knows besides, with what its name tells of the memory that it takes."""
    from tunewiz.backends.language_models.catalogue import catalogue
    from tunewiz.tui.commands.models import free_memory

    have, free, here = {row.id.lower() for row in known}, free_memory(), _cached()
    rows = []
    for one in catalogue():
        if one.id.lower() in have:
            continue
        hubs = [f"{hub}  {place}" for hub, place in (("Hugging Face", one.huggingface), ("ModelScope", one.modelscope))
                if place]  # fmt: skip
        template = translate("Template: {name}").format(name=one.template or translate("none: a base model"))
        sees = [translate("Takes pictures or sounds too; Tunewiz trains it on text.")] if one.sees else []
        cached = {one.huggingface.lower(), one.modelscope.lower()} & here
        rows.append(ModelRow(one.id, "llm", one.parameters, "", _fits(one.parameters, free), bool(cached),
                             2 * one.parameters, (one.name, *hubs, template, *sees)))  # fmt: skip
    return rows


def _fits(parameters: float, free: int | None) -> str:
    if not parameters:
        return "?"
    if free is None:
        return N_("on CPU") if parameters <= 2e9 else N_("needs a GPU")
    if parameters * _LORA + _MORE <= free:
        return N_("with LoRA")
    return N_("with QLoRA") if parameters * _QLORA + _MORE <= free else N_("no")


def _cached() -> set[str]:
    """Ids in the hubs' caches, whole or in part, in lower case."""
    from tunewiz.backends.sources import huggingface, modelscope

    folders: list[Path] = []
    for place, pattern in ((huggingface.cache(), "models--*"), (modelscope.cache() / "models", "*--*")):
        folders += place.glob(pattern) if place.is_dir() else []
    return {folder.name.removeprefix("models--").replace("--", "/", 1).lower() for folder in folders}


class ModelsScreen(Copying, NarrowedScreen):
    """A table, a line to search it, and what is known of the model under the cursor."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    FIRST: ClassVar[type[Widget]] = DataTable  # what has the focus in the beginning
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", N_("Fine-tune it"), key_display="⏎"),
        Binding("slash", "filter", N_("Search"), key_display="/"),
        Binding("a", "all", N_("All of LLaMA-Factory"), tooltip=N_("Every language model that the library knows")),
    ]
    HELP_TEXT = N_(
        "Models whose facts are known, with what fits into this machine's memory and what is here already. a adds all "
        "language models that the installed LLaMA-Factory knows; type / and a few letters to find one."
    )

    class Listed(Message):
        """The models were listed."""

        def __init__(self, known: tuple[ModelRow, ...], others: tuple[ModelRow, ...]) -> None:
            super().__init__()
            self.known = known
            self.others = others

    def __init__(self, words: str = "") -> None:
        super().__init__()
        self.known: tuple[ModelRow, ...] = ()
        self.others: tuple[ModelRow, ...] = ()
        self.every = bool(words)
        self.words = words
        self.shown: list[ModelRow] = []

    def compose(self) -> ComposeResult:
        """Search, table, details."""
        yield TitleBar(N_("Models"), right=lambda: [(self._count(), "dim")])
        yield TextLine(self.words, id="filter", placeholder=translate("Search by name, task, language"), compact=True)
        yield Table[Text](cursor_type="row")
        yield Words("", id="about")
        yield KeyHints()

    def on_mount(self) -> None:
        """List them in a thread."""
        self.query_one(self.FIRST).focus()
        self._list()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _list(self) -> None:
        known = known_rows()
        self.post_message(self.Listed(tuple(known), ()))
        self.post_message(self.Listed(tuple(known), tuple(catalogue_rows(known))))

    def on_models_screen_listed(self, message: Listed) -> None:
        """Show them."""
        self.known, self.others = message.known, message.others
        self._fill()

    def _count(self) -> str:
        if not self.known:
            return translate("Looking ...")
        return translate("{count} of {all}").format(count=len(self.shown), all=len(self.rows(every=True)))

    def rows(self, every: bool = False) -> list[ModelRow]:
        """The models to choose among: the known ones, and all others where they are wanted or ``every`` one is."""
        return [*self.known, *(self.others if self.every or every else ())]

    def on_resize(self, event: Resize) -> None:
        """A narrow screen has fewer columns."""
        self._fill()

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self._list()

    def _fill(self) -> None:
        table = self.query_one(DataTable)
        wide = self.app.size.width >= WIDE
        titles = [
            N_("model"),
            N_("weights"),
            *([N_("task"), N_("languages")] if wide else []),
            N_("fits"),
            N_("download"),
        ]
        words = self.words.lower().split()
        self.shown = [row for row in self.rows() if all(word in row.sought for word in words)]
        table.clear(columns=True)
        table.add_columns(*map(translate, titles))
        for row in self.shown:
            here = translate(N_("here")) if row.here else amount(row.download) if row.download else "?"
            middle = [row.task, row.languages] if wide else []
            cells = [printable(row.id, 60), weights(row.parameters), *middle, translate(row.fits), here]
            table.add_row(*map(Text, cells))
        self.query_one(TitleBar).redraw()
        self._tell()

    def _current(self) -> ModelRow | None:
        at = self.query_one(DataTable).cursor_row
        return self.shown[at] if 0 <= at < len(self.shown) else None

    def _tell(self) -> None:
        row = self._current()
        self.query_one("#about", Words).tell(
            lambda: "\n".join(printable(line, 500) for line in row.told) if row else ""
        )
        self.refresh_bindings()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Say more of it."""
        self._tell()

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        """What needs a model is offered where there is one."""
        return self._current() is not None if self.is_mounted and action in ("open", "copy") else True

    def action_all(self) -> None:
        """All that LLaMA-Factory knows, or the known ones alone."""
        self.every = not self.every
        self._fill()

    def action_open(self) -> None:
        """A new draft with this model."""
        row = self._current()
        if row is not None:
            from tunewiz.presets.drafts.draft import Draft

            draft = Draft().answer(("task",), row.task.split()[0]).answer(("model", "id"), row.id)
            self.post_message(WizardWanted(draft))

    def copies(self) -> list[Copyable]:
        """What names it, in a preset and in a command."""
        row = self._current()
        if row is None:
            return []
        return [Copyable(N_("Model"), row.id), Copyable(N_("Command"), f"--set model.id={row.id}")]


class ModelChoice(ModelsScreen):
    """The models that a draft which is being filled in may begin with."""

    FIRST = Input
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", N_("Take it"), key_display="⏎")]

    def __init__(self, kind: type[Preset] | None, take: Callable[[str], None]) -> None:
        super().__init__()
        self.kind = kind
        self.take = take
        self.every = self._chats = kind is None or kind.conversations

    def rows(self, every: bool = False) -> list[ModelRow]:
        """Those that can be tuned to be what the task wants."""
        found = super().rows(every)
        return [row for row in found if self.kind is None or self.kind.model_kind in row.task.split()]

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        """Only language models have a longer list."""
        return self._chats if action == "all" else super().check_action(action, parameters)

    def action_open(self) -> None:
        """Take it and go back."""
        row = self._current()
        if row is not None:
            self.app.pop_screen()
            self.take(row.id)
