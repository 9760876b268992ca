"""A preset: what the user wants, in one YAML file.

:class:`Preset` holds what all tasks share, :class:`RetrievalPreset` what those share whose model is measured by a
search; each task adds its sections in ``presets/tasks/<task>.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, SerializeAsAny, field_validator

from tunewiz.language import N_
from tunewiz.presets.families import KnownModel
from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.memory import ON_GPU, Conditions, Estimate
from tunewiz.presets.memory.encoder import Load, Shape, estimate_load, shape_of_config, shape_of_size
from tunewiz.presets.sections.data import Data
from tunewiz.presets.sections.evaluation import Evaluation, Export, Tracking
from tunewiz.presets.sections.method import Full, Lora, Method
from tunewiz.presets.sections.model import EncoderModel, Model, ModelKind
from tunewiz.presets.sections.section import Section, about, vary_field
from tunewiz.presets.sections.sweep import Range, flat, listed
from tunewiz.presets.sections.training import Checkpoints, Launch, RetrievalTraining, Training
from tunewiz.problems import Problem, Where, error, say

#: A name that is safe as part of a directory's: no slash, no leading dot or dash.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_RULE: Final = N_("1 to 64 letters (a-z), digits, dots, dashes or underscores, beginning with a letter or digit")


def name_problems(name: str, key: str = "name") -> list[Problem]:
    """Why ``name`` cannot name a preset or a run; ``key`` is what gave it."""
    if NAME.fullmatch(name):
        return []
    message = say("{name} is no name: expected {rule}.", name=repr(name[:80]), rule=say(_NAME_RULE))
    return [error("bad-name", message, Where(key), say("For example: {name}", name="faq-embedding"))]


@dataclass(frozen=True)
class FirstModel:
    """A model to begin with, and why (marked with ``N_``).

    It is for data in ``language`` (any where that is empty), and for machines with ``free`` GiB of GPU memory or more.
    """

    id: str
    why: str
    language: str = ""
    free: float = 0


#: What needs no download: for English texts a small English model, for all others one of about a hundred languages.
STARTERS: Final = (
    FirstModel(
        "all-MiniLM-L6-v2",
        N_("Your texts are English; this one is small and installs with Tunewiz, so no network is needed."),
        language="en",
    ),
    FirstModel(
        "starter-multilingual",
        N_("Your texts are Chinese; this one knows Chinese and installs with Tunewiz, so no network is needed."),
        language="zh",
    ),
    FirstModel(
        "starter-multilingual",
        N_("It knows about a hundred languages and installs with Tunewiz, so no network is needed."),
    ),
)


class Preset(Section):
    """Sections common to all tasks, and what is asked of a task.

    Nothing outside ``presets/tasks`` compares the name of a task: it asks the class of the preset (by name:
    :func:`tunewiz.presets.tasks.catalogue`) what it needs to know.
    """

    #: What the model is tuned to be: which families of models it begins with, which formats its rows have.
    model_kind: ClassVar[ModelKind]
    #: Whether it learns from conversations, texts, labels or judged answers, and is measured on rows of them;
    #: otherwise from queries and documents, and is measured on queries.
    conversations: ClassVar[bool] = False
    #: Whether the tuned model reads a query and a document together and scores them; otherwise each text alone.
    cross_encoder: ClassVar[bool] = False
    #: Whether the tuned model turns texts into vectors.
    gives_vectors: ClassVar[bool] = False
    #: Models to begin with; the first that suits data and machine is suggested.
    first_models: ClassVar[tuple[FirstModel, ...]] = ()
    #: The losses to begin with by the shape of the rows; the first that the backend trains with is suggested.
    first_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: The usual learning rate when every weight is trained and nothing is known of the model.
    full_rate: ClassVar[float] = 2e-5

    #: Where its task stands among the tasks: those to begin with come first.
    PLACE: ClassVar[int] = 9
    #: The order in which sections are written; others follow.
    ORDER: ClassVar[tuple[str, ...]] = (
        "version", "name", "description", "task", "backend", "stage", "model", "template", "data", "candidates",
        "method", "loss", "preference", "training", "evaluation", "export", "launch", "tracking",
        "checkpoints", "on_finish", "backend_options", "sweep", "sweep_trials", "variants",
    )  # fmt: skip

    version: Literal[1] = Field(
        1, title=N_("Version"), description=N_("Version of this file's layout, so that later releases can read it.")
    )
    name: str = Field(
        title=N_("Name"),
        description=N_("Names the run's directory, followed by date and time."),
        pattern=rf"^{NAME.pattern}$",
        examples=["faq-embedding"],
        json_schema_extra=about(rule=_NAME_RULE),
    )
    description: str = Field("", title=N_("Description"), description=N_("What it is for, in your own words."))
    task: str = Field(title=N_("Task"))
    backend: str = Field(title=N_("Backend"), description=N_("The library that trains."))
    model: Model = Field(title=N_("Model"), description=N_("Which model is tuned and where it comes from."))
    training: Training = Field(
        default_factory=Training,
        title=N_("Training"),
        description=N_("How long, how fast and how carefully it learns."),
    )
    launch: Launch = Field(default_factory=Launch, title=N_("Launch"), description=N_("Which processors do the work."))
    tracking: Tracking = Field(
        default_factory=Tracking, title=N_("Tracking"), description=N_("Where progress is sent besides the run itself.")
    )
    checkpoints: Checkpoints = Field(
        default_factory=Checkpoints,
        title=N_("Checkpoints"),
        description=N_("What becomes of them beside their place in the run."),
    )
    on_finish: str = Field(
        "",
        title=N_("When it has ended"),
        description=N_(
            "A command for the shell, or a web address that is sent a JSON object. The command finds TUNEWIZ_RUN_DIR, "
            "TUNEWIZ_RUN_NAME, TUNEWIZ_STATUS, TUNEWIZ_VERDICT and TUNEWIZ_EXIT_CODE in its environment and has ten "
            "minutes. It never changes how the run ended."
        ),
        examples=["sudo shutdown -h now", "https://example.org/hook", "$MY_WEBHOOK"],
        json_schema_extra=about(
            rule=N_("a command, an address that begins with https://, or nothing"),
            typical=N_("Empty; on a rented machine the command that switches it off."),
        ),
    )
    sweep: dict[str, list[Any] | Range] = Field(
        default_factory=dict,
        title=N_("Sweep"),
        description=N_(
            "Keys with several values each: every combination is a run of its own, and the one that measures best on "
            "the validation data is kept. With a range in place of values, as 1e-5..1e-4 log or {low: 1e-5, high: "
            "1e-4, log: true}, optuna chooses each run by those before it."
        ),
        examples=[{"training.learning_rate": [1e-5, 2e-5]}],
        json_schema_extra=about(
            rule=N_("keys with lists of values or a range, one a line"),
            typical=N_("One or two keys with two or three values."),
        ),
    )
    sweep_trials: int = Field(
        0,
        ge=0,
        le=256,
        title=N_("Sweep trials"),
        description=N_(
            "How many of the combinations are tried, drawn by the seed; 0 tries all of them. With a range, how many "
            "runs there are."
        ),
        json_schema_extra=about(typical=N_("0 for a few combinations, 10 to 20 of many or of a range.")),
    )
    variants: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        title=N_("Variants"),
        description=N_(
            "Runs to lay beside each other: by name the keys in which each differs from this preset, or from the one "
            "that its key preset names, which may be of another task. What cannot run here is told and left out."
        ),
        examples=[{"full": {"method.type": "full"}, "lora": {"method.type": "lora"}}],
        json_schema_extra=about(
            rule=N_("a name a variant, below it keys with their values"),
            typical=N_("Two to four; the ready ones are comparison/methods and comparison/course."),
        ),
    )

    @property
    def several(self) -> bool:
        """Whether it stands for several runs: a sweep's, or its variants."""
        return bool(self.sweep or self.variants)

    @field_validator("variants", mode="before")
    @classmethod
    def _each_dotted(cls, value: Any) -> Any:
        """As of a sweep."""
        if not isinstance(value, Mapping):
            return value
        return {str(name): dict(flat(keys)) if isinstance(keys, Mapping) else keys for name, keys in value.items()}

    @field_validator("sweep", mode="before")
    @classmethod
    def _dotted(cls, value: Any) -> Any:
        """Sections as they stand in a preset mean the same as dotted keys, values typed in a line (``1e-5, 2e-5`` or
        ``[1e-5, 2e-5]``) the same as a list, and ``1e-5..1e-4 log`` the same as a range.
        """
        return {key: listed(found) for key, found in flat(value)} if isinstance(value, Mapping) else value

    def problems(self) -> list[Problem]:
        """What does not go together, as far as that can be told without the data, the model or a library."""
        return []

    def memory(self, known: KnownModel, around: Conditions = ON_GPU) -> Estimate | None:
        """The memory that training needs with a model that a family knows; ``None`` where it is for another task."""
        return None

    def memory_by_config(self, config: Mapping[str, Any], around: Conditions = ON_GPU) -> Estimate | None:
        """As :meth:`memory`, with a model that only its ``config.json`` tells of; ``None`` if it lacks the numbers."""
        return None


