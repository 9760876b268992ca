"""What a finished run can be exported to, whole or not at all: a target is a form in which its model leaves Tunewiz.

Adding one means adding a subclass of :class:`Target` to a module of this room.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

from tunewiz.backends.export.container import ASK, write_container
from tunewiz.backends.export.serving import answers_of, lacking, servers, write_script
from tunewiz.backends.export.shorter import shortened
from tunewiz.backends.models.run_models import has_model, searching
from tunewiz.backends.negatives import words
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.run import Run
from tunewiz.backends.trying.corpus import Corpus, run_documents
from tunewiz.files import read_json, replacing, write_json, write_jsonl, write_whole
from tunewiz.language import N_
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.validation import suggestion
from tunewiz.printable import operand
from tunewiz.problems import BadPreset, Message, Where, error, say
from tunewiz.registry import Registry

#: The tasks whose models every form takes.
EVERY: Final = frozenset({"embedding", "reranker", "llm", "pipeline", "comparison"})
#: How an exported search searches, beside its program.
SETTINGS: Final = "search.json"


class Target(ABC):
    """Writes one form. Files are written into an empty folder, which becomes the user's once all of it is there."""

    name: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    #: What it is, in a few words.
    summary: ClassVar[str]
    #: Whether it is made from the whole model alone, whose place one with shorter vectors can take.
    shortens: ClassVar[bool] = False

    @abstractmethod
    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Write it into ``folder``; how it is used from there. Raises ``TunewizError``."""


def need_packages(packages: Mapping[str, str], extra: str, code: str) -> None:
    """Raise :class:`BadPreset` (``code``) unless ``packages`` (module to name) are here; ``extra`` brings them."""
    missing = [name for module, name in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        message = say("This form needs {packages}.", packages=tuple(missing))
        fix = say("Install them: {command}", command=f'pip install "tunewiz[{extra}]"')
        raise BadPreset(error(code, message, fix=fix))


def whole_model(run: Run) -> Path:
    """The folder of the whole tuned model. Raises :class:`BadPreset` (``no-whole-model``) where there is none."""
    if has_model(run.model):
        return run.model
    message = say("The run {name} has no whole model: it was stopped, or its adapter was not merged.", name=run.name)
    fix = say("Let it finish with export.merge: true, or export the adapter: --to adapter.")
    raise BadPreset(error("no-whole-model", message, fix=fix))


def copy_model(run: Run, folder: Path) -> None:
    """Copy the whole tuned model, without the adapter that may lie beside it."""
    shutil.copytree(whole_model(run), folder, ignore=shutil.ignore_patterns("adapter"), dirs_exist_ok=True)


def parts(run: Run, preset: Preset) -> dict[str, Run]:
    """The runs whose models ``run`` left, by the folder that each goes to: a pipeline has two, any other one ("")."""
    found = searching(run, preset) if isinstance(preset, PipelinePreset) else None
    return {"embedding": found[0], "reranker": run} if found else {"": run}


@cache
def catalogue() -> Mapping[str, Target]:
    """Every target by name: a module that defines a concrete :class:`Target` of the module's name."""
    return {name: kind() for name, kind in Registry("tunewiz.backends.export", Target, "exports").classes().items()}


def write(run: Run, name: str, out: Path, dimension: int = 0) -> Message:
    """Write ``run`` in the form of the target ``name`` into the folder ``out``; how it is used from there.

    ``dimension``: how many numbers of a vector the model is to give; 0: all.
    Raises :class:`BadPreset` when there is no such target for the task, or ``out`` holds something already.
    """
    preset = load(str(run.preset_file))
    fitting = [target for target in catalogue() if preset.task in catalogue()[target].tasks]
    if name not in fitting:
        message = say("A run of the task {task} cannot be exported to {name}.", task=preset.task, name=name)
        fix = suggestion(name, fitting) or (say("Choose one of: {names}.", names=tuple(fitting)) if fitting else None)
        raise BadPreset(error("unknown-target", message, fix=fix))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        message = say("{path} is not empty.", path=out)
        raise BadPreset(error("out-not-empty", message, fix=say("Name a folder that is empty or not there yet.")))
    if dimension and not catalogue()[name].shortens:
        message = say("The form {name} does not take shorter vectors.", name=name)
        raise BadPreset(error("no-dimension", message, Where(key="--dimension"), say("Export --to merged with it.")))
    given = shortened(run, preset, whole_model(run), dimension) if dimension else nullcontext(run)
    try:
        with replacing(out) as part, given as source:
            return catalogue()[name].write(source, preset, part)
    except OSError as fault:
        message = say("{path} cannot be written: {reason}.", path=out, reason=fault.strerror or str(fault))
        raise BadPreset(error("out-not-writable", message)) from fault


# The whole tuned model as one folder, an adapter merged into it.


