"""Thousands of damaged presets and data files: each is told of in words, and none is waited for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.alarm import soon
from tests.unit.data import test_reading_mutations as files
from tests.unit.presets import test_mutations as presets
from tunewiz.data.inspection import inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.presets.yaml import library
from tunewiz.problems import TunewizError

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
