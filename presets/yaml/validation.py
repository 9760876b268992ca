"""Pydantic's findings, said in the user's words and with the place in the file.

Not one sentence of pydantic's reaches the user: a finding becomes a path, the value there and the rule of the field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tunewiz.presets import losses
from tunewiz.presets.sections.section import Section
from tunewiz.presets.yaml import fields
from tunewiz.presets.yaml.tree import KeyPath, Tree, child, dotted_path, write_scalar
from tunewiz.problems import Message, Problem, Where, error, say
from tunewiz.redaction import HIDDEN, looks_secret, names_secret, redacted, variable_for

_SHOWN: Final = 60


#: What other programs and people call some keys.
_CALLED: Final = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "wd": "weight_decay",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "accumulation",
    "grad_accum": "accumulation",
    "num_train_epochs": "epochs",
    "num_epochs": "epochs",
    "epoch": "epochs",
    "max_seq_length": "max_length",
    "max_seq_len": "max_length",
    "cutoff_len": "max_length",
    "seq_len": "max_length",
    "context_length": "max_length",
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_target": "target_modules",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
    "lr_scheduler_type": "scheduler",
    "model_name_or_path": "id",
    "optim": "optimizer",
    "logging_steps": "log_every",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that goes by ``word`` elsewhere, or the nearest to it; "" if there is none."""
    by_case = {item.lower(): item for item in known}
    if (called := _CALLED.get(word.lower().replace("-", "_"), "")) in by_case:
        return by_case[called]
    near = get_close_matches(word.lower(), by_case, n=1, cutoff=0.6)
    return by_case[near[0]] if near else ""


def suggestion(word: str, known: Sequence[str]) -> Message | None:
    """What to write instead of ``word``: the nearest known word, else all of them (up to 30)."""
    near = did_you_mean(word, known)
    if near:
        return say("Did you mean {near}?", near=near)
    return say("Known: {names}.", names=tuple(known)) if 0 < len(known) <= 30 else None


def validation_problems(fault: ValidationError, root: type[Section], tree: Tree) -> list[Problem]:
    """Every finding of ``fault`` as a problem, in the order of the file; ``tree`` is what was validated as ``root``."""
    found: dict[KeyPath, dict[str, Any]] = {}
    for finding in fault.errors(include_url=False, include_input=False):
        path = _path(finding["loc"], finding["type"] == "missing", tree.value)
        found.setdefault(path, dict(finding))
    # A union tells of each member that did not fit; the finding deeper inside the value is the one that helps.
    kept = [path for path in found if not any(other[: len(path)] == path and other != path for other in found)]
    told = [_problem(found[path], path, root, tree) for path in kept]
    return sorted(told, key=lambda problem: (problem.where.file, problem.where.line))


def _path(location: tuple[str | int, ...], missing: bool, value: Any) -> KeyPath:
    """``location`` without the names of union members that pydantic puts into it."""
    path: list[str | int] = []
    for number, part in enumerate(location):
        last = number == len(location) - 1
        within = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if within or (missing and last):
            path.append(part)
            value = child(value, part)
    return tuple(path)


def _problem(finding: dict[str, Any], path: KeyPath, root: type[Section], tree: Tree) -> Problem:
    kind, where = finding["type"], tree.where(path)
    field = fields.field_at(root, path, tree.value)
    if kind == "extra_forbidden":
        return unknown_key(path, root, tree)
    if kind == "missing":
        return error("missing-key", say("The key is missing."), where, _wanted(field))
    if kind == losses.UNKNOWN:
        name, known = finding["ctx"]["name"], finding["ctx"]["known"]
        meant = losses.meant(name, known) or name
        return error("unknown-loss", say("There is no loss {name}.", name=name), where, suggestion(meant, known))
    if kind in (losses.UNNAMED, losses.SHAPE, "union_tag_not_found", "union_tag_invalid") and field:
        return _unchosen(path, field, tree)
    return wrong_value(path, field, root, tree)


def unknown_key(path: KeyPath, root: type[Section], tree: Tree) -> Problem:
    """A key that its section does not have."""
    name, where = str(path[-1]), tree.where(path)
    if names_secret(name):
        return _secret(name, tree, path)
    rule = say("There is no key {name} here.", name=name)
    siblings = _siblings(path, root, tree)
    near = did_you_mean(name, siblings)
    elsewhere = [key for key in map(dotted_path, fields.keys(root, tree.value)) if key.rpartition(".")[2] == name]
    if near:
        return error("unknown-key", rule, where, say("Did you mean {near}?", near=near))
    if elsewhere:
        return error("unknown-key", rule, where, say("Did you mean {near}?", near=elsewhere[0]))
    return error("unknown-key", rule, where, suggestion(name, siblings))


