"""Folders of data files: which are shards of one table, and which split each belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tunewiz.data.reading.source import Dataset, Source
from tunewiz.problems import Problem, Where, note, say

Discover = Callable[[Dataset], Source]

SUFFIXES: Final = frozenset(
    (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".arrow", ".gz", ".bz2", ".xz")
)
#: Files beside the data that describe it.
_BESIDE: Final = frozenset(
    (
        *("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json", "config.json"),
        *("readme.txt", "license.txt", "croissant.json", "infos.json", "labels.txt", "classes.txt", "label.txt"),
    )
)
_DEPTH: Final = 3  # folders below: repositories put the files into data/, or into one folder a configuration
_MOST: Final = 10_000  # files: more are one text each, not shards

#: Splits by the words that files and folders are named with.
SPLIT_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("train", "training", "trn", "训练", "训练集"), "train"),
    **dict.fromkeys(("test", "testing", "tst", "测试", "测试集"), "test"),
    **dict.fromkeys(("dev", "devel", "development", "开发集"), "dev"),
    **dict.fromkeys(("validation", "valid", "val", "验证", "验证集"), "validation"),
    **dict.fromkeys(("eval", "evaluation"), "eval"),
}
_WORDS: Final = re.compile(r"[\W_]+")
_SHARD: Final = re.compile(r"[-_.]?(?:part|shard|chunk)?[-_.]?\d+(?:[-_.]?of[-_.]?\d+)?$", re.IGNORECASE)


def data_files(path: Path) -> list[Path]:
    """The data files in a folder and below it, in order."""
    found: list[Path] = []
    waiting = [(path, 0)]
    while waiting:
        folder, depth = waiting.pop(0)
        try:
            entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "_")))
        except OSError:
            continue
        found += [entry for entry in entries if entry.is_file() and is_data(entry)]
        waiting += [(entry, depth + 1) for entry in entries if entry.is_dir() and depth < _DEPTH]
        if len(found) > _MOST:
            break
    return found


def is_data(file: Path) -> bool:
    """Whether a file holds rows, by its name."""
    return file.suffix.casefold() in SUFFIXES and file.name.casefold() not in _BESIDE


def split_of(file: Path, root: Path) -> str:
    """The split that a file's name, or that of a folder it lies in, tells; "" where none does."""
    for name in (file.name.split(".")[0], *(parent.name for parent in file.parents if root in parent.parents)):
        words = [SPLIT_WORDS[word] for word in _WORDS.split(name.casefold()) if word in SPLIT_WORDS]
        if words:
            return words[-1]
    return ""


def table_of(file: Path, root: Path) -> tuple[str, str, str]:
    """What shards of one table have in common: their folder, their name without the number, their ending."""
    stem = file.name.split(".")[0]
    return str(file.parent.relative_to(root)), _SHARD.sub("", stem), file.suffix.casefold()


def split_folder(path: Path, dataset: Dataset, discover: Discover) -> Source | None:
    """The source of a folder of splits or shards; None where its files are neither.

    Without a wish (``dataset.split``) it is what there is to train on. None too where a split has several tables.
    """
    files = data_files(path)
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(split_of(file, path), []).append(file)
    named = {split: of_split for split, of_split in by_split.items() if split}
    wanted = SPLIT_WORDS.get(dataset.split.casefold(), dataset.split)
    if wanted in named:
        chosen = named[wanted]
    elif "train" in named and wanted == "auto":
        wanted, chosen = "train", named["train"]
    elif not named and files:
        wanted, chosen = "", files
    else:
        return None
    tables = {table_of(file, path) for file in chosen}
    if len(tables) > 1:
        return None
    source = _one(chosen, path, dataset, discover)
    told = [*source.notes, *_told(chosen, path, dataset, {name: of for name, of in named.items() if name != wanted})]
    return source.altered(notes=tuple(told), splits=tuple(named))


def _one(files: Sequence[Path], path: Path, dataset: Dataset, discover: Discover) -> Source:
    """One file, or several that are read one after another."""
    base = dataset.path.rstrip("/")
    parts = [discover(replace(dataset, path=f"{base}/{file.relative_to(path).as_posix()}")) for file in files]
    if len(parts) == 1:
        return parts[0]
    return joined(parts, dataset)


def joined(parts: Sequence[Source], dataset: Dataset) -> Source:
    """Files that are read one after another as one source."""
    columns = tuple(dict.fromkeys(column for part in parts for column in part.columns))
    return parts[0].altered(
        path=Path(dataset.path),
        name=dataset.path,
        container="files",
        columns=columns,
        size=sum(part.size for part in parts),
        parts={part.name: part for part in parts},
        limit=dataset.limit,
        notes=tuple(_once(problem for part in parts[:3] for problem in part.notes)),
    )


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once; what a message tells may be a list or an object, which no set takes."""
    found: list[Problem] = []
    for problem in problems:
        if problem not in found:
            found.append(problem)
    return found


def _told(chosen: Sequence[Path], path: Path, dataset: Dataset, others: Mapping[str, Sequence[Path]]) -> list[Problem]:
    where = Where(file=dataset.path)
    if len(chosen) == 1:
        message = say("The folder's file {file} is read.", file=chosen[0].relative_to(path).as_posix())
    else:
        message = say("{count} files of the folder are read, one after another.", count=len(chosen))
    named = {name: [file.relative_to(path).as_posix() for file in files] for name, files in others.items()}
    return [note("file-chosen", message, where), *other_splits(named, dataset)]


def other_splits(others: Mapping[str, Sequence[str]], dataset: Dataset) -> list[Problem]:
    """A note of the splits that are not read, by name, with the one to measure on; none where there are none."""
    if not others:
        return []
    first = next((name for name in ("test", "dev", "validation", "eval") if name in others), next(iter(others)))
    message = say("Other splits that are there: {splits}.", splits=tuple(others))
    place = f"{dataset.path.rstrip('/')}/{others[first][0]}"
    fix = say("To measure on: data.evaluation.data: {path}", path=place)
    return [note("other-splits", message, Where(file=dataset.path), fix)]
