"""The vector space of a run with characters: before beside after where there is room, its numbers below."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, Literal

from rich.console import Console

from tunewiz.backends.space.record import CAPTION, KINDS, SIDES, Kind, Pair, Space, When
from tunewiz.language import N_, current, translate
from tunewiz.printable import printable
from tunewiz.tui.terminal.characters import characters, in_ascii, original_environment
from tunewiz.tui.widgets.drawing import Line, Part, fit, join_groups, rich_text, wrap_text
from tunewiz.tui.widgets.scatter import Frame, Marks, every, scatter
from tunewiz.tui.widgets.sheet import Sheet

WIDE: Final = 120  # cells from which both sides stand beside each other
_HIGH: Final = 36  # rows from which, in less width, both stand below each other
_GAP: Final = "   "
_TITLES: Final[dict[When, str]] = {"before": N_("before"), "after": N_("after")}
#: Style, shape, and shape in ASCII of each kind; dots for those of which there are most.
_LOOKS: Final[dict[Kind, tuple[str, str, str]]] = {
    "negative": ("dim", "", ""),
    "positive": ("good", "◆", "+"),
    "query": ("smooth", "○", "o"),
}
_BOTH: Final = ("◉", "*")
_CHOSEN: Final = (("●", "■"), ("Q", "A"))  # the query that is looked at, and its answer
#: Colours of labels, over and over; each has a letter of its own as well.
_COLOURS: Final = ("smooth", "good", "bad", "warn", "strong", "raw", "plain")
Layout = Literal["beside", "below", "single"]


def layout_of(width: int, height: int) -> Layout:
    """How both sides are arranged in so many cells."""
    return "beside" if width >= WIDE else "below" if height >= _HIGH else "single"


def space_lines(
    space: Space, width: int, height: int, ascii_only: bool, side: When = "before", chosen: int | None = None
) -> list[Line]:
    """The whole of it in ``width`` x ``height`` cells; ``side`` is shown alone where only one fits.

    ``chosen`` is the line that is drawn and told in words; ``None`` draws all of them.
    """
    layout = layout_of(width, height)
    told = [*_legend(space, width, ascii_only), *_numbers(space, width), *_told(space, width, chosen)]
    rows = max(4, height - len(told) - (2 if layout == "below" else 1))
    frame = Frame.around([place for when in SIDES for place in space.places(when)])
    pairs = space.pairs if chosen is None else space.pairs[chosen : chosen + 1]
    if layout == "single":
        return [_title(space, side, width), *_side(space, side, frame, pairs, width, rows, ascii_only), *told]
    if layout == "below":
        sides = [[_title(space, when, width), *_side(space, when, frame, pairs, width, rows // 2, ascii_only)]
                 for when in SIDES]  # fmt: skip
        return [*sides[0], *sides[1], *told]
    room = (width - len(_GAP)) // 2
    left, right = (
        [_title(space, when, room), *_side(space, when, frame, pairs, room, rows, ascii_only)] for when in SIDES
    )
    beside = [[*fit(one, room), (" │ ", "dim"), *other] for one, other in zip(left, right, strict=True)]
    return [*beside, *told]


def _title(space: Space, when: When, width: int) -> Line:
    side = space.before if when == "before" else space.after
    words = translate(N_("query and answer {positive}, query and others {negative}"))
    cosines = words.format(positive=f"{side.positive:.3f}", negative=f"{side.negative:.3f}")
    return join_groups([[(translate(_TITLES[when]), "accent")], [(cosines, "dim")]], width)


def _marks(space: Space, when: When, ascii_only: bool) -> list[Marks]:
    places = space.places(when)
    if not space.labels:
        return [
            Marks([place for place, point in zip(places, space.points, strict=True) if point.kind == kind], style,
                  plain if ascii_only else glyph)
            for kind, (style, glyph, plain) in _LOOKS.items()
        ]  # fmt: skip
    found = [Marks([place for place, point in zip(places, space.points, strict=True) if point.label < 0], "dim")]
    for label in range(len(space.labels)):
        for small in (False, True):  # documents in capitals, queries small
            of = [place for place, point in zip(places, space.points, strict=True)
                  if point.label == label and (point.kind == "query") == small]  # fmt: skip
            found.append(Marks(of, _COLOURS[label % len(_COLOURS)], _letter(label, small)))
    return found


def _letter(label: int, small: bool) -> str:
    return chr((ord("a") if small else ord("A")) + label % 26)


def _side(
    space: Space, when: When, frame: Frame, pairs: Sequence[Pair], width: int, rows: int, ascii_only: bool
) -> list[Line]:
    places = space.places(when)
    lines = [(places[pair.query], places[pair.document]) for pair in pairs]
    marks = _marks(space, when, ascii_only)
    both = "*" if space.labels else _BOTH[ascii_only]
    above = [*zip(lines[0][::-1], _CHOSEN[ascii_only][::-1], strict=True)] if len(lines) == 1 else []
    return scatter(marks, lines, frame, width, rows, both, ascii_only, above)


def _legend(space: Space, width: int, ascii_only: bool) -> list[Line]:
    """What the shapes mean, in as many lines as that takes."""
    groups: list[list[Part]] = []
    if space.labels:
        groups += [
            [(f"{_letter(number, False)} ", _COLOURS[number % len(_COLOURS)]), (printable(name, 30), "plain")]
            for number, name in enumerate(space.labels)
        ]
        groups.append([(translate(N_("small letters: queries")), "dim")])
    else:
        for kind, (style, glyph, plain) in reversed(_LOOKS.items()):
            shape = (plain if ascii_only else glyph) or ("." if ascii_only else "⠒")
            groups.append([(f"{shape} ", style), (f"{space.count(kind)} {translate(KINDS[kind])}", "plain")])
        groups.append([(f"{_BOTH[ascii_only]} ", "strong"), (translate(N_("both in one place")), "plain")])
    step = every(_marks(space, "before", ascii_only), *_canvas(width))
    if step > 1:
        groups.append([(translate(N_("one shape in {count} is drawn")).format(count=step), "dim")])
    lines: list[Line] = []
    while groups:
        line = join_groups(groups, width)
        count = next((end for end in range(len(groups), 0, -1) if join_groups(groups[:end], width) == line), 1)
        lines.append(line or fit(groups[0], width))
        groups = groups[max(1, count) :]
    return lines


def _canvas(width: int) -> tuple[int, int]:
    """About the cells of one side, for what is said of how much is drawn."""
    return (width // 2 if width >= WIDE else width), 20


def _numbers(space: Space, width: int) -> list[Line]:
    """Each number of the space itself before and after."""
    return [
        fit(
            [
                (f"{before:6.3f} → {after:.3f} ", "strong"),
                (f"{after - before:+.3f}  ", "dim"),
                (translate(name), "plain"),
            ],
            width,
        )
        for name, before, after in space.numbers()
    ]


def _told(space: Space, width: int, chosen: int | None) -> list[Line]:
    """The query that is chosen and its answer, in words."""
    if chosen is None or not space.pairs:
        return []
    pair = space.pairs[chosen]
    head = f"{chosen + 1}/{len(space.pairs)}  {pair.before:.3f} → {pair.after:.3f}  "
    query, answer = (printable(space.points[place].text, 200) for place in (pair.query, pair.document))
    style = "good" if pair.after > pair.before else "bad"
    return [fit([(head, style), (query, "strong")], width), fit([(" " * len(head), "plain"), (answer, "plain")], width)]


class SpacePanel(Sheet, can_focus=True):
    """The space, once it is there; a line at a time where somebody looks through them."""

    space: Space | None = None
    side: When = "before"
    chosen = 0

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Nothing until it is there."""
        if self.space is None:
            return []
        ascii_only = getattr(self.app, "characters", "unicode") == "ascii"
        return space_lines(self.space, width, height, ascii_only, self.side, self.chosen)

    def relabel(self) -> None:
        """The language or the characters changed."""
        self.redraw()


#: How styles look where no theme is at hand; the terminal's own colours.
_PRINTED: Final = {
    "dim": "bright_black", "strong": "bold", "accent": "yellow", "good": "green", "warn": "yellow", "bad": "red",
    "raw": "cyan", "smooth": "bright_blue",
}  # fmt: skip


def print_space(space: Space) -> None:
    """Print both sides on stdout, as wide as the terminal is, and how to read them."""
    console = Console(highlight=False)
    width = max(40, min(console.width, 240))
    ascii_only = characters(original_environment()) == "ascii"
    height = 22 + width // 6 if width >= WIDE else 52
    lines: list[Line] = [
        *space_lines(space, width, height, ascii_only),
        *wrap_text(space.drawn().text(), width, "dim"),
        *wrap_text(translate(CAPTION), width, "dim"),
    ]
    for line in lines:
        parts = [(in_ascii(text, current() != "en") if ascii_only else text, style) for text, style in line]
        text = rich_text(parts, _PRINTED)
        text.rstrip()
        console.print(text, soft_wrap=True)
    sys.stdout.flush()
