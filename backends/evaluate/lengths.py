"""How long texts and rows are in the model's own tokens, and rows the way the model reads them.

Whether the maximum length suits them; which text of a row is learned, and which is only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.models.loading import check_tokenizer, loading_explained
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.text.lengths import Lengths, LengthSample, TokenCount, percentile
from tunewiz.presets.families import instructions, lookup
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import Message, Problem, Where, note, say, warning

#: A share of texts cut off from which on it is worth a warning: the longest one in twenty are often pasted or damaged.
MANY: Final = 0.05
_KEY: Final = Where(key="training.max_length")
_ROLES: Final = {
    "query": say("queries"),
    "passage": say("passages"),
    "text": say("texts"),
    "document": say("documents of the corpus"),
    "pair": say("queries with a document"),
}


def counter(path: Path, trusted: bool = False) -> TokenCount:
    """Counts tokens, special ones included, with the tokenizer in ``path``.

    Raises :class:`BadPreset` (``model-not-loadable``, ``tokenizer-missing``).
    """
    from transformers import AutoTokenizer

    with loading_explained(path, trusted):
        tokenizer: Any = AutoTokenizer.from_pretrained(str(path), trust_remote_code=trusted, local_files_only=True)
    check_tokenizer(tokenizer, path)

    def count(texts: Sequence[str]) -> list[int]:
        ids = tokenizer(list(texts), truncation=False, return_attention_mask=False, verbose=False)["input_ids"]
        return [len(item) for item in ids]

    return count


def length_problems(path: Path, preset: RetrievalPreset, prepared: Prepared) -> Iterator[Problem]:
    """A note with the lengths, and a warning when the maximum length cuts off many texts."""
    sample = LengthSample(counter(path, preset.model.trust_remote_code))
    (_pairs if preset.cross_encoder else _texts)(sample, preset, prepared)
    lengths, advice = sample.lengths(), sample.advice()
    if not lengths or advice is None:
        return
    limit = preset.training.max_length
    yield note("lengths", say("{lengths}; at most {limit} are read.", lengths=_told(lengths), limit=limit), _KEY)
    cut = max(_share_above(item, limit) for item in lengths)
    if cut > MANY:
        message = say(
            "{percent} % of the texts or more are longer than {limit} tokens and are cut off.",
            percent=round(100 * cut),
            limit=limit,
        )
        yield warning("texts-cut-off", message, _KEY, _longer(limit, advice.max_length, most_read(path, preset)))


def most_read(path: Path, preset: RetrievalPreset | LlmPreset) -> int | None:
    """The most tokens that the model in ``path`` reads; ``None`` where neither its family nor its folder says.

    The lower of what it was made for and what it can number: MiniLM numbers 512 positions and was trained on 256.
    """
    known = lookup(preset.model.id)
    numbered = _numbered(path, preset.model.trust_remote_code)
    found = [most for most in (known.size.max_length if known else None, numbered) if most]
    return min(found, default=None)


def _numbered(path: Path, trusted: bool) -> int | None:
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(str(path), trust_remote_code=trusted, local_files_only=True)
    except (OSError, ValueError):
        return None
    known = getattr(config, "max_position_embeddings", None)
    if not isinstance(known, int) or known <= 0:
        return None
    # RoBERTa and its kin number positions from padding_idx + 1 on (512 of 514).
    padding = getattr(config, "pad_token_id", None)
    kin = any(name in str(config.model_type) for name in ("roberta", "camembert", "mpnet"))
    return known - padding - 1 if kin and isinstance(padding, int) else known


def _longer(limit: int, wanted: int, most: int | None) -> Message:
    """What to do about texts beyond ``limit`` tokens, of which ``wanted`` would take in nearly all."""
    if most is None:
        return say("Set training.max_length to {length}, if the model reads that many.", length=wanted)
    if wanted <= most:
        return say("Set training.max_length to {length}.", length=wanted)
    if limit < most:
        return say(
            "Cut them into passages; the model reads {most} tokens at most (training.max_length: {most}).", most=most
        )
    return say("Cut them into passages: the model reads {most} tokens at most.", most=most)


def _texts(sample: LengthSample, preset: RetrievalPreset, prepared: Prepared) -> None:
    query, passage = instructions(preset.model)
    for group in prepared.groups:
        sample.add("query", query + group.query)
        for text in (*group.positives, *group.negatives):
            sample.add("passage", passage + text)
    for pair in prepared.pairs:
        sample.add("text", pair.first)
        sample.add("text", pair.second)
    for document in prepared.evaluation.corpus.values():
        sample.add("document", passage + document.full)


def _pairs(sample: LengthSample, _preset: RetrievalPreset, prepared: Prepared) -> None:
    """What a cross-encoder reads: a query and a document in one sequence."""
    for group in prepared.groups:
        for text in (*group.positives, *group.negatives):
            sample.add("pair", f"{group.query} {text}")
    for pair in prepared.pairs:
        sample.add("pair", f"{pair.first} {pair.second}")
    for document in prepared.evaluation.corpus.values():
        sample.add("document", document.full)


def _told(lengths: Sequence[Lengths]) -> Message:
    parts = [
        say(
            "{role}: half are within {median} tokens, 95 % within {p95}, the longest {longest}",
            role=_ROLES[item.role],
            median=item.tokens[50],
            p95=item.tokens[95],
            longest=item.tokens[100],
        )
        for item in lengths
    ]
    told = parts[0]
    for part in parts[1:]:
        told = say("{first}; {second}", first=told, second=part)
    return told


def _share_above(lengths: Lengths, limit: int) -> float:
    """A lower bound of the share of texts longer than ``limit``, from the percentiles known."""
    above = [percent for percent, tokens in lengths.tokens.items() if percent < 100 and tokens > limit]
    return (100 - min(above)) / 100 if above else 0.0


# Rows the way a model reads them: text that is learned and text that is only read, and how many tokens it takes.


#: Lengths that are advised are multiples of this, for kernels work in tiles of 64 and people set round numbers.
_STEP: Final = 64
_ROW_KEY: Final = Where(key="training.max_length")


@dataclass(frozen=True)
class Piece:
    """Text of a row; ``learned``: whether the loss counts its tokens."""

    text: str
    learned: bool


@dataclass(frozen=True)
class ReadRow:
    """A row after it was cut to length.

    ``whole``: its tokens before; ``side``: which text of a pair it is; ``asked_less``: whether something was cut off of
    what is only read, the question and the mark after which the model answers.
    """

    pieces: tuple[Piece, ...]
    tokens: int
    learned: int
    whole: int
    side: Message | None = None
    asked_less: bool = False


@dataclass(frozen=True)
class Reading:
    """A few ``rows`` to look at, and the tokens of all that were counted (``wholes`` before cutting), or why not."""

    rows: tuple[ReadRow, ...] = ()
    wholes: Sequence[int] = ()
    learned: int = 0
    limit: int = 0
    why_not: Message | None = None
    asked_less: int = 0
    #: The most tokens that the model reads, where that is known.
    most: int | None = None

    @property
    def cut(self) -> int:
        """Rows longer than is read."""
        return sum(whole > self.limit for whole in self.wholes)

    def problems(self) -> Iterator[Problem]:
        """A note with the lengths, and a warning where many rows are cut off."""
        if not self.wholes:
            return
        yield note("lengths", self._lengths(), _ROW_KEY)
        if self.cut > MANY * len(self.wholes):
            percent = round(100 * self.cut / len(self.wholes))
            message = say("{percent} % of the rows are longer than {limit} tokens and are cut off.",
                       percent=percent, limit=self.limit)  # fmt: skip
            fix = self._longer(say("Set training.max_length to {length}, if memory allows.", length=self._advised()))
            yield warning("rows-cut-off", message, _ROW_KEY, fix)
        if self.asked_less:
            message = say("{count} rows lose the end of a question and the mark after which the model answers.",
                       count=self.asked_less)  # fmt: skip
            fix = self._longer(
                say("Set training.max_length to {length}, or shorten the questions.", length=self._advised())
            )
            yield warning("questions-cut-off", message, _ROW_KEY, fix)

    def _lengths(self) -> Message:
        ordered = sorted(self.wholes)
        read = sum(min(whole, self.limit) for whole in self.wholes)
        return say(
            "Rows in this model's tokens, chat template included: half are within {median}, 95 % within {p95}, the "
            "longest {longest}; at most {limit} are read. The loss counts {percent} % of them.",
            median=percentile(ordered, 50),
            p95=percentile(ordered, 95),
            longest=ordered[-1],
            limit=self.limit,
            percent=round(100 * self.learned / max(1, read)),
        )

    def _advised(self) -> int:
        """A length that 95 % of the rows fit into, or all that the model reads."""
        wanted = -(-percentile(sorted(self.wholes), 95) // _STEP) * _STEP
        return min(wanted, self.most) if self.most else wanted

    def _longer(self, fix: Message) -> Message:
        """``fix``, unless the model reads no more than it does."""
        if self.most and self.limit >= self.most:
            return say("Shorten the rows: the model reads {most} tokens at most.", most=self.most)
        return fix
