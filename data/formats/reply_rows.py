"""Posts that answer other posts by their ids: Stack Exchange's dumps, tickets on Twitter, forums, trees of messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.formats.asked_turns import AskedTurns, OfColumns, told_as_pairs
from tunewiz.data.formats.conversations import ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.formats.turn_rows import tells_who
from tunewiz.data.reading.cells import Table, is_empty, number_of
from tunewiz.data.reading.columns import guesses, normalise_name
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import Problem, Report, note, say, warning

_PARENT: Final = re.compile(
    r"parent(post|comment|message|tweet)?(id)?|(in)?(reply|response)(to)(post|status|tweet|comment|message)?(id)?"
    r"|repliedto(id)?|父(级|帖|评论|消息)?(id|编号)|上级(id|编号)|回复(的|给|对象|目标)(id|编号)?|被回复(id|编号)"
)
_ACCEPTED: Final = re.compile(r"accepted(answer)?(id)?|bestanswerid|采纳(答案|回答)?(id|编号)")
_BEST: Final = re.compile(r"score|upvotes?|ups|likes?|votes?|赞同?数?|点赞数?|得分|rank|排名|名次")
_FIRST_IS_BEST: Final = re.compile("rank|排名|名次")
_AUTHOR: Final = re.compile(r"author(id)?|owneruserid|user(name|id)?|sender(id)?|作者(id)?|用户(id|名)?|发帖人|发言人")
_KIND: Final = re.compile(r"^t\d_")  # Reddit writes what a thing is before its id
_TOGETHER: Final = "messages"
_ROLES: Final = (
    Role("content", names="llm_said"),
    Role("id", names="query_id"),
    Role("parent", names="llm_conversation"),
    Role("title", required=False),
    Role("speaker", required=False, names="llm_speaker"),
    Role("accepted", required=False, names="llm_order"),
    Role("score", required=False),
)
_HELD: Final = 128 << 20  # bytes of a file whose rows are all held
_SHARE: Final = 0.5  # of the answers in a sample have to be to a row of it
_DEEPEST: Final = 50  # posts in one line


class ReplyRows(ConversationFormat):
    """A post a row, with the id of the one that it answers; the best answers, one after another, are a conversation."""

    name: ClassVar[str] = "reply_rows"
    title: ClassVar[str] = N_("Posts that answer posts")
    description: ClassVar[str] = N_("A post in each row, with its id and that of the post that it answers.")
    roles: ClassVar[tuple[Role, ...]] = _ROLES

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Where answers name rows of the file."""
        return _is_answered(table, mapping["id"][0], mapping["parent"][0])

    def takes(self, source: Source, table: Table) -> Detection | None:
        """By its columns alone."""
        found = reply_columns(table)
        return Detection(self, source, found, 0.9, (_told(source, found),)) if found else None

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each first post that is answered; see :func:`threads`."""
        return threads(detection, report)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The posts that :meth:`rows` put together."""
        return cells.supervised(cells.talk(cells.row.values[_TOGETHER], answered=True))


class AskedReplyRows(OfColumns, AskedTurns):
    """The same for retrieval: each post with the answer to it is a pair."""

    name: ClassVar[str] = "asked_reply_rows"
    title: ClassVar[str] = N_("Posts and the answers to them")
    description: ClassVar[str] = N_("A post in each row; a first post is a query, the best answer to it the text.")
    roles: ClassVar[tuple[Role, ...]] = _ROLES

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Where answers name rows of the file."""
        return _is_answered(table, mapping["id"][0], mapping["parent"][0])

    def takes(self, source: Source, table: Table) -> Detection | None:
        """As :meth:`ReplyRows.takes`; that these are pairs is told."""
        found = reply_columns(table)
        return Detection(self, source, found, 0.8, (_told(source, found), told_as_pairs(source))) if found else None

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each first post that is answered; see :func:`threads`."""
        return threads(detection, report)

    def turns_in(self, detection: Detection) -> str:
        """Where :func:`threads` puts them."""
        return _TOGETHER


def reply_columns(table: Table) -> Mapped | None:
    """The columns of a table of posts, by role; None if it is none, or too large a file to be put together."""
    if table.source.size > _HELD:
        return None
    named = {column: normalise_name(column) for column in table.columns}
    parents = [column for column, name in named.items() if _PARENT.fullmatch(name)]
    ids = [column for column, name in named.items() if name.endswith(("id", "编号")) and column not in parents]
    pair = next(((own, parent) for parent in parents for own in ids if _is_answered(table, own, parent)), None)
    texts = [column for column in table.columns if table.kind(column) == "text" and column not in (pair or ())]
    titles = [column for column in texts if normalise_name(column) in ("title", "标题", "subject", "主题")]
    texts = [column for column in texts if column not in titles]
    said = [guess.column for guess in guesses("llm_said", texts)] or sorted(texts, key=table.mean_length)[-1:]
    if pair is None or not said:
        return None
    found: dict[str, tuple[str, ...]] = {"content": (said[0],), "id": (pair[0],), "parent": (pair[1],)}
    free = [column for column in table.columns if column not in (*pair, said[0])]
    who = next((column for column in free if tells_who(table, column)), "")
    who = who or next((column for column in free if _AUTHOR.fullmatch(named[column])), "")
    accepted = next((column for column in free if _ACCEPTED.fullmatch(named[column])), "")
    best = next((column for column in free if _BEST.fullmatch(named[column]) and table.kind(column) == "number"), "")
    others = {"title": titles[0] if titles else "", "speaker": who, "accepted": accepted, "score": best}
    return found | {role: (column,) for role, column in others.items() if column}


