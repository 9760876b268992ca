"""Chats that messengers save as text: who wrote what when, in the layouts of WeChat, QQ, WhatsApp and their like.

A line that begins a message either holds it too (``[31.12.23, 22:00:01] Ann: hello``) or stands above it
(``2023-01-02 12:00:00 张三``); lines that begin none go on with the last one. Each layout is one pattern; the one
that begins the most messages of the first lines is that of the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tunewiz.data.exports.notices import is_media, is_notice, without_edits, without_marks
from tunewiz.data.exports.subtitles import SUBTITLES, cues, subtitles
from tunewiz.data.reading.source import Dataset, Row, Source
from tunewiz.data.reading.streams import lines
from tunewiz.problems import Problem, Report, Where, note, say

#: The columns of a message, whatever program saved it: which of several chats, who, what, when.
CHAT, SPEAKER, TEXT, TIME = "chat", "speaker", "text", "time"
COLUMNS: Final = (CHAT, SPEAKER, TEXT, TIME)

#: The formats that read them, as :attr:`Dataset.format` names them.
CHATS: Final = ("auto", "saved_chat", "asked_saved_chat", "text")

_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DATE: Final = (
    r"(?:\d{4}[-/.年년]\s?\d{1,2}[-/.月월]\s?\d{1,2}[日일]?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}月\d{1,2}日"
    rf"|\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}}|today|yesterday|今天|昨天)"
)
_WEEKDAY: Final = (
    r"(?:星期[一二三四五六日天]|周[一二三四五六日]|[（(][^()（）\s]{1,3}[)）]|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*)"
)
_HALF: Final = r"(?:[上下]午|凌晨|清晨|早上|中午|傍晚|晚上|오전|오후|[ap]\.?\s?m\b\.?)"
_CLOCK: Final = (
    rf"(?:{_HALF}\s?)?\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d{{1,6}})?)?(?:\s?{_HALF})?(?:Z\b|\s?[+-]\d{{2}}:\d{{2}}\b)?"
)
_DATED: Final = rf"{_DATE}(?:[,，]?\s?{_WEEKDAY})?(?:[,，]?\s(?:at\s)?|T|(?=[上下]午|凌晨|晚上))\s*{_CLOCK}"
_WHEN: Final = rf"(?P<time>{_DATED}|{_CLOCK})"
_NO_DATE: Final = r"(?!\d{1,4}[-/.年月:]\d)"
_NAME: Final = _NO_DATE + r"(?P<who>[^\s:：,，\[\](){}<>|=\"][^:：\t\n|=\"]{0,40}?)"
_OPEN, _SHUT = r"[\[【(（]?", r"[\]】)）]?"
_TURN: Final = rf"{_NAME}\s?[:：](?!//)\s*(?P<text>.*)"


class _Layout(NamedTuple):
    """How messages begin; ``above``: in a line of their own. ``notice``: what the program says itself, in a line."""

    starts: re.Pattern[str]
    above: bool
    share: float
    notice: re.Pattern[str] | None = None


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_STAMPED: Final = _compiled(rf"\s*{_OPEN}{_WHEN}{_SHUT}\s*(?:[-–—|]\s*)?(?P<text>\S.*)?")
_STAMP: Final = rf"{_OPEN}{_WHEN}{_SHUT}"
_BEFORE_NAME: Final = rf"\s*{_STAMP}\s*(?:[-–—|]\s*)?"
_BEHIND_NAME: Final = (
    rf"(?:[\[(（【]{_WHEN}[\])）】]\s*[:：]?|\s{_WHEN.replace('time', 'then')}[:：](?!\d))\s*(?P<text>\S.*)"
)
_HEADED: Final = r"[\s#*_>]*"  # a heading or bold type of Markdown
#: Where two begin as many messages the first one counts: it has the text in the same line.
_LAYOUTS: Final = {
    "stamp, name: text": _Layout(_compiled(_BEFORE_NAME + _TURN), False, 0.3, _STAMPED),
    "stamp <name> text": _Layout(
        _compiled(rf"\s*{_STAMP}\s+<[ @+%&~]?(?P<who>[^<>\s]{{1,32}})>\s(?P<text>.*)"), False, 0.3, _STAMPED
    ),
    "[name] [stamp] text": _Layout(_compiled(rf"\[(?P<who>[^\[\]]{{1,40}})\] \[{_WHEN}\] (?P<text>.*)"), False, 0.3),
    "name [stamp]: text": _Layout(_compiled(rf"\s*[【\[]?{_NAME}[】\]]?\s*{_BEHIND_NAME}"), False, 0.3),
    "stamp\tname\ttext": _Layout(_compiled(rf"(?P<time>{_CLOCK})\t(?P<who>[^\t]{{1,40}})\t(?P<text>.*)"), False, 0.3),
    "stamp name": _Layout(
        _compiled(rf"{_HEADED}{_BEFORE_NAME}(?P<who>[^:：\n\t]{{1,60}}?)[*_]{{0,2}}\s*[:：]?"), True, 0.15
    ),
    "name stamp": _Layout(
        _compiled(
            rf"{_HEADED}[【\[]?{_NO_DATE}(?P<who>[^\s:：,，\[\]][^:：\t,，\n]{{0,40}}?)[】\]]?[*_]{{0,2}}[,，]?\s*"
            rf"(?:[—–\-|·•]\s*)?{_STAMP}\s*[:：]?"
        ),
        True,
        0.15,
    ),
}
#: Names without times; ``BLOCKS``: a blank line stands between dialogues rather than between turns.
SCRIPT, BLOCKS = "name: text", "name: text, in blocks"
_SCRIPT: Final = _Layout(_compiled(rf"\s*(?:\*\*)?{_NAME}(?:\*\*)?\s?[:：](?!//)(?:\*\*)?\s*(?P<text>.*)"), False, 0.6)

#: A day in a line of its own, between messages that tell the hour alone.
_DAY: Final = _compiled(
    rf"[\W_]*(?:day changed |日期[:：]?\s*)?(?P<day>(?!today|yest|今天|昨天){_DATE}|{_MONTH} \d{{1,2}})"
    rf"(?:[,，]?\s?{_WEEKDAY})?[\W_]*"
)
#: What QQ writes above the chat with each person or group, between lines; the last one names it.
_ABOVE: Final = re.compile(
    r"\s*(?:消息(?:记录|分组|对象)\s*[:：（(].*|\[line\] .*|saved on: .*|保存日期[:：].*)\s*", re.I
)
_RULE: Final = re.compile(r"\s*([=*_#~—-])\1{2,}\s*")
_RULED: Final = re.compile(r"(?:\n\s*(?:[=*_#~—-]{3,})?\s*)+$")
#: A title between dialogues of a script.
_TITLE: Final = _compiled(
    r"\s*(?:#{1,6}\s.+|(?:对话|会话|场景|第.{1,4}[场幕段]|conversation|dialog(?:ue)?|scene|session|chat)\s*"
    r"[#\d一二三四五六七八九十].{0,40})"
)
_ABOUT: Final = re.compile(r"\s*消息对象\s*[:：]\s*(.+?)\s*")
#: ``【管理员】昵称(12345)``, ``昵称<name@mail>``: the number tells two of one name apart, but nobody knows it by heart.
_RANK: Final = re.compile(r"^【[^】]{1,8}】(?=.)")
_SENT: Final = re.compile(r"from (.{1,40}?) to .{1,60}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?<=.)(?:[(（]\d{4,12}[)）]|<[^<>\s]+@[^<>\s]+>|[(（][^()（）\s]+@[^()（）\s]+[)）])$")
#: What stands where a log of a program has the level of its lines.
_LEVELS: Final = frozenset(
    ("info", "debug", "warning", "warn", "error", "trace", "fatal", "critical", "notice", "verbose")
)
_OF_PROGRAMS: Final = re.compile(
    r".*\[\d+\]|[\w.]+\.(?:info|debug|warning|error|notice)|(?:info|debug|warn|warning|error|fatal)\b.*", re.I
)

_LOOKED: Final = 600  # lines
_FEWEST: Final = 3  # messages
_BEFORE: Final = 20  # lines above the first message
_TABLES: Final = (".csv", ".tsv", ".tab")


def saved_chat(source: Source, peeked: Sequence[tuple[int, str]], dataset: Dataset) -> Source | None:
    """The text file ``source``, of which ``peeked`` are the first lines, as a chat; None where it is none."""
    titled = subtitles(source, peeked, dataset)
    if titled is not None:
        return titled.altered(columns=COLUMNS)
    suffix = source.path.suffix.casefold()
    if suffix in _TABLES or dataset.header != "auto" or dataset.delimiter != "auto" or dataset.format == "text":
        return None
    texts = [without_marks(text.rstrip("\r\n")) for _, text in peeked[: 2 * _LOOKED]]
    filled = [text for text in texts if text.strip()][:_LOOKED]
    layout = layout_of(filled) or (_is_script(filled) and (BLOCKS if _are_blocks(texts) else SCRIPT))
    if not layout:
        return None
    kept = tuple(problem for problem in source.notes if problem.code.startswith("encoding"))
    return source.altered(container="chat", layout=layout, columns=COLUMNS, header=False, notes=kept)


def layout_of(texts: Sequence[str]) -> str:
    """The layout with times in which lines that are not blank begin messages; "" where there is none."""
    likely = sorted(_LAYOUTS, key=lambda name: -_begun(texts, _LAYOUTS[name]))
    return next((name for name in likely if _is_one(texts, name)), "")


def _begun(texts: Sequence[str], layout: _Layout) -> int:
    return sum(layout.starts.fullmatch(text) is not None for text in texts)


def _is_one(texts: Sequence[str], name: str) -> bool:
    """Whether lines begin messages by the layout of this ``name``: often, by few people, soon after the top."""
    layout = _LAYOUTS[name]
    found = [(place, one) for place, text in enumerate(texts) if (one := layout.starts.fullmatch(text))]
    dated = sum(re.match(_DATE, one["time"] or "", re.I) is not None for _, one in found)
    if (
        len(found) < (2 if dated == len(found) else _FEWEST)
        or len(found) < layout.share * len(texts)
        or found[0][0] > _BEFORE
    ):
        return False
    who = Counter(_plain(one["who"]).casefold() for _, one in found)
    if sum(count for name, count in who.items() if name in _LEVELS or _OF_PROGRAMS.fullmatch(name)) > len(found) / 2:
        return False  # a log of a program
    places = {place for place, _ in found}
    if layout.above and sum(place + 1 not in places and place + 1 < len(texts) for place in places) < 0.7 * len(places):
        return False
    if 2 * dated < len(found) and layout.above and not all(re.search(r"[\w)）】\]]", one["who"]) for _, one in found):
        return False
    if name == "stamp\tname\ttext" and not any(_DAY.fullmatch(text) for text in texts):
        return False  # a table, separated by tabs
    return len(who) <= max(2, (len(found) + 1) // 2 + 1) and (2 * dated >= len(found) or len(who) <= len(found) / 2)


def _is_script(texts: Sequence[str]) -> bool:
    """Whether nearly each line begins with a name, and a few people speak in turn, of whom not all are roles.

    What heads the parts of a record (``Title: … Author: …``) comes in the same order each time.
    """
    from tunewiz.data.dialogues.roles import part_of

    found = [one for text in texts if (one := _SCRIPT.starts.fullmatch(text)) and one["text"].strip()]
    who = [_plain(one["who"]) for one in found]
    counted = Counter(who)
    if len(found) < 2 * _FEWEST or len(found) < _SCRIPT.share * len(texts) or not 1 < len(counted) <= len(found) / 3:
        return False
    if all(part_of(name) for name in counted) or any(len(name) > _LONGEST for name in counted):
        return False
    if any(one["text"].strip().isdecimal() for one in found[:_FEWEST]):
        return False
    return len(counted) == 2 or not _comes_round(who, len(counted))


def _are_blocks(texts: Sequence[str]) -> bool:
    """Whether blank lines stand between dialogues: most of what is between them has several turns."""
    turns = [0]
    for text in texts:
        if text.strip():
            turns[-1] += _SCRIPT.starts.fullmatch(text) is not None
        elif turns[-1]:
            turns.append(0)
    filled = [count for count in turns if count]
    return len(filled) > 1 and sum(count > 1 for count in filled) > 0.7 * len(filled)


_LONGEST: Final = 24  # characters of a name


def _comes_round(names: Sequence[str], count: int) -> bool:
    return all(names[place] == names[place % count] for place in range(len(names)))


def _plain(name: str) -> str:
    """A name without its rank in a group and its number."""
    name = _SENT.sub(r"\1", name.strip().strip("*_#").strip())
    bare = _NUMBER.sub("", _RANK.sub("", name))
    return bare.strip() or name.strip()


def records(source: Source, report: Report) -> Iterator[Row]:
    """A row for each message; what the program itself says, and what is no text, is reported and left out."""
    told = _subtitled(source, report) if source.layout == SUBTITLES else _messages(source, report)
    for line, values in told:
        row = message(source, line, values, report)
        if row is not None:
            yield row


def message(source: Source, line: int, values: dict[str, str], report: Report) -> Row | None:
    """A message as a row; None, and reported, where it is a notice or no text."""
    text = without_edits(values[TEXT]).strip()
    where = source.at(line)
    if is_notice(values[SPEAKER], text):
        report(notice(where))
        return None
    if is_media(text):
        report(media(where))
        return None
    return Row(line, {**values, TEXT: text})


def notice(where: Where) -> Problem:
    """That what the messenger itself says is left out."""
    return note(
        "chat-notice", say("The messenger itself says something (joined, deleted, missed); it is left out."), where
    )


def media(where: Where) -> Problem:
    """That what is no text is left out."""
    told = say("A message is a picture, a recording or the like; there is no text of it to learn.")
    return note("chat-media", told, where)


def _subtitled(source: Source, report: Report) -> Iterator[tuple[int, dict[str, str]]]:
    """Cues as messages; one that names nobody goes on with what the last one says."""
    speaker = ""
    for line, who, text, time in cues(lines(source, report)):
        speaker = who or speaker
        yield line, {CHAT: "1", SPEAKER: speaker, TEXT: text, TIME: time}


def _messages(source: Source, report: Report) -> Iterator[tuple[int, dict[str, str]]]:
    layout = _LAYOUTS.get(source.layout, _SCRIPT)
    held: tuple[int, dict[str, str]] | None = None
    about, day, chat, dated = "", "", 1, False
    for number, line in lines(source, report):
        text = without_marks(line.rstrip("\r\n"))
        found = layout.starts.fullmatch(text) if text.strip() else None
        if found:
            if held:
                yield held
            told = found.groupdict()
            time = told.get("time") or told.get("then") or ""
            dated = bool(re.match(_DATE, time, re.IGNORECASE))
            time = f"{day} {time}" if day and not dated else time
            who = _plain(found["who"])
            held = number, {CHAT: about or str(chat), SPEAKER: who, TEXT: told.get("text") or "", TIME: time}
            continue
        named = _ABOUT.fullmatch(text)
        about = named[1] if named else about
        apart = _stands_between(text, source.layout)
        own = layout.notice is not None and text.strip() and layout.notice.fullmatch(text)
        today = None if dated else _DAY.fullmatch(text)
        if apart or own or (today and text.strip()):
            if held:
                held[1][TEXT] = _RULED.sub("", held[1][TEXT])
                yield held
            held = None
            chat += apart
            day = today["day"] if today else day
            if own:
                report(notice(source.at(number)))
        elif held is not None:
            held[1][TEXT] += f"\n{text}"
        elif text.strip() and not _RULE.fullmatch(text):
            report(note("chat-heading", say("What stands above the messages is left out."), source.at(number)))
    if held:
        yield held


def _stands_between(text: str, layout: str) -> bool:
    """Whether a line that begins no message ends a chat."""
    if layout in (SCRIPT, BLOCKS):
        return bool(_RULE.fullmatch(text) or _TITLE.fullmatch(text)) or (layout == BLOCKS and not text.strip())
    return _ABOVE.fullmatch(text) is not None
