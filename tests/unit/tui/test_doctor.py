"""What the doctor finds, and what it says about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tunewiz.backends.machine import diagnosis
from tunewiz.backends.machine import diagnosis as installed
from tunewiz.backends.machine.diagnosis import Diagnosis, Folder, Hub, Package
from tunewiz.problems import Severity
from tunewiz.tui.commands.doctor import facts, findings

HARDWARE = {"gpus": [], "cores": 2, "memory": 1, "processor": "x", "system": "y"}
CARD = {"index": 0, "name": "card", "memory_used": 1, "memory_total": 2, "driver": "1"}
GOOD = Package("torch", ">=2.6,<3", "2.14.1")


def found(**changed: object) -> Diagnosis:
    whole = {
        "python": "3.11", "tunewiz": "0.1", "hardware": HARDWARE, "cpu_bf16": True, "torch": {"version": "2.14.1"},
        "extras": {"retrieval": (GOOD,)}, "needed": {"embedding": (GOOD,)}, "offline": False, "folders": (),
        "hubs": (Hub("Hugging Face", "https://x", True),),
    }  # fmt: skip
    return Diagnosis(**(whole | changed))  # type: ignore[arg-type]


def codes(diagnosed: Diagnosis) -> dict[str, Severity]:
    return {problem.code: problem.severity for problem in findings(diagnosed)}


def test_a_good_machine_has_nothing_to_mend() -> None:
    assert codes(found()) == {"no-gpu": "note"}
    assert found().runs("embedding")


def test_what_is_not_installed_is_named_with_the_command() -> None:
    absent, old = Package("faiss-cpu", ">=1.11", ""), Package("peft", "==0.18.1", "0.17.0")
    diagnosed = found(extras={"retrieval": (GOOD, absent, old)}, needed={"embedding": (GOOD, absent, old)})
    problems = {problem.code: problem for problem in findings(diagnosed)}
    assert "faiss-cpu" in problems["packages-missing"].line("en")
    assert "tunewiz[retrieval]" in problems["packages-missing"].line("en")
    assert "0.17.0" in problems["package-version"].line("en")
    assert not diagnosed.runs("embedding")
    assert facts(diagnosed)["tasks"] == {"embedding": {"runs": False, "missing": ["faiss-cpu", "peft"]}}


@pytest.mark.parametrize(
    ("changed", "code", "severity"),
    [
        ({"torch": {"fault": "libcudart.so: no such file"}}, "torch-broken", "error"),
        ({"hardware": HARDWARE | {"gpus": [CARD]}, "torch": {"version": "2", "cuda": False}}, "gpu-unused", "warning"),
        ({"torch": {"devices": [{"name": "a", "computes": False, "capability": "3.5"}]}}, "gpu-broken", "error"),
        ({"hubs": (Hub("Hugging Face", "https://x", False),)}, "hub-unreachable", "warning"),
        ({"offline": True, "hubs": ()}, "hub-offline", "note"),
        ({"folders": (Folder("runs", Path("/r"), 1, 1000),)}, "disk-nearly-full", "warning"),
    ],
)  # fmt: skip
def test_each_trouble_has_its_words_and_its_fix(changed: dict[str, object], code: str, severity: Severity) -> None:
    diagnosed = found(**changed)
    assert codes(diagnosed)[code] == severity
    problem = next(problem for problem in findings(diagnosed) if problem.code == code)
    assert problem.fix is not None or severity == "note"
    json.dumps(facts(diagnosed))


def test_the_extras_are_read_from_the_installed_package() -> None:
    names = {package.name for package in installed.packages("retrieval")}
    assert names >= {"torch", "transformers", "sentence-transformers"}
    assert {package.name for package in installed.packages("llm")} > names
    assert "dev" not in installed.extras()


def test_hubs_answer_or_say_why_within_seconds_and_keep_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "127.0.0.1:9")
    huggingface = diagnosis.hubs()[0]
    assert not huggingface.reachable
    assert huggingface.reason
    assert huggingface.address == "http://127.0.0.1:9"


def test_folders_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "file").write_bytes(b"x" * 1000)
    runs, cache, _ = diagnosis.folders(tmp_path / "runs")
    assert (runs.used, cache.used) == (1000, 0)
    assert (runs.free or 0) > 0


def test_a_broken_torch_is_a_fact_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewiz.backends.machine import torch_probe

    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'ImportError: no torch' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    assert torch_probe.ask() == {"fault": "ImportError: no torch"}
