"""Pictures of a run: the loss, the metrics before and after, cosines, and its vector space as points."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.reports.facts import Facts
from tunewiz.backends.runs.smoothing import smooth
from tunewiz.backends.runs.state import Curve
from tunewiz.backends.space.record import KINDS, SIDES, Cosines, Kind, Space
from tunewiz.language import N_, current, translate
from tunewiz.problems import Message, say

#: Fonts with Chinese characters, the best first. Of a collection of fonts in one file matplotlib knows the first alone.
_CJK: Final = (
    r"Noto Sans (Mono )?CJK|Noto Sans SC|Source Han Sans|WenQuanYi|PingFang|Microsoft YaHei|SimHei|Heiti|Hiragino",
    r"Noto Serif CJK|Source Han Serif|SimSun|Song|Droid Sans Fallback|Arial Unicode|AR PL|Unifont",
)
_BEFORE, _AFTER, _GREY = "#8a8f98", "#2563eb", "#c4c8cf"
_COLOURS: Final = {"positive": "#16a34a", "random": "#9ca3af", "hard": "#dc2626"}
_KINDS: Final = {
    "positive": N_("right pairs"),
    "random": N_("random pairs"),
    "hard": N_("best-ranked others"),
}


@cache
def chinese_font() -> str:
    """An installed font with Chinese characters, "" if there is none."""
    from matplotlib import font_manager

    if found := _first_of(font_manager.fontManager.ttflist):
        return found
    # What was installed since matplotlib wrote down which fonts there are.
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for file in font_manager.findSystemFonts():
        if file not in known and _CJK_FILES.search(Path(file).name) and _shows_chinese(file):
            font_manager.fontManager.addfont(file)
    return _first_of(font_manager.fontManager.ttflist)


#: How files of such fonts are called; looking into every file of a machine takes seconds.
_CJK_FILES: Final = re.compile(r"cjk|sanssc|han|wqy|hei|song|sun|fang|yahei|fallback|uming|ukai|unifont", re.IGNORECASE)


def _first_of(fonts: Sequence[Any]) -> str:
    """The name of the best font among ``fonts``, a regular one where there is one."""
    for kinds in _CJK:
        for font in sorted(fonts, key=lambda one: (not one.name.endswith("SC"), one.weight != 400, one.name)):
            if re.match(kinds, font.name) and _shows_chinese(font.fname):
                return str(font.name)
    return ""


def _shows_chinese(file: str) -> bool:
    from matplotlib.ft2font import FT2Font

    try:
        return all(FT2Font(file).get_char_index(ord(character)) for character in "训练验证")
    except (OSError, RuntimeError):  # deleted since matplotlib last looked, or no font
        return False


def _label(text: str) -> str:
    """``text`` in the current language, in English where no font could show it.

    An SVG holds texts, not shapes, and is shown with the fonts of whoever reads it: there it is said in the language
    all the same (:func:`_written`).
    """
    english = translate(text, "en")
    if current() != "zh" or chinese_font():
        return translate(text)
    _ENGLISH[english] = translate(text)
    return english


#: What was said in English for want of a font, and how it reads in the current language.
_ENGLISH: Final[dict[str, str]] = {}


def fontless() -> bool:
    """Whether PNG pictures are labelled in English although the language is another."""
    return current() == "zh" and not chinese_font()


def of_fonts() -> Iterator[Message]:
    """That they are, where they are, and how to mend it."""
    if fontless():
        yield say(
            "The PNG files beside this page are labelled in English, as this machine has no font with Chinese "
            "characters (for example the package fonts-noto-cjk); the pictures in this page use your own fonts."
        )


def _figure(columns: int = 1, shared: bool = True) -> tuple[Any, list[Any]]:
    """Axes beside each other, of one height if ``shared``; no global state of matplotlib is touched but the font."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rcParams["font.sans-serif"] = [*([chinese_font()] if chinese_font() else []), "DejaVu Sans"]
    rcParams["axes.unicode_minus"] = False  # many Chinese fonts lack U+2212
    figure = Figure(figsize=(8, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, columns, squeeze=False, sharey=shared and columns > 1)[0])
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def loss_picture(curves: Mapping[str, Curve], metric: str, target: Path) -> Path | None:
    """The training loss, raw and smoothed, and the validation metric where there is one; ``None`` without a loss."""
    loss = curves.get("loss")
    if loss is None or len(loss.values) < 2:
        return None
    figure, (ax,) = _figure()
    ax.plot(loss.steps, loss.values, color=_GREY, linewidth=1)
    ax.plot(loss.steps, smooth(loss.values), color=_AFTER, linewidth=2, label=_label(N_("training loss")))
    _over_steps(ax)
    ax.set_ylabel(_label(N_("loss")))
    watched = curves.get(metric) or curves.get(f"eval_{metric}") or curves.get("spearman")
    if watched and len(watched.values) > 1:
        right = ax.twinx()
        right.plot(watched.steps, watched.values, color=_COLOURS["positive"], marker="o", label=metric)
        where = _label(N_("validation"))
        right.set_ylabel(f"{metric} ({where})")
    return _written(figure, target)


