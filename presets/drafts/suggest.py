"""Values to begin with, each with its reason: from the data, the model and the machine, as far as they are known.

A suggestion fills a key that nobody answered. Rules look at a draft and at facts, nothing else; sources of the numbers
stand in the model families and beside the fields.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, Literal

from tunewiz.presets import memory, methods, recipe, tasks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.families import KnownModel, Weights, known_models, knows, lookup
from tunewiz.presets.losses import trained_by
from tunewiz.presets.methods.method import LlmMethod
from tunewiz.presets.preset import FirstModel, Preset
from tunewiz.presets.yaml.fields import losses_of
from tunewiz.problems import Message, say

#: Above this many weights all of them are trained only where the user says so.
_FULL_UP_TO: Final = 600_000_000
_SMALLEST_BATCH: Final = 8
#: Methods that train few weights and so take larger steps.
_ADAPTERS: Final = ("lora", "qlora", "oft")


@dataclass(frozen=True)
class Facts:
    """What is known beside the answers; empty where it is not known (yet).

    ``rows`` counts usable training rows, ``max_length`` (tokens) covers 98 % of the texts, ``language`` is an ISO 639-1
    code, ``free`` the bytes free on the device that would train (``None``: no GPU), ``half`` whether it computes in 16
    bits. ``here`` are the ids of models on this machine; ``hubs`` says whether others can be fetched (``None``: not
    known yet). ``columns`` are the roles that were made out by what the cells hold.
    """

    shape: Literal["", "groups", "scored", "conversations"] = ""
    rows: int = 0
    negatives: bool = False
    max_length: int = 0
    language: str = ""
    free: int | None = None
    half: bool = True
    here: frozenset[str] = frozenset()
    hubs: bool | None = True
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """A value and why."""

    value: Any
    reason: Message


@dataclass(frozen=True)
class _Look:
    """What a rule sees: the draft with the suggestions of the rules before it."""

    draft: Draft
    facts: Facts
    known: KnownModel | None = field(default=None)

    @property
    def kind(self) -> type[Preset]:
        """The class of the task; while none is chosen, the base, which suggests nothing."""
        return tasks.catalogue().get(str(self.draft.value(("task",))), Preset)

    @property
    def method(self) -> str:
        return str(self.draft.value(("method", "type")))

    @property
    def of_llm(self) -> type[LlmMethod] | None:
        """The chosen method of tuning a language model."""
        return methods.catalogue().get(self.method) if self.kind.conversations else None


Found = Iterator[tuple[str, Suggestion]]


def suggestions(draft: Draft, facts: Facts) -> dict[str, Suggestion]:
    """Suggestions for the keys of ``draft`` by dotted key; later rules build on what earlier ones suggest."""
    found: dict[str, Suggestion] = {}
    draft = draft.suggest({})
    for rule in _RULES:
        more = dict(rule(_Look(draft, facts, lookup(str(draft.value(("model", "id")) or "")))))
        if more:
            found |= more
            draft = draft.suggest(values(found))
    return found


def values(found: Mapping[str, Suggestion]) -> dict[str, Any]:
    """The values alone, for :meth:`Draft.suggest`."""
    return {key: suggestion.value for key, suggestion in found.items()}


def _task(look: _Look) -> Found:
    known = tasks.catalogue()
    if len(known) == 1:
        yield "task", Suggestion(next(iter(known)), say("What this release can tune."))
    elif look.facts.shape == "conversations":
        yield "task", Suggestion("llm", say("Your rows hold answers to write: they are for a language model."))
    elif look.facts.shape:
        yield "task", Suggestion("embedding", say("Your rows are for search: begin with the model that finds."))


def _columns(look: _Look) -> Found:
    if look.facts.columns and look.draft.value(("data", "train")):
        reason = say("Made out by what the cells hold, for the headers do not say it: please check.")
        yield "data.columns", Suggestion(dict(look.facts.columns), reason)


def _name(look: _Look) -> Found:
    train, task = str(look.draft.value(("data", "train")) or ""), str(look.draft.value(("task",)) or "")
    stem = latin(PurePath(train.removeprefix("sample:")).name.partition(".")[0])
    name = "-".join(part for part in (stem[: 63 - len(task)].strip("-._"), task) if part)
    if train and name:
        yield "name", Suggestion(name, say("Made of the data and the task."))


#: The first letter of a character's reading, by where GB 2312 has it: its first level is sorted by reading.
_READINGS: Final = (
    (0xB0A1, "a"), (0xB0C5, "b"), (0xB2C1, "c"), (0xB4EE, "d"), (0xB6EA, "e"), (0xB7A2, "f"), (0xB8C1, "g"),
    (0xB9FE, "h"), (0xBBF7, "j"), (0xBFA6, "k"), (0xC0AC, "l"), (0xC2E8, "m"), (0xC4C3, "n"), (0xC5B6, "o"),
    (0xC5BE, "p"), (0xC6DA, "q"), (0xC8BB, "r"), (0xC8F6, "s"), (0xCBFA, "t"), (0xCDDA, "w"), (0xCEF4, "x"),
    (0xD1B9, "y"), (0xD4D1, "z"), (0xD7FA, ""),
)  # fmt: skip


def latin(text: str) -> str:
    """``text`` in letters that may name a run; of Chinese the first letters of its reading.

    Where letters are lost that have none, a number made of the text tells it from others.

    >>> latin("校园问答 v2"), latin("faq"), latin("ответы")
    ('xywd-v2', 'faq', '6682')
    """
    letters = "".join(_letter(character) for character in text)
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", letters).strip("-._")
    lost = any(character.isalnum() and not character.isascii() for character in letters)
    number = f"{zlib.crc32(text.encode('utf-8', 'replace')) & 0xFFFF:04x}" if lost else ""
    return "-".join(part for part in (found, number) if part)


def _letter(character: str) -> str:
    code = int.from_bytes(character.encode("gb2312", "ignore")[:2], "big") if not character.isascii() else 0
    place = bisect_right(_READINGS, code, key=lambda entry: entry[0]) - 1
    return (_READINGS[place][1] if place >= 0 else "") or character


def _model(look: _Look) -> Found:
    """The first to begin with that can be had; else one that is here, though it may not know the language."""
    source = look.draft.value(("model", "source")) if look.draft.is_answered(("model", "source")) else "auto"
    if source == "local" or (look.facts.hubs is None and source == "auto" and _first(look, every=True) is None):
        return
    first = _first(look)
    if first is not None:
        if look.facts.hubs is None and source == "auto" and first != _first(look, every=True):
            return  # a better one may be had as soon as a hub answers
        yield "model.id", Suggestion(first.id, Message(first.why))
        return
    here = _here(look)
    if here is not None and look.facts.shape and look.facts.hubs is not None:
        speaks = _speaks(here, look.facts.language)
        words = (
            say("The smallest of this source that knows your language.")
            if speaks and look.facts.hubs
            else say("No hub can be reached; this one is on this machine and knows your language.")
            if speaks
            else say("No hub can be reached; this one is on this machine. It hardly knows your language: for practice.")
        )
        yield "model.id", Suggestion(here.size.id, words)


def _first(look: _Look, every: bool = False) -> FirstModel | None:
    """The first of the task's that suits data and machine, and, unless ``every``, can be had."""
    free = (look.facts.free or 0) / memory.GB
    for first in look.kind.first_models:
        speaks = first.language == look.facts.language if first.language else look.facts.shape
        if speaks and free >= first.free and (every or _can_be_had(look, first.id)):
            return first
    return None


