"""The places that lean on Textual's inside (8.2.8): updates that send what changed, Alt with a digit, tabs, styles."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, NamedTuple, cast
from weakref import WeakKeyDictionary

from rich.console import Console
from rich.control import Control
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._compositor import ChopsUpdate, Compositor, ReflowResult
from textual.app import App
from textual.containers import Vertical
from textual.css.styles import RulesMap
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.geometry import Region, Size
from textual.map_geometry import MapGeometry
from textual.strip import Strip
from textual.widget import Widget

# Partial updates that send what changed and no more.
#
# Textual 8.2.8 repaints from the left edge of a widget to the end of what changed in it ("crop to x extents" stands
# open in its ``ChopsUpdate``). Over a slow line a growing curve costs several times what it needs, so both ends are
# cropped here. The version is pinned and a test looks at the bytes.


class FineUpdate(ChopsUpdate):
    """As its base, each strip cropped at both ends of what changed."""

    def render_segments(self, console: Console) -> str:
        """The text that brings the terminal up to date."""
        sequences: list[str] = []
        for y, left, right in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= right or end <= left:
                    continue
                begin = max(x, left)
                sequences.append(Control.move_to(begin, y).segment.text)
                sequences.append(strip.crop(begin - x, min(end, right) - x).render(console))
        return "".join(sequences)


class FineCompositor(Compositor):
    """Makes :class:`FineUpdate` of what changed."""

    _changed: Sequence[Region] | None = None

    @property
    def cuts(self) -> list[list[int]]:
        """Where what is seen changes from one widget to another, for each line.

        Its base cuts at the edges of hidden widgets too: a list that lies open over a form lost each Chinese character
        that stood across an edge of the form's lines.
        """
        if self._cuts is None:
            width, height = self.size
            seen = [[0] * width for _ in range(height)]
            edges: list[set[int]] = [set() for _ in range(height)]
            for number, (region, clip) in enumerate(reversed(self.visible_widgets.values()), 1):
                x, y, columns, rows = region.intersection(clip)
                for line in range(y, min(y + rows, height)) if columns else ():
                    seen[line][x : x + columns] = [number] * columns
                    edges[line] |= {x, x + columns}
            self._cuts = [
                [0, *(cut for cut in sorted(found) if 0 < cut < width and line[cut - 1] != line[cut]), width]
                for line, found in zip(seen, edges, strict=True)
            ]
        return self._cuts

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        """As its base, but only what lies elsewhere or has another size is painted anew.

        Its base also repaints whatever stands in something that grew, and what scrolls over more: the whole step for
        each line of words below a field.
        """
        before, dirty = self._full_map, set(self._dirty_regions)
        result = super().reflow(parent, size)
        if before and size.region not in self._dirty_regions:
            places = ((one, before.get(one), self._full_map.get(one)) for one in before.keys() | self._full_map.keys())
            anew = (region for widget, old, new in places for region in _anew(widget, old, new))
            self._dirty_regions = {*dirty, *filter(None, anew)}
        return result

    def _render_chops(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Sequence[Mapping[int, Strip]]:
        """As its base, for widgets whose edges are hidden too: what they show lies between two cuts."""
        cuts = self.cuts
        chops: list[dict[int, Strip | None]] = [dict.fromkeys(line[:-1]) for line in cuts]
        for region, clip, strips in self._get_renders(crop):
            seen = region.intersection(clip)
            left, right = seen.column_span
            for y, strip in zip(seen.line_range, strips, strict=False):
                if not is_rendered_line(y):
                    continue
                within = [cut for cut in cuts[y] if left <= cut <= right]
                ends = [cut - left for cut in within]
                parts = strip.divide(ends[1:]) if 0 in ends else strip.divide(ends)[1:]
                for cut, part in zip(within, parts, strict=False):
                    if chops[y].get(cut, part) is None:
                        chops[y][cut] = part
        return cast("Sequence[Mapping[int, Strip]]", chops)

    def render_partial_update(self) -> ChopsUpdate | None:
        """An update, or ``None`` if nothing changed."""
        self._changed = list(self._dirty_regions)
        try:
            update = super().render_partial_update()
        finally:
            self._changed = None
        return FineUpdate(update.chops, update.spans, update.chop_ends) if update is not None else None

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        """As its base, but in a partial update only those rows of widgets in which something changed.

        Its base takes all that lies within a rectangle around the changes: with one at the top of the screen and one
        in the last line, each widget there is.
        """
        if self._changed is None or crop is None:
            yield from super()._get_renders(crop)
            return
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            if not seen or not crop.overlaps(seen):
                continue
            rows = [(changed.y, changed.bottom) for changed in self._changed if changed.overlaps(seen)]
            if rows:
                top, bottom = max(seen.y, min(rows)[0]), min(seen.bottom, max(end for _, end in rows))
                part = Region(seen.x, top, seen.width, bottom - top)
                yield region, part, widget.render_lines(part.translate((-region.x, -region.y)))


def _anew(widget: Widget, old: MapGeometry | None, new: MapGeometry | None) -> Iterable[Region]:
    """What is to be painted anew of a widget that was laid out as ``old`` and is as ``new``."""
    if old and new and _above(old) == _above(new) and old.clip == new.clip:
        if old.region == new.region:
            return ()
        if old.region.offset == new.region.offset and old.region.width == new.region.width and _bare(widget):
            top, bottom = sorted((old.region.bottom, new.region.bottom))
            return (Region(new.region.x, top, new.region.width, bottom - top).intersection(new.clip),)
    return [place.visible_region for place in (old, new) if place]


def _above(place: MapGeometry) -> list[tuple[int, ...]]:
    """Which layers it lies in. Textual also counts the widgets of the screen: one more changes that of them all."""
    return [layer[:2] for layer in place.order]


def _bare(widget: Widget) -> bool:
    """Whether it is nothing but the ground on which others stand."""
    styles = widget.styles
    return isinstance(widget, Vertical) and not (styles.border.spacing or styles.outline.spacing)


# Alt with a digit, as terminals send it: Escape, then the digit.
#
# Textual 8.2.8 takes the two for what a Mac's Option key types: ``Alt-4`` would put ``¢`` into the field in use, and no
# step could be reached by its number.


class AltDigit(NamedTuple):
    """Stands in Textual's table where its ``Keys`` stand, which have no such member."""

    value: str


