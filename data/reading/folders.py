"""Folders: test collections in BEIR's layout (corpus, queries, qrels), or a folder with data files in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from tunewiz.data.exports.saved_chats import CHATS
from tunewiz.data.folders.class_folders import text_folder
from tunewiz.data.folders.hub_cards import card_folder
from tunewiz.data.folders.saved import listed_folder, saved_folder
from tunewiz.data.folders.splits import joined, split_folder
from tunewiz.data.reading.columns import guesses
from tunewiz.data.reading.source import Dataset, Source
from tunewiz.problems import BadData, Message, Problem, Where, error, note, say, warning

_SUFFIXES: Final = frozenset({".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx"})
_PACKED: Final = frozenset({".gz", ".bz2", ".xz"})
#: Endings of TREC's judgments.
_JUDGED: Final = frozenset({".qrel", ".qrels", ".trec"})
_CORPUS: Final = ("corpus", "collection", "documents", "docs", "passages")
_QUERIES: Final = ("queries", "query", "questions", "topics")
_QRELS: Final = ("qrels", "qrel", "judgments", "relevance")


def folder_source(path: Path, dataset: Dataset, discover: Callable[[Dataset], Source]) -> Source:
    """What a folder is. Raises :class:`BadData` with what was found when it is neither a collection nor one file."""
    if dataset.subset:
        named = card_folder(path, dataset, discover)
        if named is not None:
            return _as_told(named, dataset)
    files = _data_files(path, dataset)
    corpus, queries, qrels = _named(files, _CORPUS), _named(files, _QUERIES), _qrels(path, files)
    if not files and (shards := _part_folders(path)):
        corpus, queries = shards
        qrels = qrels or _judged(path)
    by_split = {} if queries else _by_split(files, _QUERIES)
    if corpus and (queries or by_split) and qrels:
        first, *more = [queries] if queries else by_split.values()
        whole = collection_source(
            _texts(_part(dataset, path, corpus), discover),
            _texts(_part(dataset, path, first), discover),
            {split: discover(_part(dataset, path, file)) for split, file in qrels.items()},
            dataset,
        )
        others = {f"queries/{file.name}": _texts(_part(dataset, path, file), discover) for file in more}
        return whole.altered(parts={**whole.parts, **others})
    if corpus or queries or qrels:
        raise BadData(_incomplete(dataset, corpus, queries or next(iter(by_split.values()), None), qrels))
    return _known_folder(path, dataset, discover) or _one_file(path, files, dataset, discover)


def _part_folders(path: Path) -> tuple[Path, Path] | None:
    """The folders of a corpus and of queries, as hubs keep collections in shards; None where one is missing."""
    below = {folder.name.casefold(): folder for folder in _below(path)}
    corpus, queries = (next((below[name] for name in names if name in below), None) for names in (_CORPUS, _QUERIES))
    return (corpus, queries) if corpus and queries else None


#: What hubs call the folder of a collection's judgments, when not by one of the usual names.
_DEFAULT: Final = ("default", "data")


def _judged(path: Path) -> dict[str, Path]:
    inside = next((folder for folder in _below(path) if folder.name.casefold() in _DEFAULT), None)
    return {_split(file): file for file in sorted(_files(inside))} if inside else {}


#: What stands behind a shard's name on the hubs.
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}$")


def _split(file: Path) -> str:
    return _SHARD.sub("", _stem(file))


def _known_folder(path: Path, dataset: Dataset, discover: Callable[[Dataset], Source]) -> Source | None:
    """A folder that a program saved, of splits, of shards, or of text files; None where it is none of these."""
    found = (
        saved_folder(path, dataset)
        or card_folder(path, dataset, discover)
        or listed_folder(path, dataset, discover)
        or _chats(text_folder(path, dataset), dataset, discover)
    )
    found = found or (None if _holds_collection(path) else split_folder(path, dataset, discover))
    return None if found is None else _as_told(found, dataset)


_LOOKED: Final = 3  # files of a folder by which it is known as one of chats


def _chats(found: Source | None, dataset: Dataset, discover: Callable[[Dataset], Source]) -> Source | None:
    """A folder of text files, those of saved chats as such, one after another."""
    if found is None or found.columns != ("text",) or dataset.format not in CHATS:
        return found
    names = list(found.parts)
    if any(discover(replace(dataset, path=name)).container != "chat" for name in names[:_LOOKED]):
        return found
    parts = [discover(replace(dataset, path=name, limit=None)) for name in names]
    chats = [part for part in parts if part.container == "chat"]
    whole = joined(chats, dataset)
    if len(chats) == len(parts):
        return whole
    left = tuple(part.name for part in parts if part.container != "chat")
    message = say("Files that are no saved chats like the others are left out: {files}.", files=left)
    return whole.altered(notes=(*whole.notes, warning("no-chat", message, Where(file=dataset.path))))


def _as_told(found: Source, dataset: Dataset) -> Source:
    """A source with what the user says of the whole folder."""
    given = dict(dataset.columns) or found.mapping
    return found.altered(mapping=given, format=dataset.format, split=dataset.split, limit=dataset.limit)


def _holds_collection(path: Path) -> bool:
    return any(_named(_files(folder), _CORPUS) is not None for folder in _below(path))


def collection_source(corpus: Source, queries: Source, qrels: Mapping[str, Source], dataset: Dataset) -> Source:
    """The parts of a test collection as one source; ``qrels`` by split."""
    parts = {"corpus": corpus, "queries": queries, **{f"qrels/{split}": part for split, part in qrels.items()}}
    unlike = [corpus, queries]
    return Source(
        path=Path(dataset.path),
        name=dataset.path,
        container="beir",
        encoding=corpus.encoding,
        encoding_basis=corpus.encoding_basis,
        confidence=corpus.confidence,
        size=sum(part.size for part in parts.values()),
        mapping=dict(dataset.columns),
        labels=dict(dataset.labels),
        format=dataset.format,
        split=dataset.split,
        limit=dataset.limit,
        splits=tuple(qrels),
        parts=parts,
        notes=tuple(problem for part in unlike for problem in part.notes if problem.code.startswith("encoding")),
    )


def _part(dataset: Dataset, path: Path, file: Path) -> Dataset:
    """The file as a dataset of its own; what the user said about columns concerns the whole."""
    named = f"{dataset.path.rstrip('/')}/{file.relative_to(path).as_posix()}"
    return replace(dataset, path=named, format="auto", columns={}, limit=None, delimiter="auto", header="auto")


def _texts(part: Dataset, discover: Callable[[Dataset], Source]) -> Source:
    """A corpus or queries file. A first line without a name that is known is a text: few lines show no more of it."""
    found = discover(part)
    if (
        found.header
        and found.container in ("csv", "tsv")
        and not any(guesses(role, found.columns) for role in ("id", "text"))
    ):
        return discover(replace(part, header="no"))
    return found


def _data_files(path: Path, dataset: Dataset) -> list[Path]:
    try:
        entries = sorted(path.iterdir())
    except OSError as reason:
        message = say("It cannot be read: {reason}.", reason=reason.strerror)
        raise BadData(error("unreadable-file", message, Where(file=dataset.path))) from None
    return [entry for entry in entries if entry.is_file() and _suffix(entry) in _SUFFIXES]


def _suffix(file: Path) -> str:
    suffixes = [suffix.casefold() for suffix in file.suffixes]
    while suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _stem(file: Path) -> str:
    return file.name[: -len("".join(_tail(file)))] if _tail(file) else file.name


def _tail(file: Path) -> list[str]:
    suffixes = list(file.suffixes)
    keep = 1 + sum(suffix.casefold() in _PACKED for suffix in suffixes[-1:])
    return suffixes[-keep:]


def _named(files: list[Path], names: tuple[str, ...]) -> Path | None:
    stems = {_stem(file).casefold(): file for file in reversed(files)}
    return next((stems[name] for name in names if name in stems), None)


def _qrels(path: Path, files: list[Path]) -> dict[str, Path]:
    """Judgments by split: ``qrels/<split>.tsv``, and ``qrels.tsv`` as "all"."""
    found: dict[str, Path] = {}
    for name in _QRELS:
        folder = path / name
        if folder.is_dir():
            inside = [file for file in sorted(folder.iterdir()) if file.is_file()]
            found.update({_split(file): file for file in inside if _suffix(file) in _SUFFIXES | _JUDGED})
    whole = _named(files, _QRELS)
    if whole:
        found.setdefault("all", whole)
    if not found:
        judged = [file for file in sorted(path.iterdir()) if file.is_file() and _suffix(file) in _JUDGED]
        found = _by_split(files, _QRELS) | {_split_of(file, _QRELS) or "all": file for file in judged}
    return found


def _by_split(files: list[Path], names: tuple[str, ...]) -> dict[str, Path]:
    """Files of a part for each split, as MS MARCO and T2Ranking name them: ``queries.train.tsv`` is that of train."""
    return {_split_of(file, names): file for file in files if set(_words(file)) & set(names)}


def _split_of(file: Path, names: tuple[str, ...]) -> str:
    """The rest of a file's name without the word for its part: ``dev.small`` of ``qrels.dev.small.tsv``."""
    return ".".join(word for word in _words(file) if word not in names)


