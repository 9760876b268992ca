"""The models of a run, asked: a line to type in, below it what the untouched and the tuned one answer."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.message import Message
from textual.widgets import Input, Static

from tunewiz.backends.runs.run import Run
from tunewiz.backends.trying import Fact
from tunewiz.backends.trying.session import Session
from tunewiz.language import N_, translate
from tunewiz.problems import Message as Told
from tunewiz.problems import say
from tunewiz.tui.answers import LOADING, looks_by_task
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.widgets.labels import KeyHints, TitleBar, Words
from tunewiz.tui.widgets.typed import TextLine
from tunewiz.tui.words import problem_line


class TrialScreen(FullScreen):
    """The models live in a child that this screen starts and ends; one thread talks to it."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "example", N_("Example"), key_display="F2", tooltip=N_("A question from the run's own data")),
        Binding("down,up", "scroll", show=False),
    ]
    HELP_TEXT = N_(
        "Type a question and press Enter: both models answer, the untouched one and the tuned one. Answers that the "
        "data knows to be right are marked. F2 takes a question that neither model was trained on."
    )

    class Heard(Message):
        """The child told something."""

        def __init__(self, fact: Fact) -> None:
            super().__init__()
            self.fact = fact

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.asks = ""  # the task, once the models are loaded
        self.exchanges: list[list[Fact]] = []
        self._examples: list[str] = []
        self._example = 0
        self._questions: queue.Queue[str | None] = queue.Queue()
        self._session: Session | None = None
        self._left = False

    def compose(self) -> ComposeResult:
        """A line to ask in, how things stand, the answers."""
        yield TitleBar(N_("Try it"), self.run.name)
        yield TextLine(id="question", placeholder=translate("What do you want to ask?"), compact=True)
        yield Words(N_("Loading the models ..."), id="standing")
        with VerticalScroll(can_focus=True):
            yield Static(id="answers", markup=False)
        yield KeyHints()

    def on_mount(self) -> None:
        """Start the child."""
        self.query_one(Input).focus()
        self._serve()

    def on_unmount(self) -> None:
        """End the child, whatever it is doing."""
        self._left = True
        self._questions.put(None)
        if self._session is not None:
            self._session.kill()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _serve(self) -> None:
        with Session(self.run) as session:
            self._session = session
            fact: Fact = {}
            for fact in session.loading():
                self._tell(fact)
            while fact.get("event") == "ready" and not self._left and (question := self._questions.get()) is not None:
                for told in session.ask({"query": question}):
                    self._tell(told)
                self._tell({"event": "done"})

    def _tell(self, fact: Fact) -> None:
        if not self._left:
            self.post_message(self.Heard(fact))

    def on_trial_screen_heard(self, message: Heard) -> None:
        """Show it."""
        fact = message.fact
        if fact["event"] == "loading":
            self._stand(_loading(fact))
        elif fact["event"] == "ready":
            self.asks, self._examples = fact["task"], list(fact.get("examples", ()))
            self._stand(_ready(fact))
        elif fact["event"] == "problems":
            words = "  ".join(map(problem_line, fact["problems"]))
            self.query_one("#standing", Words).tell(lambda: words)
        elif fact["event"] == "answer" and self.exchanges:
            self.exchanges[-1].append(fact)
            self._draw()
        elif fact["event"] == "done":
            self._stand(N_("Ask again, or press Escape to go back."))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask; a question typed while the models are loaded waits for them."""
        event.stop()
        question = event.value.strip()
        if question:
            self.exchanges.append([])
            self._questions.put(question)
            event.input.select_all()  # the next question takes its place
            if self.asks:
                self._stand(N_("Asking both models ..."))

    def action_example(self) -> None:
        """Put the next question of the run's own data into the line, and ask it."""
        if not self._examples:
            self.notify(translate("There is no example: the models are loading, or the data holds none."), markup=False)
            return
        box = self.query_one(Input)
        box.value = self._examples[self._example % len(self._examples)]
        self._example += 1
        box.post_message(Input.Submitted(box, box.value))

    def action_scroll(self) -> None:
        """Read on below, with the keys that a line of one row has no use for."""
        self.query_one(VerticalScroll).focus()

    def on_resize(self, event: Resize) -> None:
        """The width decides whether answers stand beside each other."""
        self._draw()

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self._draw()

    def _stand(self, text: str | Told) -> None:
        self.query_one("#standing", Words).tell(text)

    def _draw(self) -> None:
        exchanges: Any = [exchange for exchange in self.exchanges if exchange]
        if self.asks in looks_by_task() and exchanges:
            scroll = self.query_one(VerticalScroll)
            width = max(20, scroll.content_size.width)
            self.query_one("#answers", Static).update(looks_by_task()[self.asks](exchanges, width))
            if len(exchanges[-1]) > 1 and not scroll.has_focus:  # an answer in pieces: its end is what is new
                scroll.scroll_end(animate=False)


def _loading(fact: Fact) -> Told | str:
    if fact["total"]:
        what = say(LOADING.get(fact["what"], ""))
        return say("{what} {done} of {total} texts encoded", what=what, done=fact["done"], total=fact["total"])
    return LOADING.get(fact["what"], "")


def _ready(fact: Fact) -> Told | str:
    if "documents" in fact:
        return say("Ready: {count} documents to search in.", count=fact["documents"])
    return N_("Ready.")
