"""A sweep's points: every combination once, named by its values, each validated, wrong ones told by point and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.backends.reports.sweep_report import Tried, choose
from tunewiz.backends.runs.events import Evaluated, Finished, Started
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState, fold
from tunewiz.files import write_json
from tunewiz.presets.sweeping import Point, combinations, points, setting
from tunewiz.presets.yaml.library import dumps, load, loads, open_preset
from tunewiz.problems import BadPreset

pytestmark = pytest.mark.usefixtures("in_english")

YAML = """name: tiny
task: embedding
model: {id: starter}
data: {train: 'sample:faq'}
loss: multiple_negatives_ranking
"""


def test_a_grid_has_every_combination_and_each_is_named_by_its_values() -> None:
    swept = loads(YAML + "method: {type: lora}\nsweep: {training.learning_rate: [1e-5, 2e-5], method.rank: [8, 16]}\n")
    found = points(swept)
    assert [(one.preset.training.learning_rate, one.preset.method.rank) for one in found] == [  # type: ignore[union-attr]
        (1e-5, 8), (1e-5, 16), (2e-5, 8), (2e-5, 16),
    ]  # fmt: skip
    assert [one.name for one in found][:2] == ["1-learning_rate-1.0e-5-rank-8", "2-learning_rate-1.0e-5-rank-16"]
    assert len({one.preset.name for one in found}) == 4
    assert all(one.preset.sweep == {} and one.preset.training.seed == swept.training.seed for one in found)
    assert "learning_rate" in found[0].preset.training.model_fields_set, "what is swept the recipe does not choose"
    assert "epochs" not in found[0].preset.training.model_fields_set


def test_sections_and_dotted_keys_mean_the_same_and_are_written_back() -> None:
    nested = loads(YAML + "sweep: {training: {learning_rate: [1e-5, 2e-5]}, method: [full, lora]}\n")
    dotted = loads(YAML, "", setting(["training.learning_rate=1e-5,2e-5", "method=full, lora"]))
    assert nested == dotted == loads(dumps(nested))


def test_trials_are_drawn_by_the_seed_and_none_twice() -> None:
    text = YAML + "sweep: {training.epochs: [1, 2, 3, 4], training.warmup: [0, 0.1, 0.2]}\nsweep_trials: 5\n"
    first, again, other = (combinations(loads(text, "", [f"training.seed={seed}"])) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len({tuple(values.items()) for values in first}) == 5
    assert (
        len(combinations(loads(text, "", ["sweep_trials=0"])))
        == len(combinations(loads(text, "", ["sweep_trials=99"])))
        == 12
    )


@pytest.mark.parametrize(
    ("sweep", "code", "told"),
    [
        ("training.learning_rat: [1, 2]", "unknown-key", "Did you mean learning_rate"),
        ("training.epochs: [1, many]", "wrong-value", "Point training.epochs=many: training.epochs:"),
        ("training.epochs: []", "sweep-empty", "training.epochs has no values"),
        ("training.epochs: [1, 1]", "sweep-twice", "has a value twice"),
        ("name: [a, b]", "sweep-key", "does not vary name"),
        ("training.seed: [" + ", ".join(map(str, range(300))) + "]", "sweep-too-large", "300 combinations"),
    ],
)
def test_a_wrong_point_is_told_with_its_key(sweep: str, code: str, told: str) -> None:
    with pytest.raises(BadPreset) as caught:
        points(loads(f"{YAML}sweep: {{{sweep}}}\n"))
    problem = caught.value.problems[0]
    assert told in f"{problem.message.text()} {problem.fix.text() if problem.fix else ''}"
    assert problem.where.key.startswith("sweep")
    assert len(caught.value.problems) == 1, "the same of many points is told once"
    assert problem.code == code or code == "wrong-value"


def test_paths_among_the_values_begin_at_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "preset.yaml"
    file.write_text(YAML + "sweep: {data.train: [a.csv, 'sample:faq']}\n", encoding="utf-8")
    assert open_preset(file).preset.sweep == {"data.train": [str(tmp_path / "a.csv"), "sample:faq"]}


@pytest.mark.parametrize("text", ["training.epochs", "=1,2", "training.epochs=", "training.epochs=[1"])
def test_a_sweep_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadPreset, match=r"KEY=VALUE,VALUE"):
        setting([text])


def tried(folder: Path, name: str, test: float, validation: tuple[float, ...] = (), ended: bool = True) -> Tried:
    run = Run(folder / name)
    run.directory.mkdir()
    write_json(run.report / "metrics.json", {"primary": "ndcg@10", "after": {"ndcg@10": test}})
    events = [Evaluated(when="during", what="validation", metrics={"ndcg@10": one}, step=step)
              for step, one in enumerate(validation)]  # fmt: skip
    last = [Finished(verdict="WIN")] if ended else []
    begun = Started(name=name, task="embedding", backend="b", model="m", pid=1)
    return Tried(Point(name, {}, load("embedding/starter")), run, fold(RunState(), [begun, *events, *last]))


def test_the_best_is_chosen_on_validation_data_and_never_one_that_did_not_finish(tmp_path: Path) -> None:
    lucky = tried(tmp_path, "lucky", test=0.9, validation=(0.2, 0.5))
    good = tried(tmp_path, "good", test=0.7, validation=(0.6, 0.3))
    broken = tried(tmp_path, "broken", test=1.0, validation=(0.99,), ended=False)
    chosen = choose([lucky, good, broken])
    assert (chosen.best, chosen.metric, chosen.validated) == (good, "ndcg@10", True)
    unseen = tried(tmp_path, "unseen", test=0.1)
    without = choose([lucky, good, unseen])
    assert (without.best, without.validated) == (lucky, False), "not all have it: the held-out rows decide"
    assert choose([broken]).best is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("1e-5,2e-5", [1e-5, 2e-5]), ("[1e-5, 2e-5]", [1e-5, 2e-5]), ("lora, full", ["lora", "full"]), ("auto", ["auto"])],
)
def test_values_typed_in_a_line_are_a_list(typed: str, meant: list[object]) -> None:
    """The form and ``--set sweep="KEY=V1,V2"`` hand over what was typed."""
    swept = loads(YAML, "", [f"sweep=training.learning_rate={typed}"])
    assert swept.sweep == {"training.learning_rate": meant}
    assert loads(YAML + "sweep: {training.seed: 3}\n").sweep == {"training.seed": [3]}
