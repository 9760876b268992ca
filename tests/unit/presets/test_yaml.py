"""A preset's YAML: what is read, what is refused, how each mistake is explained; and ``--set KEY=VALUE``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.losses.pairs import Triplet
from tunewiz.presets.losses.ranking import MultipleNegativesRanking
from tunewiz.presets.sections.method import Full, Lora
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.yaml.library import loads
from tunewiz.presets.yaml.tree import LARGEST, parse, plain, write_scalar
from tunewiz.problems import BadPreset

# A preset's YAML: what is read, what is refused, and how each mistake is explained.


def _told(text: str) -> list[str]:
    with pytest.raises(BadPreset) as caught:
        loads(text, "my.yaml")
    return [f"{problem.code} {problem.line('en')}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5), ("2.0e-5", 2e-5), ("1_000", 1000), ("-3", -3), (".5", 0.5), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("yes", "yes"), ("no", "no"), ("010", "010"), ("0x1f", "0x1f"),
        ("2024-01-01", "2024-01-01"), ("1:30", "1:30"), ("1e999", "1e999"), (".inf", ".inf"), ("9" * 40, "9" * 40),
    ],
)  # fmt: skip
def test_scalars_mean_what_people_expect(text: str, value: object) -> None:
    found = plain(text)
    assert found == value
    assert type(found) is type(value)


@given(
    st.one_of(
        st.text(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.none(),
        st.booleans(),
    )
)
def test_what_is_written_is_read_back(value: object) -> None:
    text = f"key: {write_scalar(value)}\n"
    if isinstance(value, str) and any(ord(character) < 32 and character not in "\t\n" for character in value):
        return  # refused when read
    assert parse(text).value == {"key": value}


def test_places_of_keys_and_items_are_known() -> None:
    tree = parse("a: 1\nb:\n  c: [1,\n    2]\n", "x.yaml")
    assert tree.value == {"a": 1, "b": {"c": [1, 2]}}
    assert [tree.where(path).line for path in (("a",), ("b", "c"), ("b", "c", 1), ("b", "gone"))] == [1, 3, 4, 2]


@pytest.mark.parametrize(
    ("text", "code", "place", "said"),
    [
        ("a: b: c", "yaml-syntax", "my.yaml:1", "second colon"),
        ("name: x\n\tmodel: 3", "yaml-tab", "my.yaml:2", "spaces"),
        ("name： x", "yaml-colon", "my.yaml:1", "full-width"),
        ("name:x\nmodel:y", "yaml-colon", "my.yaml:2", "No space"),
        ("a: 'x", "yaml-syntax", "my.yaml:", "quotes"),
        ("a: [1, 2", "yaml-syntax", "my.yaml:", "brackets"),
        ("a: {b: 1", "yaml-syntax", "my.yaml:", "brackets"),
        ("a:\n  b: 1\n c: 2", "yaml-syntax", "my.yaml:3", "indentation"),
        ("a: @b", "yaml-syntax", "my.yaml:1", "quotes"),
        ('a: "\\q"', "yaml-syntax", "my.yaml:1", "escape"),
        ('a: "\\U99999999"', "yaml-syntax", "my.yaml", "escape"),
        ("a: \x00", "yaml-syntax", "my.yaml:1", "control character"),
        ("a: 1\n---\nb: 2", "yaml-documents", "my.yaml:2", "one preset"),
        ("[" * 40, "yaml-shape", "my.yaml:1", "nested"),
        ("? [a]\n: b", "yaml-shape", "my.yaml:1", "key"),
        ("", "preset-empty", "my.yaml", "tunewiz presets"),
        ("# only a comment", "preset-empty", "my.yaml", "tunewiz presets"),
        ("- a\n- b", "preset-shape", "my.yaml:1", "KEY: VALUE"),
        ("just words", "preset-shape", "my.yaml:1", "KEY: VALUE"),
        ("a: " + "x" * LARGEST, "preset-too-large", "my.yaml", "KiB"),
    ],
)
def test_what_is_no_preset_is_explained(text: str, code: str, place: str, said: str) -> None:
    told = _told(text)
    assert any(line.startswith(f"{code} {place}") and said in line for line in told), told


def test_tags_anchors_and_duplicates_are_refused_together_with_the_rest() -> None:
    told = "\n".join(_told("name: &x a\nname: *x\ntask: embedding\nmodel: !!python/object:os.system {id: rm}\nfoo: 1"))
    for code in ("yaml-alias my.yaml:1", "yaml-alias my.yaml:2", "duplicate-key my.yaml:2", "yaml-tag my.yaml:4"):
        assert code in told
    assert "unknown-key my.yaml:5 foo" in told


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert any("yaml-alias" in line for line in _told("\n".join(lines)))


def test_control_characters_and_halves_of_pairs_are_refused() -> None:
    told = "\n".join(_told('name: "\\x1b[31m"\ndescription: "\\uD800"\n'))
    assert "yaml-character my.yaml:1 name" in told
    assert "yaml-character my.yaml:2 description" in told


# ``--set KEY=VALUE``.


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


def _told_of_overrides(*assignments: str) -> str:
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
    assert "There is no key rank here" in _told_of_overrides("method.rank=4", "method.type=full")


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
    assert said in _told_of_overrides(*assignments)


def test_all_arguments_are_told_of_at_once() -> None:
    told = _told_of_overrides("training.epochs=x", "foo=1", "bar", "data.train=")
    for part in ("training.epochs", "no key foo", "--set bar", "data.train"):
        assert part in told
