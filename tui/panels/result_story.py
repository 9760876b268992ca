"""How a run ended, as lines: verdict, before → after, queries, cosines, what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from tunewiz.backends.evaluate.verdict import VERDICTS
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.printable import duration, printable
from tunewiz.tui.panels.evidence import Answer, Change, Evidence, Query, Spread
from tunewiz.tui.widgets.drawing import Line, Part, fit, wrap_text
from tunewiz.tui.widgets.plotting import sparkline
from tunewiz.tui.widgets.sheet import Story
from tunewiz.tui.words import STATUS_NAMES, problem_line

_KIND_WORDS = {"positive": N_("right pairs"), "hard": N_("best wrong pairs"), "random": N_("random pairs")}


class ResultStory(Story):
    """Everything there is to say of a run that is over."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.state = RunState()
        self.found = Evidence()

    #: What can be opened, in the order in which it is told, and what is under the cursor (``None``: nothing yet).
    targets: tuple[Query | Change, ...] = ()
    chosen: int | None = None

    def tell(self, run: Run, state: RunState, found: Evidence) -> None:
        """Tell of this run."""
        self.run, self.state, self.found = run, state, found
        self.targets = (*found.changes, *found.best, *found.worst)
        self.retell()

    @property
    def target(self) -> Query | Change | None:
        """What is under the cursor."""
        return None if self.chosen is None else self.targets[self.chosen]

    def choose(self, by: int) -> int | None:
        """Move the cursor on; the line it is on, or ``None`` where there is nothing to choose."""
        if not self.targets:
            return None
        start = -1 if self.chosen is None and by > 0 else self.chosen or 0
        self.chosen = (start + by) % len(self.targets)
        self.redraw()
        return self._place()

    def _place(self) -> int | None:
        return next((row for row, line in enumerate(self._drawn) if any(style == "cursor" for _, style in line)), None)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Section after section; what is not known has no section."""
        if self.run is None:
            return [[(translate("Reading the report ..."), "dim")]]
        ascii_only = getattr(self.app, "characters", "") == "ascii"
        sections = [
            _verdict(self.state, width),
            _table(self.found, width),
            _sweep(self.found, width),
            _queries(_BEST[self.found.of_rows], self.found.best, width),
            _queries(_WORST[self.found.of_rows], self.found.worst, width),
            _answers(self.found.answers, width),
            _general(self.found, width),
            _cosines(self.found.spreads, width, ascii_only),
            _next(self.found, width),
            _places(self.run, self.state, width),
        ]
        told = [line for section in sections if section for line in (*section, ())]
        return told if self.target is None else _marked(told, self.targets, self.chosen or 0)


#: Headings and counts of queries, and of rows of a language model's data.
_BEST: Final = (N_("Queries that gained most"), N_("Rows that improved most"))
_WORST: Final = (N_("Queries that lost most"), N_("Rows that got worse most"))
_COUNTS: Final = (
    N_("{wins} queries better, {losses} worse, {ties} the same"),
    N_("{wins} rows better, {losses} worse, {ties} the same"),
)


def _heading(text: str) -> Line:
    return [(translate(text), "accent")]


def _marked(told: Sequence[Line], targets: Sequence[Query | Change], chosen: int) -> list[Line]:
    """``told`` with the line of the chosen target in reverse; targets are told in their order."""
    drawn, at = [], 0
    for line in told:
        if at < len(targets) and _tells(line, targets[at]):
            drawn.append([(text, "cursor") for text, _ in line] if at == chosen else line)
            at += 1
        else:
            drawn.append(line)
    return drawn


def _tells(line: Line, target: Query | Change) -> bool:
    text = "".join(part for part, _ in line)
    if isinstance(target, Change):
        return text[2:].split(" ", 1)[0] == printable(target.metric, 30).split(" ", 1)[0]
    return text.startswith(f"{target.before:.2f} → {target.after:.2f}  ")


def _verdict(state: RunState, width: int) -> list[Line]:
    drawn: list[Line] = []
    wording = VERDICTS.get(state.verdict)
    if wording:
        drawn += wrap_text(wording.sentence.text(), width, wording.tone)
    else:
        style = "bad" if state.status in ("failed", "lost", "unreadable") else "strong"
        drawn.append([(translate(STATUS_NAMES[state.status]), style)])
    for problem in state.problems if state.why is not None else ():
        if problem.get("severity") == "error":
            drawn += wrap_text(problem_line(problem), width, "bad")
    spent = state.updated - state.started if state.started else 0
    facts = [printable(state.model, 60), translate("took {time}").format(time=duration(spent)) if spent > 0 else ""]
    drawn.append([("  ".join(fact for fact in facts if fact), "dim")])
    return drawn


_CHOSEN: Final = {
    "validation": N_("Sweep: the best was chosen on the validation data by {metric}."),
    "held-out": N_("Sweep: the best was chosen on the held-out rows themselves, so that its gain is optimistic."),
}


def _sweep(found: Evidence, width: int) -> list[Line]:
    """Every point with what it was chosen by and what it brought; the best one is marked."""
    if not found.sweep:
        return []
    words = translate(_CHOSEN.get(found.chosen_on, _CHOSEN["held-out"]))
    drawn: list[Line] = [*wrap_text(words.format(metric=printable(found.chosen_by, 30)), width, "plain")]
    for one in found.sweep:
        numbers = "".join(
            _right("–" if value is None else f"{value:.4f}", 9) for value in (one.chosen_value, one.before, one.after)
        )
        style = "strong" if one.best else "plain"
        name = ("▸ " if one.best else "  ") + printable(one.told, 200)
        drawn.append([*fit([(name, style)], max(12, width - 30)), (numbers, style)])
    return drawn


def _table(found: Evidence, width: int) -> list[Line]:
    if not found.changes:
        return []
    name_width = max(12, *(len(change.metric) + 2 for change in found.changes))
    titles = (N_("before"), N_("after"), N_("difference"), N_("95 % interval"))
    head = "".join(_right(translate(title), size) for title, size in zip(titles, (9, 9, 11, 20), strict=True))
    searched = any(change.search is not None for change in found.changes)
    head = (_right(translate(N_("search")), 9) if searched else "") + head
    drawn: list[Line] = [[(_left(translate("measure"), name_width) + head, "dim")]]
    drawn += [_row(change, name_width, change.metric == found.primary, searched) for change in found.changes]
    if found.wins is not None and found.losses is not None:
        words = translate(_COUNTS[found.of_rows])
        drawn.append([(words.format(wins=found.wins, losses=found.losses, ties=found.ties or 0), "plain")])
    return [fit(line, width) for line in drawn]


def _row(change: Change, name_width: int, primary: bool, searched: bool = False) -> Line:
    difference = change.difference
    style = "dim" if not difference or not change.certain else "good" if change.better else "bad"
    before = "" if change.before is None else f"{change.before:.4f}"
    interval = "" if change.low is None or change.high is None else f"{change.low:+.4f} … {change.high:+.4f}"
    return [
        (
            _left(("▸ " if primary else "  ") + printable(change.metric, 40), name_width),
            "strong" if primary else "plain",
        ),
        (("" if change.search is None else f"{change.search:.4f}").rjust(9) if searched else "", "dim"),
        (before.rjust(9), "plain"),
        (f"{change.after:.4f}".rjust(9), "strong"),
        (("" if difference is None else f"{difference:+.4f}").rjust(11), style),
        (interval.rjust(20), "dim"),
    ]


def _queries(title: str, queries: Sequence[Query], width: int) -> list[Line]:
    if not queries:
        return []
    rows: list[Line] = []
    for query in queries:
        numbers: Line = [(f"{query.before:.2f} → {query.after:.2f}  ", "good" if query.gain > 0 else "bad")]
        rows.append(fit([*numbers, (printable(query.text, 200), "plain")], width))
    return [_heading(title), *rows]


def _answers(answers: Sequence[Answer], width: int) -> list[Line]:
    drawn: list[Line] = []
    for answer in answers:
        parts = ((answer.prompt, "strong"), (answer.expected, "dim"), (answer.before, "raw"), (answer.after, "smooth"))
        labels = ("", N_("expected"), N_("before"), N_("after"))
        for label, (text, style) in zip(labels, parts, strict=True):
            name = _left(translate(label) if label else "▸", 10)
            shown = " ".join(printable(text, 600).split()) or "—"
            drawn.append(fit([(name, "dim"), (shown, style)], width))
    return [_heading(N_("Answers on held-out rows")), *drawn] if drawn else []


def _general(found: Evidence, width: int) -> list[Line]:
    """Whether the model forgot: sentences, then a line for each measure."""
    if not found.general:
        return []
    drawn: list[Line] = [_heading(N_("Did it forget?"))]
    for sentence in found.general_told:
        drawn += wrap_text(sentence.text(), width, "bad" if found.forgot else "plain")
    name_width = max(12, *(cell_len(change.metric) + 3 for change in found.general))
    return drawn + [fit(_row(change, name_width, primary=False), width) for change in found.general]


_LABELS = 26  # cells before a histogram
_MEANS = 14  # cells after it


def _cosines(spreads: Sequence[Spread], width: int, ascii_only: bool) -> list[Line]:
    shown = [spread for spread in spreads if spread.kind in _KIND_WORDS and any(spread.bins)]
    if not shown:
        return []
    used = [place for spread in shown for place, count in enumerate(spread.bins) if count]
    size, first, last = len(shown[0].bins), min(used), max(used) + 1
    # As many bins to a cell as make it fit.
    each = -(-(last - first) // max(10, width - _LABELS - _MEANS))
    drawn: list[Line] = [_heading(N_("Cosine of query and passage"))]
    for kind, words in _KIND_WORDS.items():
        for spread in (one for one in shown if one.kind == kind):
            bins = [sum(spread.bins[place : min(place + each, last)]) for place in range(first, last, each)]
            graph = sparkline(bins, len(bins), max(bins) or 1.0, ascii_only)
            mean = "" if spread.mean is None else translate("mean {value}").format(value=f"{spread.mean:.3f}")
            label = f"{translate(words)} {translate(spread.when)}"
            style = "smooth" if spread.when == "after" else "raw"
            drawn.append([(_left(label, _LABELS), "dim"), (graph, style), (f"  {mean}", "plain")])
    cells = -(-(last - first) // each)
    scale = f"{first * 2 / size - 1:.1f}" + f"{last * 2 / size - 1:.1f}".rjust(max(4, cells - 4))
    return [fit(line, width) for line in (*drawn, [(" " * _LABELS + scale, "dim")])]


def _next(found: Evidence, width: int) -> list[Line]:
    drawn: list[Line] = []
    for step in found.steps:
        first, *rest = wrap_text(step.text(), max(10, width - 2))
        drawn += [[("▸ ", "accent"), *first], *([("  ", "plain"), *line] for line in rest)]
    return [_heading(N_("What to try next")), *drawn] if drawn else []


def _places(run: Run, state: RunState, width: int) -> list[Line]:
    places = (
        (N_("Model"), run.model, run.model.is_dir()),
        (N_("Report"), run.report / "report.md", (run.report / "report.md").is_file()),
        (N_("Log"), run.log_file, run.log_file.is_file()),
    )
    found: list[list[Part]] = []
    for label, path, there in places:
        if there:
            found += wrap_text(f"{translate(label)}: {printable(path, 500)}", width, "dim", "")
    return list(found)


def _left(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))


def _right(text: str, width: int) -> str:
    return " " * max(0, width - cell_len(text)) + text
