"""A preset's YAML: what is read, what is refused, and how each mistake is explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.problems import BadPreset
from presets.library import loads
from presets.scalars import plain, written
from presets.tree import LARGEST, parse


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
    text = f"key: {written(value)}\n"
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
