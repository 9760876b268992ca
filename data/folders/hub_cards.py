"""Repositories of a hub: their README says, in its YAML front matter, which files make which configuration and split.

The layout is that of the Hugging Face hub's ``configs`` (``config_name``, ``data_files``, ``data_dir``, ``default``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tunewiz.data.folders.splits import SPLIT_WORDS, Discover, is_data, joined, other_splits, split_of
from tunewiz.data.reading.source import Dataset, Source
from tunewiz.problems import BadData, Message, Where, error, note, say

_FRONT: Final = re.compile(r"\A\ufeff?---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_LARGEST: Final = 4 << 20  # bytes of a README


@dataclass(frozen=True)
class Configuration:
    """``splits`` maps each split to the patterns of its files; "" where no split is named."""

    name: str
    default: bool = False
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)


def configurations(card: str) -> list[Configuration]:
    """Those that a README tells of; none where it has no front matter that can be read."""
    import yaml

    found = _FRONT.match(card[:_LARGEST])
    try:
        told = yaml.safe_load(found[1]) if found else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    listed = told.get("configs") if isinstance(told, Mapping) else None
    return [_configuration(one) for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _configuration(told: Mapping[str, Any]) -> Configuration:
    inside = str(told.get("data_dir") or "").strip("/")
    files = told.get("data_files", "**" if inside else None)
    by_split: dict[str, list[str]] = {}
    entries: list[Mapping[Any, Any]]
    if isinstance(files, Mapping):
        entries = [{"split": split, "path": path} for split, path in files.items()]
    else:
        entries = [
            one if isinstance(one, Mapping) else {"path": one}
            for one in (files if isinstance(files, list) else [files])
        ]
    for entry in entries:
        patterns = entry.get("path")
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            if isinstance(pattern, str):
                whole = f"{inside}/{pattern}" if inside else pattern
                by_split.setdefault(str(entry.get("split") or ""), []).append(whole.removeprefix("./"))
    return Configuration(str(told.get("config_name") or "default"), told.get("default") is True, by_split)


def matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The ``names`` (paths in a repository) that one of ``patterns`` means, sorted."""
    wanted = re.compile("|".join(f"(?:{_regex(pattern)})" for pattern in patterns) or "(?!)")
    return sorted(name for name in names if wanted.fullmatch(name))


def _regex(pattern: str) -> str:
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\]|\{[^}]+\})", pattern)
    found = ""
    for part in parts:
        if part.startswith("{") and part.endswith("}"):
            found += "(?:" + "|".join(map(re.escape, part[1:-1].split(","))) + ")"
        else:
            found += signs.get(part, part if re.fullmatch(r"\[[^\]\\]+\]", part) else re.escape(part))
    return found


def chosen(found: Sequence[Configuration], subset: str, path: str) -> Configuration | None:
    """The configuration that is meant; ``None`` where none is named and the README has none.

    Raises :class:`BadData`: ``unknown-subset``, or ``which-subset`` where there are several and no default.
    """
    names = ", ".join(one.name for one in found)
    if subset:
        named = next((one for one in found if one.name == subset), None)
        if named is None and found:
            message = say("There is no subset {subset}; there are: {names}.", subset=subset, names=names)
            raise BadData(error("unknown-subset", message, Where(file=path), say("Name one of them: data.subset.")))
        return named
    first = [one for one in found if one.default] or [one for one in found if one.name == "default"] or list(found)
    if len(first) > 1:
        message = say("The dataset has several subsets: {names}.", names=names)
        fix = say("Say which: data.subset: {name}, or {path}/{name}.", name=first[0].name, path=path.rstrip("/"))
        raise BadData(error("which-subset", message, Where(file=path), fix))
    return first[0] if first else None