#: Keys below which libraries' own names stand, which no section knows.
_FREE: Final = ("backend_options",)


def secret_problems(tree: Tree) -> list[Problem]:
    """A problem for each secret in ``tree``: keys of libraries that name one, and values that look like one."""
    found = {}
    for path, value in _scalars(tree.value, ()):
        named = next((depth for depth, part in enumerate(path, 1) if path[0] in _FREE and names_secret(str(part))), 0)
        if named:
            found[path[:named]] = _secret(str(path[named - 1]), tree, path[:named])
        elif isinstance(value, str) and looks_secret(value):
            rule = say("This looks like an access token: secrets do not belong in a preset, which every run copies.")
            variable = variable_for(str(path[-1]), value.strip())
            found[path] = error("secret-in-preset", rule, _place(path, tree), _environment(variable))
    return list(found.values())


def _secret(name: str, tree: Tree, path: KeyPath) -> Problem:
    """A key that holds a secret: the environment is the place for it."""
    rule = say("Secrets do not belong in a preset, which is copied into every run.")
    return error("secret-in-preset", rule, _place(path, tree), _environment(variable_for(name)))


def _place(path: KeyPath, tree: Tree) -> Where:
    """Where a secret stands; of the argument that it came with, the key alone."""
    where = tree.where(path)
    key, equals, _ = where.file.partition("=")
    return replace(where, file=f"{key}={HIDDEN}") if equals and key.startswith("--set ") else where


def _environment(variable: str) -> Message:
    if not variable:
        return say("Remove it; set the environment variable that its library reads.")
    return say(
        "Remove it; set {variable} in the environment, or log in with the tool's own command.", variable=variable
    )


def _scalars(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """All that is no mapping and no list, with where it stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _scalars(item, (*path, place))
    else:
        yield path, value


def _siblings(path: KeyPath, root: type[Section], tree: Tree) -> list[str]:
    section = [section for section, _ in fields.steps(root, path, tree.value)][-1]
    return list(section.model_fields) if section else []


def _unchosen(path: KeyPath, field: FieldInfo, tree: Tree) -> Problem:
    """A section that is chosen by a name or type in it, and that names none or an unknown one."""
    value, known = tree.node(path), fields.choices_of(field)
    chosen = next((value[key] for key in ("name", "type") if isinstance(value, dict) and value.get(key)), "")
    inner = next((key for key in ("name", "type") if isinstance(value, dict) and key in value), "")
    where = tree.where((*path, inner) if inner else path)
    word = chosen if isinstance(chosen, str) and chosen else value if isinstance(value, str) else ""
    names = ", ".join(known)
    if not word:
        return error("wrong-value", say("It says not which one: expected one of {names}.", names=names), where)
    rule = say("{value} does not fit: expected one of {names}.", value=show_value(word), names=names)
    return error("wrong-value", rule, where, _nearest(word, known))


def wrong_value(path: KeyPath, field: FieldInfo | None, root: type[Section], tree: Tree) -> Problem:
    """A value of the wrong type, or out of range."""
    value, where = tree.node(path), tree.where(path)
    rule = fields.rule(field) if field else fields.item_rule(root, path, tree.value)
    text = say("{value} does not fit: expected {rule}.", value=show_value(value), rule=rule)
    return error("wrong-value", text, where, _advice(value, field or fields.above(root, path, tree.value)))


def show_value(value: Any) -> str:
    """``value`` as the user may have written it, cut to one short line."""
    if isinstance(value, (dict, list)):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = f'"{value}"' if isinstance(value, str) else write_scalar(value)
    text = redacted(text)  # before it is cut: half a token is half a secret
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _advice(value: Any, field: FieldInfo | None) -> Message | None:
    if field is None:
        return None
    if isinstance(value, str) and fields.choices_of(field):
        return _nearest(value, fields.choices_of(field))
    if isinstance(value, (int, float)) and fields.takes_text(field):
        return say('Put it in quotes: "{value}".', value=write_scalar(value))
    return None


def _nearest(word: str, known: Sequence[str]) -> Message | None:
    near = did_you_mean(word, known)
    return say("Did you mean {near}?", near=near) if near else None


def _wanted(field: FieldInfo | None) -> Message | None:
    if field is None:
        return None
    if field.examples:
        return say(
            "Add it: {rule}, for example {example}.", rule=fields.rule(field), example=show_value(field.examples[0])
        )
    return say("Add it: {rule}.", rule=fields.rule(field))
