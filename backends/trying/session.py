"""Asking the child that holds the models, from a process that imports none of what they need."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final

from tunewiz.backends.runs.run import Run
from tunewiz.backends.trying import Fact
from tunewiz.errand import child_environment
from tunewiz.problems import error, say

_PATIENCE: Final = 5.0  # seconds that the child may take to leave


class Session:
    """A child for the models of ``run``; blocking, so not for a thread that draws. Use it in a ``with`` block."""

    def __init__(self, run: Run) -> None:
        self._told = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the child
        self._asked = 0
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tunewiz.backends.trying.serving", str(run.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
            encoding="utf-8",
            # A Ctrl-C is for the shell's process: the child leaves when its stdin ends.
            start_new_session=True,
            env=child_environment(),
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def loading(self) -> Iterator[Fact]:
        """Facts while the models are loaded, the last one ``ready`` or ``problems``."""
        for fact in self._facts():
            yield fact
            if fact["event"] in ("ready", "problems"):
                return

    def ask(self, question: Mapping[str, Any]) -> Iterator[Fact]:
        """The facts that answer ``question``; ``problems`` among them where it cannot be answered."""
        self._asked += 1
        stdin = self._child.stdin
        if stdin is None:
            return
        # A child that is gone tells so by the end of its facts.
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps({**question, "id": self._asked}) + "\n")
            stdin.flush()
        for fact in self._facts():
            if fact.get("id") != self._asked:
                continue
            if fact["event"] == "done":
                return
            yield fact

    def close(self) -> None:
        """End the child."""
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._told.close()

    def kill(self) -> None:
        """End the child at once; whoever waits for an answer is told so."""
        self._child.kill()

    def _facts(self) -> Iterator[Fact]:
        if self._child.stdout is None:
            return
        for line in self._child.stdout:
            fact = json.loads(line)
            yield fact
        yield self._gone()

    def _gone(self) -> Fact:
        status = self._child.wait()
        self._told.seek(0)
        lines = self._told.read().decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else str(status)
        problem = error("trial-ended", say("The models' process ended: {reason}", reason=reason))
        return {"event": "problems", "id": self._asked, "problems": [problem.as_json()], "exit_code": 1}