def wanted_files(names: Iterable[str], card: str, subset: str, path: str) -> list[str]:
    """The files of a repository that have to be there to read ``subset`` of it, its README among them.

    All data files where the README does not tell, or several subsets are parts of one test collection. Raises as
    :func:`chosen`, and :class:`BadData` (``no-data-files``) where there is nothing to read.
    """
    every = sorted(names)
    data = [name for name in every if is_data(Path(name))]
    beside = [name for name in every if name.rpartition("/")[2] in _BESIDE]
    found = configurations(card)
    if not (_is_collection(one.name for one in found) or _is_collection(name.split("/")[0] for name in data)):
        one = chosen(found, subset, path)
        if one is not None:
            data = matching(every, [pattern for patterns in one.splits.values() for pattern in patterns])
        elif subset:
            inside = [name for name in data if subset in name.split("/")[:-1]]
            data = inside or data
    if not data:
        raise BadData(error("no-data-files", say("The repository holds no data file that can be read."),
                            Where(file=path), _script(every)))  # fmt: skip
    return sorted({*data, *beside})


_BESIDE: Final = ("README.md", "dataset_info.json", "dataset_dict.json", "state.json")


def _script(names: Sequence[str]) -> Message:
    if any(name.endswith(".py") for name in names):
        return say(
            "Its rows come from a program. The hub may have them as parquet: data.revision: refs/convert/parquet"
        )
    return say("It holds: {names}.", names=", ".join(names[:8]) or "-")


def _is_collection(names: Iterable[str]) -> bool:
    return {"corpus", "queries"} <= {name.split(".")[0].casefold() for name in names}


# Reading a folder that has such a README.


def card_folder(path: Path, dataset: Dataset, discover: Discover) -> Source | None:
    """The files of the configuration and split that are wanted; ``None`` where no README tells of any.

    Raises as :func:`chosen`, and :class:`BadData` (``unknown-split``).
    """
    card = path / "README.md"
    try:
        told = configurations(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else []
    except OSError:
        told = []
    found = chosen(told, dataset.subset, dataset.path) if told else None
    if found is None:
        return _named_folder(path, dataset, discover) if dataset.subset else None
    names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    splits = _by_split(names, found, path)
    if not splits:
        return None
    name = _split(splits, dataset)
    base = dataset.path.rstrip("/")
    parts = [discover(replace(dataset, path=f"{base}/{file}", subset="")) for file in splits[name]]
    source = parts[0] if len(parts) == 1 else joined(parts, dataset)
    message = say("Its README says what is read: {subset}, {split} ({count} files).", subset=found.name,
                  split=name or "-", count=len(parts))  # fmt: skip
    notes = [note("file-chosen", message, Where(file=dataset.path))]
    others = {split: files for split, files in splits.items() if split and split != name}
    notes += other_splits(others, dataset)
    return source.altered(
        notes=(*source.notes, *notes),
        splits=tuple(filter(None, splits)),
    )


def _named_folder(path: Path, dataset: Dataset, discover: Discover) -> Source:
    """The folder named as the subset, where no README tells of subsets."""
    inside = path / dataset.subset
    if inside.is_dir():
        return discover(replace(dataset, path=f"{dataset.path.rstrip('/')}/{dataset.subset}", subset=""))
    message = say("There is no subset {subset} here.", subset=dataset.subset)
    raise BadData(error("unknown-subset", message, Where(file=dataset.path), say("Leave it out: data.subset.")))


def _by_split(names: Sequence[str], found: Configuration, root: Path) -> dict[str, list[str]]:
    """The data files of each split; those of a configuration that names none by their own names."""
    splits: dict[str, list[str]] = {}
    for split, patterns in found.splits.items():
        for name in matching(names, patterns):
            if is_data(root / name):
                splits.setdefault(split or split_of(root / name, root), []).append(name)
    return splits


def _split(splits: Mapping[str, list[str]], dataset: Dataset) -> str:
    wanted = dataset.split
    if wanted in splits:
        return wanted
    alike = [name for name in splits if SPLIT_WORDS.get(name.casefold()) == SPLIT_WORDS.get(wanted.casefold(), wanted)]
    if len(alike) == 1:
        return alike[0]
    if wanted in ("auto", "train"):
        train = [name for name in splits if name == "train"] or [name for name in splits if name.startswith("train")]
        if len(train) == 1 or len(splits) == 1:
            return train[0] if train else next(iter(splits))
    message = say("There is no split {split}; there are: {names}.", split=wanted, names=", ".join(splits) or "-")
    raise BadData(error("unknown-split", message, Where(file=dataset.path), say("Name one of them.")))
