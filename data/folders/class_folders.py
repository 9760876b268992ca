"""Folders of text files: one text a file, and where they lie in a folder for each class, its name as the label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tunewiz.data.folders.splits import is_data, split_of
from tunewiz.data.reading.encodings import detect_encoding
from tunewiz.data.reading.source import Dataset, Row, Source
from tunewiz.problems import Problem, Report, Where, note, say, warning

_TEXTS: Final = frozenset((".txt", ".text", ".md", ".markdown"))
#: Names of text files that are about the data.
_ABOUT: Final = frozenset(("readme", "license", "licence", "changelog", "contributing", "notice", "authors", "index"))
#: What IMDB's archive and its like call texts without a class.
_UNLABELLED: Final = frozenset(("unsup", "unlabeled", "unlabelled", "unsupervised"))
_LARGEST: Final = 16 << 20  # bytes of one text


def text_folder(path: Path, dataset: Dataset) -> Source | None:
    """A folder for each class, or of text files alone; None where other data lies there too."""
    root = _split_root(path, dataset)
    below = [entry for entry in _entries(root) if entry.is_dir() and entry.name.casefold() not in _UNLABELLED]
    classes = {entry.name: _texts(entry) for entry in below}
    inside = [entry for entry in _entries(root) if entry.is_file() and is_data(entry) and entry not in _texts(root)]
    if inside:
        return None
    labelled = len(classes) > 1 and all(classes.values()) and not any(split_of(entry, root) for entry in below)
    if labelled and all(_holds_only(entry, set(classes[entry.name])) for entry in below):
        files = [file for of_class in classes.values() for file in of_class]
        message = say("Each folder is a class, each file in it a text: {classes}.", classes=tuple(classes))
        return _source(
            root, dataset, files, ("text", "label"), note("class-folders", message, Where(file=dataset.path))
        )
    alone = _texts(root)
    if len(alone) < 2 or below or any(split_of(file, root) for file in alone):
        return None
    message = say("Each of the {count} files is a text.", count=len(alone))
    return _source(root, dataset, alone, ("text",), note("text-files", message, Where(file=dataset.path)))


def _split_root(path: Path, dataset: Dataset) -> Path:
    """The folder of the wanted split (``train/pos/0.txt``), or ``path`` where there are no splits."""
    splits = {split_of(entry, path): entry for entry in _entries(path) if entry.is_dir()}
    wanted = dataset.split if dataset.split in splits else "train"
    return splits.get(wanted, path) if wanted else path


def _entries(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if not entry.name.startswith((".", "_")))
    except OSError:
        return []


def _texts(path: Path) -> list[Path]:
    files = [entry for entry in _entries(path) if entry.is_file() and entry.suffix.casefold() in _TEXTS]
    return [file for file in files if file.stem.casefold() not in _ABOUT]


def _holds_only(path: Path, texts: set[Path]) -> bool:
    return all(entry in texts or not (entry.is_dir() or is_data(entry)) for entry in _entries(path))


def _source(root: Path, dataset: Dataset, files: list[Path], columns: tuple[str, ...], told: Problem) -> Source:
    base = dataset.path.rstrip("/")
    parts = {
        name: Source(file, name, "texts")
        for file in files
        for name in [f"{base}/{file.relative_to(Path(dataset.path)).as_posix()}" if file.is_relative_to(dataset.path)
                     else str(file)]
    }  # fmt: skip
    size = sum(file.stat().st_size for file in files)
    return Source(root, dataset.path, "texts", header=True, columns=columns, size=size, parts=parts, notes=(told,))


def records(source: Source, report: Report) -> Iterator[Row]:
    """A text for each file; ``line`` counts files from 1."""
    for number, part in enumerate(source.parts.values(), 1):
        try:
            with part.path.open("rb") as stream:
                encoding = detect_encoding(stream, "auto").name
            with part.path.open(encoding=encoding, errors="replace") as file:
                text = file.read(_LARGEST).removeprefix("\ufeff").strip()
        except OSError as reason:
            message = say("It cannot be read: {reason}.", reason=reason.strerror)
            report(warning("unreadable-file", message, Where(file=part.name)))
            continue
        label = {"label": part.path.parent.name} if "label" in source.columns else {}
        yield Row(number, {"text": text} | label)
