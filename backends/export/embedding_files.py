"""The texts of a file as vectors in another file, with the embedding model of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunewiz.backends.models.run_models import searching, tuned_encoder
from tunewiz.backends.runs.run import Run
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.validation import suggestion
from tunewiz.problems import BadData, BadPreset, error, say

if TYPE_CHECKING:
    from tunewiz.backends.models.encoding import Vectors


SUFFIXES: Final = (".npy", ".parquet")
#: Columns that hold the text, when none is named, best first.
_USUAL: Final = ("text", "document", "passage", "content", "positive", "文本", "内容", "答案")


def embed(run: Run, file: Path, column: str, out: Path, as_queries: bool) -> tuple[int, int]:
    """Write a unit vector for each text of ``file``, in their order; how many there are and of what dimension.

    ``file`` is a ``.txt`` with one text a line (empty lines are left out) or a table with ``column``. ``.npy`` holds an
    fp32 array (texts, dimension), ``.parquet`` the columns ``text`` and ``vector``. Raises ``TunewizError``.
    """
    check_suffix(out)
    preset = load(str(run.preset_file))
    part = searching(run, preset)
    if part is None:
        message = say("A run of the task {task} gives no vectors.", task=preset.task)
        raise BadPreset(error("no-vectors", message, fix=say("Name a run of the task embedding or pipeline.")))
    found = texts(file, column)
    vectors = _encoded(*part, found, as_queries)
    _write(out, found, vectors)
    return vectors.shape[0], vectors.shape[1]


def check_suffix(out: Path) -> None:
    """Raise :class:`BadPreset` unless ``out`` is of a kind that can be written."""
    if out.suffix not in SUFFIXES:
        message = say("{path} must end in .npy or .parquet.", path=out.name)
        raise BadPreset(error("bad-suffix", message, fix=say("For example: --out vectors.parquet")))


def texts(file: Path, column: str) -> list[str]:
    """The texts in ``file``. Raises :class:`BadData`."""
    if file.suffix == ".txt" and file.is_file():
        found = [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    else:
        source = discover(Dataset(str(file)))
        rows = list(read(source, lambda _problem: None))
        names = list(rows[0].values) if rows else []
        wanted = column or next((name for name in _USUAL if name in names), names[0] if len(names) == 1 else "")
        if wanted not in names:
            message = say("{file} has no column {column}.", file=file.name, column=wanted or "text")
            fix = suggestion(wanted, names) or say("Name one with --column: {names}.", names=tuple(names))
            raise BadData(error("unknown-column", message, source.at(), fix))
        found = [str(row.values.get(wanted) or "") for row in rows]
    if not found:
        raise BadData(error("no-texts", say("{file} holds no text.", file=file.name)))
    return found


def _encoded(run: Run, preset: EmbeddingPreset, found: list[str], as_queries: bool) -> Vectors:
    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.backends.models.loading import device_of

    encoder = SearchEncoder(tuned_encoder(run, preset, device_of(preset.launch)), EncodeOptions())
    return encoder.queries(found) if as_queries else encoder.passages(found)


def _write(out: Path, found: list[str], vectors: Any) -> None:
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".npy":
            import numpy as np

            with part.open("wb") as stream:
                np.save(stream, vectors)
        else:
            import pyarrow
            import pyarrow.parquet

            column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.ravel()), vectors.shape[1])
            pyarrow.parquet.write_table(pyarrow.table({"text": found, "vector": column}), part)
        part.replace(out)
    except OSError as fault:
        message = say("{path} cannot be written: {reason}.", path=out, reason=fault.strerror or str(fault))
        raise BadPreset(error("out-not-writable", message)) from fault
    finally:
        part.unlink(missing_ok=True)