def _can_be_had(look: _Look, model: str) -> bool:
    known = lookup(model)
    here = known is not None and known.size.id in look.facts.here
    source = look.draft.value(("model", "source")) if look.draft.is_answered(("model", "source")) else "auto"
    if source == "starter" or (known is not None and known.size.source == "starter"):
        packaged = known is not None and known.size.source == "starter"
        return packaged and source in ("auto", "starter") and (here or look.facts.hubs is True)
    return here or look.facts.hubs is True


def _here(look: _Look) -> KnownModel | None:
    """The smallest model for the task that is on this machine, of those that know the language if there are any."""
    free = look.facts.free
    found = [
        one for one in known_models(look.kind.model_kind if look.kind is not Preset else None)
        if _can_be_had(look, one.size.id) and (free is None or 2 * one.size.parameters < free)
    ]  # fmt: skip
    ordered = sorted(found, key=lambda one: (not _speaks(one, look.facts.language), one.size.parameters))
    return next(iter(ordered), None)


def _speaks(known: KnownModel, language: str) -> bool:
    return knows(known.family, language)


def _first_stage(look: _Look) -> Found:
    """The preset of the embedding model that a pipeline tunes first."""
    if "embedding" in look.kind.model_fields and look.facts.shape and look.facts.language != "en":
        reason = say("Its model knows about a hundred languages; the default's is English.")
        yield "embedding", Suggestion("embedding/starter-zh", reason)


