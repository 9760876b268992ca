"""Subtitles (SubRip, WebVTT) as the messages of a chat: what is said when, and by whom where they tell it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tunewiz.data.reading.source import Dataset, Source
from tunewiz.problems import BadData, error, say

#: The layout of a source that holds subtitles.
SUBTITLES: Final = "subtitles"
_CUE: Final = re.compile(r"\s*((?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{3})\s*-->\s*(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{3}.*")
_VOICE: Final = re.compile(r"<v(?:\.[\w.]+)?\s+([^>]{1,60})>(.*)", re.DOTALL)
_NAMED: Final = re.compile(r"(?:-\s*)?([^\s:：<>\d][^:：<>.!?。！？]{0,30}?)\s?[:：](?!//)\s*(\S.*)", re.DOTALL)
_BRACKETED: Final = re.compile(r"(?:-\s*)?[\[【(（]([^\[\]()（）【】]{1,30})[\]】)）]\s*[:：]?\s*(\S.*)", re.DOTALL)
_TAGS: Final = re.compile(r"</?[^<>]*>|\{\\[^{}]*\}")
_FEWEST: Final = 3  # cues
_SHARE: Final = 0.3  # of the cues name who speaks


def subtitles(source: Source, peeked: Sequence[tuple[int, str]], dataset: Dataset) -> Source | None:
    """The source as subtitles; None where it is none.

    Raises :class:`BadData` (``subtitles-nameless``) where nobody is named, unless raw text is asked for.
    """
    if sum(_CUE.fullmatch(text.rstrip("\r\n")) is not None for _, text in peeked) < _FEWEST:
        return None
    found = source.altered(container="chat", layout=SUBTITLES, header=False)
    if dataset.format == "text":
        return found
    names = [who for _, who, _, _ in cues(peeked) if who]
    spoken = sum(1 for _ in cues(peeked))
    if len(names) >= _SHARE * spoken and len(set(names)) > 1 and 2 * len(set(names)) <= len(names) + 2:
        return found
    message = say("These are subtitles: they tell what is said when, and nobody's name.")
    fix = say("To train on every word, without the times: --format text. For dialogues, write names before the words.")
    raise BadData(error("subtitles-nameless", message, source.at(), fix))


def cues(numbered: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, str, str]]:
    """The line, who speaks ("" where that is not told), what, and when, of each cue."""
    line, time, held = 0, "", list[str]()
    for number, raw in numbered:
        text = raw.strip().lstrip("\ufeff")
        found = _CUE.fullmatch(text)
        if found or not text:
            yield from _cue(line, time, held)
            line, time, held = (number, found[1].replace(",", "."), []) if found else (0, "", [])
        elif line:
            held.append(text)
        # What stands outside of a cue is the number of the next one, or the head of a file of WebVTT.
    yield from _cue(line, time, held)


def _cue(line: int, time: str, held: Sequence[str]) -> Iterator[tuple[int, str, str, str]]:
    text = "\n".join(held)
    if not line or not text:
        return
    voice = _VOICE.fullmatch(text)
    said = html.unescape(_TAGS.sub("", voice[2] if voice else text)).strip()
    named = None if voice else _NAMED.fullmatch(said) or _BRACKETED.fullmatch(said)
    if named is not None:
        yield line, named[1].strip(), named[2].strip(), time
    elif said:
        yield line, voice[1].strip() if voice else "", said, time
