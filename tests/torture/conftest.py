"""The table of kills, printed when they are over."""

from __future__ import annotations

import pytest

from tests.torture.test_matrix import TABLE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for every engine and stage."""
    if not TABLE:
        return
    terminalreporter.section("kills")
    terminalreporter.write_line("| engine | stage | operations | kills | same measures | same bits | left over |")
    terminalreporter.write_line("|---|---|---|---|---|---|---|")
    for line in TABLE:
        terminalreporter.write_line(line)
