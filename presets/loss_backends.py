"""Whether a preset's backend can train with its loss, and what to write where it cannot."""

from __future__ import annotations

from collections.abc import Iterator

from data.problems import Message, Problem, Where, error, say
from presets.losses import catalogue, kind_of
from presets.losses.base import Loss


def problems(backend: str, loss: Loss) -> Iterator[Problem]:
    """One problem (``loss-backend``) when ``backend`` cannot train with ``loss``, or with the one inside it."""
    apart = next((each for each in (loss, loss.core) if backend not in each.backends), None)
    known = {name: other for name, other in catalogue(kind_of(loss)).items() if backend in other.backends}
    if apart is None or not known:  # a backend that no loss knows is another problem
        return
    told = say("The backend {backend} does not train with the loss {loss}.", backend=backend, loss=apart.name)
    yield error("loss-backend", told, Where("loss.name"), _fix(backend, loss, list(known)))


def _fix(backend: str, loss: Loss, known: list[str]) -> Message:
    others = ", ".join(sorted(loss.backends))
    scale, temperature = getattr(loss.core, "scale", None), getattr(loss.core, "temperature", None)
    if scale and "info_nce" in known:
        same = f"{{name: info_nce, temperature: {1 / scale:g}}}"
    elif temperature and "multiple_negatives_ranking" in known:
        same = f"{{name: multiple_negatives_ranking, scale: {1 / temperature:g}}}"
    else:
        return say("Losses of this backend: {names}. Or set backend: {others}.", names=", ".join(known), others=others)
    return say("Set loss: {same}, which is close to it. Or set backend: {others}.", same=same, others=others)
