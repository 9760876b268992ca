"""What programs and benchmarks write in a way of their own is read as the plain rows that it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.expressions import passages_text, value_at
from tunewiz.data.reading.source import Dataset

N = 12
ASKED = [f"What is the capital of country {n}?" for n in range(N)]
TOLD = [f"The capital of country {n} is Town{n}." for n in range(N)]
OTHER = [f"The weather in country {n} is fine." for n in range(N)]
Row = dict[str, Any]


def look(folder: Path, rows: Any, task: str, columns: dict[str, str] | None = None, **roles: str) -> Inspection:
    lines = isinstance(rows, list)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) if lines else json.dumps(rows)
    path = folder / ("rows.jsonl" if lines else "rows.json")
    path.write_text(text, encoding="utf-8")
    return inspect(Dataset(str(path), columns=columns or {}, roles=roles), task)


def told(found: Inspection) -> dict[str, str]:
    return {one.code: one.first[0].line("en") for one in found.findings}


def said(found: Inspection) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in found.conversations[0].turns]


def hotpot(n: int) -> Row:
    context = [[f"Country {n}", [TOLD[n], " It is old."]], [f"Sky {n}", [OTHER[n]]]]
    return {"_id": n, "question": ASKED[n], "answer": f"Town{n}", "supporting_facts": [[f"Country {n}", 0]],
            "context": context}  # fmt: skip


def hotpot_hub(n: int) -> Row:
    context = {"title": [f"Country {n}", f"Sky {n}"], "sentences": [[TOLD[n], "It is old."], [OTHER[n]]]}
    facts = {"title": [f"Country {n}"], "sent_id": [0]}
    return {"question": ASKED[n], "answer": f"Town{n}", "supporting_facts": facts, "context": context}


def natural(n: int) -> Row:
    words = f"<P> {TOLD[n]} </P> <P> {OTHER[n]} </P>".split(" ")
    cut = words.index("</P>") + 1
    spans = [{"start_token": 0, "end_token": cut, "top_level": True}, {"start_token": cut, "end_token": len(words),
                                                                       "top_level": True}]  # fmt: skip
    notes = [{"yes_no_answer": "NONE", "long_answer": {"candidate_index": 0, **spans[0]},
              "short_answers": [{"start_token": cut - 2, "end_token": cut - 1}]}]  # fmt: skip
    return {"document_text": " ".join(words), "question_text": ASKED[n], "long_answer_candidates": spans,
            "annotations": notes, "example_id": n}  # fmt: skip


def trivia(n: int) -> Row:
    return {"Question": ASKED[n], "QuestionId": f"t{n}", "Answer": {"Value": f"Town{n}", "Aliases": [f"town {n}"]},
            "EntityPages": [], "SearchResults": [{"Title": "a", "Description": TOLD[n]},
                                                 {"Title": "b", "Description": OTHER[n]}]}  # fmt: skip


def webqa(n: int) -> Row:
    return {"question": ASKED[n], "evidences": {f"{n}#0": {"answer": [f"Town{n}"], "evidence": TOLD[n]},
                                                f"{n}#1": {"answer": ["no_answer"], "evidence": OTHER[n]}}}  # fmt: skip


@pytest.mark.parametrize("row", [hotpot, hotpot_hub, natural, trivia, webqa])
@pytest.mark.parametrize("task", ["embedding", "reranker"])
def test_evidence_is_what_is_to_be_found(tmp_path: Path, row: Any, task: str) -> None:
    found = look(tmp_path, [row(n) for n in range(N)], task)
    assert found.usable and found.counts["examples"] == N and told(found)["known-export"]
    preview = found.preview[0]
    assert preview["query"] == ASKED[0] and TOLD[0] in preview["positive"] and OTHER[0] in preview["negative"]


@pytest.mark.parametrize("row", [hotpot, hotpot_hub, natural, trivia, webqa])
def test_the_answer_is_what_a_language_model_learns(tmp_path: Path, row: Any) -> None:
    found = look(tmp_path, [row(n) for n in range(N)], "llm")
    question, answer = (text for _, text in said(found))
    assert found.counts["stage:sft"] == N and question.startswith(ASKED[0]) and answer.startswith("Town0")
    if "context" in row(0):
        assert f"Country 0\n{TOLD[0]} It is old." in question and "{" not in question


def test_what_the_user_maps_of_the_file_itself_stays(tmp_path: Path) -> None:
    mapped = {"query": "question", "positive": "evidences.0#0.evidence"}
    found = look(tmp_path, [{**webqa(n), "evidences": webqa(0)["evidences"]} for n in range(N)], "embedding", mapped)
    assert "known-export" not in told(found) and found.preview[0]["positive"] == TOLD[0]


def test_voted_answers_are_asked_for_and_the_advice_works(tmp_path: Path) -> None:
    rows = [{"q_id": n, "title": ASKED[n], "selftext": "I wonder.\nReally.", "answers": {
        "text": [OTHER[n], TOLD[n]], "score": [n, 3 * n + 5]}} for n in range(N)]  # fmt: skip
    for task, role in (("llm", "completion"), ("embedding", "positive")):
        fix = told(look(tmp_path, rows, task))["marks-unclear"]
        assert f"--map {role}=" in fix
    mapped = {"prompt": "question", "completion": "answers[score=max].text"}
    assert 'completion="answers[score=max].text"' in told(look(tmp_path, rows, "llm"))["marks-unclear"]
    assert said(look(tmp_path, rows, "llm", mapped)) == [
        ("user", f"{ASKED[0]} I wonder. Really."),
        ("assistant", TOLD[0]),
    ]


def test_the_best_and_the_rest_of_objects() -> None:
    row = {"answers": [{"text": "a", "score": "2"}, {"text": "b", "score": 9}, {"text": "c", "score": None}]}
    assert value_at(row, "answers[score=max].text") == "b" and value_at(row, "answers[score=min].text") == "a"
    assert value_at(row, "answers[!score=max].text") == ["a", "c"]
    assert passages_text([{"role": "user", "content": "x"}]) is None and passages_text("x") is None


INTERCOM = {
    "type": "conversation.list",
    "conversations": [
        {
            "type": "conversation",
            "id": str(n),
            "source": {"subject": "", "body": f"<p>{ASKED[n]}</p>", "author": {"type": "user", "name": "Ann"}},
            "conversation_parts": {
                "conversation_parts": [
                    {"part_type": "assignment", "body": None, "author": {"type": "bot"}},
                    {"part_type": "comment", "body": f"<p>{TOLD[n]}<br>Bye.</p>", "author": {"type": "admin"}},
                    {"part_type": "note", "body": "<p>a hard one</p>", "author": {"type": "admin"}},
                ]
            },
        }
        for n in range(N)
    ],
}
ZENDESK = [{"id": n, "subject": f"Country {n}", "requester_id": 5, "description": ASKED[n], "comments": [
    {"author_id": 5, "body": ASKED[n], "public": True}, {"author_id": 9, "body": "a hard one", "public": False},
    {"author_id": 9, "plain_body": f"{TOLD[n]}\nBye.", "public": True}]} for n in range(N)]  # fmt: skip
FRESHDESK = [{"id": n, "description_text": ASKED[n], "conversations": [
    {"body_text": f"{TOLD[n]}\nBye.", "incoming": False, "private": False},
    {"body_text": "a hard one", "incoming": False, "private": True}]} for n in range(N)]  # fmt: skip
CHATWOOT = [{"id": n, "messages": [{"content": ASKED[n], "message_type": 0}, {"content": f"{TOLD[n]}\nBye.",
             "message_type": 1}, {"content": "a hard one", "message_type": 1, "private": True},
             {"content": "Ann closed it", "message_type": 2}]} for n in range(N)]  # fmt: skip


@pytest.mark.parametrize("rows", [INTERCOM, ZENDESK, FRESHDESK, CHATWOOT])
def test_tickets_are_conversations_without_notes_of_the_desk(tmp_path: Path, rows: Any) -> None:
    found = look(tmp_path, rows, "llm")
    (who, question), answer = said(found)
    assert (who, answer) == ("user", ("assistant", f"{TOLD[0]}\nBye.")) and question.endswith(ASKED[0])
    assert found.counts["examples"] == N and {one.code: one.count for one in found.findings}["internal-notes"] == N
    assert ("Country 0" in question) == (rows is ZENDESK)
    pairs = look(tmp_path, rows, "embedding")
    assert "--map turns=messages" in told(pairs)["llm-layout"]
    assert look(tmp_path, rows, "embedding", {"turns": "messages"}).counts["examples"] == N


def telegram(n: int) -> list[Row]:
    day = f"2023-01-{n + 2:02}T10:0"
    return [
        {
            "type": "message",
            "date": f"{day}0:00",
            "from": "Ann",
            "from_id": "u1",
            "text": [ASKED[n], " ", {"type": "link", "text": "http://x"}],
        },
        {"type": "message", "date": f"{day}1:00", "from": "Shop", "from_id": "u2", "text": TOLD[n]},
        {"type": "message", "date": f"{day}2:00", "from": "Ann", "from_id": "u1", "text": "", "photo": "a.jpg"},
        {"type": "service", "date": f"{day}3:00", "actor": "Bo", "actor_id": "u3", "action": "join", "text": ""},
    ]


def discord(n: int) -> list[Row]:
    day = f"2023-01-{n + 2:02}T10:0"
    return [
        {
            "type": "Default",
            "timestamp": f"{day}0:00+00:00",
            "content": f"{ASKED[n]} http://x",
            "author": {"name": "Ann"},
        },
        {"type": "Reply", "timestamp": f"{day}1:00+00:00", "content": TOLD[n], "author": {"nickname": "Shop"}},
        {
            "type": "Default",
            "timestamp": f"{day}2:00+00:00",
            "content": "",
            "author": {"name": "Ann"},
            "attachments": [{"id": 1}],
        },
        {"type": "GuildMemberJoin", "timestamp": f"{day}2:00+00:00", "content": "Joined.", "author": {"name": "B"}},
    ]


def slack(n: int) -> list[Row]:
    day = 1672653600 + 86400 * n
    return [
        {
            "type": "message",
            "ts": f"{day}.01",
            "user": "U1",
            "user_profile": {"real_name": "Ann"},
            "text": f"{ASKED[n]} http://x",
            "thread_ts": f"{day}.01",
        },
        {"type": "message", "ts": f"{day + 9}.01", "username": "Shop", "text": TOLD[n], "thread_ts": f"{day}.01"},
        {"type": "message", "ts": f"{day + 10}.01", "user": "U1", "text": "", "files": [{}]},
        {"type": "message", "subtype": "channel_join", "ts": f"{day + 11}.01", "user": "U3", "text": "joined"},
    ]


def messages(make: Any) -> list[Row]:
    return [one for n in range(N) for one in make(n)]


EXPORTS: dict[str, Any] = {
    "telegram": {"name": "Shop", "type": "personal_chat", "id": 1, "messages": messages(telegram)},
    "telegram, all": {"chats": {"list": [{"name": "Shop", "id": 1, "messages": messages(telegram)}]}},
    "discord": {"guild": {"name": "G"}, "channel": {"name": "c"}, "messages": messages(discord)},
    "slack": messages(slack),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_messengers_tell_who_speaks_and_ask_who_answers(tmp_path: Path, name: str) -> None:
    asked = look(tmp_path, EXPORTS[name], "llm")
    assert '--roles "Shop=assistant"' in told(asked)["who-answers"]
    found = look(tmp_path, EXPORTS[name], "llm", Shop="assistant")
    assert said(found) == [("user", f"{ASKED[0]} http://x"), ("assistant", TOLD[0])]
    counted = {one.code: one.count for one in found.findings}
    assert (found.counts["examples"], counted["chat-media"], counted["chat-notice"]) == (N, N, N)
    assert look(tmp_path, EXPORTS[name], "reranker", Shop="assistant").counts["examples"] == N


def test_messenger_writes_utf8_as_latin1_and_the_newest_first(tmp_path: Path) -> None:
    lines = [
        {"sender_name": who, "timestamp_ms": 1672653600000 + 86400000 * n + late, "content": text}
        for n in range(N)
        for late, who, text in ((0, "Ann", "caf\u00c3\u00a9?"), (60000, "Shop", TOLD[n]))
    ]
    rows = {"participants": [{"name": "Ann"}, {"name": "Shop"}], "messages": lines[::-1]}
    found = look(tmp_path, rows, "llm", Shop="assistant")
    assert said(found) == [("user", "café?"), ("assistant", TOLD[0])] and found.counts["examples"] == N


WRAPPED: dict[str, Any] = {
    "elasticsearch": lambda n: [
        {"_index": "faq", "_id": n, "_score": 1.0, "_source": {"question": ASKED[n], "answer": TOLD[n]}}],
    "bulk": lambda n: [{"index": {"_index": "faq", "_id": n}}, {"question": ASKED[n], "answer": TOLD[n]}],
    "argilla": lambda n: [{"fields": {"question": ASKED[n], "answer": TOLD[n]}, "responses": [
        {"values": {"remark": {"value": f"fine {n}"}}, "status": "submitted"}]}],
    "examples": lambda n: [{"id": n, "inputs": {"question": ASKED[n]}, "outputs": {"answer": TOLD[n]}}],
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPED)
def test_what_stores_wrap_is_unwrapped(tmp_path: Path, name: str) -> None:
    rows = [row for n in range(N) for row in WRAPPED[name](n)]
    assert said(look(tmp_path, rows, "llm")) == [("user", ASKED[0]), ("assistant", TOLD[0])]
    found = look(tmp_path, rows, "embedding")
    assert found.format == "pairs" and found.counts["examples"] == N
    assert name != "argilla" or "remark" in found.source.columns  # type: ignore[union-attr]


HUMAN = {"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"]}
TURNS: dict[str, Any] = {
    "data": lambda n: {"messages": [{"type": "human", "data": {"content": ASKED[n], "additional_kwargs": {}}},
                                    {"type": "ai", "data": {"content": TOLD[n]}}]},
    "flat": lambda n: {"messages": [{"type": "human", "content": ASKED[n]}, {"type": "ai", "content": TOLD[n]}]},
    "run": lambda n: {"run_type": "llm", "inputs": {"messages": [[{**HUMAN, "kwargs": {"content": ASKED[n]}}]]},
                      "outputs": {"generations": [[{"text": TOLD[n]}]]}},
    "reference": lambda n: {"messages": [{"role": "user", "content": ASKED[n]}], "reference_answer": TOLD[n]},
    "stored": lambda n: {"messages": [{"role": "user", "content": ASKED[n]}],
                         "choices": [{"index": 0, "message": {"role": "assistant", "content": TOLD[n]}}]},
    "claude": lambda n: {"uuid": n, "chat_messages": [{"text": ASKED[n], "sender": "human", "files": []},
                                                      {"text": TOLD[n], "sender": "assistant", "files": []}]},
}  # fmt: skip


@pytest.mark.parametrize("name", TURNS)
def test_turns_of_other_tools(tmp_path: Path, name: str) -> None:
    found = look(tmp_path, [TURNS[name](n) for n in range(N)], "llm")
    assert said(found) == [("user", ASKED[0]), ("assistant", TOLD[0])] and found.counts["examples"] == N


def test_conversations_under_one_key_and_halves_of_a_batch(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": ASKED[0]}, {"role": "assistant", "content": TOLD[0]}]
    under = look(tmp_path, {"conversations": [{"conversation_id": n, "messages": turns} for n in range(N)]}, "llm")
    assert said(under) == [("user", ASKED[0]), ("assistant", TOLD[0])]
    sent = [{"custom_id": n, "method": "POST", "url": "/v1", "body": {"messages": turns[:1]}} for n in range(N)]
    got = [{"custom_id": n, "response": {"body": {"choices": [{"message": turns[1]}]}}} for n in range(N)]
    for rows, half in ((sent, "requests"), (got, "answers")):
        assert f"These are the {half} of a batch" in told(look(tmp_path, rows, "llm"))["batch-half"]