class Merged(Target):
    """What sentence-transformers, transformers, vLLM, TEI and others load by the folder's path."""

    name: ClassVar[str] = "merged"
    tasks: ClassVar[frozenset[str]] = EVERY
    summary: ClassVar[str] = N_("the whole model as one folder")
    shortens: ClassVar[bool] = True

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy it; it was compared with the tuned model when the run wrote it."""
        for name, part in parts(run, preset).items():
            copy_model(part, folder / name)
        if isinstance(preset, PipelinePreset):
            return say("Search with the folder embedding, then put what it finds in order with the folder reranker; "
                       "README.md in each shows how.")  # fmt: skip
        return say("Load it by the folder's path; README.md in it shows how.")


# The LoRA adapter alone, in peft's form.


class Adapter(Target):
    """A few megabytes that go onto the untouched model; peft and vLLM read them."""

    name: ClassVar[str] = "adapter"
    tasks: ClassVar[frozenset[str]] = EVERY
    summary: ClassVar[str] = N_("the adapter alone, for peft or vLLM")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy it. Raises :class:`BadPreset` (``no-adapter``) for runs that trained all weights."""
        adapters = {name: part.model / "adapter" for name, part in parts(run, preset).items()}
        there = {name: found for name, found in adapters.items() if (found / "adapter_config.json").is_file()}
        if not there:
            message = say("The run {name} has no adapter.", name=run.name)
            fix = say("It trained all weights, or is not over: export --to merged.")
            raise BadPreset(error("no-adapter", message, fix=fix))
        for name, found in there.items():
            shutil.copytree(found, folder / name, dirs_exist_ok=True)
        return say("It goes onto {base}; README.md in it shows how.", base=preset.model.id)


# The model with a Modelfile, which Ollama makes a model of its own from.


