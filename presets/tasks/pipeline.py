"""The pipeline task: an embedding model and a reranker over it, tuned one after the other on the same data."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import about, vary_field
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml import library
from tunewiz.problems import BadPreset, Problem, Where, error, say


class PipelinePreset(RerankerPreset):
    """A reranker's preset, and the preset of the embedding model that is tuned before it and finds its candidates."""

    PLACE: ClassVar[int] = 4

    task: Literal["pipeline"] = vary_field(  # type: ignore[assignment]  # the one word in which it differs
        RerankerPreset,
        "task",
        "pipeline",
        description=N_("What is tuned: an embedding model first, then a reranker over what it finds."),
    )
    backend: str = vary_field(RerankerPreset, "backend", "pipeline")
    embedding: str = Field(
        "embedding/starter",
        min_length=1,
        title=N_("Embedding preset"),
        description=N_(
            "The preset that the embedding model is tuned by: the name of one that ships or was saved, or the whole "
            "path of a file. Data and seed are those given here."
        ),
        examples=["embedding/starter", "embedding/bge-small-zh"],
        json_schema_extra=about(typical=N_("A small embedding model of your language.")),
    )

    def problems(self) -> list[Problem]:
        """Of the reranker, then of the embedding model's preset; what is the same for both once."""
        found = self.reranker().problems()
        try:
            return [*found, *(problem for problem in self.first().problems() if problem not in found)]
        except BadPreset as fault:
            message = say("The embedding model's preset cannot be used: {what}", what=fault.problems[0].message)
            return [*found, error("embedding-preset", message, Where("embedding"), fault.problems[0].fix)]

    def first(self) -> EmbeddingPreset:
        """The embedding model's preset, on the data and with the seed given here. Raises :class:`BadPreset`."""
        own = library.load(self.embedding)
        if not isinstance(own, EmbeddingPreset):
            message = say("{name} is a preset for {task}, not for embedding.", name=self.embedding, task=own.task)
            raise BadPreset(error("embedding-preset", message, Where("embedding"), say("Name an embedding preset.")))
        data = self.data.model_copy(update={"negatives": own.data.negatives})
        training = own.training.model_copy(update={"seed": self.training.seed})
        # Deep enough a list, and the same measures, to be laid beside the reranker's.
        shown = {name: getattr(self.evaluation, name) for name in ("k", "metric", "general")}
        asked = {**shown, "baseline": True}
        evaluation = own.evaluation.model_copy(update=asked)
        shared = {"data": data, "training": training, "evaluation": evaluation, "launch": self.launch}
        return own.model_copy(update=shared)

    def reranker(self, embedder: str = "tuned") -> RerankerPreset:
        """The reranker's preset; ``embedder`` is the folder of the tuned embedding model that finds the candidates."""
        own = self.model_dump(
            exclude={"embedding", "task", "backend", "candidates", "training", "sweep", "sweep_trials", "variants"}
        )
        candidates = self.candidates.model_copy(update={"strategy": "dense", "model": embedder})
        # The section itself knows which of its keys were written.
        return RerankerPreset.model_validate({**own, "candidates": candidates, "training": self.training})