def _source(look: _Look) -> Found:
    if look.known and look.known.size.source == "starter" and not look.draft.is_answered(("model", "source")):
        yield "model.source", Suggestion("starter", say("It installs with Tunewiz: no network is needed."))


def _negatives(look: _Look) -> Found:
    if look.kind.cross_encoder and look.facts.shape == "groups" and not look.facts.negatives:
        reason = say("A reranker learns from wrong documents that look right, and your data has none.")
        yield "data.negatives.strategy", Suggestion("bm25", reason)


def _loss(look: _Look) -> Found:
    field = look.draft.field(("loss",))
    kind = losses_of(field) if field else None
    known = trained_by(str(look.draft.value(("backend",))), kind) if kind else {}
    name = next((name for name in look.kind.first_losses.get(look.facts.shape, ()) if name in known), None)
    if name:
        yield "loss.name", Suggestion(name, Message(known[name].who_for))


def _temperature(look: _Look) -> Found:
    if not look.kind.gives_vectors or not look.known:
        return
    if look.known.family.name.startswith("bge"):
        yield "loss.scale", Suggestion(50.0, say("BGE models were trained with temperature 0.02, which is scale 50."))
    else:
        yield "loss.temperature", Suggestion(0.05, say("Models other than BGE's are mostly trained with about 0.05."))


def _method(look: _Look) -> Found:
    if look.known is None:
        return
    size = Weights("", count=look.known.size.parameters)
    if look.kind.conversations:
        yield from _adapter(look)
    elif look.known.size.parameters > _FULL_UP_TO:
        reason = say("The model has {size} weights; adapters train it in a fraction of the memory.", size=size)
        yield "method.type", Suggestion("lora", reason)
    else:
        reason = say("The model has {size} weights; training all of them gives the best result.", size=size)
        yield "method.type", Suggestion("full", reason)


def _adapter(look: _Look) -> Found:
    """LoRA, or QLoRA where only that fits."""
    needed = estimate(look.draft.answer(("method", "type"), "lora"), look.facts)
    if needed and look.facts.free is not None and needed.high > look.facts.free:
        yield (
            "method.type",
            Suggestion("qlora", say("Weights in 4 bits: with LoRA the memory would not be enough.")),
        )
    else:
        reason = say("An adapter of a few megabytes: learns nearly as much as all weights, in a part of the memory.")
        yield "method.type", Suggestion("lora", reason)


def _backend(look: _Look) -> Found:
    own = look.of_llm
    if own and own.backend != look.draft.value(("backend",)):
        reason = say("{method} is trained by this one.", method=look.method)
        yield "backend", Suggestion(own.backend, reason)


def _is_chosen_later(look: _Look) -> bool:
    """Whether the run's recipe chooses how long and how fast it learns, once it has seen the rows and the model."""
    return bool(look.draft.value(("training", "recipe")) == "auto")


