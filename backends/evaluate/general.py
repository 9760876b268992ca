"""Whether a model forgot: what our general data measured before and after, compared and put into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tunewiz.backends.evaluate.records import Measured
from tunewiz.backends.evaluate.verdict import WIN_FROM, Comparison, compare_all
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import Message, Problem, Where, say, warning

#: In a run's report, beside ``before.json`` and ``after.json`` and in their form.
BEFORE: Final = "general.before.json"
AFTER: Final = "general.after.json"
#: Measures of search models; the first decides.
SEARCHED: Final = ("ndcg@10", "recall@10")
#: The loss of all prompts, and by language.
LOSS: Final = "loss"
#: Of ndcg@10; in documents of a language that they do not read, models reach about 0.2 by names and commands.
_LITTLE: Final = 0.3


def compared_general(report: Path, samples: int, seed: int) -> dict[str, Comparison]:
    """What lies of general data in the folder ``report``, by measure; empty unless both sides were measured."""
    before, after = (Measured.read(report / name) for name in (BEFORE, AFTER))
    if before is None or after is None:
        return {}
    found = {}
    for name in after.metrics:
        sides = [{row: told for row, told in side.per_query.items() if name in told} for side in (before, after)]
        lower = (name,) if name.startswith(LOSS) else ()
        one = compare_all(sides[0], sides[1], [name], samples, seed, lower)[name]
        if one.queries:
            found[name] = one
    return found


def lost(general: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The measures that say that something was lost, beyond chance and by as much as counts as a win elsewhere."""
    deciding = (LOSS, SEARCHED[0])
    return {
        name: one
        for name, one in general.items()
        if any(word.startswith(deciding) for word in name.split())
        and one.verdict == "REGRESSION"
        and abs(one.difference) >= WIN_FROM
    }


def told_general(general: Mapping[str, Comparison]) -> Iterator[Message]:
    """A sentence for each measure that got worse; one where none did."""
    worse = lost(general)
    for name, one in worse.items():
        yield say("{name} went from {before} to {after} (95 % interval of the change {low} to {high}).",
                  name=_called(name), **_numbers(one))  # fmt: skip
    if general and not worse:
        yield say("Nothing shows that it forgot: no general measure got worse beyond chance.")
    if any(one.before < _LITTLE for name, one in general.items() if name.endswith(SEARCHED[0])):
        yield say("The untouched model found little of it, so there was little to lose and this says little.")


def _numbers(one: Comparison) -> dict[str, str]:
    numbers = {"before": f"{one.before:.4f}", "after": f"{one.after:.4f}"}
    return numbers | {"low": f"{one.low:+.4f}", "high": f"{one.high:+.4f}"}


def measure_name(name: str) -> str:
    """A general measure as it is called in front of people, in the current language."""
    told = _called(name)
    return told.text() if isinstance(told, Message) else told


def _called(name: str) -> Message | str:
    """The same, not yet worded."""
    names = {
        LOSS: say("the loss of all general prompts"),
        f"{LOSS}_en": say("the loss of the English prompts"),
        f"{LOSS}_zh": say("the loss of the Chinese prompts"),
    }
    part, _, measure = name.rpartition(" ")  # of a pipeline's embedding model, the name of its run comes first
    return say("{measure} of the embedding model", measure=measure) if part else names.get(name, name)


def forgotten(preset: Preset, general: Mapping[str, Comparison], data: str) -> Problem | None:
    """That the tuned model lost what it could before, with what to do; ``data`` names what it was asked.

    ``None`` where nothing was lost beyond chance.
    """
    worse = lost(general)
    if not worse:
        return None
    parts = [
        say("{name} {before} → {after}, 95 % interval of the change {low} to {high}",
            name=_called(name), **_numbers(one))
        for name, one in worse.items()
    ]  # fmt: skip
    rows = max(one.queries for one in worse.values())
    message = say(
        "The tuned model forgot some of what it could before. On {rows} {kind} that it was not tuned for: {what}.",
        rows=rows,
        kind=say("prompts") if isinstance(preset, LlmPreset) else say("questions of {data}", data=data),
        what=_joined(parts),
    )
    return warning("forgotten", message, Where(key="training"), remedy(preset))


def _joined(parts: list[Message]) -> Message:
    joined = parts[0]
    for part in parts[1:]:
        joined = say("{first}; {then}", first=joined, then=part)
    return joined


def remedy(preset: Preset) -> Message:
    """What keeps a model from forgetting, of what ``preset`` does not do yet."""
    training = preset.training
    steps = say(
        "Train less: training.epochs below {epochs}, training.learning_rate below {rate}",
        epochs=f"{training.epochs:g}",
        rate=f"{training.learning_rate:g}",
    )
    if getattr(getattr(preset, "method", None), "type", "") == "full":
        steps = say("{first}; or tune an adapter (method: lora)", first=steps)
    if getattr(training, "tuned_share", 0.0) in ("auto", 1):
        steps = say("{first}; or keep a part of the old weights (training.tuned_share: 0.5)", first=steps)
    return say("{first}; or add rows of general data to yours (data.train takes several).", first=steps)
