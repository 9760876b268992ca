"""A sweep: the runs that a preset with several values for some keys stands for, each a preset of its own.

Where a key has a range, the values of a run are chosen when it begins, by what those before it measured.

So are variants: runs with a name each, which differ in the keys that they say, or begin with another preset.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tunewiz.presets.preset import NAME, Preset
from tunewiz.presets.sections.sweep import Range, listed
from tunewiz.presets.yaml import typed
from tunewiz.presets.yaml.library import dumps, load, loads
from tunewiz.presets.yaml.tree import write_scalar
from tunewiz.problems import BadPreset, Problem, Where, error, say

#: Points that are tried without being asked for a number: each is a whole training.
MOST: Final = 256
#: Keys that a sweep does not vary: they name the run or say what it is.
_FIXED: Final = (
    "version",
    "name",
    "description",
    "task",
    "sweep",
    "sweep_trials",
    "variants",
    "launch",
    "checkpoints",
    "on_finish",
)
_ODD: Final = re.compile(r"[^A-Za-z0-9._]+")
_NAME_ROOM: Final = 64  # characters of a preset's name


#: The key of a variant that names the preset it begins with.
_BEGINS: Final = "preset"


@dataclass(frozen=True)
class Point:
    """One combination: its name, which tells it, the values by dotted key, and the preset that a run of it has.

    Of a variant ``title`` is what the preset calls it; ``beside``: it is of another task than the preset, so that
    nothing is chosen between it and the others.
    """

    name: str
    values: Mapping[str, Any]
    preset: Preset
    title: str = ""
    beside: bool = False

    @property
    def told(self) -> str:
        """The variant's name, or the combination as it would be typed."""
        return self.title or told(self.values)


def told(values: Mapping[str, Any]) -> str:
    """``values`` as they would be typed, harmless words: they passed the check of a preset, or its parser."""
    return " ".join(f"{key}={typed.write(value)}" for key, value in values.items())


def ranges(preset: Preset) -> dict[str, Range]:
    """The keys whose values are chosen by what was measured; none where the sweep is a grid."""
    return {key: values for key, values in preset.sweep.items() if isinstance(values, Range)}


def lists(preset: Preset) -> dict[str, list[Any]]:
    """The keys that have their values listed."""
    return {key: values for key, values in preset.sweep.items() if isinstance(values, list)}


def many(preset: Preset) -> int:
    """How many runs ``preset`` stands for."""
    if ranges(preset):
        return preset.sweep_trials
    return len(preset.variants) or (len(combinations(preset)) if preset.sweep else 1)


def combinations(preset: Preset) -> list[dict[str, Any]]:
    """The values of each point of a grid in its order; with ``sweep_trials`` as many of them, drawn by the seed.

    >>> from tunewiz.presets.yaml.library import load
    >>> swept = load("embedding/starter", ["sweep.training.learning_rate=[1e-5, 2e-5]", "sweep.training.seed=[1, 2]"])
    >>> [tuple(values.values()) for values in combinations(swept)]
    [(1e-05, 1), (1e-05, 2), (2e-05, 1), (2e-05, 2)]
    """
    keys, values_of = list(lists(preset)), list(lists(preset).values())
    count = math.prod(map(len, values_of))
    trials = preset.sweep_trials
    if not trials or trials >= count:
        grid = itertools.islice(itertools.product(*values_of), MOST + 1)
        return [dict(zip(keys, values, strict=True)) for values in grid]
    chosen = sorted(random.Random(preset.training.seed).sample(range(count), trials))
    return [dict(zip(keys, _place(values_of, number), strict=True)) for number in chosen]


def _place(lists: Sequence[Sequence[Any]], number: int) -> list[Any]:
    """The combination with this number in the order of the grid."""
    found = []
    for values in reversed(lists):
        number, at = divmod(number, len(values))
        found.append(values[at])
    return found[::-1]


def points(preset: Preset) -> list[Point]:
    """Every point of the sweep of ``preset``, or every variant, its preset validated.

    Of a sweep with ranges those at their ends, between which others will be chosen: what is wrong is wrong there.
    Raises ``BadPreset`` with the problems of all points; each names the point and the key.
    """
    found, wrong = [], list(_shape_problems(preset))
    if wrong:
        raise BadPreset(*wrong)
    if preset.variants:
        return _variants(preset, _plain(preset))
    for number, values in enumerate(_ends(preset) if ranges(preset) else combinations(preset), 1):
        try:
            found.append(point(preset, number, values))
        except BadPreset as fault:
            wrong += [of_point(values, problem) for problem in fault.problems]
    if wrong:
        raise BadPreset(*once(wrong))
    return found


