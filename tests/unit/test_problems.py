"""Problems that were recorded by one process and are told by another."""

from __future__ import annotations

import json

import pytest

from tunewiz.language import Language, current, use
from tunewiz.problems import Where, reworded, say, warning

pytestmark = pytest.mark.usefixtures("in_english")

NAMES = "Losses of this backend: {names}."
CUT = "{count} of {total} texts are longer than {limit} tokens and are cut."
PATH = "Look into {path}."


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two messages in a catalogue of their own, so that no wording of the product decides here."""
    zh = {
        NAMES: "此后端的损失函数：{names}。",
        ", ": "、",
        CUT: "{total} 条文本中有 {count} 条超过 {limit} 个词元，会被截断。",
        PATH: "请看 {path}。",
        "{first} ({count} such)": "{first}（共 {count} 条）",
        "{share:.1%}": "占 {share:.1%}",
    }

    def translated(text: str, language: Language | None = None) -> str:
        return zh.get(text, text) if (language or current()) == "zh" else text

    monkeypatch.setattr("tunewiz.problems.translate", translated)


def recorded() -> dict[str, object]:
    cut = say(CUT, count=3, total=40, limit=256)
    problem = warning(
        "cut", say("{first} ({count} such)", first=cut, count=2), Where(file="a.csv"), say(PATH, path="a.csv")
    )
    return json.loads(json.dumps(problem.record()))  # type: ignore[no-any-return]


def test_a_recorded_problem_is_told_in_the_language_of_who_reads() -> None:
    record = recorded()
    assert record["message"] == "3 of 40 texts are longer than 256 tokens and are cut. (2 such)"
    use("zh")
    told = reworded(record)
    assert told["message"] == "40 条文本中有 3 条超过 256 个词元，会被截断。（共 2 条）"
    assert told["fix"] == "请看 a.csv。"
    assert (told["code"], told["file"]) == ("cut", "a.csv")
    use("en")
    assert reworded(told)["message"] == record["message"]


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {"message": "x"},
        {"message": {"say": "{a.__class__} of a stranger", "with": {"a": 1}}},
        {"message": {"say": CUT, "with": {"count": 1}}},
        {"message": {"say": "{share:.1%}", "with": {"share": "no number"}}},
        {"message": {"say": CUT, "with": [1]}},
        {"message": {"say": 5, "with": {}}},
    ],
)
def test_what_cannot_be_said_again_stays_as_it_was_told(said: object) -> None:
    use("zh")
    record = recorded() | {"said": said}
    assert reworded(record)["message"] == record["message"]


def test_no_secret_is_recorded_and_no_escape_told(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hf_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7"
    record = warning("x", say(PATH, path=f"/tmp/{secret}")).record()
    assert secret not in json.dumps(record)
    record["said"] = {"message": {"say": PATH, "with": {"path": "\x1b[31mred"}}}
    use("zh")
    assert "\x1b" not in str(reworded(record)["message"])


def test_a_list_of_names_is_told_again_with_the_marks_of_each_language() -> None:
    record = json.loads(json.dumps(warning("x", say(NAMES, names=("a", "b")), Where()).record()))
    use("zh")
    assert reworded(record)["message"] == "此后端的损失函数：a、b。"
    use("en")
    assert reworded(record)["message"] == "Losses of this backend: a, b."
