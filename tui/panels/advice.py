"""Warnings in plain words, each with what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data.language import N_, translate
from data.printable import printable
from tui.panels.base import Panel
from tui.watching import View
from tui.widgets.drawing import Line, wrapped

_STYLES = {"error": "bad", "warning": "warn", "note": "dim"}


class AdvicePanel(Panel):
    """What is wrong now first, then what the run told of, newest first."""

    TITLE = N_("Advice")

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Each finding and its fix, wrapped; the last line says how much is left out."""
        if self.view is None:
            return []
        found = findings(self.view)
        if not found:
            return [[("✓ ", "good"), (translate("Nothing to worry about."), "dim")]]
        drawn: list[Line] = []
        for severity, message, fix in found:
            style = _STYLES.get(severity, "dim")
            first, *rest = wrapped(message, max(4, width - 2), style) or [[("", style)]]
            mark = "· " if severity == "note" else "! "
            drawn += [[(mark, style), *first], *([("  ", style), *line] for line in rest)]
            drawn += [[("  ", "dim"), *line] for line in wrapped(fix, max(4, width - 2), "dim")]
        if len(drawn) > height > 0:
            drawn = [*drawn[: height - 1], [(translate("more: zoom in").rjust(width), "dim")]]
        return drawn


def findings(view: View) -> list[tuple[str, str, str]]:
    """Severity, message and fix of all there is to say, in the current language."""
    now = [(item.severity, item.message.text(), item.fix.text() if item.fix else "") for item in view.advice]
    return now + [_told(item) for item in reversed(view.notices)]


def _told(problem: Mapping[str, Any]) -> tuple[str, str, str]:
    """A problem out of an event: worded by the run, so made printable here."""
    place = ":".join(str(part) for part in (problem.get("file"), problem.get("line")) if part)
    message = f"{place} {problem.get('message') or ''}".strip()
    return str(problem.get("severity")), printable(message, 500), printable(problem.get("fix") or "", 500)
