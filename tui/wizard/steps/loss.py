"""The loss and the hard negatives, with a look at those that would be mined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.text import Text
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from tunewiz.backends import negatives
from tunewiz.backends.negatives import NONE
from tunewiz.errand import ErrandFailed, GivenUp, send
from tunewiz.language import N_, translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.losses import trained_by
from tunewiz.presets.sections.data import Negatives
from tunewiz.presets.yaml import fields
from tunewiz.printable import printable
from tunewiz.problems import say
from tunewiz.tui.forms.questions import Choice, Offer, choices
from tunewiz.tui.widgets.labels import Words
from tunewiz.tui.wizard.background import QUIET
from tunewiz.tui.wizard.mining import Look, Wanted
from tunewiz.tui.wizard.step import State, Step, View

# The loss and the hard negatives.


class LossStep(Step):
    """What training pulls together and pushes apart."""

    name = "loss"
    order = 50
    title = N_("Loss")
    intro = N_("What is right, what is wrong? The loss compares texts; negatives are wrong ones that look right.")
    keys = ("loss", "data.negatives", "data.teacher", "strategies")
    simple = ("loss", "data.negatives.strategy", "data.negatives.per_query", "strategies")
    lessons = ("negatives", "contrastive-learning", "teacher")
    task_lessons = {"reranker": ("negatives", "bi-encoder-and-cross-encoder")}

    def offers(self) -> Mapping[str, Offer]:
        """The losses of the backend, and the strategies that are there to mine negatives."""
        return {"loss": _losses, "data.negatives.strategy": _strategies}

    def view(self, advanced: bool) -> View:
        """The form, and a look at mined negatives."""
        return LossView(self, advanced)


def _losses(draft: Draft) -> Sequence[Choice]:
    """What the chosen backend trains with; all of them while that is nothing known."""
    info, backend = draft.field(("loss",)), str(draft.value(("backend",)))
    every = choices(info) if info else ()
    kind = fields.losses_of(info) if info else None
    fitting = trained_by(backend, kind) if kind else {}
    return [choice for choice in every if choice.value in fitting] or every


def _strategies(draft: Draft) -> Sequence[Choice]:
    info = draft.field(("data", "negatives", "strategy"))
    told = {choice.value: choice for choice in choices(info)} if info else {}
    return [told.get(name, Choice(name)) for name in (negatives.NONE, *negatives.catalogue())]


# The loss on the screen, and a look at the negatives that would be mined.


class LossView(View):
    """Below the form: query, positive and mined negatives with their scores, as soon as there is something to mine."""

    _wanted: Wanted | None = None
    _timer: Timer | None = None

    @dataclass
    class Mined(Message):
        """The look that was ``wanted`` is there, or why it is not."""

        wanted: Wanted
        look: Look | str

    def below(self) -> Iterable[Widget]:
        """The look."""
        yield Words(N_("A look at the negatives"), classes="view--title", id="negatives-title")
        yield Static(id="negatives")

    async def show(self, state: State) -> None:
        """Show the form; look again if what decides on the negatives changed."""
        await super().show(state)
        wanted = _wanted(state)
        for name in ("#negatives", "#negatives-title"):
            self.query_one(name).display = wanted is not None
        if wanted != self._wanted:
            self._wanted = wanted
            if self._timer:
                self._timer.stop()
            if wanted:
                self._tell(Text(translate("Mining negatives for a few queries …"), style="italic"))
                self._timer = self.set_timer(QUIET, self._look)

    def _look(self) -> None:
        wanted = self._wanted
        if wanted is None:
            return

        def work() -> None:
            worker = get_current_worker()
            try:
                found: Look | str = send("tunewiz.tui.wizard.mining:look", wanted, unwanted=lambda: worker.is_cancelled)
            except GivenUp:
                return
            except ErrandFailed as fault:
                found = "\n".join(problem.line() for problem in fault.problems)
            self.post_message(self.Mined(wanted, found))

        self.run_worker(work, thread=True, exclusive=True, group="mining", exit_on_error=False)

    def on_loss_view_mined(self, event: Mined) -> None:
        """Show it, unless something else is wanted by now."""
        event.stop()
        if event.wanted == self._wanted:
            self._tell(self._drawn(event.look))

    def _tell(self, words: RenderableType) -> None:
        self.query_one("#negatives", Static).update(words)

    def _drawn(self, look: Look | str) -> RenderableType:
        colours = self.app.theme_variables
        if isinstance(look, str):
            return Text(look, style=colours["error"])
        if look.why_not:
            return Text(look.why_not.text(), style=colours["dim"])
        head = say("Mined from {count} passages; the score is the strategy's own.", count=look.passages).text()
        lines = [Text(head, style=colours["dim"])]
        for mined in look.shown:
            lines.append(Text(printable(mined.query), style="bold"))
            lines.append(_scored("+", mined.score, mined.positive, colours["success"]))
            lines += [_scored("-", score, text, colours["error"]) for text, score in mined.negatives]
        return Group(*lines)


def _scored(mark: str, score: float, text: str, colour: str) -> Text:
    line = Text(f"{mark} {score:8.3f}  ", style=colour, no_wrap=True, overflow="ellipsis")
    return line.append(printable(text, 300), style="not bold default")


def _wanted(state: State) -> Wanted | None:
    """What to look at; ``None`` where nothing is mined or the data is not named."""
    strategy = state.draft.value(("data", "negatives", "strategy"))
    if state.asked is None or strategy in (None, NONE):
        return None
    try:
        options = Negatives.model_validate(state.draft.filled["data"]["negatives"])
    except ValidationError:
        return None
    seed = state.draft.value(("training", "seed"))
    preset = state.draft.checked()[0] if strategy == "dense" else None
    return Wanted(state.asked, options, seed if isinstance(seed, int) else 0, preset)