class RetrievalPreset(Preset):
    """A preset whose model is measured by what a search finds."""

    model: EncoderModel = vary_field(Preset, "model")
    data: Data = Field(title=N_("Data"), description=N_("What it learns from and what it is measured on."))
    method: Method = Field(
        default_factory=Full, title=N_("Method"), description=N_("How much of the model is trained.")
    )
    loss: SerializeAsAny[Loss]
    training: RetrievalTraining = vary_field(Preset, "training", default_factory=RetrievalTraining)
    evaluation: Evaluation = Field(
        default_factory=Evaluation,
        title=N_("Evaluation"),
        description=N_("How the model is measured, before and after."),
    )
    export: Export = Field(
        default_factory=Export, title=N_("Export"), description=N_("What is left when the run is over.")
    )

    def memory(self, known: KnownModel, around: Conditions = ON_GPU) -> Estimate | None:
        """What the formulas of :mod:`tunewiz.presets.memory.encoder` say of this preset."""
        return self._memory(shape_of_size(known.size), around)

    def memory_by_config(self, config: Mapping[str, Any], around: Conditions = ON_GPU) -> Estimate | None:
        """As :meth:`memory`."""
        shape = shape_of_config(config)
        return self._memory(shape, around) if shape else None

    def _memory(self, shape: Shape, around: Conditions) -> Estimate:
        training = self.training
        shape = replace(shape, drops=shape.drops and training.dropout == "model")
        load = Load(
            texts=self._texts_at_once(around.texts),
            length=training.max_length,
            half=training.in_16_bits(around.half),
            cpu=around.cpu,
            trained=self._trained_weights(shape),
            optimizer=training.optimizer,
            checkpointing=training.gradient_checkpointing,
            beside=self.loss.core.beside(shape.vocabulary),
            buckets=around.shares.buckets,
        )
        return estimate_load(shape, load)

    def _texts_at_once(self, of_row: float) -> int:
        """Texts whose activations are kept together: those of all examples of a step, or of a mini-batch."""
        step = math.ceil(self.training.batch_size * (of_row or self.loss.texts(self.data.negatives.mined)))
        piece = self.loss.core.encoded_at_once
        return min(step, piece) if piece else step

    def _trained_weights(self, shape: Shape) -> int:
        """Weights that change: all, or those of the adapters (an upper bound where modules are named)."""
        if not isinstance(self.method, Lora):
            return shape.parameters
        attention = 4 * 2 * shape.hidden
        whole = self.method.target_modules == "all"
        mlp = (3 if shape.gated else 2) * (shape.hidden + shape.intermediate) if whole else 0
        return self.method.rank * shape.layers * (attention + mlp)
