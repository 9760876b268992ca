"""The presets that ship and those the user saved, with their comments in the user's language."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
from tunewiz.problems import TunewizError, say
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.screens.messages import StartWanted, WizardWanted
from tunewiz.tui.widgets.labels import KeyHints, TitleBar, Words
from tunewiz.tui.widgets.typed import TextLine

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


@dataclass(frozen=True)
class Suits:
    """Of a preset: the language it is for, whether it fits into the memory that is free, whether its model is here.

    ``language`` is ``zh``, ``en``, ``multi`` or ""; ``fits`` yes, maybe, no, cpu or "".
    """

    language: str = ""
    fits: str = ""
    here: bool = False


#: The order of languages within a task, and what they are called.
_LANGUAGES: Final = {"": "", "zh": N_("Chinese"), "en": N_("English"), "multi": N_("many languages")}
_TASKS: Final = {
    "embedding": N_("Embedding models"),
    "reranker": N_("Rerankers"),
    "llm": N_("Language models"),
    "pipeline": N_("Search in two stages"),
    "comparison": N_("Comparisons"),
    "": N_("Saved by you"),
}
_MARKS: Final = {"yes": ("✓", "green"), "maybe": ("~", "yellow"), "no": ("✗", "red"), "cpu": ("✓", "green")}


def suits(entry: Entry, free: int | None) -> Suits:
    """Opens the preset, so not for the thread that draws; ``free`` are bytes of GPU memory."""
    from tunewiz.backends.sources import find_cached
    from tunewiz.presets import families
    from tunewiz.presets.preset import RetrievalPreset
    from tunewiz.presets.tasks.llm import LlmPreset
    from tunewiz.presets.yaml.library import open_preset

    try:
        preset = open_preset(entry.path).preset
    except TunewizError:
        return Suits()
    known = families.lookup(preset.model.id)
    here = preset.model.source == "starter" or find_cached(preset.model) is not None
    if known is None:
        return Suits(here=here)
    languages = known.family.languages
    language = languages[0] if len(languages) == 1 else "zh" if set(languages) == {"zh", "en"} else "multi"
    language = language if language in _LANGUAGES else "multi"
    needed = preset.memory(known) if isinstance(preset, (RetrievalPreset, LlmPreset)) else None
    if needed is None:
        return Suits(language, "", here)
    small = known.size.parameters <= _ON_CPU
    return Suits(language, needed.fits(free) if free is not None else "cpu" if small else "no", here)


#: Weights up to which training without a GPU ends within an evening.
_ON_CPU: Final = 700_000_000


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
        "file can be typed in the line above the list. ✓ fits into the memory that is free, ~ barely, ✗ does not; "
        "● marks those whose model is on this machine."
    )

    class Found(Message):
        """The presets were listed."""

        def __init__(self, entries: tuple[Entry, ...]) -> None:
            super().__init__()
            self.entries = entries

    class Weighed(Message):
        """It was found out which of them suit this machine."""

        def __init__(self, found: dict[str, Suits]) -> None:
            super().__init__()
            self.found = found

    def __init__(self) -> None:
        super().__init__()
        self.entries: tuple[Entry, ...] = ()
        self.suits: dict[str, Suits] = {}
        self.words = ""

    def compose(self) -> ComposeResult:
        """List at the left, text at the right."""
        yield TitleBar(N_("Presets"))
        yield TextLine(id="filter", placeholder=translate("Filter, or a path to a YAML file"), compact=True)
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

        entries = tuple(listing())
        self.post_message(self.Found(entries))
        from tunewiz.tui.commands.models import free_memory

        free = free_memory()
        self.post_message(self.Weighed({entry.name: suits(entry, free) for entry in entries}))

    def on_presets_screen_found(self, message: Found) -> None:
        """Show their names."""
        self.entries = message.entries
        self._fill()

    def on_presets_screen_weighed(self, message: Weighed) -> None:
        """Group them by language, and mark what suits."""
        self.suits = message.found
        self._fill()

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self._fill()

    def _fill(self) -> None:
        """The list, under a heading a task and language; the cursor stays on its preset."""
        names = self.query_one("#names", OptionList)
        here = names.highlighted_option.id if names.highlighted_option else None
        groups: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries:
            suit = self.suits.get(entry.name, Suits())
            heading = _heading(entry, suit)
            sought = f"{entry.name} {heading} {translate('here') if suit.here else ''}".lower()
            if all(word in sought for word in self.words.lower().split()):
                groups.setdefault((_task(entry), suit.language), []).append(entry)
        order, languages = list(_TASKS), list(_LANGUAGES)
        options: list[Option] = []
        for task, language in sorted(groups, key=lambda one: (order.index(one[0]), languages.index(one[1]))):
            listed = groups[task, language]
            options.append(Option(Text(_heading(listed[0], Suits(language)), style="bold"), disabled=True))
            options += [Option(_line(entry, self.suits.get(entry.name)), id=entry.name) for entry in listed]
        names.clear_options()
        names.add_options(options)
        places = [place for place, option in enumerate(options) if option.id is not None]
        kept = next((place for place in places if options[place].id == here), places[0] if places else None)
        names.highlighted = kept

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while typing."""
        self.words = "" if _is_path(event.value) else event.value
        self._fill()

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


def _task(entry: Entry) -> str:
    task = entry.name.partition("/")[0] if entry.origin == "shipped" else ""
    return task if task in _TASKS else ""


def _heading(entry: Entry, suit: Suits) -> str:
    language = translate(_LANGUAGES[suit.language]) if suit.language else ""
    return " · ".join(part for part in (translate(_TASKS[_task(entry)]), language) if part)


def _line(entry: Entry, suit: Suits | None) -> Text:
    """Whether it fits, whether it is here, its name."""
    mark, style = _MARKS.get(suit.fits, (" ", "")) if suit else (" ", "")
    text = Text(f" {mark} ", style=style)
    name = entry.name.partition("/")[2] if _task(entry) else entry.name
    return text.append("● " if suit and suit.here else "  ", style="").append(printable(name or entry.name, 60))


def _is_path(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or text.startswith(("/", "~", "./", "../"))


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(LARGEST)
    except OSError:
        return translate("It cannot be read.")
    return "\n".join(printable(line, 500) for line in in_language(text).split("\n"))