#: What is drawn over the steps of a training: a file, what it is called, its curves by the beginning of their names.
_OVER_STEPS: Final = (
    ("learning-rate", N_("learning rate"), ("learning_rate",), 1.0),
    ("evaluations", N_("measured during training"), ("eval_",), 1.0),
    ("training-cosines", N_("cosine"), ("positive_cosine", "negative_cosine", "margin"), 1.0),
    ("memory", N_("memory (GiB)"), ("memory", "memory_peak"), float(1 << 30)),
)
#: Curves whose keys are no words for readers.
_CALLED: Final = {
    "memory": N_("now"),
    "memory_peak": N_("most until then"),
    "positive_cosine": N_("right passages"),
    "negative_cosine": N_("the nearest wrong ones"),
    "margin": N_("margin"),
}
#: Of what is measured during training, what tells how long that took.
_NO_MEASURE: Final = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "eval_model_preparation_time")


def _over_steps(ax: Any) -> None:
    """Steps from left to right; there are no halves of them."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel(_label(N_("step")))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def curve_pictures(curves: Mapping[str, Curve], folder: Path) -> dict[str, Path]:
    """Learning rate, every measure of the evaluations, cosines and their margin, memory; those that are known."""
    found = {}
    for name, told, starts, unit in _OVER_STEPS:
        drawn = {
            key: curve
            for key, curve in curves.items()
            if len(curve.values) > 1
            and key not in _NO_MEASURE
            and any(key == start or (start.endswith("_") and key.startswith(start)) for start in starts)
        }
        if not drawn:
            continue
        figure, (ax,) = _figure()
        for key, curve in drawn.items():
            marked = "o" if len(curve.values) < 40 else None
            label = _label(_CALLED[key]) if key in _CALLED else key
            ax.plot(curve.steps, [value / unit for value in curve.values], linewidth=1.6, marker=marked, label=label)
        _over_steps(ax)
        ax.set_ylabel(_label(told))
        if len(drawn) > 1:
            ax.legend(frameon=False, fontsize="small", ncols=1 + len(drawn) // 6)
        found[name] = _written(figure, folder / f"{name}.png")
    return found


#: What each of them shows, in the order of a report.
CURVES: Final = {
    "learning-rate": N_("Learning rate by step"),
    "evaluations": N_("Every measure of the evaluations during training"),
    "training-cosines": N_("Cosines during training: right passages, the nearest wrong ones, and the margin"),
    "memory": N_("Memory during training"),
}


def overlay_picture(runs: Mapping[str, Mapping[str, Curve]], target: Path) -> Path | None:
    """The smoothed training loss and the memory of several runs over their steps; ``None`` without two losses.

    Losses of other tasks, or of other losses, are of other sizes: they are for their shape.
    """
    kinds = (("loss", N_("training loss"), 1.0), ("memory", N_("memory (GiB)"), float(1 << 30)))
    shown = [
        (name, told, unit, drawn)
        for name, told, unit in kinds
        if len(drawn := {run: own[name] for run, own in runs.items() if name in own and len(own[name].values) > 1}) > 1
    ]
    if not shown:
        return None
    figure, axes = _figure(len(shown), shared=False)
    for ax, (name, told, unit, drawn) in zip(axes, shown, strict=True):
        for number, run in enumerate(runs):  # a run has its colour in both
            if run in drawn:
                curve = drawn[run]
                values = smooth(curve.values) if name == "loss" else [value / unit for value in curve.values]
                share = [step / max(1, curve.steps[-1]) for step in curve.steps]
                ax.plot(share, values, color=f"C{number % 10}", linewidth=1.8, label=_plain(run))
        ax.set_xlabel(_label(N_("share of the training")))
        ax.set_ylabel(_label(told))
    axes[0].legend(frameon=False, fontsize="small")
    return _written(figure, target)


def metrics_picture(facts: Facts, target: Path) -> Path | None:
    """A pair of bars for each metric; the whisker is the 95 % interval of the difference, drawn around "after"."""
    items = list(facts.comparisons.values())
    if not items:
        return None
    figure, (ax,) = _figure()
    places = range(len(items))
    whiskers = [[item.difference - item.low for item in items], [item.high - item.difference for item in items]]
    width = 0.4  # of a bar: two and a gap of half a bar between metrics
    ax.bar([place - width / 2 for place in places], [item.before for item in items], width, color=_BEFORE)
    ax.bar(
        [place + width / 2 for place in places],
        [item.after for item in items],
        width,
        color=_AFTER,
        yerr=[[max(0.0, length) for length in side] for side in whiskers],
        capsize=3,
        ecolor="#1e293b",
    )
    ax.set_xticks(list(places), [item.metric for item in items], rotation=30, ha="right")
    highest = max(max(item.before, item.after + max(0.0, item.high - item.difference)) for item in items)
    # Metrics end at 1, and so do the pictures, with room for the bar's edge. The legend is in nothing's way above.
    ax.set_ylim(0, min(1.02, 1.05 * highest + 0.02))
    figure.legend(
        ax.containers[:1] + ax.containers[-1:],
        [_label(N_("before")), _label(N_("after"))],
        frameon=False,
        loc="outside upper left",
        ncols=2,
    )
    return _written(figure, target)


def cosines_picture(facts: Facts, target: Path) -> Path | None:
    """Shares of cosines of right, random and best-ranked wrong pairs, before and after beside each other."""
    sides = [(N_("before"), facts.before), (N_("after"), facts.after)]
    known = [(name, record.cosines) for name, record in sides if record and record.cosines]
    if not known or not all(item.histogram for _, cosines in known for item in cosines.values()):
        return None
    figure, axes = _figure(len(known))
    for ax, (name, cosines) in zip(axes, known, strict=True):
        for kind, colour in _COLOURS.items():
            if kind in cosines:
                _histogram(ax, cosines[kind].histogram, colour, _label(_KINDS[kind]))
        ax.set_title(_label(name))
        ax.set_xlabel(_label(N_("cosine")))
        ax.set_xlim(*_span([item.histogram for _, found in known for item in found.values()]))
    axes[0].set_ylabel(_label(N_("share of pairs")))
    axes[-1].legend(frameon=False)
    return _written(figure, target)


#: A marker, its size, and a colour of each kind, those behind first. Shapes differ too: not everybody sees colours.
_POINTS: Final[dict[Kind, tuple[str, float, str]]] = {
    "negative": (".", 10, "#a3a9b3"),
    "positive": ("D", 15, "#16a34a"),
    "query": ("o", 17, "#2563eb"),
}
_LINE, _LINE_OF_LABELS = "#ea580c", "#334155"  # in the way of no other colour
_COLUMNS: Final = 4
#: Points of a kind that an SVG holds each by itself; more are one raster in it, which stays small and draws at once.
_MANY: Final = 600


def space_picture(space: Space, target: Path) -> Path:
    """Both layouts beside each other, the same texts in each, with lines between some queries and their answers."""
    from matplotlib.lines import Line2D

    figure, axes = _figure(2)
    rows = -(-(len(_POINTS) + 1 + len(space.labels)) // _COLUMNS)  # of the legend
    figure.set_size_inches(10, 5.5 + 0.22 * rows)
    line = _LINE_OF_LABELS if space.labels else _LINE
    every = [place for when in SIDES for place in space.places(when)]  # one frame, so that a place is one place
    (left, right), (low, high) = (_with_room([place[axis] for place in every]) for axis in (0, 1))
    for ax, when, title in zip(axes, SIDES, (N_("before"), N_("after")), strict=True):
        places = space.places(when)
        for pair in space.pairs:
            ends = places[pair.query], places[pair.document]
            ax.plot(*zip(*ends, strict=True), color=line, linewidth=1.1, alpha=0.85, zorder=2.5)
        for kind in _POINTS:
            _scatter(ax, space, kind, places)
        ax.set_title(_label(title))
        ax.set_xlim(left, right)
        ax.set_ylim(low, high)
        side = space.before if when == "before" else space.after
        ax.set_xlabel(_cosines_of(side), fontsize="small")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color(_GREY)
        ax.set_box_aspect(1)
    told = [
        Line2D([], [], linestyle="none", marker=marker, markersize=5, color=_GREY if space.labels else colour,
               label=_label(KINDS[kind]))
        for kind, (marker, _, colour) in reversed(_POINTS.items())
    ]  # fmt: skip
    told.append(Line2D([], [], color=line, label=_label(N_("a query and its answer, drawn by the seed"))))
    told += [
        Line2D([], [], linestyle="none", marker="s", color=_tab(number), label=_shown(name, number))
        for number, name in enumerate(space.labels)
    ]
    figure.legend(handles=told, loc="outside lower center", ncols=_COLUMNS, frameon=False, fontsize="small")
    return _written(figure, target)


def _with_room(values: Sequence[float]) -> tuple[float, float]:
    spare = 0.03 * (max(values) - min(values)) or 1.0
    return min(values) - spare, max(values) + spare


def _scatter(ax: Any, space: Space, kind: Kind, places: Sequence[tuple[float, float]]) -> None:
    marker, size, colour = _POINTS[kind]
    rows = [row for row, point in enumerate(space.points) if point.kind == kind]
    if not rows:
        return
    thinner = max(0.25, min(1.0, (1500 / len(space.points)) ** 0.5))
    colours = [_tab(space.points[row].label) for row in rows] if space.labels else colour
    ax.scatter(
        [places[row][0] for row in rows],
        [places[row][1] for row in rows],
        s=size * thinner,
        c=colours,
        marker=marker,
        linewidths=0,
        alpha=0.9 if kind != "negative" else 0.7,
        rasterized=len(rows) > _MANY,
        zorder=1 if kind == "negative" else 3,
    )


def _tab(label: int) -> str:
    """The colour of a label; grey for none."""
    return f"C{label % 10}" if label >= 0 else "#c4c8cf"


def _shown(name: str, number: int) -> str:
    """A label's name as matplotlib takes it; its number where no font could show it."""
    plain = max(name, default="") < "\u2e80" or chinese_font()
    return _plain(name) if plain else translate(N_("label {number}"), "en").format(number=number + 1)


