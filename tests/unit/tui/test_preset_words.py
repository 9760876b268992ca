"""Comments of shipped presets, in one language at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tunewiz.language import use
from tunewiz.presets.yaml.library import listing
from tunewiz.tui.screens.presets import in_language


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    use("en")


CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("entry", [entry for entry in listing() if "/" in entry.name], ids=lambda entry: entry.name)
def test_each_language_reads_its_own(entry) -> None:  # type: ignore[no-untyped-def]
    text = entry.path.read_text("utf-8")
    found = {}
    for language in ("en", "zh"):
        use(language)  # type: ignore[arg-type]
        found[language] = in_language(text)
    prose = {name: [line for line in told.split("\n") if line.startswith("# ")] for name, told in found.items()}
    head = {name: [line for line in lines if not line.startswith("#  ")] for name, lines in prose.items()}
    assert len(head["en"]) == len(head["zh"]) > 2
    assert not any(CHINESE.search(line) for line in head["en"])
    assert all(CHINESE.search(line) for line in head["zh"][1:])  # a title may be names alone
    assert all(f"tunewiz run {entry.name}" in told for told in found.values())
    code = [line for line in text.split("\n") if not line.startswith("#")]
    assert all([line for line in told.split("\n") if not line.startswith("#")] == code for told in found.values())


def test_a_users_own_preset_stays_as_it_is() -> None:
    use("zh")
    text = "# my notes\n# 我的备注\nname: mine\n"
    assert in_language(text) == text
