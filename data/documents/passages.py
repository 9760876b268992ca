"""Passages of documents: cut at headings, then at paragraphs, then at sentences, never inside one that fits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tunewiz.data.documents.reading import Document
from tunewiz.data.retrieval.splitting import Components
from tunewiz.data.text.duplicates import near_pairs, normal
from tunewiz.data.text.lengths import estimate_tokens

#: Tokens (estimated) of a passage: enough to answer a question, and half of what BERT-like encoders read, since
#: tokenizers differ and a heading stands above it.
MOST: Final = 256
#: Fewer are joined with what follows under the same heading; what stays shorter still says too little to be asked for.
FEWEST: Final = 24


@dataclass(frozen=True)
class Passage:
    """``name`` is its document's with a number; ``text`` begins with the heading it stands under."""

    name: str
    document: str
    text: str


def passages_of(documents: Iterable[Document]) -> list[Passage]:
    """The passages of ``documents`` in order; those that say the same are one."""
    found: list[Passage] = []
    seen: set[str] = set()
    for document in documents:
        number = 0
        for block in document.blocks:
            for body in _pieces(block.text):
                key = normal(body)
                if estimate_tokens(body) < FEWEST or key in seen:
                    continue
                seen.add(key)
                number += 1
                text = f"{block.heading}\n{body}" if block.heading else body
                found.append(Passage(f"{document.name}#{number}", document.name, text))
    return found


def _pieces(text: str) -> Iterator[str]:
    """Text of at most :data:`MOST` tokens a piece: whole paragraphs where they fit, else whole sentences."""
    held: list[tuple[str, str]] = []  # what stands before a part, and the part
    size = 0
    for joint, part in _parts(text):
        tokens = estimate_tokens(part)
        if held and size + tokens > MOST:
            yield _together(held)
            held, size = [], 0
        held.append((joint, part))
        size += tokens
    if held:
        yield _together(held)


def _together(parts: Sequence[tuple[str, str]]) -> str:
    return "".join(joint + part for joint, part in parts).strip()


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        shown = paragraph.strip()
        if estimate_tokens(shown) <= MOST:
            yield "\n\n", shown
            continue
        joint = "\n\n"
        for sentence in sentences(shown):
            for part in _cut(sentence):
                yield joint, part
                joint = "" if _WIDE.search(part[-1:]) else " "


_WIDE: Final = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
#: Where a sentence ends: after a Chinese mark with its closing quotes, or a Western one before a space and no small
#: letter.
_END: Final = re.compile(r"(?<=[。！？!?；…])(?![。！？!?；…”’」』）)])|(?<=[.!?])[\"')\]]*\s+(?=[^a-z\s])|\n+")
_NO_END: Final = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Fig|Eq|Vol|vs|etc|e\.g|i\.e|cf|al|approx)|\b[A-Z])\.$")


def sentences(text: str) -> list[str]:
    """The sentences of ``text``, Chinese or Western, without the blanks between them.

    >>> sentences("Dr. Lee came. She left. 她走了。“真的？”他问。")
    ['Dr. Lee came.', 'She left.', '她走了。', '“真的？”他问。']
    """
    found: list[str] = []
    for part in filter(None, (piece.strip() for piece in _END.split(text))):
        if found and _NO_END.search(found[-1]):
            found[-1] += f" {part}"
        else:
            found.append(part)
    return found


def _cut(sentence: str) -> Iterator[str]:
    """A sentence longer than a passage in pieces, at blanks or commas where there are some."""
    while estimate_tokens(sentence) > MOST:
        end = MOST if _WIDE.search(sentence[:MOST]) else 4 * MOST  # characters: about a token each, or four
        marks = [found.end() for found in re.finditer(r"[，,、；;\s]", sentence[:end])]
        end = marks[-1] if marks and marks[-1] > end // 2 else min(end, max(1, len(sentence) // 2))
        yield sentence[:end].strip()
        sentence = sentence[end:].strip()
    if sentence:
        yield sentence


def held_out(passages: Sequence[Passage], share: float, seed: int) -> set[str]:
    """The names of about ``share`` of the passages, to measure on; passages nearly alike are on one side.

    By the texts alone, so that the same documents give the same sides whenever it is asked.
    """
    texts = [passage.text for passage in passages]
    components = Components(len(passages))
    for pair in near_pairs(texts):
        components.tie(pair.first, pair.second)

    def drawn(group: list[int]) -> str:
        return hashlib.sha256(f"{seed} {normal(texts[group[0]])}".encode()).hexdigest()

    chosen: set[str] = set()
    wanted = max(1, round(share * len(passages))) if share else 0
    for group in sorted(components.groups(), key=drawn):
        if len(chosen) + len(group) <= min(wanted, len(passages) - 1):
            chosen |= {passages[number].name for number in group}
    return chosen