def _learning_rate(look: _Look) -> Found:
    if _is_chosen_later(look):
        return
    if look.of_llm and look.of_llm.rate:
        yield "training.learning_rate", Suggestion(look.of_llm.rate, say("The usual one for this method."))
        return
    if look.known is None:
        rate = 1e-4 if look.method in _ADAPTERS else look.kind.full_rate
        yield "training.learning_rate", Suggestion(rate, say("The usual one for this method."))
        return
    size, title = look.known.size, look.known.family.title
    if look.method in _ADAPTERS:
        reason = say("A good start for {model} with LoRA, whose few weights need larger steps.", model=title)
        yield "training.learning_rate", Suggestion(size.lora_learning_rate, reason)
    else:
        reason = say("A good start for {model} when all weights are trained.", model=title)
        yield "training.learning_rate", Suggestion(size.learning_rate, reason)


def _max_length(look: _Look) -> Found:
    if not look.facts.max_length:
        return
    most = look.known.size.max_length if look.known else look.facts.max_length
    length = min(look.facts.max_length, most)
    if length < look.facts.max_length:
        reason = say("As much as the model can read; some of your texts are longer.")
    else:
        reason = say("98 of 100 of your texts are no longer than this.")
    yield "training.max_length", Suggestion(length, reason)


def _epochs(look: _Look) -> Found:
    rows = look.facts.rows
    if rows and not _is_chosen_later(look):
        epochs = 1.0 if rows >= 100_000 else 2.0 if rows >= 20_000 else 3.0 if rows >= 2_000 else 5.0
        reason = say("For {rows} rows: enough to learn them, not enough to know them by heart.", rows=rows)
        yield "training.epochs", Suggestion(epochs, reason)


def _batch_size(look: _Look) -> Found:
    if look.known is None:
        return
    size = look.known.size.batch_size
    # The others of a batch are what an embedding model tells the right passage from.
    least = recipe.LEAST[True] if look.kind.gives_vectors else _SMALLEST_BATCH
    if look.facts.rows:
        while size > least and look.facts.rows < recipe.STEPS * size:
            size //= 2
    if size < look.known.size.batch_size:
        reason = say("Small, so that {rows} rows still make enough steps.", rows=look.facts.rows)
    else:
        reason = say("A good start for {model}.", model=look.known.family.title)
    fitting = _fitting(look, size)
    if fitting < size:
        reason = say("The largest that fits the free memory of this GPU.")
    yield "training.batch_size", Suggestion(fitting, reason)


def _fitting(look: _Look, size: int) -> int:
    """The largest batch of ``size``, a half of it, ... that the free memory takes at full length."""
    while size > _SMALLEST_BATCH and look.facts.free is not None:
        needed = estimate(look.draft.answer(("training", "batch_size"), size), look.facts)
        if needed is None or needed.high <= look.facts.free:
            break
        size //= 2
    return size


def _evaluations(look: _Look) -> Found:
    rows, batch = look.facts.rows, look.draft.value(("training", "batch_size"))
    if rows and isinstance(batch, int) and batch > 0 and rows / batch < 20:
        yield "training.log_every", Suggestion(1, say("The run has few steps; each one is worth a point of the curve."))


def estimate(draft: Draft, facts: Facts) -> memory.Estimate | None:
    """What training ``draft`` needs on its device; ``None`` while that cannot be said."""
    known = lookup(str(draft.value(("model", "id")) or ""))
    preset = draft.checked()[0] if known else None
    if known is None or preset is None:
        return None
    return preset.memory(known, memory.Conditions(facts.half, cpu=facts.free is None))


_RULES: Final[tuple[Callable[[_Look], Found], ...]] = (
    _task, _columns, _name, _model, _first_stage, _source, _negatives, _loss, _temperature, _method, _backend,
    _learning_rate, _max_length, _epochs, _batch_size, _evaluations,
)  # fmt: skip
