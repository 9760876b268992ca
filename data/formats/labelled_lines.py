"""fastText's files: a line a text, each with its labels before it (``__label__sport The match …``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, Final

from tunewiz.data.formats.format import Detection, Mapped
from tunewiz.data.formats.supervised import Classification
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import lines
from tunewiz.language import N_
from tunewiz.problems import Report, note, say, warning

_LINE: Final = re.compile(r"\s*((?:__label__\S+[\s,]+)+)(.*)", re.DOTALL)
_LABEL: Final = re.compile(r"__label__([^\s,]+)")
_SEEN: Final = 100  # lines that are looked at
_NEARLY_ALL: Final = 0.9


class LabelledLines(Classification):
    """Texts with ``__label__`` marks, in a file of whatever name."""

    name: ClassVar[str] = "fasttext"
    title: ClassVar[str] = N_("Labelled lines (fastText)")
    description: ClassVar[str] = N_("A text a line with __label__ marks before it.")

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Never by columns: see :meth:`plain`."""
        return False

    def plain(self, source: Source) -> Detection | None:
        """A text file of which nearly every line begins with a label."""
        if source.container not in ("csv", "tsv"):
            return None
        first = [text for _, text in islice(lines(source, lambda _problem: None), _SEEN) if text.strip()]
        if not first or sum(bool(_LINE.match(text)) for text in first) < _NEARLY_ALL * len(first):
            return None
        message = say("The lines begin with labels (__label__), as fastText reads them.")
        kept = tuple(problem for problem in source.notes if problem.code.startswith("encoding"))
        whole = source.altered(columns=("text", "label"), header=False, delimiter="", quoting="none", notes=kept)
        told = (note("labelled-lines", message, source.at()),)
        return Detection(self, whole, {"text": ("text",), "label": ("label",)}, 0.9, told)

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each line; lines without a label are reported and left out."""
        source = detection.source
        for number, line in islice(lines(source, report), source.limit):
            found = _LINE.match(line)
            if found:
                yield Row(number, {"text": found[2].strip(), "label": _LABEL.findall(found[1])})
            elif line.strip():
                message = say("The line has no label; it is left out.")
                report(warning("empty-label", message, source.at(number)))
