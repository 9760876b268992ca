"""Variants: named runs beside each other, of one preset or of others, each validated, wrong ones told by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.backends.readiness import check_preset, why_left_out
from tunewiz.presets.sweeping import points
from tunewiz.presets.yaml.library import dumps, load, loads, open_preset
from tunewiz.problems import BadPreset, errors

pytestmark = pytest.mark.usefixtures("in_english")

YAML = """name: tiny
task: embedding
model: {id: starter}
data: {train: 'sample:faq-en'}
loss: multiple_negatives_ranking
training: {seed: 7}
"""
TWO = YAML + "variants: {whole: {method.type: full}, low-rank: {method: {type: lora, rank: 4}}}\n"


def test_each_variant_is_the_preset_with_its_own_keys() -> None:
    preset = loads(TWO)
    found = points(preset)
    assert [(one.name, one.told, one.preset.method.type) for one in found] == [  # type: ignore[attr-defined]
        ("whole", "whole", "full"), ("low-rank", "low-rank", "lora"),
    ]  # fmt: skip
    assert [one.preset.name for one in found] == ["tiny-whole", "tiny-low-rank"]
    assert all(not one.preset.several and one.preset.training.seed == 7 and not one.beside for one in found)
    assert loads(dumps(preset)) == preset and preset.several


def test_a_variant_may_begin_with_another_preset_and_shares_seed_and_processor() -> None:
    other = "{other: {preset: reranker/starter, data.limit: 9}, "
    text = TWO.replace("variants: {", f"launch: {{device: cpu}}\nvariants: {other}")
    first, *_ = points(loads(text))
    assert (first.preset.task, first.beside, first.preset.data.limit) == ("reranker", True, 9)  # type: ignore[attr-defined]
    assert (first.preset.training.seed, first.preset.launch.device) == (7, "cpu")


@pytest.mark.parametrize(
    ("variants", "code", "said"),
    [
        ("{one: {method.type: full}}", "variant-alone", "nothing beside"),
        ("{a: {task: llm}, b: {}}", "variant-key", "does not vary task"),
        ("{a b: {}, b: {}}", "variant-name", "names no variant"),
        ("{a: {training.learning_rate: -1}, b: {}}", "", "Variant a: training.learning_rate:"),
        ("{a: {trainin.epochs: 1}, b: {}}", "", "Variant a:"),
        ("{a: {preset: nothing/here}, b: {}}", "no-preset", "Variant a:"),
        ("{a: {preset: comparison/methods}, b: {}}", "variant-of-several", "several runs itself"),
    ],
)
def test_what_is_wrong_with_a_variant_names_it(variants: str, code: str, said: str) -> None:
    with pytest.raises(BadPreset) as caught:
        points(loads(YAML + f"variants: {variants}\n"))
    problem = caught.value.problems[0]
    assert said in problem.line("en") and (not code or problem.code == code)
    assert problem.where.key.startswith("variants")


@pytest.mark.parametrize("variants", ["[a, b]", "{a: 3, b: {}}", "3"])
def test_what_is_no_mapping_is_refused_in_words(variants: str) -> None:
    with pytest.raises(BadPreset) as caught:
        loads(YAML + f"variants: {variants}\n")
    assert any(one.where.key.startswith("variants") for one in caught.value.problems)


def test_variants_and_a_sweep_do_not_go_together() -> None:
    with pytest.raises(BadPreset, match="not both"):
        points(loads(TWO + "sweep: {training.epochs: [1, 2]}\n"))


def test_paths_of_variants_begin_at_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(YAML + "variants: {a: {data.train: mine.csv}, b: {data: {train: 'sample:faq-zh'}}}\n", "utf-8")
    first, second = points(load(str(file)))
    assert first.preset.data.train == str(tmp_path / "mine.csv")  # type: ignore[attr-defined]
    assert second.preset.data.train == "sample:faq-zh"  # type: ignore[attr-defined]


def test_what_this_machine_cannot_run_is_told_and_left_out(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = TWO.replace("variants: {", "variants: {elsewhere: {data.train: nowhere.csv}, ")
    file.write_text(text, "utf-8")
    opened = open_preset(str(file))
    found = check_preset(opened)
    assert errors(found) == []
    told = [one.line("en") for one in found if one.where.key == "variants.elsewhere"]
    assert told and "Variant elsewhere: data.train" in told[0]
    assert any("whole, low-rank" in one.line("en") for one in found)
    left = {point.name: bool(why_left_out(point.preset)) for point in points(opened.preset)}
    assert left == {"elsewhere": True, "whole": False, "low-rank": False}


def test_where_nothing_can_run_it_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(YAML + "variants: {a: {data.train: no.csv}, b: {data.train: none.csv}}\n", "utf-8")
    assert errors(check_preset(open_preset(str(file))))