def _is_answered(table: Table, own: str, parent: str) -> bool:
    """Whether rows have ids of their own, and some of them name others that stand here as well."""
    known = [_id(row, own) for row in table.rows]
    answered = [name for row in table.rows if (name := _id(row, parent))]
    if not all(known) or len(set(known)) < len(known) or not 0 < len(answered) < len(known):
        return False
    return sum(name in set(known) for name in answered) >= max(1, _SHARE * len(answered))


def _id(row: Row, column: str) -> str:
    value = value_at(row.values, column)
    if is_empty(value):
        return ""
    number = number_of(value) if not isinstance(value, bool) else None
    text = f"{number:.0f}" if isinstance(value, float) and number is not None else str(value).strip()
    return _KIND.sub("", text.removesuffix(".0"))


def _told(source: Source, found: Mapped) -> Problem:
    message = say("Each row is a post; {parent} names the post that it answers.", parent=found["parent"][0])
    fix = say("A first post with the best answers to it, one after another, is a conversation.")
    return note("replies-joined", message, source.at(), fix)


@dataclass
class _Posts:
    """All posts of a file: by their ids, and those that answer each."""

    rows: dict[str, Row] = field(default_factory=dict)
    answers: dict[str, list[Row]] = field(default_factory=dict)


def threads(detection: Detection, report: Report) -> Iterator[Row]:
    """A row for each first post that is answered, it and the best answers behind it as messages.

    What is left out is told: other answers, posts without one, and answers to posts that are not there.
    """
    source, posts = detection.source, _Posts()
    for row in read(source.altered(limit=None), report):
        posts.rows[_id(row, detection.column("id"))] = row
        parent = _id(row, detection.column("parent"))
        if parent:
            posts.answers.setdefault(parent, []).append(row)
    used = given = 0
    for row in posts.rows.values():
        if _id(row, detection.column("parent")):
            continue
        line = _line(row, posts, detection)
        if len(line) < 2:
            continue
        used += len(line)
        given += 1
        yield Row(row.line, {_TOGETHER: list(_messages(line, detection))})
        if given == source.limit:
            return
    if used < len(posts.rows):
        message = say(
            "Of {rows} posts {used} are read: first posts and the best answers to them. The others are other answers, "
            "or posts to which no answer stands here.",
            rows=len(posts.rows),
            used=used,
        )
        report(warning("replies-left-out", message, source.at()))


def _line(row: Row, posts: _Posts, detection: Detection) -> list[Row]:
    line, seen = [row], {row.line}
    while len(line) < _DEEPEST:
        own = _id(line[-1], detection.column("id"))
        following = [one for one in posts.answers.get(own, ()) if one.line not in seen]
        if not following:
            break
        line.append(_best(following, line[-1], detection))
        seen.add(line[-1].line)
    return line


def _best(answers: Sequence[Row], asked: Row, detection: Detection) -> Row:
    """The answer that was accepted, else the first of those with the highest score."""
    accepted = _id(asked, detection.column("accepted")) if detection.column("accepted") else ""
    for one in answers:
        if accepted and _id(one, detection.column("id")) == accepted:
            return one
    score = detection.column("score")
    if not score:
        return answers[0]
    sign = -1.0 if _FIRST_IS_BEST.search(normalise_name(score)) else 1.0

    def worth(one: Row) -> float:
        number = number_of(value_at(one.values, score))
        return -inf if number is None else sign * number

    return max(answers, key=worth)


def _messages(line: Sequence[Row], detection: Detection) -> Iterator[Mapping[str, Any]]:
    """The posts as turns: who asked first is the user, all others answer; without names they take turns."""
    who, source = detection.column("speaker"), detection.source
    first = line[0].values.get(who) if who else None
    for place, row in enumerate(line):
        part = part_of(row.values.get(who), source.speakers) if who else None
        if part not in ("user", "assistant"):
            asks = row.values.get(who) == first if not is_empty(first) else not place % 2
            part = "user" if asks else "assistant"
        title = value_at(row.values, detection.column("title")) if detection.column("title") else None
        texts = [title, value_at(row.values, detection.column("content"))]
        yield {"role": part, "content": "\n\n".join(str(text) for text in texts if not is_empty(text))}
