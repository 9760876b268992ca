"""The known models as rows of a table: what they are, what they cost, whether they fit; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tunewiz.language import current, translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.suggest import Facts, estimate
from tunewiz.presets.families import KnownModel, known_models, knows
from tunewiz.printable import amount
from tunewiz.problems import say
from tunewiz.tui.wizard.machine import Machine

#: So many languages are named in the table.
_LANGUAGES: Final = 3
Fit = Literal["yes", "maybe", "no", ""]


@dataclass(frozen=True)
class Entry:
    """A model; ``fit`` is empty where the memory it would take is not known."""

    known: KnownModel
    fit: Fit
    cached: bool
    speaks: bool
    #: Whether it is here or a hub that has it may answer.
    obtainable: bool = True

    @property
    def id(self) -> str:
        """Its id on Hugging Face."""
        return self.known.size.id


def entries(draft: Draft, facts: Facts, machine: Machine | None, every: bool) -> list[Entry]:
    """The models for the task, the fitting ones first; unless ``every``, only those that fit, can be had and know the
    language; where no hub answers, also those on this machine that hardly know it.
    """
    trial = _completed(draft)
    found = [_entry(one, trial, facts, machine) for one in known_models(draft.kind.model_kind)]
    if not every:
        found = [
            entry
            for entry in found
            if entry.id == draft.value(("model", "id"))
            or (entry.fit != "no" and entry.obtainable and (entry.speaks or facts.hubs is False))
        ]
    return sorted(
        found,
        key=lambda entry: (not entry.obtainable, entry.fit == "no", not entry.speaks, entry.known.size.parameters),
    )


def _entry(one: KnownModel, trial: Draft, facts: Facts, machine: Machine | None) -> Entry:
    cached = machine is not None and one.size.id in machine.cached
    obtainable = cached or machine is None or machine.hubs is not False
    return Entry(one, _fit(one, trial, facts, machine), cached, knows(one.family, facts.language), obtainable)


def _fit(one: KnownModel, trial: Draft, facts: Facts, machine: Machine | None) -> Fit:
    """Whether ``trial`` would fit with this model."""
    if machine is None:
        return ""
    suggested = {**trial.suggested, "training.batch_size": one.size.batch_size}
    needed = estimate(trial.answer(("model", "id"), one.size.id).suggest(suggested), facts)
    return needed.fits(machine.memory_free if machine.free is None else machine.free) if needed else ""


def _completed(draft: Draft) -> Draft:
    """``draft`` with what is still open and has no bearing on memory, and a loss, filled in."""
    for path, value in _STAND_INS.items():
        draft = draft if draft.value(path) else draft.answer(path, value)
    losses = draft.kind.first_losses.get("groups")
    return draft.answer(("loss", "name"), losses[0]) if losses and draft.value(("loss", "name")) is None else draft


_STAND_INS: Mapping[tuple[str, ...], str] = {("name",): "x", ("data", "train"): "x"}


def cells(entry: Entry) -> tuple[str, ...]:
    """Id, weights, languages, licence, download or that it is here, and whether it fits."""
    size, family = entry.known.size, entry.known.family
    here = translate("here") if entry.cached else amount(size.download) if entry.obtainable else translate("no network")
    words = {"yes": translate("fits"), "maybe": translate("tight"), "no": translate("too large"), "": "?"}
    return (
        size.id,
        f"{size.parameters / 1e6:,.0f} M",
        " ".join(family.languages) if len(family.languages) <= _LANGUAGES else f"{' '.join(family.languages[:3])} …",
        family.licence,
        here,
        words[entry.fit],
    )


def about(entry: Entry, machine: Machine | None) -> list[str]:
    """What should be known before choosing it: notes, licence, length, download against the disk, hub."""
    size, family = entry.known.size, entry.known.family
    lines = [getattr(family.notes, current())]
    use = translate("commercial use is allowed") if family.commercial else translate("not for commercial use")
    lines.append(
        say(
            "Licence {licence}: {use}. Reads up to {length} tokens.",
            licence=family.licence,
            use=use,
            length=size.max_length,
        ).text()
    )
    if family.trust_remote_code:
        lines.append(translate("It runs code from its repository: model.trust_remote_code must be true."))
    if entry.cached:
        lines.append(translate("It is on this machine: nothing is downloaded."))
    elif not entry.obtainable:
        lines.append(translate("It is not on this machine and no hub can be reached: it cannot be had now."))
    elif machine is not None:
        message = say(
            "Downloads {size}; {free} are free on the disk.", size=amount(size.download), free=amount(machine.disk_free)
        )
        lines.append(message.text())
    if not size.modelscope and size.source == "hub":
        lines.append(translate("On Hugging Face only; not known to be on ModelScope."))
    return lines