def _plain(name: str) -> str:
    """``name`` as matplotlib takes it: no formula begins in it, and no line that begins so is left out of a legend."""
    return name.replace("$", r"\$").lstrip("_")


def _cosines_of(side: Cosines) -> str:
    told = _label(N_("mean cosine: query and answer {positive}, query and others {negative}"))
    return told.format(positive=f"{side.positive:.3f}", negative=f"{side.negative:.3f}")


def _histogram(ax: Any, counts: Sequence[int], colour: str, label: str) -> None:
    total = sum(counts) or 1
    edges = [-1 + 2 * place / len(counts) for place in range(len(counts) + 1)]
    ax.stairs([count / total for count in counts], edges, fill=True, color=colour, alpha=0.45, label=label)


def _span(histograms: Sequence[Sequence[int]]) -> tuple[float, float]:
    """The stretch of cosines that occur, with a little room."""
    bins = len(histograms[0])
    used = [place for place in range(bins) if any(counts[place] for counts in histograms)] or [0, bins - 1]
    return -1 + 2 * max(0, used[0] - 1) / bins, -1 + 2 * min(bins, used[-1] + 2) / bins


def _written(figure: Any, target: Path) -> Path:
    """The PNG ``target``, and the SVG beside it, which a page takes in."""
    from matplotlib import rc_context

    # Text stays text, in the reader's fonts; equal pictures are equal files, and names in two of them differ.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": target.stem}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # in an SVG the reader's fonts have it
        for file, told in ((target, {"Software": None}), (target.with_suffix(".svg"), {"Date": None, "Creator": None})):
            if file.suffix == ".svg" and fontless():
                _said(figure)
            temporary = file.with_name(f".{file.stem}.part{file.suffix}")
            figure.savefig(temporary, metadata=told)
            temporary.replace(file)
    return target


def _said(figure: Any) -> None:
    """Put the labels that are in English for want of a font into the current language."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(_ENGLISH.get(text.get_text(), text.get_text()))
