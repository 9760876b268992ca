"""Chats as messengers save them: who speaks is read, who answers is asked, what nobody says is left out and counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tunewiz.data.chat.prepare import prepare_llm
from tunewiz.data.chat.prepared import LlmPlan
from tunewiz.data.dialogues.times import way_of_writing
from tunewiz.data.exports.notices import is_media, is_notice
from tunewiz.data.inspection import Inspection, fix, inspect
from tunewiz.data.reading.source import Dataset

ASKED = (
    "怎么退货？",
    "多久到账？",
    "能开发票吗？",
    "有优惠吗？",
    "到哪了？",
    "能换吗？",
    "Can I pay cash?",
    "保修多久？",
)
TOLD = ("点退货即可。", "三到五天。", "可以的。", "满百减十。", "已到本市。", "可以换。", "Not yet, sorry.", "一年。")
PAIRS = tuple(zip(ASKED, TOLD, strict=True))
Message = Callable[[int, int, str, str], str]


def whatsapp(day: int, minute: int, who: str, text: str) -> str:
    return f"12/{day}/23, 9:{minute:02} AM - {who}: {text}\n"


#: How a message stands in each layout: by day, minute, who, what.
LAYOUTS: dict[str, Message] = {
    "wechat": lambda d, m, who, text: f"2023-01-{d:02} 12:{m:02}:00 {who}\n{text}\n\n",
    "wechat copied": lambda d, m, who, text: f"{who} 2023/1/{d} 12:{m:02}\n{text}\n",
    "one line": lambda d, m, who, text: f"{who}(2023-01-{d:02} 12:{m:02}:00): {text}\n",
    "qq": lambda d, m, who, text: f"2023-01-{d:02} 12:{m:02}:00 【活跃】{who}(1234567)\n{text}\n\n",
    "whatsapp": whatsapp,
    "whatsapp ios": lambda d, m, who, text: f"\u200e[{d}.12.23, 22:{m:02}:01] {who}: {text}\n",
    "whatsapp zh": lambda d, m, who, text: f"2023/12/{d} 下午10:{m:02} - {who}: {text}\n",
    "telegram": lambda d, m, who, text: f"{who}, [{d}.12.23 22:{m:02}]\n{text}\n\n",
    "discord": lambda d, m, who, text: f"[{d}-Dec-23 10:{m:02} PM] {who}\n{text}\n\n",
    "line": lambda d, m, who, text: f"2023/12/{d:02}(日)\n22:{m:02}\t{who}\t{text}\n",
    "kakao": lambda d, m, who, text: f"---- 2023년 12월 {d}일 ----\n[{who}] [오후 9:{m:02}] {text}\n",
    "feishu": lambda d, m, who, text: f"{who} 1月{d}日 12:{m:02}\n{text}\n",
    "bold": lambda d, m, who, text: f"**{who}** 2023-01-{d:02} 12:{m:02}\n\n{text}\n\n",
    "iso": lambda d, m, who, text: f"2023-01-{d:02}T12:{m:02}:00Z {who}: {text}\n",
}


def chat(message: Message, names: tuple[str, str] = ("张三", "小店")) -> str:
    return "".join(
        message(10 + n, 0, names[0], ASKED[n]) + message(10 + n, 1, names[1], TOLD[n]) for n in range(len(ASKED))
    )


def look(folder: Path, text: str, task: str = "llm", name: str = "chat.txt", **roles: str) -> Inspection:
    (folder / name).write_text(text, encoding="utf-8")
    return inspect(Dataset(str(folder / name), roles=roles), task)


def told(found: Inspection) -> dict[str, str]:
    return {one.code: one.first[0].line("en") for one in found.findings}


def options(found: Inspection) -> list[dict[str, str]]:
    """The roles that are offered, as they are typed."""
    return [dict([pair.rsplit("=", 1)]) for pair in re.findall(r'--roles "([^"]+)"', told(found)["who-answers"])]


def said(found: Inspection, row: int = 0) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in found.conversations[row].turns]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("task", ["llm", "embedding"])
def test_who_answers_is_asked_and_the_answer_is_enough(tmp_path: Path, layout: str, task: str) -> None:
    text = chat(LAYOUTS[layout])
    asked = look(tmp_path, text, task)
    assert not asked.usable and asked.detection is None
    assert {"小店": "assistant"} in options(asked)
    for roles in options(asked):  # each fix that is printed does away with what it is printed for
        assert "who-answers" not in told(look(tmp_path, text, task, **roles))
    found = look(tmp_path, text, task, 小店="assistant")
    assert found.usable and found.counts["examples"] == len(ASKED), layout
    if task == "llm":
        assert said(found) == [("user", ASKED[0]), ("assistant", TOLD[0])]  # a day is silent: a conversation each
    else:
        assert found.preview[0] == {"query": ASKED[0], "positive": TOLD[0]}


def test_messages_of_one_go_together_and_notices_and_pictures_are_counted(tmp_path: Path) -> None:
    day = "".join(
        whatsapp(10, n, who, text)
        for n, (who, text) in enumerate(
            (
                ("Ann", "Hello"),
                ("Ann", "Is it here?\nThe red one."),
                ("Ann", "<Media omitted>"),
                ("Shop", "It left us."),
                ("Shop", "This message was deleted"),
                ("Shop", "You get it today."),
            )
        )
    )
    text = "12/10/23, 8:00 AM - Messages and calls are end-to-end encrypted. No one can read them.\n" + day
    found = look(tmp_path, text + "12/10/23, 9:30 AM - Ann added Bob\n", Shop="assistant")
    assert said(found) == [
        ("user", "Hello\nIs it here?\nThe red one."),
        ("assistant", "It left us.\nYou get it today."),
    ]
    counted = {one.code: one.count for one in found.findings}
    assert (counted["chat-notice"], counted["chat-media"]) == (3, 1)


def test_qq_keeps_the_chats_of_a_file_apart(tmp_path: Path) -> None:
    rule = "=" * 64
    heads = [f"{rule}\n消息分组:我的好友\n{rule}\n消息对象:{who}\n{rule}\n\n" for who in ("甲", "乙")]
    parts = [
        LAYOUTS["qq"](10, 0, who, ASKED[n]) + LAYOUTS["qq"](10, 1, "小店", TOLD[n]) for n, who in enumerate("甲乙")
    ]
    notice = "2023-01-10 12:02:00 系统消息(10000)\n丙加入本群。\n\n"
    text = "消息记录（此消息记录为文本格式，不支持重新导入）\n\n" + heads[0] + parts[0] + notice + heads[1] + parts[1]
    found = look(tmp_path, text, 小店="assistant")
    assert [said(found, n) for n in range(2)] == [[("user", ASKED[n]), ("assistant", TOLD[n])] for n in range(2)]


def test_a_late_answer_belongs_to_its_question(tmp_path: Path) -> None:
    first = LAYOUTS["wechat"](10, 0, "张三", ASKED[0]) + "2023-01-10 20:00:00 小店\n" + TOLD[0] + "\n\n"
    later = LAYOUTS["wechat"](12, 0, "张三", ASKED[1]) + LAYOUTS["wechat"](12, 1, "小店", TOLD[1])
    found = look(tmp_path, first + later, 小店="assistant")
    assert [len(one.turns) for one in found.conversations] == [2, 2]


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        ("".join(f"张三：{q}\n李四：{a}\n" for q, a in PAIRS), 2),
        ("".join(f"A：{q}\nB：{a}\n" for q, a in PAIRS), 2),
        ("".join(f"**Ann:** {q}\n\n**Bob:** {a}\n\n" for q, a in PAIRS), 2),
        ("".join(f"发言人1 00:1{n}\n{q}\n\n发言人2 00:1{n}\n{a}\n\n"
                 for n, (q, a) in enumerate(PAIRS)), 2),
    ],
)  # fmt: skip
def test_scripts_without_dates_ask_too(tmp_path: Path, text: str, speakers: int) -> None:
    asked = options(look(tmp_path, text))
    assert len(asked) == speakers
    found = look(tmp_path, text, **asked[1])
    assert found.usable and said(found)[:2] == [("user", ASKED[0]), ("assistant", TOLD[0])]


def test_scenes_and_blocks_are_conversations_of_their_own(tmp_path: Path) -> None:
    scenes = "".join(f"Scene {n + 1}\n\nJACK: {q}\n\nMARY: {a}\n\n" for n, (q, a) in enumerate(PAIRS))
    blocks = "".join(f"张三：{q}\n李四：{a}\n\n" for q, a in PAIRS)
    assert look(tmp_path, scenes, MARY="assistant").counts["examples"] == len(ASKED)
    assert look(tmp_path, blocks, 李四="assistant").counts["examples"] == len(ASKED)


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"2023-01-{n + 1:02} 12:00:0{n} INFO server.py: started worker {n}\n" for n in range(9)),
        "".join(f"2023-01-{n + 1:02} 12:00\nI went to the town {n}. It was nice.\n\n" for n in range(9)),
        "".join(f"{n + 1}:00 Meeting with team {n}\n{n + 1}:30 Coffee {n}\n" for n in range(9)),
        "".join(f"Title: Book {n}\nAuthor: Ann {n}\nSummary: Of thing {n}.\n\n" for n in range(9)),
        "".join(f"def f{n}(x: int) -> int:\n    return x + {n}\n" for n in range(9)),
        "".join(f"https://example.org/{n}: a page on thing {n}\n" for n in range(9)),
        "".join(f"“你好吗？”张三说：“我很好{n}。”\n他说完就走了，外面下着雨。\n" for n in range(9)),
    ],
)
def test_logs_diaries_and_records_are_no_chats(tmp_path: Path, text: str) -> None:
    assert "who-answers" not in told(look(tmp_path, text))


def test_a_name_that_says_nothing_is_told_with_those_who_speak(tmp_path: Path) -> None:
    found = look(tmp_path, chat(LAYOUTS["wechat"]), 小电="assistant")
    assert "小电 says nothing in this chat; 张三, 小店 speak" in told(found)["who-answers"]
    alone = look(tmp_path, "".join(LAYOUTS["wechat"](10, n, "张三", text) for n, text in enumerate(ASKED)))
    assert "Only one person speaks" in told(alone)["who-answers"]


def test_known_roles_need_no_question_and_raw_text_may_be_asked_for(tmp_path: Path) -> None:
    text = chat(LAYOUTS["one line"], ("客户", "客服"))
    assert said(look(tmp_path, text))[1] == ("assistant", TOLD[0])
    raw = inspect(Dataset(str(tmp_path / "chat.txt"), format="text"), "llm")
    assert raw.format == "text" and told(raw)["chat-in-text"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_chats_in_other_encodings_and_packed(tmp_path: Path, encoding: str) -> None:
    import gzip
    import zipfile

    text = chat(LAYOUTS["wechat"])
    (tmp_path / "chat.txt").write_text(text, encoding=encoding)
    with gzip.open(tmp_path / "chat.txt.gz", "wt", encoding=encoding) as packed:
        packed.write(text)
    with zipfile.ZipFile(tmp_path / "chat.zip", "w") as archive:
        archive.writestr("_chat.txt", text.encode(encoding))
        archive.writestr("IMG-1.jpg", b"\xff\xd8")
    for name in ("chat.txt", "chat.txt.gz", "chat.zip"):
        found = inspect(Dataset(str(tmp_path / name), roles={"小店": "assistant"}), "llm")
        assert said(found) == [("user", ASKED[0]), ("assistant", TOLD[0])], name


def test_a_folder_of_chats_is_read_file_by_file(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"chat{n}.txt").write_text(chat(LAYOUTS["wechat"]).replace("张三", f"客{n}"), encoding="utf-8")
    found = inspect(Dataset(str(tmp_path), roles={"小店": "assistant"}), "llm")
    assert found.format == "saved_chat" and found.counts["examples"] == 3 * len(ASKED)
    (tmp_path / "other.txt").write_text("Nobody speaks here.\n" * 5)
    assert "other.txt" in told(inspect(Dataset(str(tmp_path), roles={"小店": "assistant"}), "llm"))["no-chat"]


def test_a_chat_is_trained_on_and_written_clean(tmp_path: Path) -> None:
    (tmp_path / "chat.txt").write_text(chat(LAYOUTS["whatsapp"]), encoding="utf-8")
    dataset = Dataset(str(tmp_path / "chat.txt"), roles={"小店": "assistant"})
    prepared = prepare_llm(LlmPlan(dataset, fraction=0.25), lambda _problem: None)
    assert {row.turns[0].text for row in (*prepared.train, *prepared.evaluation)} == set(ASKED)
    kept = fix(dataset, tmp_path / "clean.jsonl", "llm")
    assert kept.kept == len(ASKED) and inspect(Dataset(str(kept.path)), "llm").format == "messages"


def test_what_a_person_says_is_no_notice() -> None:
    people = (
        "I left the key.",
        "He joined us",
        "I changed the address",
        "none",
        "My parcel has left the shop",
        "我加入了购物车",
    )
    assert not any(is_notice("Ann", text) or is_media(text) for text in people)
    notices = ("Bob joined the group", "李四邀请王五加入了群聊", "张三撤回了一条消息", "Missed voice call at 9:00", "")
    assert all(is_notice("Ann", text) for text in notices)
    media = (
        "[图片]",
        "[图片] [图片]",
        "image omitted",
        "<attached: a.opus>",
        "IMG-1.jpg (file attached)",
    )
    assert all(is_media(text) for text in media)


def test_times_are_read_by_one_way_of_writing() -> None:
    for cells in (
        ["10-Dec-23 10:00 PM", "10-Dec-23 11:00 PM"],
        ["1672653600.5", "1672657200.5"],
        ["2023년 12월 1일 오후 1:00", "2023년 12월 1일 오후 2:00"],
        [1672653600000, 1672657200000],
    ):
        read = way_of_writing(cells)
        first, second = (read(cell) for cell in cells)
        assert first is not None and second is not None and second - first == 3600, cells


def test_tables_of_messages_by_people_of_other_names(tmp_path: Path) -> None:
    rows = "time,sender,message\n" + "".join(
        f"2023-01-{n + 10} 10:00:00,老王,{q}\n2023-01-{n + 10} 10:01:00,小店,{a}\n"
        for n, (q, a) in enumerate(zip(ASKED, [one.replace(",", "") for one in TOLD], strict=True))
    )
    asked = look(tmp_path, rows, name="log.csv")
    assert {"小店": "assistant"} in options(asked) and "--map text=message" in told(asked)["who-answers"]
    found = look(tmp_path, rows, name="log.csv", 小店="assistant")
    assert found.counts["examples"] == len(ASKED) and said(found) == [("user", ASKED[0]), ("assistant", TOLD[0])]
    news = "author,title,content,date\n" + "".join(f"A{n % 2},T{n},Of thing {n},2023-01-0{n + 1}\n" for n in range(9))
    assert "who-answers" not in told(look(tmp_path, news, name="news.csv"))


MARKS: tuple[Any, ...] = ("\r\n", "\t", "\u3000", "\u200e", "：", " - ", "[", "]", "\x00", "\ufeff", "\n\n\n", "23:59")


def test_damaged_chats_end_in_words_and_never_as_raw_text_in_silence(tmp_path: Path) -> None:
    random = Random(12)
    for number in range(25):
        text = chat(random.choice(list(LAYOUTS.values())), ("Ann Lee", "小店"))
        for _ in range(random.randrange(1, 8)):
            place = random.randrange(len(text))
            cut = text[: random.randrange(len(text) // 2)] if random.random() < 0.1 else ""
            text = text[:place] + random.choice(MARKS) + cut + text[place + random.randrange(3) :]
        for roles in ({}, {"小店": "assistant"}):
            found = look(tmp_path, text, name=f"{number}.txt", **roles)
            codes = set(told(found))
            assert found.format != "text" or codes & {"chat-in-text"}, text
            assert found.usable or {one.code for one in found.findings if one.severity == "error"}, text