def point(preset: Preset, number: int, values: Mapping[str, Any]) -> Point:
    """The run with this number, from 1, of the sweep of ``preset``. Raises ``BadPreset``."""
    name = f"{number:0{len(str(many(preset)))}d}-{_slug(values)}"[:_NAME_ROOM].rstrip("-.")
    own = {**values, "name": _named(preset, name)}
    return Point(name, values, loads(dumps(_plain(preset)), "", _settings(own)))


def _plain(preset: Preset) -> Preset:
    return preset.model_copy(update={"sweep": {}, "sweep_trials": 0, "variants": {}, "on_finish": ""})


def _ends(preset: Preset) -> list[dict[str, Any]]:
    """Combinations in which each end of a range and each value that is listed comes once at least."""
    each = {
        key: [values.low, values.high] if isinstance(values, Range) else values for key, values in preset.sweep.items()
    }
    longest = max(map(len, each.values()))
    return [{key: values[number % len(values)] for key, values in each.items()} for number in range(longest)]


def _variants(preset: Preset, plain: Preset) -> list[Point]:
    found: list[Point] = []
    wrong: list[Problem] = []
    for name, values in preset.variants.items():
        own = {key: value for key, value in values.items() if key != _BEGINS}
        own["name"] = _named(preset, name)
        try:
            begun = _begun(plain, values.get(_BEGINS))
            made = loads(begun, "", _settings(own))
            found.append(Point(name, values, made, name, beside=made.task != preset.task))
        except BadPreset as fault:
            wrong += [of_point(values, problem, name) for problem in fault.problems]
    if wrong:
        raise BadPreset(*once(wrong))
    return found


def _named(preset: Preset, point: str) -> str:
    """The name of a point's or a variant's preset: the preset's, cut where both are too long, and its own."""
    return f"{preset.name[: max(8, _NAME_ROOM - 1 - len(point))]}-{point}"[:_NAME_ROOM]


def _settings(values: Mapping[str, Any]) -> list[str]:
    """``values`` as they would be typed behind ``--set``."""
    return [f"{key}={typed.write(value) if value is not None else 'null'}" for key, value in values.items()]


def _begun(plain: Preset, other: Any) -> str:
    """The text that a variant begins with: the preset's own, or the ``other`` one's with the seed and the processor.

    Raises ``BadPreset``.
    """
    if other is None:
        return dumps(plain)
    own = load(str(other))
    if own.several:
        message = say("{name} stands for several runs itself.", name=str(other))
        raise BadPreset(error("variant-of-several", message, Where(_BEGINS), say("Name a preset of one run.")))
    training = own.training.model_copy(update={"seed": plain.training.seed})
    return dumps(own.model_copy(update={"training": training, "launch": plain.launch, "on_finish": ""}))


def once(found: Sequence[Problem]) -> list[Problem]:
    """``found`` of many points, each that says the same of one key once, with the first point that has it."""
    told: dict[tuple[object, ...], Problem] = {}
    for problem in found:
        told.setdefault((problem.code, problem.where, repr(problem.message.values.get("what"))), problem)
    return list(told.values())


def of_point(values: Mapping[str, Any], problem: Problem, variant: str = "") -> Problem:
    """``problem`` of one point, placed at the key of the sweep, or of the ``variant``, that it comes from."""
    key = problem.where.key
    if variant:
        message = say("Variant {name}: {key}: {what}", name=variant, key=key or "?", what=problem.message)
        return replace(problem, message=message, where=Where(f"variants.{variant}"))
    swept = next((one for one in values if key == one or key.startswith(f"{one}.")), "")
    message = say("Point {point}: {key}: {what}", point=told(values), key=key or "?", what=problem.message)
    return replace(problem, message=message, where=Where(f"sweep.{swept}" if swept else "sweep"))


