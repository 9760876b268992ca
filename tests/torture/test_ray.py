"""A real cluster of Ray on this machine: LLaMA-Factory's own launch on it, and presets as jobs of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.children.llm_setup import ROOT, ran
from tests.children.test_command import Shell, shell
from tests.torture.test_slurm import free_ports
from tunewiz.backends.runs.follow import read_state

__all__ = ["shell"]  # a fixture

pytestmark = [
    pytest.mark.torture,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(find_spec("ray") is None, reason="needs ray[default]"),
]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
#: A busy machine takes minutes to start it.
OWN = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "900",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}


class Cluster:
    """Where it is: for programs, and for jobs."""

    def __init__(self, address: str, jobs: str) -> None:
        self.address, self.jobs = address, jobs


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Ray's head, ended with all that it started by its session."""
    folder = tmp_path_factory.mktemp("ray")
    port, dashboard = free_ports(2)
    place = Path("/tmp") / f"ray-{os.getpid()}"  # its sockets have names of 107 characters at most
    command = [*RAY, "start", "--head", "--block", "--num-cpus=4", f"--port={port}", f"--dashboard-port={dashboard}",
               "--dashboard-host=127.0.0.1", f"--temp-dir={place}", "--object-store-memory=200000000"]  # fmt: skip
    out = folder / "ray.out"
    with out.open("wb") as stream:
        head = subprocess.Popen(command, env=os.environ | OWN, stdout=stream, stderr=stream, start_new_session=True)
    try:
        end = time.monotonic() + 900
        while "Ray runtime started" not in (told := out.read_text("utf-8", "replace")):
            assert head.poll() is None and time.monotonic() < end, told
            time.sleep(1)
        address = told.partition("--address='")[2].partition("'")[0]
        yield Cluster(address, f"http://127.0.0.1:{dashboard}")
    finally:
        head.send_signal(signal.SIGTERM)
        try:
            head.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()
        shutil.rmtree(place, ignore_errors=True)


def test_llama_factory_learns_on_rays_workers_what_one_process_does(
    cluster: Cluster, tiny_llm: Path, tmp_path: Path
) -> None:
    environment = os.environ | OWN | {"USE_RAY": "1", "RAY_ADDRESS": cluster.address}
    command = [sys.executable, "-m", "tests.children.ray_on_cpu", str(tmp_path / "ray"), str(tiny_llm), "2"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert "2 workers" in done.stderr + done.stdout
    assert told["steps"] == [1, 2, 3], "rank 0 alone tells, each step once"
    alone = ran(tmp_path, tiny_llm, {"alone": {}})["alone"]
    assert told["before"] == alone["before"]
    assert told["after"]["loss"] == pytest.approx(alone["after"]["loss"], abs=1e-3)
    assert told["files"] == alone["files"]


def submitted(cluster: Cluster, shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``ray job submit`` of a command in the folder of the preset."""
    job = ["job", "submit", "--address", cluster.jobs, "--working-dir", str(shell.folder), "--"]
    environment = os.environ | OWN | {"TUNEWIZ_RUNS": str(shell.runs)}
    carried = ["env", f"TUNEWIZ_RUNS={shell.runs}", f"PYTHONPATH={os.environ.get('PYTHONPATH', ROOT)}"]
    command = [*RAY, *job, *carried, *shell.command(*arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800, check=False)


def test_a_preset_is_a_job_whose_exit_code_is_the_runs(cluster: Cluster, shell: Shell) -> None:
    wrong = submitted(cluster, shell, "run", "tiny.yaml", "--set", "training.epochs=many")
    assert wrong.returncode == 1, wrong.stdout
    assert '"many" does not fit' in wrong.stdout
    done = submitted(cluster, shell, "run", "tiny.yaml", "--set", "launch.device=cpu")
    assert done.returncode == 0, done.stdout[-3000:]
    assert read_state(shell.last()).status == "finished"
