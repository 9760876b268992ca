"""What is done when a run has ended, however it ended: a command of the user's, or a message to a web address.

Nothing here changes how the run ended: what goes wrong is told in its events, as is what went well.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import append_line
from tunewiz.presets.yaml.tree import read_tree
from tunewiz.problems import Message, Problem, note, say, warning
from tunewiz.redaction import redacted

#: Seconds after which a command is ended: time enough to copy a model to another disk and to switch a machine off.
LIMIT: Final = 600.0
_POST: Final = 20.0  # seconds for a web address to answer
_KEPT: Final = 4000  # characters of what a command prints, its last ones
_WEB: Final = ("https://", "http://")


def finish(run: Run, state: RunState, code: int, limit: float = LIMIT) -> None:
    """Do what ``on_finish`` of the preset of ``run`` says; ``code`` is the exit code of the run. Never raises."""
    tree = read_tree(run.preset_file)
    wanted = str(tree.node(("on_finish",)) or "").strip() if tree else ""
    if not wanted:
        return
    address = os.path.expandvars(wanted)
    try:
        problem = (
            _post(address, run, state, code) if address.startswith(_WEB) else _command(wanted, run, state, code, limit)
        )
    except (OSError, ValueError) as fault:
        problem = _failed(say("{reason}", reason=redacted(str(getattr(fault, "strerror", None) or fault))))
    with suppress(OSError):
        run.notice(problem)


def facts(run: Run, state: RunState, code: int) -> dict[str, str]:
    """What the command finds in its environment."""
    return {
        "TUNEWIZ_RUN_DIR": str(run.directory),
        "TUNEWIZ_RUN_NAME": run.name,
        "TUNEWIZ_STATUS": state.status,
        "TUNEWIZ_VERDICT": state.verdict,
        "TUNEWIZ_EXIT_CODE": str(code),
    }


def _command(wanted: str, run: Run, state: RunState, code: int, limit: float) -> Problem:
    begun = time.monotonic()
    child = subprocess.Popen(
        ["/bin/sh", "-c", wanted],
        cwd=run.directory,
        env=os.environ | facts(run, state, code),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        out, _ = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return _failed(say("it took more than {seconds} seconds and was ended", seconds=int(limit)))
    printed = redacted(out.decode("utf-8", "replace")[-_KEPT:])
    with suppress(OSError):
        append_line(run.log_file, f"==> on_finish\n{printed}".rstrip())
    if child.returncode:
        return _failed(say("it ended with status {status}", status=child.returncode))
    seconds = f"{time.monotonic() - begun:.1f}"
    return note("on-finish", say("The command of on_finish is done ({seconds} s).", seconds=seconds))


def _post(address: str, run: Run, state: RunState, code: int) -> Problem:
    """POST one JSON object; addresses of chat services are secrets, so that only the host is ever told."""
    host = urllib.parse.urlsplit(address).hostname or "?"
    body = json.dumps(message(run, state, code), ensure_ascii=False).encode()
    asked = urllib.request.Request(
        address, body, {"Content-Type": "application/json", "User-Agent": "tunewiz"}, method="POST"
    )
    try:
        with urllib.request.urlopen(asked, timeout=_POST) as answer:
            return note("on-finish", say("{host} was told of the end ({status}).", host=host, status=answer.status))
    except urllib.error.HTTPError as fault:
        return _failed(say("{host} answered {status}", host=host, status=fault.code))
    except urllib.error.URLError as fault:
        return _failed(say("{host} cannot be reached: {reason}", host=host, reason=str(fault.reason)))


def message(run: Run, state: RunState, code: int) -> Mapping[str, Any]:
    """What a web address is told; ``text`` is what chat services show."""
    measured = {key: dict(values) for key, values in state.measured.items() if key.partition(":")[0] != "during"}
    word = state.verdict if state.verdict not in ("", "NONE") else state.status
    return {
        "text": f"Tunewiz: {run.name}: {word} ({code})",
        "name": run.name,
        "directory": str(run.directory),
        "status": state.status,
        "verdict": state.verdict,
        "exit_code": code,
        "measured": measured,
        "seconds": dict(state.seconds),
    }


def _failed(why: Message) -> Problem:
    fix = say("The run itself is not touched by it. What it printed is at the end of the log.")
    return warning("on-finish-failed", say("on_finish did not go well: {why}.", why=why), fix=fix)
