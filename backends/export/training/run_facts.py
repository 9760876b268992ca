"""What a finished run trained with, and its data as a program of its own reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from tunewiz.backends.evaluate.metrics import Rankings
from tunewiz.backends.models.run_models import fetched_base
from tunewiz.backends.runs.events import Event, Noticed, parse
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.arguments import Length
from tunewiz.backends.training.sampling import BatchPlan
from tunewiz.data.retrieval.own_documents import own_documents
from tunewiz.data.retrieval.prepared import Prepared, load
from tunewiz.data.rows.examples import Collection
from tunewiz.files import read_json, write_jsonl
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.recipe import open_keys
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import BadPreset, Message, error, say


class Silent(Run):
    """A finished run that is looked at: what preparing its training again would tell of it has been told."""

    def emit(self, event: Event) -> None:
        """Nothing."""


def told_of(run: Run, code: str) -> Iterator[Mapping[str, Any]]:
    """The values in the message of each notice ``code`` of ``run``."""
    with suppress(OSError):
        for line in run.events_file.read_text(encoding="utf-8", errors="replace").splitlines():
            event = parse(line)
            if isinstance(event, Noticed) and event.problem.get("code") == code:
                yield event.problem.get("said", {}).get("message", {}).get("with", {})


P = TypeVar("P", RetrievalPreset, EmbeddingPreset, RerankerPreset, LlmPreset)


@dataclass(frozen=True)
class Trained(Generic[P]):
    """What a run trained with: its prepared data, the untouched model's folder, device and precision."""

    run: Run
    preset: P

    @cached_property
    def prepared(self) -> Prepared:
        """The run's own splits. Raises ``BadData``."""
        return load(self.run.data)

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """``run.json``."""
        found = read_json(self.run.record_file)
        return found if isinstance(found, dict) else {}

    @cached_property
    def base(self) -> Path:
        """The folder of the untouched model."""
        return fetched_base(Silent(self.run.directory), self.preset.model)

    @cached_property
    def precision(self) -> str:
        """What it was trained in."""
        found = list(told_of(self.run, "precision"))
        return str(found[-1].get("precision", "fp32")) if found else "fp32"

    @cached_property
    def device(self) -> str:
        """``cuda`` where the run's machine had a GPU that it might use."""
        gpus = self.record.get("hardware", {}).get("gpus")
        return "cpu" if self.preset.launch.device == "cpu" or not gpus else "cuda"

    @cached_property
    def share(self) -> float:
        """Of the tuned weights."""
        return float(self.record.get("tuned_share", 1.0))

    def checked(self) -> None:
        """Raise :class:`BadPreset` (``not-trained``) unless the run has trained."""
        if open_keys(self.preset.training) or not self.prepared.train:
            message = say("The run {name} has not begun to train: its recipe is still open.", name=self.run.name)
            raise BadPreset(error("not-trained", message, fix=say("Let it run, then export it.")))


def model_constants(trained: Trained[Any]) -> dict[str, Any]:
    """Where the untouched model is: its folder on this machine, else its id on the hub."""
    told, preset = trained.record.get("model", {}), trained.preset
    place = str(told.get("place") or preset.model.id)
    on_hub = told.get("source") == "huggingface" and not Path(place).is_absolute()
    return {"FOLDER": str(trained.base), "HUB": place if on_hub else ""}


def loading_options(trained: Trained[Any]) -> dict[str, Any]:
    """What the model is loaded with."""
    return {"trust_remote_code": True} if trained.preset.model.trust_remote_code else {}


def needed(trained: Trained[Any], *names: str) -> tuple[str, ...]:
    """``names`` with the versions of the run, as pip takes them."""
    versions = trained.record.get("versions", {})
    return tuple(f"{name}=={versions[name]}" if name in versions else name for name in names)


WHERE: Final = 'MODEL = os.environ.get("MODEL") or (FOLDER if os.path.isdir(FOLDER) else HUB)'
BEFORE: Final = say("The untouched model is measured first.")
TELL: Final = say("Before and after, also in result.json.")


def settings_told(run: Run) -> Message:
    """What is said of the numbers of a program."""
    return say(
        "The numbers of the run {name}. MODEL is the untouched model: a folder, or an id on the hub; the environment "
        "variable MODEL names another place.",
        name=run.name,
    )


# The data beside the program.


def write_rows(folder: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """The columns of a loss, a row a line."""
    names = list(columns)
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True))
    write_jsonl(folder / "rows.jsonl", rows)


def write_batches(folder: Path, plan: BatchPlan, length: Length, accumulation: int) -> None:
    """The rows of each batch, an epoch a line, as many epochs as the run went through."""
    an_epoch = max(1, -(-len(plan) // accumulation))
    epochs = max(1, -(-length.steps // an_epoch))
    write_jsonl(folder / "batches.jsonl", (plan.epoch(number) for number in range(epochs)))


def write_collection(folder: Path, collection: Collection) -> None:
    """Documents, queries, judgments, and what each query must not find."""
    documents = ({"_id": key, "title": one.title, "text": one.text} for key, one in collection.corpus.items())
    write_jsonl(folder / "corpus.jsonl", documents)
    write_jsonl(folder / "queries.jsonl", ({"_id": key, "text": text} for key, text in collection.queries.items()))
    judged = (
        {"query": query, "document": name, "grade": grade}
        for query, grades in collection.qrels.items()
        for name, grade in grades.items()
    )
    write_jsonl(folder / "judgments.jsonl", judged)
    own = own_documents(collection)
    left_out = ({"query": query, "documents": sorted(names)} for query, names in own.items())
    write_jsonl(folder / "left_out.jsonl", left_out)


def write_candidates(folder: Path, found: Rankings) -> None:
    """What a search found for each query, best first, with its scores."""
    write_jsonl(folder / "candidates.jsonl", ({"query": query, "found": ranking} for query, ranking in found.items()))
