"""Thousands of damaged presets, data files, event files and run directories.

Each is told of in words, none is waited for.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.alarm import soon
from tests.odd_runs import MUTATIONS, a_whole_run, an_odd_run, lines_changed
from tests.unit.backends.test_odd_runs import read_everything, told
from tests.unit.data import test_reading_mutations as files
from tests.unit.presets import test_mutations as presets
from tunewiz.backends.runs.run import Run
from tunewiz.data.inspection import inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.presets.yaml import library
from tunewiz.problems import TunewizError
from tunewiz.tui.commands.compare import run_compare
from tunewiz.tui.commands.report import run_report
from tunewiz.tui.commands.runs import run_runs
from tunewiz.tui.commands.watch import run_watch

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]
SECONDS = 10  # after which a file is called one that hangs
THOUSANDS = range(5)
SHIPPED = [library.find(name) for name in library.names()]
MADE = {"rows.csv": files._csv, "rows.jsonl": files._jsonl, "rows.json": files._json, "squad.json": files._squad}
ENDINGS = [".csv", ".tsv", ".jsonl", ".json", ".txt", ".csv.gz", ".parquet", ".xlsx", ""]


@pytest.mark.parametrize("thousand", THOUSANDS)
def test_damaged_presets_are_told_of(thousand: int, tmp_path: Path) -> None:
    for number in range(1000 * thousand, 1000 * (thousand + 1)):
        chance = random.Random(number)
        text = chance.choice(SHIPPED).read_text(encoding="utf-8")
        damage = chance.choice([presets._bytes, presets._lines, presets._characters, presets._values])
        arguments = presets._arguments(text, chance) if chance.random() < 0.2 else []
        with soon(SECONDS):
            presets._try(tmp_path / "x.yaml", damage(text, chance), arguments)


@pytest.mark.parametrize("thousand", THOUSANDS)
def test_damaged_data_is_told_of(thousand: int, tmp_path: Path) -> None:
    for number in range(1000 * thousand, 1000 * (thousand + 1)):
        chance = random.Random(number)
        name, make = chance.choice(list(MADE.items()))
        content = make()
        for mutation in chance.sample(files.MUTATIONS, chance.randint(1, 4)):
            if content:
                content = (files._reencoded_if_text if mutation is files._reencode else mutation)(content, chance)
        path = tmp_path / (name if chance.random() < 0.7 else "rows" + chance.choice(ENDINGS))
        path.write_bytes(content)
        with soon(SECONDS):
            files.survive(Dataset(str(path)))
        try:
            with soon(SECONDS):
                inspect(Dataset(str(path)))
        except TunewizError as stopped:
            assert stopped.problems, number
        path.unlink()


@pytest.mark.parametrize("thousand", THOUSANDS)
def test_damaged_event_files_are_read(
    thousand: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines cut, doubled, out of order, with odd values at any depth; and whatever else can lie there."""
    monkeypatch.setenv("COLUMNS", "120")
    whole = a_whole_run(tmp_path / "whole")
    content = whole.events_file.read_bytes()
    for number in range(1000 * thousand, 1000 * (thousand + 1)):
        chance = random.Random(number)
        run = whole
        run.events_file.unlink(missing_ok=True) if not run.events_file.is_dir() else run.events_file.rmdir()
        run.events_file.write_bytes(content)
        if chance.random() < 0.8:
            lines_changed(run.events_file, chance)
        else:
            chance.choice(MUTATIONS[:-1])(run.events_file, chance)
        _read(run)
        told(capsys)


@pytest.mark.parametrize("thousand", THOUSANDS)
def test_damaged_run_directories_are_read(
    thousand: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    good = a_whole_run(tmp_path / "good", "good-20260101-120000", gain=0.1)
    for number in range(1000 * thousand, 1000 * (thousand + 1)):
        runs = tmp_path / str(number)
        run = an_odd_run(runs, number, good)
        _read(run)
        with soon(SECONDS):
            run_compare([str(good.directory), str(run.directory)], runs, as_json=True)
        told(capsys)
        shutil.rmtree(runs)


def _read(run: Run) -> None:
    """Everything that is read of a run by commands and screens, none of which may hang; problems are words."""
    commands: list[Callable[[], object]] = [lambda: read_everything(run)]
    for as_json in (False, True):
        commands += [
            partial(run_report, str(run.directory), None, as_json),
            partial(run_watch, [str(run.directory)], None, as_json),
            partial(run_runs, run.directory.parent, as_json),
        ]
    for command in commands:
        with soon(SECONDS):
            try:
                command()
            except TunewizError as fault:
                assert fault.problems
