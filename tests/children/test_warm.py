"""A fork of the warm process is to whoever asked for it what an interpreter of its own would be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.conftest import DEVICE
from tests.warm import Warm

pytestmark = pytest.mark.skipif(DEVICE != "cpu", reason="every child is an interpreter there")
#: Programs whose exit status, output and errors are compared.
PROGRAMS = {
    "words": "import sys; print(sys.argv, __name__); print('no', file=sys.stderr)",
    "status": "import sys; sys.exit(7)",
    "reason": "import sys; sys.exit('because')",
    "raises": "raise ValueError('x')",
    "interrupted": "raise KeyboardInterrupt",
    "at the end": "import atexit; atexit.register(print, 'last'); print('first')",
    "reads": "print(input()[::-1])",
    "place": "import os; print(os.getcwd(), os.environ['ONLY'], 'HOME' in os.environ, os.getenv('PYTHONUTF8'))",
    "thread": "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()",
    "signals": "import signal; print([signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)])",
    "session": "import os; print(os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid())",
    "descriptors": "import os; print(len(os.listdir('/proc/self/fd')), os.isatty(1))",
    "imports": "import json; from tunewiz.problems import say; print(say('{n} rows', n=3).text('en'), __name__)",
    "nothing of ours": "import sys; print([name for name in sys.modules if name.startswith(('tunewiz', 'tests'))])",
    "its own child": "import subprocess, sys; done = subprocess.run([sys.executable, '-m', 'tunewiz', 'runs'], "
    "capture_output=True); print(done.returncode, len(done.stdout))",
}


def ended(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str, bool]:
    """How a child with that program ended, and whether it was a fork."""
    monkeypatch.setattr(warm, "PROGRAMS", {program})
    own = {"ONLY": "here", "PATH": os.environ["PATH"], "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]}
    own |= {name: os.environ[name] for name in os.environ if name.startswith(("PYTHON", "LD_", "TUNEWIZ_"))}
    child = subprocess.Popen(
        [sys.executable, "-c", program, "a", "b c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, cwd=folder, env=own, start_new_session=True,
        preexec_fn=warm.as_from_a_terminal,
    )  # fmt: skip
    forked = isinstance(child, Warm) and child._line is not None
    out, told = child.communicate("typed\n", timeout=240)
    return child.returncode, out, told, forked


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_fork_ends_and_speaks_as_an_interpreter(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *found, forked = ended(PROGRAMS[name], tmp_path, monkeypatch)
    monkeypatch.setattr(Warm, "fresh", True)
    *expected, other = ended(PROGRAMS[name], tmp_path, monkeypatch)
    assert (forked, other) == (True, False)
    for told in (found, expected):  # tracebacks name what was called
        told[2] = told[2].strip().rpartition("\n")[2]
    assert found == expected


def forked(program: str, monkeypatch: pytest.MonkeyPatch, **named: Any) -> subprocess.Popen[bytes]:
    monkeypatch.setattr(warm, "PROGRAMS", {program})
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, **named)
    assert isinstance(child, Warm) and child._line is not None
    return child


@pytest.mark.parametrize(("end", "status"), [(subprocess.Popen.kill, -9), (subprocess.Popen.terminate, -15)])
def test_a_fork_is_waited_for_and_killed(
    end: Callable[[Any], None], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = forked("import time; print('on', flush=True); time.sleep(600)", monkeypatch)
    assert child.stdout is not None and child.stdout.readline() == b"on\n"
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.1)
    assert Path(f"/proc/{child.pid}").is_dir()
    end(child)
    assert child.wait(60) == child.poll() == status
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_a_fork_holds_what_it_is_given_and_lets_go_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    program = f"import os, time; os.write({writing}, b'x'); time.sleep(600)"
    child = forked(program, monkeypatch, pass_fds=(writing,))
    os.close(writing)
    assert os.read(reading, 1) == b"x"
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)  # it is open there
    os.kill(child.pid, signal.SIGKILL)
    child.wait(60)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            assert os.read(reading, 1) == b""
            break
        except BlockingIOError:
            time.sleep(0.05)
    else:
        pytest.fail("the warm process kept it")
    os.close(reading)


def test_another_environment_of_the_libraries_is_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "PROGRAMS", {"print(1)"})
    for changed in ({"LD_LIBRARY_PATH": "/nowhere"}, {"PYTHONPATH": "/nowhere"}, {"OMP_NUM_THREADS": "3"}):
        child = subprocess.Popen(
            [sys.executable, "-c", "print(1)"], env=os.environ | changed, stdout=subprocess.DEVNULL
        )
        assert isinstance(child, Warm) and child._line is None
        assert child.wait(60) == 0
