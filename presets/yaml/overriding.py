"""``--set KEY=VALUE``: keys of a preset changed on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic.fields import FieldInfo

from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml import fields, typed
from tunewiz.presets.yaml.tree import KeyPath, Tree, dotted_path, path_of
from tunewiz.problems import Problem, Where, error, say


def override(tree: Tree, assignments: Iterable[str], kind: type[Preset]) -> list[Problem]:
    """Change ``tree`` by each ``KEY=VALUE``; the problems of those that cannot be read.

    A key that picks a loss or a method comes first: what the new one does not have is dropped, unless it is set too.
    """
    found: list[Problem] = []
    readable = []
    for text in assignments:
        key, equals, value = text.partition("=")
        if equals and key.strip() and all(key.strip().split(".")):
            readable.append((path_of(key.strip()), value, text))
        else:
            rule, fix = say("It is not KEY=VALUE."), say("Write it like training.epochs=3.")
            found.append(error("bad-set", rule, Where(file=f"--set {text}"), fix))
    readable.sort(key=lambda item: item[0][-1] not in fields.CHOOSERS and item[0] != ("loss",))
    for path, value, text in readable:
        found += _assign(tree, path, value, Where(dotted_path(path), f"--set {text}"), kind)
    return found


def _assign(tree: Tree, path: KeyPath, text: str, where: Where, kind: type[Preset]) -> list[Problem]:
    field = fields.field_at(kind, path, tree.value)
    value = typed.read(text, fields.takes(kind, path, tree.value))
    holder = _holder(tree, path[:-1], kind, where)
    last: Any = path[-1]
    if isinstance(holder, list) and isinstance(last, int) and last < len(holder):
        holder[last] = value
    elif isinstance(holder, dict):
        _put(holder, str(last), value, field)
    else:
        return [error("unknown-key", say("{key} has no keys below it.", key=dotted_path(path[:-1])), where)]
    for known in [known for known in tree.places if known[: len(path)] == path]:
        del tree.places[known]
    tree.places[path] = where
    _keep_what_fits(tree, path, kind)
    return []


def _put(holder: dict[str, Any], key: str, value: Any, field: FieldInfo | None) -> None:
    """Set ``key``; a bare name for a section that is chosen by name changes the name and keeps the options."""
    old = holder.get(key)
    chooser = fields.chooser(field) if field else ""
    if chooser and isinstance(value, str) and isinstance(old, dict):
        old[chooser] = value
    else:
        holder[key] = value


def _holder(tree: Tree, path: KeyPath, kind: type[Preset], where: Where) -> Any:
    """The mapping or list at ``path``, made where there is none; a bare name becomes ``{name: ...}``."""
    node = tree.value
    for number, part in enumerate(path):
        if isinstance(node, list):
            node = node[part] if isinstance(part, int) and part < len(node) else None
            continue
        if not isinstance(node, dict):
            return None
        key, below = str(part), path[: number + 1]
        field = fields.field_at(kind, below, tree.value)
        chooser = fields.chooser(field) if field else ""
        if node.get(key) is None:
            node[key] = _default(field, chooser)
            tree.places[below] = where
        if chooser and isinstance(node[key], str):
            node[key] = {chooser: node[key]}
        node = node[key]
    return node


def _default(field: FieldInfo | None, chooser: str) -> Any:
    """What an absent section starts from: the name of its default where it is chosen by name, else no keys."""
    default = field.get_default(call_default_factory=True, validated_data={}) if field and chooser else None
    named = getattr(default, chooser, default) if chooser else None
    return named if isinstance(named, str) else {}


def _keep_what_fits(tree: Tree, path: KeyPath, kind: type[Preset]) -> None:
    """After another loss or method was picked at ``path``, drop the options that it does not have."""
    above = path[:-1] if path[-1] in fields.CHOOSERS else path
    field = fields.field_at(kind, above, tree.value) if above else None
    node = tree.node(above)
    if field is None or not fields.chooser(field) or not isinstance(node, dict):
        return
    section = fields.section_of(field.annotation, node)
    if section and fields.is_chosen(section, node):
        for key in [key for key in node if key not in section.model_fields]:
            del node[key]
