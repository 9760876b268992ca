"""What is installed: a wheel and a source archive that hold ``tunewiz`` and nothing else; the command runs from it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shell(*command: str | Path, folder: Path, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TUNEWIZ", "PYTHON"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from it: what somebody else's machine would install."""
    target = tmp_path_factory.mktemp("built")
    backend = "import sys; from setuptools import build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"
    source = tmp_path_factory.mktemp("source")
    for name in shell("git", "ls-files", folder=ROOT).splitlines():
        file, copy = ROOT / name, source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(file.readlink()) if file.is_symlink() else copy.write_bytes(file.read_bytes())
    archive = shell(sys.executable, "-c", backend, "build_sdist", target, folder=source).splitlines()[-1]
    with tarfile.open(target / archive) as stream:
        stream.extractall(target / "unpacked", filter="data")
    (unpacked,) = (target / "unpacked").iterdir()
    shell(sys.executable, "-c", backend, "build_wheel", target, folder=unpacked)
    return target


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a new environment with the wheel alone; what it needs comes from this one."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    shell(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    (wheel,) = built.glob("*.whl")
    python = folder / "bin" / "python"
    site = Path(shell(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip())
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    shell(*pip, wheel, folder=folder)
    here = Path(pytest.__file__).parents[1]
    (site / "needed.pth").write_text(f"{here}\n", encoding="utf-8")
    return folder / "bin"


def test_the_wheel_holds_tunewiz_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"tunewiz"}
    for wanted in (
        "tunewiz/problems.py",
        "tunewiz/data/samples/faq-en/corpus.jsonl",
        "tunewiz/presets/embedding/starter.yaml",
        "tunewiz/presets/models/minilm.yaml",
        "tunewiz/tui/app.tcss",
        "tunewiz/tui/lessons/lora.zh.md",
    ):
        assert wanted in names
    for room in ("tunewiz", "tunewiz/data", "tunewiz/presets", "tunewiz/backends", "tunewiz/tui"):
        assert any(name.startswith(f"{room}/locales/zh/") and name.endswith(".mo") for name in names), room
    sources = [file for room in ("data", "presets", "backends", "tui") for file in (ROOT / room).rglob("*.py")]
    assert {f"tunewiz/{file.relative_to(ROOT).as_posix()}" for file in sources} <= set(names)


def test_the_sdist_holds_what_the_wheel_is_made_of(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as stream:
        names = {name.partition("/")[2] for name in stream.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "tunewiz/__init__.py"} <= names


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_installed_command_runs(installed: Path, tmp_path: Path, language: str) -> None:
    told = shell(installed / "tunewiz", "presets", folder=tmp_path, TUNEWIZ_LANG=language)
    assert "embedding/starter" in told
    place = shell(installed / "python", "-c", "import tunewiz.tui.cli as cli; print(cli.__file__)", folder=tmp_path)
    assert str(installed.parent) in place


@pytest.mark.parametrize("how", ["script", "module"])
def test_what_lies_in_the_users_folder_replaces_nothing(installed: Path, tmp_path: Path, how: str) -> None:
    """People work in folders with a ``data.py`` or a ``random.py``, and have them on PYTHONPATH."""
    for name in ("data.py", "json.py", "random.py", "presets.py", "yaml.py", "textual.py", "dataclasses.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')\n", encoding="utf-8")
    for name in ("data", "tui", "backends", "datasets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong package')\n", encoding="utf-8")
    (tmp_path / "rows.csv").write_text(
        "query,positive\n" + "".join(f"what is {n},it is {n}\n" for n in range(30)), encoding="utf-8"
    )
    command = [installed / "tunewiz"] if how == "script" else [installed / "python", "-P", "-m", "tunewiz"]
    told = shell(*command, "presets", folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert "embedding/starter" in told
    assert "30" in shell(*command, "data", "rows.csv", folder=tmp_path, PYTHONPATH=f"{tmp_path}:")
