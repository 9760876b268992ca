"""Where models come from, every source by its name.

``model.source: auto`` means: a local path; the starter package; what any hub has put into its cache; then the first
hub that answers and has the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Final

from tunewiz.backends.sources.asking import in_time
from tunewiz.backends.sources.huggingface import offline, other_ways
from tunewiz.backends.sources.local import is_path
from tunewiz.backends.sources.source import Located, ModelUnavailable, Progress, Report, Source
from tunewiz.presets.sections.model import Model
from tunewiz.problems import Problem, Where, error, note, say
from tunewiz.registry import Registry

__all__ = ["Located", "ModelUnavailable", "Progress", "catalogue", "fetch", "problems", "resolve", "find_cached"]

#: Seconds a hub may take for one answer, and for all it is asked: a person waits before a screen for this, and a
#: firewall that drops packets would otherwise hold it for minutes. Two answers in a row fit.
ONE_ANSWER: Final = 3.0
ALL_ANSWERS: Final = 5.0
_ORDER: Final = ("local", "starter", "huggingface", "modelscope")


@cache
def catalogue() -> Mapping[str, Source]:
    """Every source by name, in the order ``auto`` goes through them."""
    found = {name: kind() for name, kind in Registry("tunewiz.backends.sources", Source, "sources").classes().items()}
    rank = {name: place for place, name in enumerate(_ORDER)}
    return {name: found[name] for name in sorted(found, key=lambda name: rank.get(name, len(rank)))}


def _quiet(_: Problem) -> None:
    """Take a note and do nothing with it."""


def resolve(model: Model, report: Report = _quiet) -> Located:
    """Where ``model`` is; the network is used only if it is not on this machine, and for seconds only.

    ``report`` is told of hubs that did not answer when another one did. Raises :class:`ModelUnavailable`.
    """
    if model.source != "auto":
        source = catalogue()[model.source]
        return source.local(model) or _asked({source.name: source}, model, report)
    if is_path(model.id):
        return catalogue()["local"].find(model, ONE_ANSWER)
    here = find_cached(model)
    return here or _asked({name: source for name, source in catalogue().items() if source.hub}, model, report)


def find_cached(model: Model) -> Located | None:
    """The model on this machine, from any source, without the network; ``None`` if it is not whole here."""
    return next((located for source in catalogue().values() if (located := source.local(model))), None)


def fetch(located: Located, progress: Progress = lambda _done, _total: None) -> Path:
    """The folder of the model, downloaded if it is not here yet. Raises :class:`ModelUnavailable`."""
    return catalogue()[located.source].fetch(located, progress)


def problems(model: Model) -> list[Problem]:
    """What keeps ``model`` from being loaded, as ``check`` tells it; notes on hubs that did not answer included."""
    notes: list[Problem] = []
    try:
        resolve(model, notes.append)
    except ModelUnavailable as fault:
        return list(fault.problems)
    return notes


def _asked(sources: Mapping[str, Source], model: Model, report: Report) -> Located:
    """Ask ``sources`` at once and take the first in their order that has the model."""
    if len(sources) > 1 and offline():
        message = say("{id} is not on this machine, and HF_HUB_OFFLINE forbids to look further.", id=model.id)
        raise ModelUnavailable(error("hub-offline", message, Where("model.id"), other_ways()))
    answers = in_time({name: partial(source.find, model, ONE_ANSWER) for name, source in sources.items()}, ALL_ANSWERS)
    failed: list[Problem] = []
    for name, answer in answers.items():
        if isinstance(answer, Located):
            for problem in failed:
                message = say("{what} {source} is used.", what=problem.message, source=name)
                report(note(problem.code, message, problem.where))
            return answer
        failed += _why_not(name, answer)
    raise ModelUnavailable(*_each_fix_once(failed))


def _each_fix_once(found: list[Problem]) -> list[Problem]:
    """``found`` with advice that is repeated kept at the last problem only."""
    later = [[other.fix for other in found[number + 1 :]] for number in range(len(found))]
    return [replace(one, fix=None) if one.fix in fixes else one for one, fixes in zip(found, later, strict=True)]


def _why_not(name: str, answer: BaseException | None) -> list[Problem]:
    if isinstance(answer, ModelUnavailable):
        return list(answer.problems)
    if answer is None:
        message = say("{source} did not answer within {seconds} seconds.", source=name, seconds=int(ALL_ANSWERS))
        return [error("hub-unreachable", message, Where("model.id"), other_ways())]
    raise answer