def _words(file: Path) -> list[str]:
    return [word for word in re.split(r"[._\-\s]+", _stem(file).casefold()) if word]


def _incomplete(dataset: Dataset, corpus: Path | None, queries: Path | None, qrels: Mapping[str, Path]) -> Problem:
    missing = [name for name, part in (("corpus", corpus), ("queries", queries), ("qrels", qrels)) if not part]
    message = say("The folder looks like a test collection, but {parts} is missing.", parts=tuple(missing))
    fix = say("BEIR's layout is corpus.jsonl, queries.jsonl and qrels/<split>.tsv.")
    return error("incomplete-collection", message, Where(file=dataset.path), fix)


def _one_file(path: Path, files: list[Path], dataset: Dataset, discover: Callable[[Dataset], Source]) -> Source:
    of_split = [file for file in files if _stem(file).casefold() == dataset.split.casefold()]
    chosen = of_split if len(of_split) == 1 else files
    if len(chosen) != 1 or (not of_split and _below(path)):
        raise BadData(_which(path, files, dataset))
    source = discover(replace(dataset, path=f"{dataset.path.rstrip('/')}/{chosen[0].name}"))
    message = say("The folder's file {file} is read.", file=chosen[0].name)
    return source.altered(notes=(*source.notes, note("file-chosen", message, Where(file=dataset.path))))


