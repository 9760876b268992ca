"""Folders that programs save: ``save_to_disk`` of 🤗 datasets (Arrow files), and LLaMA-Factory's dataset_info.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tunewiz.data.folders.splits import Discover, joined
from tunewiz.data.reading.parquet import class_names, named
from tunewiz.data.reading.source import Dataset, Row, Source
from tunewiz.problems import BadData, Report, Where, error, note, say

INFO: Final = "dataset_info.json"
STATE: Final = "state.json"
SPLITS: Final = "dataset_dict.json"


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def saved_folder(path: Path, dataset: Dataset) -> Source | None:
    """What ``save_to_disk`` wrote, of a dataset or of several splits; None where it did not."""
    splits = _json(path / SPLITS).get("splits")
    if isinstance(splits, list) and splits:
        names = [str(name) for name in splits if (path / str(name)).is_dir()]
        wanted = dataset.split if dataset.split in names else "train" if "train" in names else (names or [""])[0]
        found = _arrow(path / wanted, replace(dataset, path=f"{dataset.path.rstrip('/')}/{wanted}"))
        others = [name for name in names if name != wanted]
        if found is None or not others:
            return found
        message = say("Other splits that are there: {splits}.", splits=tuple(others))
        place = f"{dataset.path.rstrip('/')}/{others[0]}"
        fix = say("To measure on: data.evaluation.data: {path}", path=place)
        told = note("other-splits", message, Where(file=dataset.path), fix)
        return found.altered(notes=(*found.notes, told), splits=tuple(names))
    return _arrow(path, dataset)


def _arrow(path: Path, dataset: Dataset) -> Source | None:
    listed = _json(path / STATE).get("_data_files")
    if not isinstance(listed, list):
        return None
    names = [str(one.get("filename")) for one in listed if isinstance(one, Mapping)]
    files = [path / name for name in names if (path / name).is_file()]
    if not files:
        return None
    parts = [_arrow_source(file, f"{dataset.path.rstrip('/')}/{file.name}") for file in files]
    message = say("The folder was written by save_to_disk of 🤗 datasets; its Arrow files are read.")
    told = note("file-chosen", message, Where(file=dataset.path))
    whole = parts[0] if len(parts) == 1 else joined(parts, dataset)
    return whole.altered(notes=(told,))


def _arrow_source(file: Path, name: str) -> Source:
    source = Source(file, name, "arrow", size=file.stat().st_size, header=True)
    with file.open("rb") as stream:
        return source.altered(columns=tuple(map(str, _opened(stream, source).schema.names)))


def _opened(stream: Any, source: Source) -> Any:
    """An Arrow stream, as 🤗 datasets writes it, or an Arrow file."""
    import pyarrow

    try:
        return pyarrow.ipc.open_stream(stream)
    except (pyarrow.ArrowException, OSError, ValueError) as reason:
        message = say("The file is named or marked as Arrow but cannot be opened as such: {reason}.", reason=reason)
        raise BadData(error("damaged-file", message, source.at(), say("Copy or download it again."))) from None


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of an Arrow stream; ``line`` is the number of the row from 1."""
    import pyarrow

    number = 0
    with source.path.open("rb") as stream:
        opened = _opened(stream, source)
        names = class_names(opened.schema.metadata)
        try:
            for batch in opened:
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, named(values, names))
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as reason:
            message = say("The file is damaged and could be read only up to here: {reason}.", reason=reason)
            report(error("damaged-file", message, source.at(number + 1), say("Copy or download it again.")))


#: LLaMA-Factory's names for columns, and our roles for them, by its formatting.
_ALPACA: Final = {"prompt": "instruction", "query": "input", "response": "output", "system": "system",
                  "history": "history", "tools": "tools"}  # fmt: skip
_RANKED: Final = {"prompt": "prompt", "query": "input", "chosen": "chosen", "rejected": "rejected", "system": "system"}
_SHAREGPT: Final = {"messages": "conversations", "system": "system", "tools": "tools", "chosen": "chosen",
                    "rejected": "rejected", "kto_tag": "desirable"}  # fmt: skip


def listed_folder(path: Path, dataset: Dataset, discover: Discover) -> Source | None:
    """The file that LLaMA-Factory's ``dataset_info.json`` lists, with its columns; None where there is no such list.

    ``dataset.split`` names one of several. Raises :class:`BadData` (``which-file``) where it does not.
    """
    entries = {
        name: entry
        for name, entry in _json(path / INFO).items()
        if isinstance(entry, Mapping) and (path / str(entry.get("file_name", ""))).is_file()
    }
    if not entries:
        return None
    name = dataset.split if dataset.split in entries else next(iter(entries))
    if len(entries) > 1 and name != dataset.split:
        shown = ", ".join(f"{one} ({entry['file_name']})" for one, entry in entries.items())
        message = say("The folder does not say which data is meant: {files}.", files=shown)
        fix = say("Name a file, or one of the names: data.split.")
        raise BadData(error("which-file", message, Where(file=dataset.path), fix))
    entry = entries[name]
    columns = dict(dataset.columns) or _columns(entry)
    place = f"{dataset.path.rstrip('/')}/{entry['file_name']}"
    source = discover(replace(dataset, path=place, columns=columns))
    message = say("{name} of LLaMA-Factory's dataset_info.json is read: {file}.", name=name, file=entry["file_name"])
    tags = entry.get("tags")
    tags = tags if isinstance(tags, Mapping) else {}
    speakers, keys = _speakers(tags), _keys(tags)
    told = note("file-chosen", message, Where(file=dataset.path))
    others = [one for one in entries if one != name]
    if others:
        more = say("Other datasets that it lists: {names}.", names=tuple(others[:10]))
        told = replace(told, fix=more)
    return source.altered(notes=(*source.notes, told), speakers={**speakers, **source.speakers}, keys=keys)


def _columns(entry: Mapping[str, Any]) -> dict[str, str]:
    given = entry.get("columns")
    if not isinstance(given, Mapping):
        return {}
    if set(given) == {"prompt"}:  # what is pre-trained on
        return {"text": str(given["prompt"])}
    roles = _RANKED if entry.get("ranking") else _ALPACA
    if entry.get("formatting") == "sharegpt":
        roles = _SHAREGPT
    elif "kto_tag" in given:
        roles = {"prompt": "prompt", "query": "input", "response": "completion", "kto_tag": "desirable"}
    return {roles[role]: str(column) for role, column in given.items() if role in roles and column}


def _keys(tags: Mapping[str, Any]) -> dict[str, str]:
    """The fields of turns that go by other names than LLaMA-Factory's own (from and value)."""
    usual = {"role_tag": "from", "content_tag": "value"}
    return {str(tags[tag]): name for tag, name in usual.items() if tags.get(tag) and tags[tag] != name}


def _speakers(tags: Mapping[str, Any]) -> dict[str, str]:
    parts = {"user_tag": "user", "assistant_tag": "assistant", "observation_tag": "tool", "function_tag": "call",
             "system_tag": "system"}  # fmt: skip
    return {str(tags[tag]): part for tag, part in parts.items() if tags.get(tag)}
