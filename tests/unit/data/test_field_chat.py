"""Conversations, preferences and labels as people bring them to language models, each read as it is meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.chat.prepare import prepare_llm
from tunewiz.data.chat.prepared import LlmPlan, conversation_from, record_of
from tunewiz.data.chat.repeats import surplus
from tunewiz.data.dialogues.calls import call_text, calls_in
from tunewiz.data.dialogues.judgments import verdict_of
from tunewiz.data.dialogues.markup import split_dialogue
from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.inspection import Inspection, fix, inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation

FRUIT = ("apple", "plum", "pear", "fig", "lime", "kiwi", "date", "melon", "peach", "mango", "grape", "quince")


def written(folder: Path, rows: list[dict[str, Any]] | str, name: str = "rows.jsonl") -> Path:
    text = rows if isinstance(rows, str) else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def looked(path: Path, **columns: str) -> Inspection:
    return inspect(Dataset(str(path), columns=columns), task="llm")


def warned(found: Inspection) -> set[str]:
    return {finding.code for finding in found.findings if finding.severity != "note"}


def line(found: Inspection, code: str) -> str:
    return next(finding.first[0].line("en") for finding in found.findings if finding.code == code)


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in conversation.turns]


def talk(*turns: tuple[str, str], who: str = "role", what: str = "content") -> list[dict[str, Any]]:
    return [{who: name, what: text} for name, text in turns]


QA = [("user", "what is a fig?"), ("assistant", "a fruit")]
CALL = {"name": "price", "arguments": {"of": "fig"}}
CALLED = [("user", "price?"), ("call", json.dumps(CALL)), ("tool", "3"), ("assistant", "three")]


@pytest.mark.parametrize(
    ("turns", "expected", "codes"),
    [
        (talk(("User ", "what is a fig?"), ("ASSISTANT", "a fruit")), QA, set()),
        (talk(("买家", "what is a fig?"), ("在线客服", "a fruit"), who="speaker", what="text"), QA, set()),
        (talk(("gpt", "hello!"), ("human", "what is a fig?"), ("gpt", "a fruit"), who="from", what="value"), QA,
         {"assistant-first"}),
        (talk(("user", "what is"), ("user", "a fig?"), ("assistant", "a"), ("assistant", "fruit")),
         [("user", "what is\na fig?"), ("assistant", "a\nfruit")], {"repeated-role"}),
        (talk(("user", "what is a fig?"), ("assistant", "a fruit"), ("user", "thanks")), QA, {"unanswered-turn"}),
        (["what is a fig?", "a fruit"], QA, set()),
        (["问：what is a fig?", "答：a fruit"], QA, set()),
        ([["user", "what is a fig?"], ["assistant", "a fruit"]], QA, set()),
        ([{"input": "what is a fig?", "output": "a fruit"}], QA, set()),
        ([{"role": "user", "content": "what is a fig?"},
          {"role": "assistant", "content": "a fruit", "reasoning_content": "sweet"}],
         [QA[0], ("assistant", "<think>\nsweet\n</think>\n\na fruit")], set()),
        (talk(("user", "price?"), ("assistant", f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>"),
              ("tool", "<tool_response>\n3\n</tool_response>"), ("assistant", "three")), CALLED, set()),
        ([*talk(("user", "price?")), {"role": "assistant", "content": None, "function_calls": 'price(of="fig")'},
          *talk(("environment", "3"), ("assistant", "three"))], CALLED, set()),
        ([*talk(("user", "price?")), {"role": "assistant", "content": "let me see", "tool_calls": [{"function": CALL}]},
          *talk(("tool", "3"), ("assistant", "three"))], CALLED, {"call-text"}),
        (talk(("user", "price?"), ("tool_call", json.dumps(CALL)), ("tool_call", json.dumps(CALL)),
              ("tool_response", "3"), ("tool_response", "3"), ("assistant", "three")),
         [CALLED[0], ("call", json.dumps([CALL, CALL])), ("tool", "3\n3"), CALLED[3]], set()),
        (talk(("user", "what is a fig?"), ("assistant", "a fruit"), ("system", "be brief"), ("user", "and?"),
              ("assistant", "sweet")), [*QA, ("user", "and?"), ("assistant", "sweet")], {"system-in-middle"}),
        ([*talk(*QA), *talk(("user", "bad?")), {"role": "assistant", "content": "wrong", "weight": 0}], QA,
         {"unlearned-cut"}),
        ([{"role": "user", "content": "what is a fig?", "mood": "curious"}, *talk(QA[1])], QA, {"turn-fields"}),
    ],
)  # fmt: skip
def test_turns_are_read_and_mended_by_one_rule(
    tmp_path: Path, turns: list[Any], expected: list[tuple[str, str]], codes: set[str]
) -> None:
    path = written(tmp_path, [{"messages": turns}])
    found = looked(path)
    assert (said(found.conversations[0]), warned(found)) == (expected, codes)
    kept = {"turn-fields", "call-text"}  # what is told there cannot be mended without a loss
    out = tmp_path / "clean.jsonl"
    fix(Dataset(str(path)), out, "llm")
    again = looked(out)
    assert (said(again.conversations[0]), warned(again)) == (expected, codes & kept)


@pytest.mark.parametrize(
    "mark",
    [{"loss": False}, {"weight": 0}, {"weight": "0.0"}, {"train": "false"}, {"loss_weight": 0}, {"masked": True}],
)
def test_answers_that_are_not_to_be_learned_are_read_as_such(tmp_path: Path, mark: dict[str, Any]) -> None:
    wrong = {"role": "assistant", "content": "a stone"} | mark
    path = written(tmp_path, [{"messages": [*talk(QA[0]), wrong, *talk(("user", "no"), QA[1])]}])
    found = looked(path)
    assert [turn.learned for turn in found.conversations[0].turns] == [True, False, True, True]
    assert "not learned" in line(found, "unlearned-turn")
    assert conversation_from(json.loads(json.dumps(record_of(found.conversations[0])))) == found.conversations[0]
    out = tmp_path / "clean.jsonl"
    fix(Dataset(str(path)), out, "llm")
    assert [turn.learned for turn in looked(out).conversations[0].turns] == [True, False, True, True]


def test_masks_beside_the_turns_are_told(tmp_path: Path) -> None:
    rows = [{"messages": talk(*QA), "loss_mask": [0, 1]}] * 3
    assert "loss_mask" in line(looked(written(tmp_path, rows)), "columns-unused")
    assert "columns-unused" in warned(looked(written(tmp_path, rows)))


def test_weights_between_are_told(tmp_path: Path) -> None:
    half = {"role": "assistant", "content": "a stone", "weight": 0.5}
    found = looked(written(tmp_path, [{"messages": [*talk(QA[0]), half, *talk(("user", "no"), QA[1])]}]))
    assert "weight 0.5" in line(found, "turn-weight")
    assert all(turn.learned for turn in found.conversations[0].turns)


def test_of_two_answers_joined_one_of_which_is_not_to_be_learned_neither_is(tmp_path: Path) -> None:
    wrong = {"role": "assistant", "content": "a stone", "weight": 0}
    turns = [*talk(QA[0]), wrong, *talk(QA[1], ("user", "sure?"), ("assistant", "yes"))]
    found = looked(written(tmp_path, [{"messages": turns}]))
    assert [turn.learned for turn in found.conversations[0].turns] == [True, False, True, True]
    assert "unlearned-joined" in warned(found)


def test_unusual_speakers_are_mapped_as_advised(tmp_path: Path) -> None:
    path = written(tmp_path, [{"dialog": talk(("甲", f"{one}?"), ("乙", "yes"), who="speaker")} for one in FRUIT])
    found = looked(path)
    assert "--map user=甲 --map assistant=乙" in line(found, "unknown-role")
    mapped = looked(path, user="甲", assistant="乙")
    assert (mapped.counts["examples"], warned(mapped)) == (len(FRUIT), set())


def test_unusual_speakers_are_who_the_user_says_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, [{"dialog": talk(("甲", f"{one}?"), ("乙", "yes"), who="speaker")} for one in FRUIT])
    found = inspect(Dataset(str(path), roles={"甲": "user", "乙": "assistant"}), "llm")
    assert (found.counts["examples"], warned(found)) == (len(FRUIT), set())


def test_names_of_roles_and_words_of_judgment() -> None:
    assert [part_of(name) for name in ("Human", "客户1", "<|assistant|>", "ipython", "nobody")] == [
        "user", "user", "assistant", "tool", None]  # fmt: skip
    assert part_of("店小二", {"店小二": "assistant"}) == "assistant"
    assert [verdict_of(word) for word in ("Good", "👎", "不满意", -1, "1", 0.5, "so")] == [
        True, False, False, False, True, None, None]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("### Human: a fig?### Assistant: a fruit", [("user", "a fig?"), ("assistant", "a fruit")]),
        ("\n\nHuman: a fig?\n\nAssistant:", [("user", "a fig?"), ("assistant", "")]),
        ("USER: a\nASSISTANT: b <|endoftext|>\nFUNCTION RESPONSE: c", [("user", "a"), ("assistant", "b"),
                                                                       ("tool", "c")]),
        ("<s>[INST] <<SYS>>\nbrief\n<</SYS>>\n\na [/INST] b </s>", [("system", "brief"), ("user", "a"),
                                                                    ("assistant", "b")]),
        ("<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>", [("user", "a"), ("assistant", "b")]),
        ("Below is a task.\n\n### Instruction:\na\n\n### Response:\nb", [("system", "Below is a task."), ("user", "a"),
                                                                        ("assistant", "b")]),
        ("用户：图书馆几点开？\n客服：九点。", [("user", "图书馆几点开？"), ("assistant", "九点。")]),
        ("The user: a person. The assistant: a program.", None),
        ("Note: nothing here\nUser: is a word", None),
    ],
)  # fmt: skip
def test_dialogues_in_a_text(text: str, expected: list[tuple[str, str]] | None) -> None:
    assert split_dialogue(text) == expected


def test_written_dialogues_are_read_and_never_raw_text_unasked(tmp_path: Path) -> None:
    path = written(tmp_path, [{"text": f"### Human: a {one}?### Assistant: a fruit"} for one in FRUIT])
    found = looked(path)
    assert (found.format, found.counts["stage:sft"], warned(found)) == ("dialogue", len(FRUIT), {"chat-in-text"})
    asked = looked(path, text="text")
    assert (asked.format, warned(asked)) == ("text", {"chat-in-text"})
    prompts = [
        {"instruction": f"Human:a {one}?\nAssistant:yes\nHuman:why?\nAssistant:", "output": one} for one in FRUIT
    ]
    assert said(looked(written(tmp_path, prompts)).conversations[0]) == [
        ("user", "a apple?"), ("assistant", "yes"), ("user", "why?"), ("assistant", "apple")]  # fmt: skip


def test_calls_of_tools_however_they_are_written() -> None:
    assert json.loads(call_text('f(a=1)\ng(b="c")') or "")[1] == {"name": "g", "arguments": {"b": "c"}}
    assert call_text("f(1)") is None
    assert call_text("import os") is None
    glaive = """<functioncall> {"name": "f", "arguments": '{"a": 1}'} <|endoftext|>"""
    assert json.loads(calls_in(glaive)[1] or "") == {"name": "f", "arguments": {"a": 1}}
    assert calls_in("no <tool_call>{}</tool_call> here") == ("no <tool_call>{}</tool_call> here", None)


def whole(answer: str) -> list[dict[str, Any]]:
    return talk(("user", "what is a fig?"), ("assistant", answer))


PAIR = Conversation((), chosen="a fruit", rejected="a stone")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"prompt": "what is a fig?", "chosen": whole("a fruit"), "rejected": whole("a stone"),
          "messages": whole("a fruit")}, "preference"),
        ({"chosen": "\n\nHuman: what is a fig?\n\nAssistant: a fruit",
          "rejected": "\n\nHuman: what is a fig?\n\nAssistant: a stone"}, "preference"),
        ({"prompt": talk(QA[0]), "chosen": talk(QA[1]), "rejected": talk(("assistant", "a stone"))}, "preference"),
        ({"messages": whole("a fruit"), "rejected_response": "a stone"}, "rejected_answer"),
        ({"messages": talk(QA[0]), "positive_messages": [talk(QA[1])],
          "negative_messages": [talk(("assistant", "a stone"))]}, "preference"),
        ({"query": "what is a fig?", "response": "a fruit", "rejected_response": "a stone"}, "preference"),
        ({"question": "what is a fig?", "response_chosen": "a fruit", "response_rejected": "a stone"}, "preference"),
    ],
)  # fmt: skip
def test_layouts_of_preferences(tmp_path: Path, row: dict[str, Any], name: str) -> None:
    found = looked(written(tmp_path, [row]))
    first = found.conversations[0]
    assert (found.format, said(first), first.chosen, first.rejected) == (name, QA[:1], "a fruit", "a stone")
    assert not warned(found)


@pytest.mark.parametrize("words", [("good", "bad"), ("好", "差"), (True, False), (1, 0)])
def test_judged_answers(tmp_path: Path, words: tuple[Any, Any]) -> None:
    rows = [{"prompt": talk(("user", f"a {one}?")), "completion": talk(("assistant", one)), "label": words[n % 2]}
            for n, one in enumerate(FRUIT)]  # fmt: skip
    found = looked(written(tmp_path, rows))
    assert (found.format, found.counts["stage:kto"]) == ("kto", len(FRUIT))
    assert [row.desirable for row in found.conversations[:2]] == [True, False]


def test_judgments_of_no_known_scale_are_not_trained_on(tmp_path: Path) -> None:
    rows = [{"prompt": f"a {one}?", "completion": one, "label": ("good", "meh", "bad")[n % 3]}
            for n, one in enumerate(FRUIT)]  # fmt: skip
    assert "judgments-unread" in warned(looked(written(tmp_path, rows)))


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"prompt": talk(("system", "brief"), QA[0]), "completion": talk(QA[1])}, "a fruit"),
        ({"instruction": "what is a fig?", "output": {"kind": "fruit"}}, '{"kind": "fruit"}'),
        ({"用户问题": "what is a fig?", "*参考答案": "a fruit"}, "a fruit"),
        ({"user": "what is a fig?", "assistant": "a fruit", "system": "brief"}, "a fruit"),
        ({"q": "what is a fig?", "a": "a fruit"}, "a fruit"),
        ({"【问题】": "what is a fig?", "回答（标准）": "a fruit"}, "a fruit"),
        ({"input": "what is a fig?", "reasoning_content": "sweet", "content": "a fruit"},
         "<think>\nsweet\n</think>\n\na fruit"),
    ],
)  # fmt: skip
def test_layouts_of_questions(tmp_path: Path, row: dict[str, Any], answer: str) -> None:
    found = looked(written(tmp_path, [row]))
    assert said(found.conversations[0]) == [QA[0], ("assistant", answer)]


def test_what_belongs_to_the_question_is_put_to_it(tmp_path: Path) -> None:
    exam = [{"question": f"is {one} sweet?", "A": "yes", "B": one, "answer": "A"} for one in FRUIT]
    assert said(looked(written(tmp_path, exam)).conversations[0])[0] == ("user", "is apple sweet?\nA. yes\nB. apple")
    listed = [{"question": f"is {one} sweet?", "choices": ["yes", one], "answer": 1} for one in FRUIT]
    assert said(looked(written(tmp_path, listed)).conversations[0])[1] == ("assistant", "B")
    dolly = [{"instruction": "When?", "context": f"{one} in May", "response": "May", "category": "x"} for one in FRUIT]
    found = looked(written(tmp_path, dolly))
    assert (said(found.conversations[0])[0][1], warned(found)) == ("When?\napple in May", set())


def test_a_column_that_means_something_is_never_dropped_by_a_note(tmp_path: Path) -> None:
    rows = [{"title": f"{one} today", "ask": f"how is {one}?", "answer": f"{one} is well", "id": n, "date": "2024-01"}
            for n, one in enumerate(FRUIT)]  # fmt: skip
    path = written(tmp_path, rows)
    assert "--map input=title" in line(looked(path), "columns-unused")
    assert warned(looked(path, prompt="ask", completion="answer", input="title")) == set()


@pytest.mark.parametrize(
    "row",
    [
        lambda one: {"text": f"the {one} is ripe", "summary": f"ripe {one}"},
        lambda one: {"text": f"the {one} is ripe", "entities": [{"start": 4, "label": one}]},
        lambda one: {"title": one, "content": f"the {one} is ripe", "url": f"http://a.b/{one}"},
        lambda one: {"text": f"the {one} is ripe", "labels": [1, len(one)]},
        lambda one: {"comment": f"the {one} is ripe", "rude": len(one) % 2, "long": int(len(one) > 4)},
    ],
)
def test_raw_text_is_a_choice(tmp_path: Path, row: Any) -> None:
    path = written(tmp_path, [row(one) for one in FRUIT])
    found = looked(path)
    assert found.format != "text"
    assert warned(found)
    name = next(iter({"text", "content", "comment"} & set(row("x"))))
    assert inspect(Dataset(str(path), format="text", columns={"text": name}), task="llm").format == "text"


def test_text_alone_is_trained_on_as_it_is(tmp_path: Path) -> None:
    rows = [{"text": f"the {one} is ripe", "url": f"http://a.b/{one}", "timestamp": "2020-01-01", "id": n}
            for n, one in enumerate(FRUIT)]  # fmt: skip
    found = looked(written(tmp_path, rows))
    assert (found.format, warned(found)) == ("text", set())
    found = looked(written(tmp_path, [{"messages": talk(("assistant", f"the {one} is ripe"))} for one in FRUIT]))
    assert (found.format, found.counts["stage:pretrain"], "only-answers" in warned(found)) == ("text", 12, True)


def test_signs_of_templates_in_answers_and_cells_of_nothing(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"a {one}?", "input": "nan", "output": f"a fruit<|im_end|>\n</s> of {one}"} for one in FRUIT
    ]
    found = looked(written(tmp_path, rows))
    assert warned(found) == {"control-tokens", "nan-text"}
    assert said(found.conversations[0])[0] == ("user", "a apple?")
    assert "html" not in {finding.code for finding in found.findings}


def test_several_texts_in_a_cell_are_told(tmp_path: Path) -> None:
    rows = [{"question": [f"a {one}?", f"what {one}?"], "answer": f"{one} is a fruit"} for one in FRUIT]
    assert warned(looked(written(tmp_path, rows))) == {"list-text"}


def test_answers_empty_throughout(tmp_path: Path) -> None:
    found = looked(written(tmp_path, "prompt,answer\n" + "".join(f"the {one} is ripe,\n" for one in FRUIT), "a.csv"))
    assert "--map text=prompt" in line(found, "empty-column")


def test_labels_in_their_hundreds_several_and_with_commas(tmp_path: Path) -> None:
    many = "text,label\n" + "".join(f"call {n} please,kind {n % 400}\n" for n in range(1200))
    found = looked(written(tmp_path, many, "many.csv"))
    assert (found.format, sum(name.startswith("label:") for name in found.counts)) == ("classification", 400)
    several = [{"text": f"about {one}", "tags": "sweet,round" if n % 2 else "sweet"} for n, one in enumerate(FRUIT)]
    assert "multi-label" in warned(looked(written(tmp_path, several)))
    commas = [{"text": f"about {one}", "label": "ripe, sweet" if n % 2 else "sour"} for n, one in enumerate(FRUIT)]
    found = looked(written(tmp_path, commas))
    assert "ripe, sweet | sour" in found.conversations[0].turns[0].text
    assert "multi-label" not in warned(found)


def test_labels_wherever_they_stand_in_files_without_names(tmp_path: Path) -> None:
    texts = [f"the {one} is ripe and sweet" for one in FRUIT]
    for name, lines in {
        "first.csv": [f"{n % 2 + 1},{text},more of {text}" for n, text in enumerate(texts)],
        "tabs.txt": [f"{text}\tkind {n % 2}" for n, text in enumerate(texts)],
        "signs.txt": [f"{n}_!_10{n % 2}_!_news_{'ab'[n % 2]}_!_{text}" for n, text in enumerate(texts)],
        "fast.txt": [f"__label__{'ab'[n % 2]} {text}" for n, text in enumerate(texts)],
    }.items():
        found = looked(written(tmp_path, "\n".join(lines) + "\n", name))
        labels = [key for key in found.counts if key.startswith("label:")]
        assert (name, len(labels), found.counts["examples"]) == (name, 2, len(FRUIT))


def test_a_split_beside_is_measured_on(tmp_path: Path) -> None:
    rows = [{"instruction": f"describe {one}", "output": f"{one} is round"} for one in FRUIT]
    written(tmp_path, rows[:9], "train.jsonl")
    written(tmp_path, rows[9:], "test.jsonl")
    told: list[str] = []
    found = prepare_llm(LlmPlan(Dataset(str(tmp_path))), lambda problem: told.append(problem.code))
    assert (len(found.train), len(found.evaluation), "measured-split" in told) == (9, 3, True)


@pytest.mark.parametrize(
    "names", [("score_chosen", "score_rejected"), ("chosenRating", "rejectedRating"), ("margin", "难度评分")]
)
def test_numbers_that_weigh_answers_are_lost_with_a_warning(tmp_path: Path, names: tuple[str, str]) -> None:
    rows = [{"prompt": f"what is {one}?", "chosen": f"{one} is a fruit", "rejected": f"{one} is a stone",
             names[0]: 0.5 + n / 100, names[1]: n / 100} for n, one in enumerate(FRUIT)]  # fmt: skip
    found = looked(written(tmp_path, rows))
    assert found.counts["stage:preference"] == len(FRUIT)
    told = line(found, "columns-unused")
    assert "columns-unused" in warned(found) and all(name in told for name in names) and "difference is clear" in told


def test_rows_that_differ_in_what_is_learned_are_no_duplicates(tmp_path: Path) -> None:
    def row(one: str, weights: tuple[int, int]) -> dict[str, Any]:
        said = (
            ("user", f"a {one}?"),
            ("assistant", f"{one}, a fruit"),
            ("user", "why?"),
            ("assistant", f"{one} it is"),
        )
        turns: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in said]
        turns[1]["weight"], turns[3]["weight"] = weights
        return {"messages": turns}

    rows = [row(one, weights) for one in FRUIT for weights in ((0, 1), (1, 0))]
    path = written(tmp_path, rows)
    told = {one.code for one in looked(path).findings}
    assert not {"duplicate-row", "near-duplicate-row", "similar-row"} & told
    assert surplus(looked(path).conversations) == {}  # the first rows, whole
    assert "duplicate-row" in {one.code for one in looked(written(tmp_path, rows + rows)).findings}
