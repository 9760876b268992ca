"""Checkpoints and results copied off the machine while a run goes on, by a thread of who waits for its child.

What is copied is a snapshot of hard links, so that training may delete a checkpoint meanwhile. A copy that fails is
told and tried again with the next one; it never ends the run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunewiz.backends.runs.checkpoints import numbered
from tunewiz.backends.runs.manifest import MANIFEST
from tunewiz.backends.runs.run import Run
from tunewiz.files import replacing
from tunewiz.presets.yaml.tree import read_tree
from tunewiz.problems import Problem, Where, error, note, say, warning
from tunewiz.redaction import redacted

LOOK: Final = 5.0  # seconds between two looks for a new checkpoint
#: Seconds for one copy: 30 GB over a line of 100 Mbit/s take 40 minutes.
LIMIT: Final = 3600.0
_SNAPSHOT: Final = ".copying"
#: What is copied beside checkpoints once the run is over: what it was, what it left and what it brought.
_RESULTS: Final = ("preset.yaml", "run.json", "events.jsonl", "model", "report")
_HUB: Final = re.compile(r"(hf|modelscope):([\w.-]+/[\w.-]+)")
_REMOTE: Final = re.compile(r"rsync://\S+|[\w.-]+@[\w.-]+:\S+")
#: Programs that take a repository, a folder, a name in the repository ("" for its top) and a visibility.
_UPLOAD: Final = {
    "hf": (
        "import sys; from huggingface_hub import HfApi; api = HfApi(); repo, folder, name, seen = sys.argv[1:]\n"
        "api.create_repo(repo, private=seen == 'private', exist_ok=True)\n"
        "print(api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo=name or None).commit_url)"
    ),
    "modelscope": (
        "import sys; from modelscope.hub.api import HubApi; api = HubApi(); repo, folder, name, seen = sys.argv[1:]\n"
        "api.create_repo(repo_id=repo, repo_type='model', visibility=seen, exist_ok=True)\n"
        "api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo=name or None)"
    ),
}


class NotCopied(Exception):
    """A copy that failed; its text says why."""


@dataclass(frozen=True)
class Target:
    """Where copies go: a ``kind`` (folder, rsync, hf, modelscope) and the place by that kind's own name."""

    kind: str
    place: str

    @classmethod
    def of(cls, text: str) -> Target | None:
        """``None`` for what is none of them."""
        hub = _HUB.fullmatch(text)
        if hub:
            return cls(hub[1], hub[2])
        if _REMOTE.fullmatch(text):
            return cls("rsync", text.rstrip("/"))
        path = Path(text).expanduser() if text else Path()
        return cls("folder", str(path)) if path.is_absolute() else None

    def send(self, source: Path, name: str) -> None:
        """Copy the folder ``source`` to ``name`` (with slashes) at the target. Raises :class:`NotCopied`."""
        if self.kind == "folder":
            try:
                with replacing(Path(self.place) / name) as part:
                    shutil.copytree(source, part, dirs_exist_ok=True)
            except (OSError, shutil.Error) as fault:
                raise NotCopied(getattr(fault, "strerror", None) or str(fault)) from fault
            return
        self._by_program(source, name)

    def upload(self, folder: Path, public: bool) -> str:
        """Put the files of ``folder`` at the top of a hub's repository, made if need be; where they can be seen, or "".

        Raises :class:`NotCopied`.
        """
        told = _run([*self._uploading, str(folder), "", "public" if public else "private"]).strip().splitlines()
        return told[-1] if told and "://" in told[-1] else ""

    @property
    def _uploading(self) -> list[str]:
        return [sys.executable, "-c", _UPLOAD[self.kind], self.place]

    def _by_program(self, source: Path, name: str) -> None:
        if self.kind == "rsync":
            # --relative makes the folders above; the dot says where that path begins (rsync(1)).
            root = source.parents[name.count("/")]
            shell = ["-e", "ssh -o BatchMode=yes"] if "@" in self.place and "//" not in self.place else []
            _run(["rsync", "-a", "--partial", "--relative", *shell, f"{root}/./{name}/", f"{self.place}/"])
        else:
            _run([*self._uploading, str(source), name, "private"])


