"""The files of every report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.reports.blocks import Block, markdown, page
from data.files import write_json, write_whole
from data.language import current


def write_pages(folder: Path, blocks: Sequence[Block], numbers: Mapping[str, Any]) -> None:
    """Write ``blocks`` as ``report.md`` and ``report.html``, and ``numbers`` as ``metrics.json``, into ``folder``."""
    write_whole(folder / "report.md", markdown(blocks))
    write_whole(folder / "report.html", page(blocks, current()))
    write_json(folder / "metrics.json", numbers)