def read_as_keys() -> None:
    """From now on Alt and a digit is one key, with nothing typed."""
    sequences = cast("dict[str, Any]", ANSI_SEQUENCES_KEYS)
    sequences.update({f"\x1b{digit}": (AltDigit(f"alt+{digit}"),) for digit in range(10)})


# Tabs that are told of something while they go.
#
# Textual 8.2.8 takes a widget's children away before it stops listening. Tabs that are told then of a new label look
# for the bar beneath them, which is gone, and the app ends with a traceback: keys in a burst did it at the review.


def let_tabs_go() -> None:
    """From now on tabs without their bar have nothing to move."""
    from textual.widgets import Tabs
    from textual.widgets._tabs import Underline

    move = Tabs._highlight_active

    def moved(tabs: Tabs, animate: bool = True) -> None:
        if tabs.query(Underline):
            move(tabs, animate)

    if move.__module__ != __name__:
        Tabs._highlight_active = moved  # type: ignore[method-assign, assignment]


# Styles that were found once.
#
# Textual 8.2.8 goes through all rules of all its widgets for each widget that is made or gets the focus, and once more
# for each of the parts (a cursor, a placeholder) that it draws in a style of their own; for some already before they
# stand anywhere. Two of the same kind, classes and state that stand in the same are styled the same.


class _Styled(NamedTuple):
    """What was found: the rules, and which states of a widget have rules of their own."""

    rules: RulesMap
    states: tuple[bool, ...]


#: What a widget remembers of the rules that may be its own.
_STATES: Final = ("_has_hover_style", "_has_focus_within", "_has_order_style", "_has_odd_or_even")


def style_once() -> None:
    """From now on a style sheet remembers what it found, as long as its rules stay as they are."""
    find = Stylesheet.apply
    known: WeakKeyDictionary[Stylesheet, tuple[object, dict[Hashable, _Styled]]] = WeakKeyDictionary()

    @wraps(find)
    def apply(self: Stylesheet, node: DOMNode, *, animate: bool = False, cache: Any = None) -> None:
        path = node.css_path_nodes
        if not isinstance(path[0], App):
            return  # it is styled when it comes to stand somewhere
        if animate:
            find(self, node, animate=animate, cache=cache)
            return
        rules, found = known.get(self, (None, {}))
        if rules is not self.rules_map:
            found = {}
            known[self] = (self.rules_map, found)
        key = tuple(map(_look, path))
        styled = found.get(key)
        if styled is not None:
            for name, state in zip(_STATES, styled.states, strict=True):
                setattr(node, name, state)
            self.replace_rules(node, styled.rules)
            self._process_component_classes(node)
            return
        fresh: dict[Any, RulesMap] = {}  # stays empty where the place among its neighbours decides
        find(self, node, cache=fresh)
        for one in fresh.values():
            found[key] = _Styled(one, tuple(getattr(node, name) for name in _STATES))

    if not hasattr(find, "__wrapped__"):
        Stylesheet.apply = apply  # type: ignore[method-assign]


def _look(node: DOMNode) -> Hashable:
    """All that rules can ask of a node, but for its place among its neighbours."""
    app = (node.theme, node.app_focus, node.native_ansi_color, node.no_color) if isinstance(node, App) else None
    state = (node.allow_focus(), node._pseudo_classes_cache_key) if isinstance(node, Widget) else app
    return type(node), node.id, node.classes, state
