"""Which precision is chosen, and that the preset's word counts."""

from __future__ import annotations

import pytest

from tunewiz.backends.machine import precision


@pytest.mark.parametrize(("has", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_on_a_cpu_goes_by_its_instructions(has: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: has)
    assert precision.choose("auto", "cpu")[0] == expected


@pytest.mark.parametrize("wanted", ["bf16", "fp16", "fp32"])
def test_the_preset_has_the_last_word(wanted: str) -> None:
    chosen, why = precision.choose(wanted, "cuda:0")
    assert chosen == wanted and why.text("en") == "as the preset says"
