"""The presets that ship and those the user saved, with their comments in the user's language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tunewiz.language import N_, current, translate
from tunewiz.printable import printable
from tunewiz.problems import say
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.screens.messages import StartWanted, WizardWanted
from tunewiz.tui.widgets.labels import KeyHints, TitleBar, Words

if TYPE_CHECKING:
    from tunewiz.presets.yaml.library import Entry


# The comments of a shipped preset in the user's language: files carry both.


_CHINESE: Final = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_BETWEEN: Final = " · "


def in_language(text: str) -> str:
    """``text`` without the comment lines of the other language, if its title stands in both; else as it is."""
    lines = text.split("\n")
    title = lines[0].removeprefix("# ").split(_BETWEEN, 1)
    if len(title) != 2 or bool(_CHINESE.search(title[0])) or not _CHINESE.search(title[1]):
        return text
    chinese = current() == "zh"
    kept = (line for line in lines[1:] if _fits(line, chinese))
    return "\n".join([f"# {title[chinese]}", *kept])


def _fits(line: str, chinese: bool) -> bool:
    """Code, commands and empty comments are for everybody."""
    is_prose = line.startswith("# ") and not line.startswith("#  ")
    return not is_prose or bool(_CHINESE.search(line)) == chinese


# The presets that ship and those the user saved.


LARGEST = 1 << 16  # characters of a preset that are shown


class PresetsScreen(FullScreen):
    """A list, a line to narrow it or to type a path, and the preset's own text beside it."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", N_("Open")),
        Binding("s", "start", N_("Start as it is")),
        Binding("slash", "filter", N_("Filter, or type a path"), key_display="/"),
    ]
    HELP_TEXT = N_(
        "Enter opens a preset in the wizard, where everything can be changed; s starts it as it is. A path to a YAML "
        "file can be typed in the line above the list."
    )

    class Found(Message):
        """The presets were listed."""

        def __init__(self, entries: tuple[Entry, ...]) -> None:
            super().__init__()
            self.entries = entries

    def __init__(self) -> None:
        super().__init__()
        self.entries: tuple[Entry, ...] = ()

    def compose(self) -> ComposeResult:
        """List at the left, text at the right."""
        yield TitleBar(N_("Presets"))
        yield Input(id="filter", placeholder=translate("Filter, or a path to a YAML file"), compact=True)
        with Horizontal():
            yield OptionList(id="names", compact=True)
            with VerticalScroll(id="side"):
                yield Words("", id="text")
        yield KeyHints()

    def on_mount(self) -> None:
        """List them in a thread: the schema takes a moment to import."""
        self.query_one("#names").focus()
        self._list()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _list(self) -> None:
        from tunewiz.presets.yaml.library import listing

        self.post_message(self.Found(tuple(listing())))

    def on_presets_screen_found(self, message: Found) -> None:
        """Show their names."""
        self.entries = message.entries
        self._fill("")

    def _fill(self, words: str) -> None:
        names = self.query_one("#names", OptionList)
        names.clear_options()
        shown = [entry for entry in self.entries if words.lower() in entry.name.lower()]
        names.add_options([Option(Text(printable(entry.name, 60)), id=entry.name) for entry in shown])
        names.highlighted = 0 if shown else None

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while typing."""
        self._fill("" if _is_path(event.value) else event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A path opens; a filter goes back to the list."""
        event.stop()
        if _is_path(event.value):
            self.post_message(WizardWanted(Path(event.value).expanduser()))
        else:
            self.query_one("#names").focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the text of the one under the cursor."""
        entry = self._entry()
        self.query_one("#text", Words).tell(lambda: _text(entry.path) if entry else "")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        event.stop()
        self.action_open()

    def _entry(self) -> Entry | None:
        option = self.query_one("#names", OptionList).highlighted_option
        return next((entry for entry in self.entries if option and entry.name == option.id), None)

    def action_filter(self) -> None:
        """Go to the line above the list."""
        self.set_focus(self.query_one("#filter"))  # now, not once the queue is empty

    def action_open(self) -> None:
        """Into the wizard."""
        entry = self._entry()
        if entry:
            self.post_message(WizardWanted(entry.path))

    def action_start(self) -> None:
        """Run it as it is, after a yes."""
        entry = self._entry()
        if not entry:
            return
        question = say("Start {name} as it is?", name=entry.name)
        detail = say("It is checked first. The run goes on when you leave; you can stop it at any time.")

        def begin(agreed: bool | None) -> None:
            if agreed:
                self.post_message(StartWanted(entry.path))

        self.app.push_screen(ConfirmScreen(question, detail, N_("Start")), begin)


def _is_path(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or text.startswith(("/", "~", "./", "../"))


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(LARGEST)
    except OSError:
        return translate("It cannot be read.")
    return "\n".join(printable(line, 500) for line in in_language(text).split("\n"))
