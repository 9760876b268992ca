"""A file browser: files that could be data with size and date, folders, and how data comes to this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tunewiz.language import N_, translate
from tunewiz.printable import amount, printable
from tunewiz.problems import say
from tunewiz.tui.forms.entry import pasted_path
from tunewiz.tui.screens.kinds import Dialog
from tunewiz.tui.widgets.labels import Words

_DATA: Final = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".gz", ".bz2", ".xz")
_MOST: Final = 2000  # entries of a folder that are looked at


@dataclass(frozen=True)
class Entry:
    """A file that could be data, or a folder; ``changed`` is a Unix time."""

    path: Path
    folder: bool
    size: int = 0
    changed: float = 0.0

    @property
    def name(self) -> str:
        """As it stands in the list."""
        return self.path.name + ("/" if self.folder else "")


def entries(folder: Path) -> list[Entry]:
    """Data files of ``folder``, the newest first, then its folders by name; nothing of what is hidden.

    Raises ``OSError``.
    """
    found = []
    with os.scandir(folder) as inside:
        for number, one in enumerate(inside):
            if number >= _MOST:
                break
            is_folder = one.is_dir()
            if one.name.startswith(".") or not (is_folder or Path(one.name).suffix.lower() in _DATA):
                continue
            try:
                facts = one.stat()
            except OSError:  # a link to nothing
                continue
            found.append(Entry(Path(one.path), is_folder, facts.st_size, facts.st_mtime))
    files = sorted((one for one in found if not one.folder), key=lambda one: -one.changed)
    return [*files, *sorted((one for one in found if one.folder), key=lambda one: one.name.lower())]


def data_files(folder: Path) -> list[Path]:
    """The data files of ``folder``, the newest first; none where it cannot be read."""
    try:
        return [one.path for one in entries(folder) if not one.folder]
    except OSError:
        return []


def _age(changed: float) -> str:
    """The day and time of a change, as short as it can be told apart."""
    then, now = time.localtime(changed), time.localtime()
    return time.strftime("%m-%d %H:%M" if then.tm_year == now.tm_year else "%Y-%m-%d", then)


class BrowseScreen(Dialog[Path]):
    """Dismissed with a file, or with the folder that is open (a test collection is a folder). Letters search."""

    CSS_PATH = "browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "up", N_("Up"), priority=True),
        Binding("f4", "take_folder", N_("Take this folder")),
        Binding("f3", "bring", N_("Bring data here")),
    ]

    @dataclass
    class Read(Message):
        """What is in ``folder``, or why it cannot be read."""

        folder: Path
        found: list[Entry] | str

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._found: Sequence[Entry] = ()
        self._shown: Sequence[Entry] = ()
        self._typed = ""
        self._from = ""

    def compose(self) -> ComposeResult:
        """Where it is, what is there, the keys."""
        with Vertical(id="box"):
            yield Static(id="where")
            yield OptionList(id="entries", compact=True)
            yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin in the folder."""
        self._go(self._folder)
        self.query_one(OptionList).focus()

    def _go(self, folder: Path) -> None:
        self._from = self._folder.name + "/" if folder == self._folder.parent else ""
        self._folder, self._typed = folder, ""
        self._tell()
        self._read(folder)

    @work(thread=True, exclusive=True, exit_on_error=False, group="folder")
    def _read(self, folder: Path) -> None:
        try:
            found: list[Entry] | str = entries(folder)
        except OSError as fault:
            found = fault.strerror or type(fault).__name__
        self.post_message(self.Read(folder, found))

    def on_browse_screen_read(self, event: Read) -> None:
        """List it."""
        if event.folder != self._folder:
            return
        if isinstance(event.found, str):
            self.notify(printable(event.found), severity="error", markup=False)
        self._found = [] if isinstance(event.found, str) else event.found
        self._list()

    def _list(self) -> None:
        """Those that hold what is typed, those that begin so first."""
        typed = self._typed.lower()
        held = [one for one in self._found if typed in one.name.lower()]
        self._shown = sorted(held, key=lambda one: not one.name.lower().startswith(typed))
        listed = self.query_one(OptionList)
        width = max(20, listed.size.width - 30)
        up = [] if typed else [Option(Text("..", style="dim"))]
        listed.set_options([*up, *(Option(_line(one, width)) for one in self._shown)])
        names = [one.name for one in self._shown]
        first = 1 if up and self._shown and not self._shown[0].folder else 0
        listed.highlighted = names.index(self._from) + len(up) if self._from in names and not typed else first
        self._tell()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the file, or open the folder."""
        event.stop()
        number = event.option_index - (0 if self._typed else 1)
        if number < 0:
            self.action_up()
        elif self._shown[number].folder:
            self._go(self._shown[number].path)
        else:
            self.dismiss(self._shown[number].path)

    def on_key(self, event: Key) -> None:
        """Letters search; Backspace takes one back, or goes up; ~ goes home."""
        if event.key == "backspace":
            event.stop()
            if not self._typed:
                self.action_up()
                return
            self._typed = self._typed[:-1]
        elif event.character == "~" and not self._typed:
            event.stop()
            self._go(Path.home())
            return
        elif event.is_printable and event.character and not (event.character == " " and not self._typed):
            event.stop()
            event.prevent_default()
            self._typed += event.character
        else:
            return
        self._list()

    def on_paste(self, event: Paste) -> None:
        """A path that is dropped here is gone to."""
        event.stop()
        path = Path(pasted_path(event.text)).expanduser()
        if path.is_file():
            self.dismiss(path)
        elif path.is_dir():
            self._go(path)
        else:
            self._typed += event.text.strip()
            self._list()

    def action_take_folder(self) -> None:
        """Choose the folder that is open."""
        self.dismiss(self._folder)

    def action_up(self) -> None:
        """The folder above."""
        self._go(self._folder.parent)

    def action_bring(self) -> None:
        """How data comes to this machine."""
        self.app.push_screen(BringScreen(self._folder))

    def _tell(self) -> None:
        where = Text(printable(self._folder), style="bold")
        if self._typed:
            where.append(f"  {say('search: {typed}', typed=self._typed).text()}", style="bold reverse")
        self.query_one("#where", Static).update(where)
        keys = translate("Enter takes or opens · type to search · ← up · F4 this folder · F3 bring data · Esc")
        self.query_one("#keys", Static).update(Text(keys))


def _line(one: Entry, width: int) -> Text:
    """Name, size and date, in columns."""
    name = printable(one.name, 200)
    line = Text(name, style="bold" if one.folder else "", no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    line.append(" " * (width - min(width, cell_len(line.plain)) + 1))
    size = "" if one.folder else amount(one.size)
    return line.append(f"{size:>11}  {_age(one.changed)}", style="not bold dim")


# How data comes to a machine that is only reached by a terminal.


class BringScreen(Dialog[None]):
    """Ways to bring data here, on one card."""

    CSS_PATH = "browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f3", "leave", N_("Close"))]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        """The card."""
        with VerticalScroll(id="box", classes="card"):
            yield Words(N_("Bring data to this machine"), id="where")
            yield Words(self._card)

    def _card(self) -> Text:
        place, text = printable(self._folder), Text()
        for told, command in (
            (N_("From your own computer, in a terminal there (not in this one):"), f"scp faq.csv USER@SERVER:{place}/"),
            (N_("Several files or a folder, and resumed after a lost line:"), f"rsync -avP data USER@SERVER:{place}"),
            (N_("In Xshell, SecureCRT, iTerm2 or WindTerm, in a shell of this server (Ctrl-Z leaves, fg comes back):"),
             "rz -be        (sz FILE)"),
            (N_("A dataset of Hugging Face; then take its folder here:"),
             "hf download --repo-type dataset OWNER/NAME --local-dir NAME"),
            (N_("A dataset of ModelScope, quick to reach from mainland China:"),
             "modelscope download --dataset OWNER/NAME --local_dir NAME"),
        ):  # fmt: skip
            text.append(f"{translate(told)}\n").append(f"  {command}\n\n", style="bold")
        return text.append(translate("Or drop a file onto the window, if your terminal pastes its path: "
                                     "it must be a path on this machine."), style="dim")  # fmt: skip
