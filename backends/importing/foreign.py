"""What another program was told, key by key, and the preset it becomes: every key has a place or is named.

A table of rules says where a key of the other program stands in a preset. What has no place there is told with its line
and a reason; so is a value that the preset's own rules refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tunewiz.language import N_
from tunewiz.presets.preset import NAME, Preset
from tunewiz.presets.yaml.opening import ParsedPreset, parse_preset
from tunewiz.presets.yaml.tree import path_of, write_scalar
from tunewiz.problems import BadPreset, Message, Problem, Where, error, note, say, warning
from tunewiz.redaction import HIDDEN, names_secret

#: Why a key has no place, where many have none for one reason.
PLACES: Final = N_("a run keeps what it writes in its own directory")
SPEED: Final = N_("it changes how fast it runs, not what is learned")
SEVERAL: Final = N_("a run starts its processes itself: launch")
NOTHING: Final = N_("it is what a run does anyway")
UNKNOWN: Final = N_("no key of a preset says this")
TEXT: Final = N_("a preset trains on text")
#: Of the reasons why a key has no place, those by which something is lost that would have been learned.
_LOSES: Final = (UNKNOWN, TEXT)


@dataclass(frozen=True)
class Given:
    """A key of the other program with its value and where it stands."""

    key: str
    value: Any
    where: Where


class NoPlace(Exception):
    """A value that says something no preset can say; the message says why."""

    def __init__(self, why: Message) -> None:
        super().__init__(why.template)
        self.why = why


#: What a key becomes: values by the dotted keys of a preset. Raises :class:`NoPlace`.
Rule = Callable[[Any], Mapping[str, Any]]


@dataclass
class Draft:
    """A preset that is being made: values by dotted key, which foreign key each came from, and what is told."""

    program: str
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Given] = field(default_factory=dict)
    told: list[Problem] = field(default_factory=list)
    needless: dict[str, list[Given]] = field(default_factory=dict)

    def take(self, given: Given, rules: Mapping[str, Rule | str]) -> bool:
        """Put ``given`` where the rule of its key says; a reason in its place is told. Whether there is a rule."""
        if names_secret(given.key):
            self.no_place(given, say("a secret belongs into a variable of the environment"))
            return True
        rule = rules.get(given.key)
        if rule is None:
            return False
        if rule in _LOSES:
            self.no_place(given, say(str(rule)))
            return True
        if isinstance(rule, str):
            self.not_needed(given, rule)
            return True
        try:
            found = rule(given.value)
        except NoPlace as fault:
            self.no_place(given, fault.why)
            return True
        except BadPreset as fault:  # a rule knows the value, not where it stands
            raise BadPreset(*(replace(problem, where=given.where) for problem in fault.problems)) from None
        except (TypeError, ValueError):
            self.no_place(given, say("its value cannot be read"))
            return True
        self.put(given, found)
        return True

    def put(self, given: Given, values: Mapping[str, Any]) -> None:
        """Set ``values``, which ``given`` says."""
        for key, value in values.items():
            self.values[key] = value
            self.origins[key] = given

    def not_needed(self, given: Given, why: str) -> None:
        """Keep ``given`` to be told with all others that have no place for the same reason, and lose nothing by it."""
        self.needless.setdefault(why, []).append(given)

    def no_place(self, given: Given, why: Message) -> None:
        """Tell that ``given`` has no place in a preset."""
        value = HIDDEN if names_secret(given.key) else shown(given.value)
        message = say("{value} has no place in a preset: {why}.", value=value, why=why)
        self.told.append(warning("no-place", message, given.where))

    def all_told(self) -> tuple[Problem, ...]:
        """Everything that is told, what changes nothing that is learned last: a line a reason."""
        notes = []
        for why, givens in self.needless.items():
            names = tuple(f"{given.where.key} ({given.where.line})" for given in givens)
            message = say("Without a key in a preset, and not needed: {names}: {why}.", names=names, why=say(why))
            notes.append(note("not-needed", message, Where(file=givens[0].where.file)))
        return (*self.told, *notes)

    def refused(self, given: Given, problem: Problem) -> None:
        """Tell that ``given`` has a value that ``problem`` speaks against."""
        message = say("{value} is left out. {why}", value=shown(given.value), why=problem.message)
        self.told.append(warning("no-place", message, given.where, problem.fix))

    def default(self, **values: Any) -> None:
        """What the other program takes where nothing is said; keys are dotted with ``__`` for a dot."""
        for key, value in values.items():
            self.values.setdefault(key.replace("__", "."), value)


@dataclass(frozen=True)
class Imported:
    """The preset, its text, and everything that is told of the way there."""

    preset: Preset
    text: str
    told: Sequence[Problem]


def finished(draft: Draft, file: str) -> Imported:
    """``draft`` as a preset; values that its rules refuse are told and left out.

    Raises :class:`BadPreset` where what is left is no preset.
    """
    values = dict(draft.values)
    for name in values.keys() & {"data.train", "data.evaluation.data"}:
        values[name] = _placed(values[name], Path(file))
    while True:
        text = _yaml(_nested(values))
        try:
            parsed: ParsedPreset = parse_preset(text, file)
            break
        except BadPreset as fault:
            refused = [problem for problem in fault.problems if _key(problem, values) is not None]
            if not refused:
                raise
            for problem in refused:
                key = _key(problem, values)
                if key is None or key not in values:
                    continue
                given = draft.origins.get(key, Given(key, values[key], Where(file=file)))
                draft.refused(given, problem)
                del values[key]
    from tunewiz.presets.yaml.writing import dumps

    return Imported(parsed.preset, dumps(parsed.preset, brief=True), draft.all_told())


def _placed(named: Any, file: Path) -> Any:
    """Data as it is named for ``file``, by whole paths: the preset may be written to another folder."""
    if isinstance(named, list):
        return [_placed(one, file) for one in named]
    if isinstance(named, dict):
        return {**named, "path": _placed(named.get("path"), file)}
    if not isinstance(named, str) or named.partition(":")[0] in ("hf", "ms", "modelscope", "sample"):
        return named
    place = found_around(named, file)
    return named if place is None else str(place.absolute().resolve())


def _key(problem: Problem, values: Mapping[str, Any]) -> str | None:
    """The dotted key of ``values`` that ``problem`` speaks of."""
    where = problem.where.key
    return next((key for key in values if where == key or where.startswith(f"{key}.")), None)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for key, value in values.items():
        holder = whole
        *above, last = (str(part) for part in path_of(key))
        for part in above:
            holder = holder.setdefault(part, {})
        holder[last] = value
    return whole


def _yaml(value: Any, depth: int = 0) -> str:
    """Plain values as YAML that a preset's reader reads."""
    indent = "  " * depth
    lines = []
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            lines.append(f"{indent}{write_scalar(str(key))}:\n{_yaml(item, depth + 1)}")
        else:
            lines.append(f"{indent}{write_scalar(str(key))}: {_flow(item)}")
    return "\n".join(lines)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{write_scalar(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = write_scalar(value)
    # Inside brackets a comma or a bracket would end a bare word.
    bare = not isinstance(value, str) or text[:1] in "\"'" or not set(",[]{}") & set(text)
    return text if bare else "'" + value.replace("'", "''") + "'"


def shown(value: Any) -> str:
    """A value as one short text."""
    text = _flow(value)
    return text if len(text) <= 80 else text[:77] + "…"


def name_of(text: str) -> str:
    """A preset's name from a file or a model."""
    made = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text.rsplit("/", 1)[-1])
    made = made.encode("ascii", "ignore").decode().strip("._-")[:64]
    return made if NAME.fullmatch(made) else "imported"


def to(key: str, convert: Callable[[Any], Any] = lambda value: value) -> Rule:
    """A rule: the value, perhaps converted, at ``key``."""
    return lambda value: {key: convert(value)}


def one_of(key: str, known: Mapping[Any, Any]) -> Rule:
    """A rule: what ``known`` says of the value, at ``key``."""

    def rule(value: Any) -> Mapping[str, Any]:
        if value not in known:
            raise NoPlace(say("it knows {names}", names=tuple(map(str, dict.fromkeys(known.values())))))
        return {key: known[value]}

    return rule


def unless(usual: Any, why: str) -> Rule:
    """A rule: ``usual`` is what a run does anyway; anything else has no place, because of ``why``."""

    def rule(value: Any) -> Mapping[str, Any]:
        if value != usual:
            raise NoPlace(say(why))
        return {}

    return rule


def whole(value: Any) -> int:
    """A whole number, however it is written."""
    return int(float(value)) if isinstance(value, str) else int(value)


def real(value: Any) -> float:
    """A number, however it is written."""
    return float(value)


def true(value: Any) -> bool:
    """Yes or no, however it is written."""
    return value if isinstance(value, bool) else str(value).strip().lower() in ("true", "yes", "1", "on", "auto")


#: transformers' optimizers by the name that a preset has for them.
OPTIMIZERS: Final[Mapping[Any, str]] = {
    # Paged states take less memory where it runs short; what is learned is the same.
    **dict.fromkeys(
        ("adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw", "paged_adamw_32bit", "paged_adamw"), "adamw"
    ),
    **dict.fromkeys(("adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit", "adamw_torch_8bit"), "adamw_8bit"),
    "adafactor": "adafactor",
    "sgd": "sgd",
}
SCHEDULERS: Final[Mapping[Any, str]] = {
    name: name for name in ("linear", "cosine", "constant", "constant_with_warmup", "polynomial")
}


def trackers(value: Any) -> Mapping[str, Any]:
    """What training is reported to."""
    names = [value] if isinstance(value, str) else list(value or [])
    known = [name for name in names if name in ("tensorboard", "wandb", "swanlab", "trackio")]
    if [name for name in names if name not in (*known, "none")]:
        raise NoPlace(say("it knows {names}", names="tensorboard, wandb, swanlab, trackio"))
    return {"tracking.trackers": known} if known else {}


def steps_of_warmup(value: Any) -> Mapping[str, Any]:
    """Warm-up in steps: transformers reads numbers below 1 as a share."""
    number = real(value)
    if number == 0 or 0 < number < 1:
        return {"training.warmup": number}
    raise NoPlace(say("a preset counts the warm-up as a share of all steps: training.warmup"))


#: What every Trainer of transformers takes, and where that stands in a preset.
TRAINER: Final[Mapping[str, Rule | str]] = {
    "per_device_train_batch_size": to("training.batch_size", whole),
    "per_device_eval_batch_size": to("evaluation.batch_size", whole),
    "gradient_accumulation_steps": to("training.accumulation", whole),
    "learning_rate": to("training.learning_rate", real),
    "num_train_epochs": to("training.epochs", real),
    "max_steps": lambda value: {"training.max_steps": whole(value)} if whole(value) > 0 else {},
    "lr_scheduler_type": one_of("training.scheduler", SCHEDULERS),
    "warmup_ratio": to("training.warmup", real),
    "warmup_steps": steps_of_warmup,
    "weight_decay": to("training.weight_decay", real),
    "max_grad_norm": to("training.max_grad_norm", real),
    "optim": one_of("training.optimizer", OPTIMIZERS),
    "seed": to("training.seed", whole),
    "data_seed": N_("training.seed is one seed for everything"),
    "logging_steps": lambda value: {"training.log_every": max(1, whole(value))},
    "save_total_limit": to("training.keep_checkpoints", whole),
    "dataloader_num_workers": to("training.workers", whole),
    "gradient_checkpointing": to("training.gradient_checkpointing", true),
    "group_by_length": to("training.group_by_length", true),
    "load_best_model_at_end": to("training.best_checkpoint", true),
    "bf16": lambda value: {"training.precision": "bf16"} if true(value) else {},
    "fp16": lambda value: {"training.precision": "fp16"} if true(value) else {},
    "report_to": trackers,
    "run_name": lambda value: {"name": name_of(str(value))},
    "do_train": unless(True, NOTHING),
    "do_eval": NOTHING,
    "do_predict": N_("`tunewiz eval` and `tunewiz try` do this with a finished run"),
    "dataloader_drop_last": N_("the run plans its own batches"),
    "output_dir": PLACES,
    "logging_dir": PLACES,
    "overwrite_output_dir": PLACES,
    "resume_from_checkpoint": N_("`tunewiz run --resume RUN` goes on with a run"),
    "push_to_hub": N_("nothing is sent anywhere"),
    "hub_model_id": N_("nothing is sent anywhere"),
    "save_steps": N_("a checkpoint is saved at each evaluation: training.evaluations"),
    "save_strategy": N_("a checkpoint is saved at each evaluation: training.evaluations"),
    "save_only_model": N_("checkpoints can be resumed from"),
    "eval_steps": N_("measured at even shares: training.evaluations"),
    "eval_strategy": N_("measured at even shares: training.evaluations"),
    "evaluation_strategy": N_("measured at even shares: training.evaluations"),
    "metric_for_best_model": N_("evaluation.metric decides"),
    "ddp_timeout": SEVERAL,
    "ddp_find_unused_parameters": SEVERAL,
    "local_rank": SEVERAL,
    "tf32": SPEED,
    "torch_compile": SPEED,
    "dataloader_pin_memory": SPEED,
    "gradient_checkpointing_kwargs": SPEED,
}


#: How many folders above a file are looked in.
_ABOVE: Final = 5


def found_around(named: str, file: Path) -> Path | None:
    """The file or folder ``named`` in ``file``: beside it, where this process runs, or from a folder above.

    Other programs are started in the folder of their source, of which their configurations lie somewhere below.
    """
    around = (file.parent, Path(), *list(file.absolute().parents)[1:_ABOVE])
    places = (folder / Path(named).expanduser() for folder in around)
    return next((place for place in places if place.exists()), None)


def no_value(givens: Sequence[Given]) -> list[Problem]:
    """Keys that stand there without a value, told together."""
    empty = [one for one in givens if one.value is None or one.value == ""]
    if not empty:
        return []
    names = ", ".join(one.key for one in empty)
    return [note("no-value", say("These keys have no value and say nothing: {names}.", names=names), empty[0].where)]


def warm_up_by_steps(draft: Draft, givens: Sequence[Given]) -> None:
    """Bring a warm-up in steps to a share of all, where it is said how many there are."""
    said = {one.key: one for one in givens}
    steps, most = said.get("warmup_steps"), draft.values.get("training.max_steps")
    if steps is None or not isinstance(most, int) or not isinstance(steps.value, int) or steps.value < 1:
        return
    draft.told[:] = [one for one in draft.told if one.where != steps.where]
    draft.put(steps, {"training.warmup": round(min(1.0, steps.value / most), 4)})


def without_options_of(draft: Draft) -> None:
    """Options of adapters say nothing where all weights are trained."""
    if draft.values.get("method.type", "full") != "full":
        return
    for key in [key for key in draft.values if key.startswith("method.") and key != "method.type"]:
        given = draft.origins[key]
        del draft.values[key]
        draft.no_place(given, say("all weights are trained"))


def no_data(draft: Draft, file: str, key: str) -> None:
    """Put a name in the place of the training data where none is said, and say so."""
    if "data.train" in draft.values:
        return
    draft.values["data.train"] = "train.jsonl"
    message = say("No training data is named: {key} is missing, and train.jsonl stands in its place.", key=key)
    draft.told.append(warning("no-data", message, Where(file=file), say("Say where the file is: data.train.")))


def no_model(draft: Draft, file: str, key: str) -> None:
    """Raise :class:`BadPreset` unless a model is named."""
    if "model.id" not in draft.values:
        message = say("No model is named: {key} is missing.", key=key)
        raise BadPreset(error("no-model", message, Where(file=file), say("Add it, or write the preset by hand.")))