def _shape_problems(preset: Preset) -> Iterator[Problem]:
    if preset.variants:
        yield from _variant_problems(preset)
        return
    for key, values in preset.sweep.items():
        where = Where(f"sweep.{key}")
        if key.partition(".")[0] in _FIXED:
            yield error("sweep-key", say("A sweep does not vary {key}.", key=key), where)
        if isinstance(values, Range):
            yield from _range_problems(key, values)
        elif not values:
            yield error("sweep-empty", say("{key} has no values to try.", key=key), where,
                        say("List them: {key}: [1, 2]", key=key))  # fmt: skip
        elif len({write_scalar(value) if not isinstance(value, list) else str(value) for value in values}) < len(
            values
        ):
            yield error("sweep-twice", say("{key} has a value twice.", key=key), where, say("List each once."))
    count = math.prod(map(len, lists(preset).values()))
    if ranges(preset) and not preset.sweep_trials:
        message = say("A range holds more values than can be tried.")
        yield error(
            "sweep-endless", message, Where("sweep"), say("Set sweep_trials to the number of runs, such as 10.")
        )
    elif count > MOST and not preset.sweep_trials:
        message = say("The sweep has {count} combinations; at most {most} are tried.", count=count, most=MOST)
        yield error("sweep-too-large", message, Where("sweep"), say("Set sweep_trials to how many of them are tried."))


def _range_problems(key: str, values: Range) -> Iterator[Problem]:
    if not values.low < values.high:
        message = say(
            "The range {range} of {key} does not go from a smaller to a larger number.", range=values.told, key=key
        )
        yield error("sweep-range", message, Where(f"sweep.{key}"), say("Write the smaller one first."))
    elif values.log and values.low <= 0:
        message = say(
            "The range {range} of {key} goes by orders of magnitude, which 0 has none of.", range=values.told, key=key
        )
        yield error("sweep-range", message, Where(f"sweep.{key}"), say("Begin above 0, or leave out log."))


def _variant_problems(preset: Preset) -> Iterator[Problem]:
    if preset.sweep:
        fix = say("Leave one of them out.")
        yield error("variants-and-sweep", say("A preset has variants or a sweep, not both."), Where("variants"), fix)
    if len(preset.variants) < 2:
        fix = say("For example: {example}", example="variants: {full: {method.type: full}, lora: {method.type: lora}}")
        yield error("variant-alone", say("One variant has nothing beside it."), Where("variants"), fix)
    for name, values in preset.variants.items():
        where = Where(f"variants.{name}")
        if not NAME.fullmatch(name):
            message = say("{name} names no variant: letters (a-z), digits, dots, dashes.", name=repr(name[:80]))
            yield error("variant-name", message, where)
        for key in values:
            if key.partition(".")[0] in _FIXED:
                yield error("variant-key", say("A variant does not vary {key}.", key=key), where)


def _slug(values: Mapping[str, Any]) -> str:
    """Letters that a folder may have and that tell the values: the last word of each key, and its value."""
    parts = [f"{key.rpartition('.')[2]}-{typed.write(value)}" for key, value in values.items()]
    slug = _ODD.sub("-", "-".join(parts)).strip("-.")
    return slug if NAME.fullmatch(slug[:_NAME_ROOM] or "-") else "point"


def setting(given: Sequence[str]) -> list[str]:
    """``--sweep KEY=V1,V2`` or ``KEY=LOW..HIGH`` as settings of a preset (``--set``).

    Raises ``BadPreset`` (``bad-sweep``).
    """
    found = []
    for text in given:
        key, equals, values = text.partition("=")
        value = listed(values)
        if not equals or not key.strip() or not isinstance(value, (list, dict)) or not value:
            problem = say("--sweep {text} is not of the form KEY=VALUE,VALUE or KEY=LOW..HIGH.", text=text)
            fix = say(
                "For example: {example}",
                example="--sweep training.learning_rate=1e-5,2e-5 · --sweep 'training.learning_rate=1e-5..1e-4 log' "
                "--set sweep_trials=10",
            )
            raise BadPreset(error("bad-sweep", problem, fix=fix))
        several = values.strip()
        if isinstance(value, dict):
            several = "{" + ", ".join(f"{name}: {typed.write(end)}" for name, end in value.items()) + "}"
        elif not several.startswith("["):
            several = f"[{several}]"
        found.append(f"sweep.{key.strip()}={several}")
    return found