def _run(command: Sequence[str]) -> str:
    """What ``command`` prints. Raises :class:`NotCopied` with its last words."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=LIMIT
        )
    except (OSError, subprocess.SubprocessError) as fault:
        raise NotCopied(getattr(fault, "strerror", None) or type(fault).__name__) from fault
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [str(done.returncode)]
        raise NotCopied(redacted(lines[-1])[:300])
    return done.stdout


def target_problems(text: str) -> list[Problem]:
    """Why nothing can be copied to ``text``, before the run begins."""
    where = Where("checkpoints.sync")
    if not text:
        return []
    target = Target.of(text)
    if target is None:
        message = say("{text} is no place to copy to.", text=text)
        fix = say("Use rsync://host/module/path, user@host:path, hf:org/repo, modelscope:org/repo or an absolute path.")
        return [error("sync-target", message, where, fix)]
    if target.kind == "rsync" and shutil.which("rsync") is None:
        return [
            error("sync-no-rsync", say("rsync is not installed here."), where, say("Install it, or name a folder."))
        ]
    if target.kind == "folder":
        above = next((place for place in (Path(target.place), *Path(target.place).parents) if place.exists()), None)
        if above is None or not above.is_dir() or not os.access(above, os.W_OK):
            return [error("sync-not-writable", say("{folder} cannot be written to.", folder=target.place), where)]
    return []


class Copies:
    """The copies of one run."""

    def __init__(self, run: Run, target: Target) -> None:
        self._run = run
        self._target = target
        self._sent: set[str] = set()

    def newest(self) -> None:
        """Copy the newest whole checkpoint, if it was not; its manifest, written last, says that it is whole."""
        found = next((path for _, path in numbered(self._run.checkpoints) if (path / MANIFEST).is_file()), None)
        if found is not None and found.name not in self._sent and self._send([found], f"checkpoints/{found.name}"):
            self._sent.add(found.name)

    def results(self) -> None:
        """Copy what the run left, and its last checkpoint."""
        self.newest()
        self._send([self._run.directory / name for name in _RESULTS], "result")

    def _send(self, sources: Sequence[Path], what: str) -> bool:
        begun, name = time.monotonic(), f"{self._run.name}/{what}"
        snapshot = self._run.directory / _SNAPSHOT
        try:
            shutil.rmtree(snapshot, ignore_errors=True)
            for source in sources:
                whole = len(sources) == 1
                _linked(source, snapshot / name if whole else snapshot / name / source.name)
            self._target.send(snapshot / name, name)
        except (OSError, shutil.Error, NotCopied) as fault:
            why = str(getattr(fault, "strerror", None) or fault)[:300]
            message = say("{what} was not copied to {place}: {why}", what=what, place=self._target.place, why=why)
            self._tell(warning("sync-failed", message, fix=say("The run goes on; the next save is tried again.")))
            return False
        finally:
            shutil.rmtree(snapshot, ignore_errors=True)
        seconds = f"{time.monotonic() - begun:.1f}"
        message = say(
            "{what} was copied to {place} ({seconds} s).", what=what, place=self._target.place, seconds=seconds
        )
        self._tell(note("synced", message))
        return True

    def _tell(self, problem: Problem) -> None:
        with suppress(OSError):
            self._run.notice(problem)


def _linked(source: Path, target: Path) -> None:
    """``source`` at ``target``, by hard links where there can be some; what is not there is left out."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(str(source), str(target))
    elif source.is_dir():
        shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def copying(run: Run) -> Iterator[None]:
    """Copy each new checkpoint of ``run`` where its preset says, in a thread; at the end what the run left, too."""
    tree = read_tree(run.preset_file)
    target = Target.of(str(tree.node(("checkpoints", "sync")) or "")) if tree else None
    if target is None:
        yield
        return
    copies, over = Copies(run, target), threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            copies.newest()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        copies.results()
