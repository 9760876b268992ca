"""A run as one zip to hand in: preset, data, logs, report, pictures, script and notebook, and how to repeat it.

Places of this machine and secrets are taken out of everything but the data itself.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.export.training_targets import program
from tunewiz.backends.reports.facts import model_name, name_of
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_json, write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset, Message, TunewizError, error, say
from tunewiz.redaction import redacted

#: The data splits, wherever a run keeps them.
_SPLITS: Final = ("train.jsonl", "validation.jsonl", "evaluation.jsonl", "corpus.jsonl", "queries.jsonl", "qrels.tsv",
                  "counts.json")  # fmt: skip
_LOGS: Final = ("output.log", "events.jsonl", "run.json", "llama_factory.yaml")
#: Endings of files that hold text of ours, in which places of the machine are looked for.
_TEXTS: Final = frozenset((".md", ".html", ".json", ".jsonl", ".yaml", ".log", ".py", ".ipynb", ".svg"))
#: Of all our texts these alone hold lists of files of this machine; elsewhere a path may be somebody's question.
_LISTS: Final = frozenset(
    ("counts.json", "output.log", "events.jsonl", "run.json", "preset.yaml", "llama_factory.yaml")
)
_ABSOLUTE: Final = re.compile(r"(?<![\w.:/~-])/(?:[\w.+@%=-]+/)+([\w.+@%=-]+)")


class Places:
    """Takes the places of this machine out of texts."""

    def __init__(self, run: Run, preset: Preset) -> None:
        record = read_json(run.record_file)
        model: Any = record.get("model", {}) if isinstance(record, dict) else {}
        names = {str(run.directory): run.name, str(run.directory.parent): "runs"}
        for place in (model.get("path"), model.get("place"), getattr(getattr(preset, "model", None), "id", None)):
            if place and Path(str(place)).is_absolute():
                names[str(place)] = model_name(str(preset.model.id)) or Path(str(place)).name
        data = getattr(preset, "data", None)
        for dataset in getattr(data, "datasets", ()):
            names[str(dataset.path)] = name_of(str(dataset.path))
        names |= {sys.prefix: "python", tempfile.gettempdir(): "tmp", str(Path.cwd()): ".", str(Path.home()): "~"}
        # The longest first: a folder before what it lies in. A root is no place that tells anything.
        self._names = sorted(
            ((place, name) for place, name in names.items() if place.startswith("/") and len(place) > 1),
            key=lambda pair: -len(pair[0]),
        )

    def without(self, text: str, lists: bool) -> str:
        """``text`` without them, and without secrets; of ``lists`` every absolute path keeps its last part alone."""
        for place, name in self._names:
            text = name.join(re.split(re.escape(place) + r"(?![\w-])", text))
        return redacted(_ABSOLUTE.sub(r"…/\1", text) if lists else text)


@dataclass
class _Bundle:
    """The folder that becomes the zip, and what could not be put into it."""

    run: Run
    preset: Preset
    folder: Path
    missing: list[Message] = field(default_factory=list)

    def copy(self, source: Path, name: str) -> bool:
        """Copy a file to ``name``; whether it is there."""
        if not source.is_file():
            return False
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return True


def write(run: Run, pictures: Path, lacking: Mapping[str, str], out: Path) -> list[Message]:
    """Write the zip ``out`` with the files in ``pictures``; what is missing in it and why.

    ``lacking`` says which pictures could not be drawn and why. Raises :class:`BadPreset` where the run has no report,
    or ``out`` is there already.
    """
    check(run, out)
    preset = load(str(run.preset_file))
    with tempfile.TemporaryDirectory(prefix="tunewiz-bundle-") as place:
        made = _Bundle(run, preset, Path(place) / run.name)
        made.folder.mkdir()
        for fill in (_preset, _data, _logs, _report, _pictures(pictures, lacking), _programs, _card):
            fill(made)
        private = Places(run, preset)
        for file in sorted(made.folder.rglob("*")):
            _redact(file, made.folder, private)
        write_whole(made.folder / "README.md", private.without(_readme(made), lists=False))
        _zipped(made.folder, out)
    return made.missing


def check(run: Run, out: Path) -> None:
    """Raise :class:`BadPreset` where there is nothing to hand in, or ``out`` is there already."""
    if not (run.report / "report.md").is_file():
        message = say("The run {name} has no report yet: there is nothing to hand in.", name=run.name)
        raise BadPreset(error("no-report", message, fix=say("Let it finish; `tunewiz runs` shows how far it is.")))
    if out.exists():
        raise BadPreset(error("out-exists", say("{path} is there already.", path=out), fix=say("Name another file.")))


def _preset(made: _Bundle) -> None:
    made.copy(made.run.preset_file, "preset.yaml")


def _data(made: _Bundle) -> None:
    runs = {"": made.run}
    if isinstance(made.preset, PipelinePreset):
        runs = {"embedding/": Run(made.run.directory / "embedding"), "reranker/": made.run}
    found = [made.copy(run.data / name, f"data/{part}{name}") for part, run in runs.items() for name in _SPLITS]
    if not any(found):
        made.missing.append(say("data: the run keeps no prepared data of its own."))


def _logs(made: _Bundle) -> None:
    for name in _LOGS:
        if not made.copy(made.run.directory / name, f"logs/{name}") and name == "output.log":
            made.missing.append(say("logs/output.log: the run wrote none."))


def _report(made: _Bundle) -> None:
    for file in sorted(made.run.report.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            made.copy(file, f"report/{file.relative_to(made.run.report).as_posix()}")


def _pictures(folder: Path, lacking: Mapping[str, str]) -> Callable[[_Bundle], None]:
    def fill(made: _Bundle) -> None:
        private = Places(made.run, made.preset)
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            drawn = file.with_suffix(".svg")
            told = drawn.read_text(encoding="utf-8", errors="replace") if drawn.is_file() else ""
            # Letters can be taken out of an SVG, not out of a raster.
            if file.suffix == ".png" and private.without(told, lists=False) != told:
                shows = say("it would show places of this machine; the SVG beside it does not")
                made.missing.append(say("pictures/{name}: {why}", name=file.name, why=shows))
            else:
                made.copy(file, f"pictures/{file.name}")
        for name, why in lacking.items():
            made.missing.append(say("pictures/{name}: {why}", name=name, why=why))

    return fill


def _programs(made: _Bundle) -> None:
    folder = made.folder / "script"
    folder.mkdir()
    try:
        found = program(made.run, made.preset, folder)
        write_whole(folder / "train.py", found.script())
        write_whole(folder / "train.ipynb", found.notebook())
    except TunewizError as fault:
        shutil.rmtree(folder)
        made.missing.append(say("script/: {why}", why=fault.problems[0].message))


def _card(made: _Bundle) -> None:
    card = next((file for file in (made.run.model / "README.md", made.run.model / "adapter" / "README.md")
                 if file.is_file()), None)  # fmt: skip
    if card is None or not made.copy(card, "model-card.md"):
        made.missing.append(say("model-card.md: the run left no model with a card."))


def _redact(file: Path, folder: Path, private: Places) -> None:
    """Take places and secrets out of a file of ours; the data stays as it is."""
    inside = file.relative_to(folder).parts
    if not file.is_file() or file.suffix not in _TEXTS or ("data" in inside[:-1] and file.suffix != ".json"):
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    write_whole(file, private.without(text, file.name in _LISTS))


def _zipped(folder: Path, out: Path) -> None:
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as whole:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    whole.write(file, file.relative_to(folder.parent).as_posix())
        with zipfile.ZipFile(part) as whole:
            damaged = whole.testzip()
        if damaged:
            raise OSError(damaged)
        part.replace(out)
    except OSError as fault:
        message = say("{path} cannot be written: {reason}.", path=out, reason=fault.strerror or str(fault))
        raise BadPreset(error("out-not-writable", message)) from fault
    finally:
        part.unlink(missing_ok=True)


# What is said in README.md.


_PARTS: Final = (
    ("preset.yaml", N_("All settings of the run, each with what it means.")),
    ("data/", N_("The data as it was split: what was trained on, what training was watched by, what was measured on.")),
    ("script/", N_("The training as a program, train.py and train.ipynb, with its data; they need no Tunewiz.")),
    ("report/", N_("The report (report.html opens in a browser without a network), its numbers and its pictures.")),
    ("pictures/", N_("The screens: the choice of the model, of the method, the training, the result.")),
    ("logs/", N_("What happened, what the libraries said, versions and machine.")),
    ("model-card.md", N_("What the model is, what it was made of, how it is used.")),
)


def _readme(made: _Bundle) -> str:
    run, preset = made.run, made.preset
    metrics = MetricsFile.of(run.report)
    lines = [f"# {preset.name}", "", metrics.sentence or "", ""]
    if preset.description:
        lines += [preset.description, ""]
    here, lacking, again = N_("What is in here"), N_("What is not in here"), N_("How to repeat it")
    lines += [f"## {translate(here)}", ""]
    there = {file.relative_to(made.folder).parts[0] for file in made.folder.rglob("*") if file.is_file()}
    lines += [f"- `{name}`: {translate(told)}" for name, told in _PARTS if name.rstrip("/") in there]
    if made.missing:
        lines += ["", f"## {translate(lacking)}", ""]
        lines += [f"- {one.text()}" for one in made.missing]
    lines += ["", f"## {translate(again)}", "", *_repeating(made, "script" in there)]
    return "\n".join(lines).rstrip() + "\n"


def _repeating(made: _Bundle, has_script: bool) -> Iterator[str]:
    record = read_json(made.run.record_file)
    versions = record.get("versions", {}) if isinstance(record, dict) else {}
    needs = " ".join(f"{name}=={version}" for name, version in versions.items() if name != "tunewiz")
    model = getattr(getattr(made.preset, "model", None), "id", "")
    if has_script:
        yield translate(N_("Without Tunewiz, to the same numbers on the same kind of machine:"))
        yield from ("", "```", *([f"pip install {needs}"] if needs else []), "cd script", "python train.py", "```", "")
        told = say(
            "The untouched model is {model}; the environment variable MODEL names another place of it, for example a "
            "folder: {command}",
            model=model_name(model),
            command="MODEL=./folder python train.py",
        )
        yield from (told.text(), "")
    yield translate(N_("With Tunewiz: give it the original data again, then"))
    command = f"tunewiz run preset.yaml --data {shlex.quote(_data_name(made.preset))}"
    yield from ("", "```", command, "```")


def _data_name(preset: Preset) -> str:
    datasets = getattr(getattr(preset, "data", None), "datasets", ())
    return next((name_of(one.path) for one in datasets), "FILE")
