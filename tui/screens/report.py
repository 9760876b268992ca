"""The report of a run, rendered."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Markdown

from tunewiz.backends.runs.run import Run
from tunewiz.files import read_bytes
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.widgets.labels import KeyHints, TitleBar

LARGEST = 1 << 20  # characters shown


class ReportScreen(FullScreen):
    """``report/report.md``; links are not followed."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    HELP_TEXT: ClassVar[str] = N_("The report as it lies in the run's directory, there also as HTML.")

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def compose(self) -> ComposeResult:
        """The rendered report."""
        yield TitleBar(N_("Report"), self.run.name)
        with VerticalScroll():
            yield Markdown(readable(self.run.report / "report.md"), open_links=False)
        yield KeyHints()


def readable(file: Path) -> str:
    """The text of a report, free of control characters."""
    try:
        text = read_bytes(file, 4 * LARGEST).decode("utf-8", "replace")[:LARGEST]
    except OSError:
        return translate("There is no report.")
    return "\n".join(printable(line, 10_000) for line in text.split("\n"))