class Ollama(Target):
    """``Modelfile`` and ``model/``: the template it was tuned with, in Ollama's words by LLaMA-Factory."""

    name: ClassVar[str] = "ollama"
    tasks: ClassVar[frozenset[str]] = frozenset({"llm"})
    summary: ClassVar[str] = N_("the model with a Modelfile for Ollama")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model and write its Modelfile. Raises :class:`BadPreset` (``modelfile``) where none can be."""
        template = template_of(run)
        copy_model(run, folder / "model")
        write_whole(folder / "Modelfile", modelfile(folder / "model", template, "./model"))
        name = operand(preset.name)
        return say("There: {command}", command=f"ollama create -f Modelfile {name} && ollama run {name}")


#: What LLaMA-Factory writes, and nothing more: texts come from the tokenizer, and one with quotes in it would end its
#: value early and begin another instruction (https://docs.ollama.com/modelfile).
_MODELFILE: Final = re.compile(
    r'(?:#[^\n]*\n+)*FROM \.\n+TEMPLATE """(?:(?!""").)*"""\n+(?:SYSTEM """(?:(?!""").)*"""\n+)?'
    r'(?:PARAMETER stop "[^"\n]*"\n)*PARAMETER num_ctx [0-9]+\n*',
    re.DOTALL,
)


def template_of(run: Run) -> str:
    """The name of the template that the run was tuned with, as LLaMA-Factory knows it."""
    record: Any = read_json(run.record_file) or {}
    template = record.get("llm", {}).get("template", "") if isinstance(record, dict) else ""
    if not template:
        message = say("The run {name} has no chat template on record.", name=run.name)
        raise BadPreset(error("no-template", message, fix=say("Export --to merged, and write a Modelfile by hand.")))
    return str(template)


def modelfile(model: Path, template: str, source: str) -> str:
    """Ollama's Modelfile of ``source`` for a ``model`` that was tuned with ``template``, in Ollama's words.

    Raises :class:`BadPreset` (``modelfile``) where none can be.
    """
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model))
    known = get_template_and_fix_tokenizer(tokenizer, DataArguments(template=template))
    text: str = known.get_ollama_modelfile(tokenizer)
    if not _MODELFILE.fullmatch(text):
        message = say("The chat template {name} cannot be written as a Modelfile.", name=template)
        raise BadPreset(error("modelfile", message, fix=say("Export --to merged, and write a Modelfile by hand.")))
    return text.replace("FROM .", f"FROM {source}", 1)


# The model with the commands of the servers that take it.


class Server(Target):
    """``model/`` and ``serve.sh``, which starts vLLM, TEI or LLaMA-Factory's API on port 8000 of this machine."""

    name: ClassVar[str] = "server"
    tasks: ClassVar[frozenset[str]] = frozenset({"llm", "embedding", "reranker", "comparison"})
    summary: ClassVar[str] = N_("the model with the commands of servers: vLLM, TEI, or LLaMA-Factory's")
    shortens: ClassVar[bool] = True

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model and write ``serve.sh``. Raises :class:`BadPreset` where a server would not take it."""
        copy_model(run, folder / "model")
        kind = answers_of(preset)
        missing = lacking(kind, folder / "model")
        if missing:
            message = say("Servers need what the model has not: {names}.", names=tuple(missing))
            raise BadPreset(error("not-servable", message, fix=say("Export it as it is: --to merged.")))
        found = servers(
            kind, folder / "model", "./model", preset.name, template_of(run) if preset.conversations else ""
        )
        write_script(folder, found)
        usual = found[0]
        if preset.conversations:
            write_joins("server", folder)
            return say("Start it: {start}; then any OpenAI client at {address}.", start="./serve.sh",
                       address="http://127.0.0.1:8000/v1")  # fmt: skip
        start = f"./serve.sh {usual.name}"
        return say("Start it: {start}; ask it: {ask}. README.md in {folder} has the commands of other servers.",
                   start=start, ask=usual.ask(), folder="model")  # fmt: skip


# The model with a script that uses it: no Tunewiz needed where it runs.


SOURCES = Path(__file__).resolve().parent / "programs"


#: By framework the file that joins what is exported to it; none is called as the package that it imports.
_FRAMEWORKS: Final = {"langchain": "with_langchain.py", "llama_index": "with_llama_index.py"}


def write_joins(kind: str, folder: Path) -> None:
    """Programs that hand what is exported to LangChain and LlamaIndex, for people to import or to copy from.

    ``kind``: embedding, reranker, store, service, server.
    """
    for framework, name in _FRAMEWORKS.items():
        write_whole(folder / name, (SOURCES / f"{framework}_{kind}.py.txt").read_text(encoding="utf-8"))


class Script(Target):
    """``model/`` and ``run.py``, one program a task; of one model also how LangChain and LlamaIndex take it."""

    name: ClassVar[str] = "script"
    tasks: ClassVar[frozenset[str]] = EVERY
    summary: ClassVar[str] = N_("the model with a program that uses it")
    shortens: ClassVar[bool] = True

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model, and the program of the task."""
        for name, part in parts(run, preset).items():
            copy_model(part, folder / (name or "model"))
        # A comparison leaves its best reranker.
        program = "reranker" if isinstance(preset, ComparisonPreset) else preset.task
        write_whole(folder / "run.py", (SOURCES / f"{program}.py.txt").read_text(encoding="utf-8"))
        if isinstance(preset, PipelinePreset):
            write_json(folder / SETTINGS, _of_reranking(preset))
        elif not preset.conversations:
            write_joins(program, folder)
        return say("Run it: {command}", command="python run.py --help")


def _of_reranking(preset: PipelinePreset) -> dict[str, Any]:
    return {"candidates": preset.candidates.depth, "search_share": preset.candidates.share()}


# A search service over HTTP: FAISS finds candidates with the tuned model, a reranker may put them in order.


class Service(Target):
    """``serve.py``, ``model/`` and ``documents.jsonl``; the documents are those of the run, to be replaced by yours.

    Of a pipeline ``reranker/`` too. ``search.json`` says how it searches: what measured best is the default.
    """

    name: ClassVar[str] = "service"
    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "pipeline"})
    summary: ClassVar[str] = N_("a search service (FastAPI, FAISS), with reranking if you have a reranker")
    shortens: ClassVar[bool] = True

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model, the run's documents and the program."""
        for name, part in parts(run, preset).items():
            copy_model(part, folder / SERVED[name])
        corpus = run_documents(run)
        rows = ({"id": name, "text": text} for name, text in zip(corpus.ids, corpus.texts, strict=True))
        write_jsonl(folder / "documents.jsonl", rows)
        return write_service(run, preset, folder, corpus)


#: Where the models of a run go in what serves them, by their name in :func:`parts`.
SERVED: Final = {"": "model", "embedding": "model", "reranker": "reranker"}


def write_service(
    run: Run,
    preset: Preset,
    folder: Path,
    corpus: Corpus,
    packages: Sequence[str] = ("faiss-cpu",),
    stored: bool = False,
) -> Message:
    """The program of a service into a ``folder`` that has models and the documents of ``corpus``; how it searches.

    ``stored``: in a store of vectors, which ``packages`` read, so that words alone are no way to search in it.
    """
    if isinstance(preset, PipelinePreset):  # measured with the reranker over what the vectors find
        settings = {"search": "dense", "reranker": SERVED["reranker"], **_of_reranking(preset)}
    else:
        best = MetricsFile.of(run.report).best_way
        settings = {"search": "fusion" if stored and best == "bm25" else best}
    write_json(folder / SETTINGS, settings)
    shutil.copyfile(Path(words.__file__), folder / "words.py")
    write_whole(folder / "serve.py", (SOURCES / "service.py.txt").read_text(encoding="utf-8"))
    write_joins("service", folder)
    write_container(preset.name, folder, packages)
    question = next(iter(corpus.queries), "what do I do when the disk is full")
    asked = json.dumps({"query": question, "k": 5}, ensure_ascii=False)
    write_whole(folder / "example.json", asked + "\n")
    return say(
        "Start it: {start}; ask it: {ask}. README.md in the folder has the rest: streams, /metrics, an image.",
        start="python serve.py --port 8000",
        ask=ASK,
    )
