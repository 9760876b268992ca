"""Tuned and untouched weights mixed, in the share that validation speaks for.

Training moves a model away from what it knew; a straight line leads back, and models on the way are often better than
either end (WiSE-FT: Wortsman et al., 2022). Both ends are among the choices, so that a run hardly ends worse than it
began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tunewiz.backends.evaluate.verdict import ShareChoice
from tunewiz.problems import Problem, note, say, warning

#: Shares of the tuned weights that are measured. Quarters: neighbours closer than that measure the same.
SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


class Between:
    """A model whose weights are set to any point between what they were ``before`` and what they are now.

    For LoRA the adapter's product is scaled: its second factor is zero before, its first stays as it was trained.
    """

    def __init__(self, model: Any, before: Mapping[str, Any]) -> None:
        self._weights = {
            name: tensor
            for name, tensor in model.state_dict().items()
            if tensor.is_floating_point() and name in before and "lora_A" not in name
        }
        # On the host: a GPU may have no room for two more copies.
        self._ends = {name: (before[name].cpu(), tensor.cpu().clone()) for name, tensor in self._weights.items()}

    def set(self, share: float) -> None:
        """Let ``share`` (0 to 1) of each weight be the tuned one, the rest the untouched; the ends are exact."""
        import torch

        with torch.no_grad():
            for name, tensor in self._weights.items():
                before, tuned = self._ends[name]
                tensor.copy_(before if share == 0 else tuned if share == 1 else torch.lerp(before, tuned, share))


class Choice(ShareChoice):
    """The share of the tuned weights that is kept."""

    def told(self, metric: str) -> Problem:
        """What was chosen and why."""
        values = self.values(metric) | {"percent": round(100 * self.share)}
        if self.share == 0:
            message = say(
                "The untouched weights are kept: on {count} validation queries training made the model no better, "
                "wholly or mixed with what it was ({metric} by the share of the tuned weights: {shares}).",
                **values,
            )
            fix = say("Look at the data first; then try a lower training.learning_rate, or hard negatives.")
            return warning("tuned-share", message, fix=fix)
        if self.share == 1:
            message = say(
                "The tuned weights are kept as they are: mixed with the untouched ones they are not better beyond "
                "chance on {count} validation queries ({metric} by the share of the tuned weights: {shares}).",
                **values,
            )
        else:
            message = say(
                "{percent} % of the tuned weights are kept, the rest is the untouched model's: better on {count} "
                "validation queries ({metric} by the share of the tuned weights: {shares}).",
                **values,
            )
        return note("tuned-share", message)


def measured(
    between: Between, values: Callable[[], Mapping[str, float]], check_stop: Callable[[], None]
) -> dict[float, Mapping[str, float]]:
    """What ``values`` says of each query, at each of :data:`SHARES`. What ``check_stop`` raises ends it."""
    found: dict[float, Mapping[str, float]] = {}
    for share in SHARES:
        check_stop()
        between.set(share)
        found[share] = values()
    return found


def choose(found: Mapping[float, Mapping[str, float]], seed: int) -> Choice:
    """The share to keep, by the values of each query at each share: the tuned weights unless that is not safe."""
    return Choice.of(found, usual=max(found), safe=min(found), seed=seed)
