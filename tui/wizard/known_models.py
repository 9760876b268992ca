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

    @property
    def id(self) -> str:
        """Its id on Hugging Face."""
        return self.known.size.id


def entries(draft: Draft, facts: Facts, machine: Machine | None, every: bool) -> list[Entry]:
    """The models for the task, the fitting ones first; unless ``every``, only those that fit and know the language."""
    found = [_entry(one, draft, facts, machine) for one in known_models(draft.kind.model_kind)]
    if not every:
        found = [
            entry for entry in found if entry.fit != "no" and (entry.speaks or entry.id == draft.value(("model", "id")))
        ]
    return sorted(found, key=lambda entry: (entry.fit == "no", not entry.speaks, entry.known.size.parameters))


def _entry(one: KnownModel, draft: Draft, facts: Facts, machine: Machine | None) -> Entry:
    cached = machine is not None and one.size.id in machine.cached
    return Entry(one, _fit(one, draft, facts, machine), cached, knows(one.family, facts.language))


def _fit(one: KnownModel, draft: Draft, facts: Facts, machine: Machine | None) -> Fit:
    """Whether the draft, with what is still open filled in, would fit with this model."""
    if machine is None:
        return ""
    trial = draft.answer(("model", "id"), one.size.id)
    for path, value in _STAND_INS.items():
        trial = trial if trial.value(path) else trial.answer(path, value)
    losses = trial.kind.first_losses.get("groups")
    if losses and trial.value(("loss", "name")) is None:
        trial = trial.answer(("loss", "name"), losses[0])
    needed = estimate(trial.suggest({**trial.suggested, "training.batch_size": one.size.batch_size}), facts)
    return needed.fits(machine.memory_free if machine.free is None else machine.free) if needed else ""


_STAND_INS: Mapping[tuple[str, ...], str] = {("name",): "x", ("data", "train"): "x"}


def cells(entry: Entry) -> tuple[str, ...]:
    """Id, weights, languages, licence, download or that it is here, and whether it fits."""
    size, family = entry.known.size, entry.known.family
    here = translate("here") if entry.cached else amount(size.download)
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
    elif machine is not None:
        message = say(
            "Downloads {size}; {free} are free on the disk.", size=amount(size.download), free=amount(machine.disk_free)
        )
        lines.append(message.text())
    if not size.modelscope and size.source == "hub":
        lines.append(translate("On Hugging Face only; not known to be on ModelScope."))
    return lines
