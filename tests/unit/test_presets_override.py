"""``--set KEY=VALUE``."""

from __future__ import annotations

import pytest

from data.problems import BadPreset
from presets.library import loads
from presets.losses.matryoshka import Matryoshka
from presets.losses.multiple_negatives_ranking import MultipleNegativesRanking
from presets.losses.triplet import Triplet
from presets.sections.method import Full, Lora
from presets.tasks.embedding import EmbeddingPreset

TEXT = """
name: x
task: embedding
model: {id: a/b}
data: {train: x.csv}
loss: {name: multiple_negatives_ranking, scale: 30, symmetric: true}
method: {type: lora, rank: 3, dropout: 0}
"""


def _set(*assignments: str) -> EmbeddingPreset:
    preset = loads(TEXT, "x.yaml", assignments)
    assert isinstance(preset, EmbeddingPreset)
    return preset


def _told(*assignments: str) -> str:
    with pytest.raises(BadPreset) as caught:
        loads(TEXT, "x.yaml", assignments)
    return "\n".join(problem.line("en") for problem in caught.value.problems)


def test_values_are_yaml_where_that_helps_and_text_where_text_belongs() -> None:
    preset = _set(
        "training.epochs=3", "training.learning_rate=2e-5", "evaluation.k=1,3", "name=123", "model.revision=1e5",
        "model.query_instruction=query: ", "data.limit=null", "training.gradient_checkpointing=yes",
        "data.columns.query=问题", 'description="a: b"',
        "data.evaluation.validation_fraction=0.2", "evaluation.baseline=no",
    )  # fmt: skip
    assert (preset.training.epochs, preset.training.learning_rate, preset.evaluation.k) == (3, 2e-5, [1, 3])
    assert (preset.name, preset.model.revision, preset.model.query_instruction) == ("123", "1e5", "query: ")
    assert (preset.data.limit, preset.training.gradient_checkpointing) == (None, True)
    assert (preset.data.columns, preset.description) == ({"query": "问题"}, "a: b")
    assert (preset.data.evaluation.validation_fraction, preset.evaluation.baseline) == (0.2, False)


def test_lists_and_words_share_a_key() -> None:
    assert _set("method.target_modules=q_proj,k_proj").method == Lora(
        rank=3, dropout=0, target_modules=["q_proj", "k_proj"]
    )
    assert _set("method.target_modules=all").method == Lora(rank=3, dropout=0)


@pytest.mark.parametrize("text", ["loss=triplet", "loss.name=triplet"])
def test_another_loss_drops_what_it_does_not_have(text: str) -> None:
    assert _set(text).loss == Triplet()


@pytest.mark.parametrize(
    "text", ["loss=cached_multiple_negatives_ranking", "loss.name=cached_multiple_negatives_ranking"]
)
def test_another_loss_keeps_what_fits(text: str) -> None:
    loss = _set(text).loss
    assert (getattr(loss, "scale", 0), getattr(loss, "symmetric", None)) == (30, True)


def test_another_method_drops_what_it_does_not_have_unless_it_is_set() -> None:
    assert _set("method=full").method == Full()
    assert _set("method.type=full").method == Full()
    assert "There is no key rank here" in _told("method.rank=4", "method.type=full")


def test_options_of_an_inner_loss_start_from_its_default() -> None:
    loss = _set("loss=matryoshka", "loss.loss.scale=7").loss
    assert isinstance(loss, Matryoshka)
    assert loss.loss == MultipleNegativesRanking(scale=7)


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (("epochs=3",), "--set epochs=3 epochs: There is no key epochs here. Did you mean training.epochs?"),
        (("trainng.epochs=3",), "--set trainng.epochs=3 trainng: There is no key trainng here. Did you mean training?"),
        (("training.epoch=3",), "Did you mean epochs?"),
        (("foo",), "--set foo: It is not KEY=VALUE."),
        (("=3",), "--set =3: It is not KEY=VALUE."),
        (("training..epochs=3",), "It is not KEY=VALUE."),
        (("name.x=3",), "name has no keys below it"),
        (("training.epochs=[1",), "--set training.epochs=[1 training.epochs:"),
        (("training.epochs=abc",), '--set training.epochs=abc training.epochs: "abc" does not fit'),
        (("loss=trplet",), "Did you mean triplet?"),
        (("method=lor",), "Did you mean lora?"),
        (("evaluation.k.9=3",), "expected a list"),
    ],
)
def test_problems_name_the_argument(assignments: tuple[str, ...], said: str) -> None:
    assert said in _told(*assignments)


def test_all_arguments_are_told_of_at_once() -> None:
    told = _told("training.epochs=x", "foo=1", "bar", "data.train=")
    for part in ("training.epochs", "no key foo", "--set bar", "data.train"):
        assert part in told
