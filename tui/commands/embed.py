"""``tunewiz embed``: the texts of a file as vectors in another one."""

from __future__ import annotations

import sys
from pathlib import Path

from backends.embedding_files import check_suffix
from backends.runs.find import find, runs_dir
from data.language import translate
from data.problems import BadData, BadPreset, ExitCode, error, say
from tui.wizard.errand import ErrandFailed, send

_DATA = frozenset({"unknown-column", "no-texts", "file-missing", "no-file"})


def run_embed(which: str, file: Path, out: Path, column: str, as_queries: bool, folder: Path | None) -> int:
    """Write the vectors of ``file``'s texts to ``out``; raises ``TunewizError`` with what could not be done."""
    run = find(which, runs_dir(folder))
    check_suffix(out)
    source, target = (path.expanduser().absolute() for path in (file, out))
    if not source.exists():
        raise BadData(error("no-file", say("There is no file {path}.", path=source), fix=say("Check the path.")))
    try:
        count, dimension = send("backends.embedding_files:embed", run, source, column, target, as_queries)
    except ErrandFailed as fault:
        kind = BadData if any(problem.code in _DATA for problem in fault.problems) else BadPreset
        raise kind(*fault.problems) from fault
    print(target)
    words = translate("{count} vectors of {dimension} numbers").format(count=count, dimension=dimension)
    print(words, file=sys.stderr)
    return int(ExitCode.OK)
