"""Presets on disk: those that ship, those the user saved, and any file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tunewiz import paths
from tunewiz.files import ABANDONED, sweep, write_whole
from tunewiz.presets import tasks
from tunewiz.presets.preset import NAME, Preset
from tunewiz.presets.yaml import fields, syntax, validation
from tunewiz.presets.yaml.opening import ParsedPreset, parse_preset
from tunewiz.presets.yaml.tree import LARGEST
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset, Problem, Where, error, say

__all__ = ["Entry", "dumps", "find", "listing", "load", "loads", "names", "open_preset", "save", "saved_in"]

_SHIPPED: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Entry:
    """A preset that can be loaded by name."""

    name: str
    path: Path
    origin: Literal["shipped", "saved"]


def saved_in() -> Path:
    """The folder of the user's own presets (``$XDG_CONFIG_HOME/tunewiz/presets``)."""
    return paths.config() / "presets"


def listing() -> list[Entry]:
    """Every preset that has a name: shipped ones as ``task/name``, then saved ones by their file name."""
    shipped = [path for task in tasks.catalogue() for path in sorted((_SHIPPED / task).glob("*.yaml"), key=_rank)]
    found = [Entry(f"{path.parent.name}/{path.stem}", path, "shipped") for path in shipped]
    return found + [Entry(path.stem, path, "saved") for path in sorted(saved_in().glob("*.yaml"))]


def _rank(path: Path) -> tuple[bool, str]:
    """Those to begin with come first."""
    return (not path.stem.startswith("starter"), path.stem)


def names() -> list[str]:
    """The names that :func:`load` takes."""
    return [entry.name for entry in listing()]


def find(path_or_name: str | Path) -> Path:
    """The file of a preset: a path, else a name (``embedding/starter``, or ``starter`` where one is so called).

    Raises :class:`BadPreset`.
    """
    wanted = str(path_or_name)
    path = _path(wanted)
    if path and path.is_file():
        if _is_data(path):
            message = say("This is data, not a preset.")
            fix = say("Look at it: tunewiz data {file}. Train on it: tunewiz run embedding/starter --data {file} (or "
                      "another preset: `tunewiz presets`).", file=wanted)  # fmt: skip
            raise BadPreset(error("data-for-preset", message, Where(file=wanted), fix))
        return path
    entries = listing()
    whole = [entry for entry in entries if entry.name == wanted.removesuffix(".yaml")]
    short = [entry for entry in entries if entry.name.rpartition("/")[2] == wanted.removesuffix(".yaml")]
    if whole or len(short) == 1:
        return (whole or short)[0].path
    if short:
        message = say("Several presets are called so: {names}.", names=tuple(entry.name for entry in short))
        raise BadPreset(error("ambiguous-preset", message, Where(file=wanted), say("Give the whole name.")))
    raise BadPreset(_not_found(wanted, path is not None and path.is_dir(), [entry.name for entry in entries]))


#: Endings of files that hold rows. A preset may be JSON, and then has its keys.
_ROWS: Final = (
    ".csv",
    ".tsv",
    ".txt",
    ".md",
    ".jsonl",
    ".ndjson",
    ".parquet",
    ".xlsx",
    ".xls",
    ".html",
    ".arrow",
    ".gz",
)
_LOOK: Final = 1 << 16  # bytes of a JSON file in which a preset has told its task


def _is_data(path: Path) -> bool:
    if path.name.casefold().endswith(_ROWS):
        return True
    if path.suffix.casefold() != ".json":
        return False
    try:
        with path.open("rb") as stream:
            return b'"task"' not in stream.read(_LOOK)
    except OSError:
        return False  # told where it is read


def _path(text: str) -> Path | None:
    """``text`` as a path that may be asked for; ``None`` if no path can look like that."""
    try:
        path = Path(text).expanduser()
        path.exists()
    except (OSError, ValueError, RuntimeError):  # too long, NUL, no such user
        return None
    return path


def _not_found(wanted: str, folder: bool, known: list[str]) -> Problem:
    where = Where(file=wanted)
    if folder:
        return error("no-preset", say("This is a folder, not a preset."), where, say("Name a .yaml file in it."))
    first = f"{wanted.rstrip('/')}/starter"  # of a task
    near = first if first in known else ""
    near = near or validation.did_you_mean(wanted, [*known, *(name.rpartition("/")[2] for name in known)])
    listed = say("`tunewiz presets` lists those that ship.")
    fix = say("Did you mean {near}? {listed}", near=near, listed=listed) if near else listed
    return error("no-preset", say("There is no such file, and no preset of this name."), where, fix)


def load(path_or_name: str | Path, overrides: Iterable[str] = ()) -> Preset:
    """The preset of a file or name with ``overrides`` (``KEY=VALUE``) applied and its paths made absolute.

    Raises :class:`BadPreset` with everything that is wrong.

    >>> preset = load("embedding/starter", ["training.epochs=2"])
    >>> preset.task, preset.training.epochs
    ('embedding', 2.0)
    """
    return open_preset(path_or_name, overrides).preset


def open_preset(path_or_name: str | Path, overrides: Iterable[str] = ()) -> ParsedPreset:
    """As :func:`load`; the result also knows the line of each key."""
    path = find(path_or_name)
    return parse_preset(_text(path), str(path), overrides, path.absolute().parent)


def loads(text: str, file: str = "", overrides: Iterable[str] = ()) -> Preset:
    """The preset in ``text``; ``file`` names it in problems. Paths stay as written. Raises :class:`BadPreset`."""
    return parse_preset(text, file, overrides).preset


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as fault:
        rule = say("The file cannot be read: {reason}.", reason=fault.strerror or type(fault).__name__)
        raise BadPreset(error("preset-unreadable", rule, Where(file=str(path)))) from fault
    if len(content) > LARGEST:
        raise BadPreset(syntax.too_large(str(path), LARGEST))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise BadPreset(syntax.not_text(str(path), fault.start)) from fault


def save(preset: Preset, path_or_name: str | Path, overwrite: bool = False) -> Path:
    """Write ``preset``, explained, to a path (ends in .yaml, or has a slash) or by name into :func:`saved_in`.

    Returns the file. Raises :class:`BadPreset` when it exists and ``overwrite`` is not said, when the name is no
    file name, or when it cannot be written.
    """
    wanted = str(path_or_name)
    is_path = "/" in wanted or wanted.endswith((".yaml", ".yml"))
    path = _path(wanted) if is_path else saved_in() / f"{wanted}.yaml"
    if path is None or "\0" in wanted:
        raise BadPreset(error("bad-name", say("No file can have this path."), Where(file=wanted)))
    where = Where(file=str(path))
    if not is_path and not NAME.fullmatch(wanted):
        rule = Preset.model_fields["name"]
        raise BadPreset(error("bad-name", say("Expected {rule}.", rule=fields.rule(rule)), Where(file=wanted)))
    if path.exists() and not overwrite:
        fix = say("Choose another name, or say that it may be replaced.")
        raise BadPreset(error("file-exists", say("The file is there already."), where, fix))
    for folder in (saved_in(), saved_in().parent):
        sweep(folder, ABANDONED)
    try:
        write_whole(path, dumps(preset))
    except OSError as fault:
        rule_ = say("The file cannot be written: {reason}.", reason=fault.strerror or type(fault).__name__)
        raise BadPreset(error("preset-unwritable", rule_, where)) from fault
    return path
