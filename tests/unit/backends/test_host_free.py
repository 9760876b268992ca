"""Memory that a process can have: what the machine has free, within the limits it was given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tunewiz.backends.machine.hardware import _left_of_group, host_free


def test_no_more_than_the_machine_has() -> None:
    assert 0 < host_free() <= psutil.virtual_memory().total


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_limit_of_the_shell_counts() -> None:
    code = "from tunewiz.backends.machine.hardware import host_free; print(host_free())"
    limited = f"ulimit -d 1000000; exec '{sys.executable}' -c '{code}'"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(["bash", "-c", limited], env=environment, capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 1_000_000 << 10


def test_a_container_has_what_its_tightest_group_leaves(tmp_path: Path) -> None:
    mount, inner = tmp_path / "cgroup", tmp_path / "cgroup" / "pods" / "mine"
    inner.mkdir(parents=True)
    for group, limit, used in ((inner, "max", 100), (inner.parent, "5000", 3000)):
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text("anon 7\ninactive_file 400\n")
    (tmp_path / "self").write_text("1:name=x:/\n0::/pods/mine\n")
    assert list(_left_of_group(tmp_path / "self", mount)) == [2400]
    assert list(_left_of_group(tmp_path / "missing", mount)) == []
