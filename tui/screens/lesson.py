"""Help: the field in use, then the lessons that belong to where you are.

Lessons are short, in English and Chinese: ``lessons/<topic>.<language>.md``, the first line is the title.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Markdown, Static

from tunewiz.language import N_, Language, current, translate
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.screens.kinds import Dialog

# Short lessons in English and Chinese: ``<topic>.<language>.md``, the first line is the title.


_FOLDER = Path(__file__).resolve().parent.parent / "lessons"


@dataclass(frozen=True)
class Lesson:
    """A topic in one language; ``text`` is Markdown, its title not in it."""

    topic: str
    title: str
    text: str


def topics() -> tuple[str, ...]:
    """Every topic, in alphabetical order."""
    return tuple(sorted({path.name.partition(".")[0] for path in _FOLDER.glob("*.md")}))


#: Lessons on what is measured, by how a measure's name begins.
_OF_MEASURES: Final = (("loss", "loss-curve"), ("eval_loss", "loss-curve"), ("perplexity", "loss-curve"),
                       ("chosen_loss", "loss-curve"), ("liked_loss", "loss-curve"))  # fmt: skip


def lesson_of(metric: str) -> str:
    """The topic of the lesson that explains a measure."""
    return next((topic for start, topic in _OF_MEASURES if metric.startswith(start)), "metrics")


def lesson(topic: str, language: Language | None = None) -> Lesson:
    """The lesson on ``topic`` in ``language``, by default the current one. Raises ``KeyError`` if there is none."""
    return _read(topic, language or current())


@cache
def _read(topic: str, language: Language) -> Lesson:
    path = _FOLDER / f"{topic}.{language}.md"
    if not path.is_file():
        raise KeyError(topic)
    title, _, text = path.read_text(encoding="utf-8").partition("\n")
    return Lesson(topic, title.removeprefix("# ").strip(), text.strip())


# Help: the field in use, then the lessons that belong to where you are.


class LessonScreen(Dialog[None]):
    """Scrolls; left and right turn to the other lessons."""

    CSS_PATH = "lesson.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q", "leave", N_("Close"), priority=True),
        Binding("right,n", "turn(1)", N_("Next lesson")),
        Binding("left,p", "turn(-1)", N_("Previous lesson")),
        Binding("down,j", "scroll(2)", show=False),
        Binding("up,k", "scroll(-2)", show=False),
        Binding("pagedown,space", "scroll(12)", show=False),
        Binding("pageup", "scroll(-12)", show=False),
    ]

    def __init__(self, question: Question | None, lessons: Sequence[str]) -> None:
        super().__init__()
        self._question = question
        self._topics = [*lessons, *(topic for topic in topics() if topic not in lessons)]
        self._at = 0

    def compose(self) -> ComposeResult:
        """The field's help, then a lesson, and how to turn the pages."""
        with Vertical(id="sheet"):
            with VerticalScroll(id="text", can_focus=False):
                yield Static(id="field")
                yield Markdown(open_links=False)
            yield Static(id="keys")

    async def on_mount(self) -> None:
        """Show the first lesson."""
        await self._show()

    async def action_turn(self, by: int) -> None:
        """Another lesson; the field's help is on the first page only."""
        self._at = (self._at + by) % len(self._topics)
        await self._show()
        self.query_one("#text").scroll_home(animate=False)

    def action_scroll(self, by: int) -> None:
        """Up and down."""
        self.query_one("#text").scroll_relative(y=by, animate=False)

    async def _show(self) -> None:
        field = self.query_one("#field", Static)
        field.display = self._question is not None and self._at == 0
        field.update(self._help())
        shown = lesson(self._topics[self._at])
        await self.query_one(Markdown).update(f"# {shown.title}\n\n{shown.text}")
        keys = translate("Esc closes  ·  ← → other lessons ({number} of {count})")
        self.query_one("#keys", Static).update(Text(keys.format(number=self._at + 1, count=len(self._topics))))

    def _help(self) -> Text:
        if self._question is None:
            return Text()
        text = Text(self._question.title, style="bold")
        text.append(f"  {self._question.key}\n", style="not bold dim")
        return text.append("\n".join(self._question.help()), style="not bold")

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self.call_later(self._show)
