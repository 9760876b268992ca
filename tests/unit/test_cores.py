"""How many cores a container leaves to a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz import cores
from tunewiz.cores import threads, usable_cores


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "granted_cores", lambda: 64)


def group(folder: Path, lines: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A control group as the kernel shows it: what /proc tells, and the files below the mount."""
    told, mount = folder / "cgroup", folder / "mount"
    told.write_text(lines, encoding="utf-8")
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text, encoding="ascii")
    return told, mount


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "20000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("0::/a/b\n", {"cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n", "a/b/cpu.max": "800000 100000\n"}, 2),
        ("4:cpu,cpuacct:/docker/x\n0::/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "600000\n",
                                             "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 6),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ("3:memory:/\n", {"memory/cpu.max": "100000 100000\n"}, 64),
        ("0::/\n", {"cpu.max": "\n"}, 64),
        ("0::/\n", {}, 64),
        ("no line of it\n", {"cpu.max": "100000 100000\n"}, 64),
    ],
)  # fmt: skip
def test_no_more_cores_than_a_container_has_time_for(
    lines: str, files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert usable_cores(*group(tmp_path, lines, files)) == expected


def test_a_machine_without_control_groups_has_what_it_was_granted(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path) == 64


def test_threads_are_limited_unless_the_user_said_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = {"OMP_WAIT_POLICY": "passive"}
    monkeypatch.setattr(cores, "usable_cores", lambda: 4)
    assert threads(slept) == {"OMP_NUM_THREADS": "4"}
    assert threads(slept | {"OMP_NUM_THREADS": "9"}) == {}
    monkeypatch.setattr(cores, "usable_cores", lambda: 64)
    assert threads(slept) == {}


@pytest.mark.parametrize("said", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_threads_that_wait_leave_their_core_unless_the_user_said_how_they_wait(said: str) -> None:
    assert int(threads({})["GOMP_SPINCOUNT"]) < 10_000
    assert "GOMP_SPINCOUNT" not in threads({said: "active"})