def _which(path: Path, files: list[Path], dataset: Dataset) -> Problem:
    where = Where(file=dataset.path)
    below = _below(path)
    fix: Message = say("Give csv, tsv, json, jsonl, parquet, xlsx, or a folder with corpus, queries and qrels.")
    collection = bool(below) and _named(_files(below[0]), _CORPUS) is not None
    if below and (collection or not files):
        fix = say("Did you mean {name}?", name=f"{dataset.path.rstrip('/')}/{below[0].name}")
    if not files:
        return error("no-data-file", say("The folder holds no data file."), where, fix)
    message = say("The folder does not say which data is meant: {files}.", files=_listed([*below, *files]))
    several = say(
        "Name one, or several: --data FILE --data FILE, in a preset data.train: [FILE, FILE]. data.split takes a "
        "file's name."
    )
    return error("which-file", message, where, fix if collection else several)


def _listed(paths: list[Path]) -> str:
    shown = ", ".join(path.name + ("/" if path.is_dir() else "") for path in paths[:10])
    return shown + (" …" if len(paths) > 10 else "")


def _below(path: Path) -> list[Path]:
    """Folders in the folder that hold data, collections first."""
    found = [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    holding = [(entry, names) for entry in found if (names := _files(entry))]
    return [entry for entry, names in sorted(holding, key=lambda item: _named(item[1], _CORPUS) is None)]


def _files(folder: Path) -> list[Path]:
    """Data files directly in a folder; none where it cannot be read."""
    try:
        return [entry for entry in folder.iterdir() if entry.is_file() and _suffix(entry) in _SUFFIXES]
    except OSError:
        return []
