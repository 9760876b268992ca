"""A file browser: folders and the files that could be data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import DirectoryTree, Static

from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.screens.kinds import Dialog

_DATA: Final = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".gz", ".bz2", ".xz")


class DataTree(DirectoryTree):
    """Hides what is hidden, and files that no reader knows; its marks are those every terminal has."""

    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▼ "
    ICON_FILE = "  "

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Folders and data files; called in a thread."""
        shown = [path for path in paths if not path.name.startswith(".")]
        return [path for path in shown if path.suffix.lower() in _DATA or path.is_dir()]


class BrowseScreen(Dialog[Path]):
    """Dismissed with a file, or with the folder under the cursor (a test collection is a folder)."""

    CSS_PATH = "browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace,u", "up", N_("Up")),
        Binding("s", "take_folder", N_("Take this folder")),
        Binding("tilde", "home", N_("Home")),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Where it is, the tree, the keys."""
        with Vertical(id="box"):
            yield Static(id="where")
            yield DataTree(self._folder)
            yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin in the folder."""
        self._tell()
        self.query_one(DataTree).focus()

    def on_directory_tree_file_selected(self, event: DirectoryTree.FileSelected) -> None:
        """A file was chosen."""
        event.stop()
        self.dismiss(event.path)

    def action_take_folder(self) -> None:
        """Choose the folder under the cursor."""
        node = self.query_one(DataTree).cursor_node
        path = node.data.path if node and node.data else self._folder
        self.dismiss(path if path.is_dir() else path.parent)

    def action_up(self) -> None:
        """The folder above."""
        self._go(self._folder.parent)

    def action_home(self) -> None:
        """The user's home."""
        self._go(Path.home())

    def _go(self, folder: Path) -> None:
        self._folder = folder
        self.query_one(DataTree).path = folder
        self._tell()

    def _tell(self) -> None:
        self.query_one("#where", Static).update(Text(printable(self._folder), style="bold"))
        keys = translate("Enter opens or takes · S takes the folder · U up · ~ home · Esc closes")
        self.query_one("#keys", Static).update(Text(keys))
