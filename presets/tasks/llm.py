"""The llm task: tuning of a causal language model on instructions, conversations, texts, labels or preferences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets import checks, families
from tunewiz.presets.families import KnownModel
from tunewiz.presets.memory import ON_GPU, Conditions, Estimate
from tunewiz.presets.memory.language_model import (
    Decoder,
    Sequences,
    decoder_of_config,
    decoder_of_size,
    estimate_sequences,
)
from tunewiz.presets.methods import AnyMethod
from tunewiz.presets.methods.low_rank import Lora
from tunewiz.presets.methods.method import WithPeft
from tunewiz.presets.preset import FirstModel, Preset, RetrievalPreset
from tunewiz.presets.sections.data import LlmData
from tunewiz.presets.sections.evaluation import Export, LlmEvaluation
from tunewiz.presets.sections.llm_training import LlmTraining, Preference
from tunewiz.presets.sections.model import LlmModel, ModelKind
from tunewiz.presets.sections.section import about, vary_field
from tunewiz.problems import Problem, Where, error, note, say, warning

#: Stages that learn from answers or texts as they are; from pairs of answers; and from answers that were judged.
_PLAIN: Final = ("auto", "sft", "pretrain")
_PAIRED: Final = ("dpo", "orpo", "simpo")
_PREFERRING: Final = (*_PAIRED, "kto")
#: Stages that compare with a frozen copy of the model.
_REFERRING: Final = ("dpo", "kto")
_FITS: Final = N_("Knows your language, and is of a size that this machine can tune.")


class LlmPreset(Preset):
    """A preset that tunes a language model."""

    model_kind: ClassVar[ModelKind] = "llm"
    conversations: ClassVar[bool] = True
    first_models: ClassVar[tuple[FirstModel, ...]] = (
        FirstModel("Qwen/Qwen3-4B-Instruct-2507", _FITS, free=24),
        FirstModel("Qwen/Qwen3-1.7B", _FITS, free=12),
        FirstModel("Qwen/Qwen3-0.6B", _FITS, free=4),
        FirstModel(
            "starter-llm", N_("Small enough for a processor, and installs with Tunewiz, so no network is needed.")
        ),
    )
    full_rate: ClassVar[float] = 1e-5
    PLACE: ClassVar[int] = 2

    task: Literal["llm"] = vary_field(
        Preset, "task", "llm", description=N_("What kind of model is tuned: one that writes answers.")
    )
    backend: str = vary_field(Preset, "backend", "llama_factory")
    stage: Literal["auto", "sft", "pretrain", "dpo", "orpo", "simpo", "kto"] = Field(
        "auto",
        title=N_("Stage"),
        description=N_("What is learned from the rows."),
        json_schema_extra=about(
            typical=N_("auto."),
            choices={
                "auto": N_("what fits the rows: sft for answers, pretrain for texts, dpo for pairs, kto for judgments"),
                "sft": N_("to answer as in the data (supervised fine-tuning)"),
                "pretrain": N_("to continue texts, for knowledge of a field"),
                "dpo": N_("to prefer the chosen answer, held near to the model it was"),
                "orpo": N_("to answer and to prefer in one, without a second model"),
                "simpo": N_("to prefer by the mean likelihood of a token, without a second model"),
                "kto": N_("from single answers that were liked or not"),
            },
        ),
    )
    template: str = Field(
        "auto",
        min_length=1,
        title=N_("Chat template"),
        description=N_(
            "How a conversation is written for the model, by LLaMA-Factory's name. auto takes the model's own; the run "
            "keeps it for training, measuring, chat and export."
        ),
        examples=["auto", "qwen3_nothink", "llama3", "gemma"],
        json_schema_extra=about(typical=N_("auto. Another template than the model's own gives garbage.")),
    )
    model: LlmModel = vary_field(Preset, "model")
    data: LlmData = vary_field(RetrievalPreset, "data")
    method: AnyMethod = vary_field(RetrievalPreset, "method", default_factory=Lora)
    preference: Preference = Field(
        default_factory=Preference,
        title=N_("Preference"),
        description=N_("How it learns from pairs of answers; for dpo, orpo, simpo and kto."),
    )
    training: LlmTraining = vary_field(Preset, "training", default_factory=LlmTraining)
    evaluation: LlmEvaluation = vary_field(RetrievalPreset, "evaluation", default_factory=LlmEvaluation)
    export: Export = vary_field(RetrievalPreset, "export")
    backend_options: dict[str, Any] = Field(
        default_factory=dict,
        title=N_("Backend options"),
        description=N_("Any argument of LLaMA-Factory by its own name; it wins over the keys above."),
        examples=[{"use_muon": True, "default_system": "Answer in one sentence."}],
        json_schema_extra=about(rule=N_("names of arguments with their values, one a line")),
    )

    def problems(self) -> list[Problem]:
        """What does not go together, in the order of the sections."""
        every = (_model, _data, _backend, _method, _stage, _schedule, _device)
        return [problem for check in every for problem in check(self)]

    def memory(self, known: KnownModel, around: Conditions = ON_GPU) -> Estimate | None:
        """What the formulas of :mod:`tunewiz.presets.memory.language_model` say of this preset."""
        if self.model_kind not in known.family.tasks:
            return None
        return self._memory(decoder_of_size(known.size, known.family.normalised_queries), around)

    def memory_by_config(self, config: Mapping[str, Any], around: Conditions = ON_GPU) -> Estimate | None:
        """As :meth:`memory`."""
        shape = decoder_of_config(config)
        return self._memory(shape, around) if shape else None

    def _memory(self, shape: Decoder, around: Conditions) -> Estimate:
        method, training = self.method, self.training
        # The engine on peft knows neither: all activations and all logits are kept.
        plain = isinstance(method, WithPeft)
        load = Sequences(
            count=training.batch_size * (2 if self.stage in _PAIRED else 1),
            length=training.max_length,
            trained=method.trained(shape),
            adapters=method.adapter,
            bits=method.stored_bits,
            half=training.in_16_bits(around.half),
            cpu=around.cpu,
            dropout=getattr(method, "dropout", 0.0) > 0,
            doubly_quantised=getattr(method, "double_quantisation", True),
            optimizer=training.optimizer,
            checkpointing=training.gradient_checkpointing and not plain,
            chunked=training.liger and not plain,
            reference=self.stage in _REFERRING and not method.adapter,
            shares=around.shares,
        )
        return estimate_sequences(shape, load)


# What does not go together in a preset of a language model; no library, no data, no network.


def _model(preset: LlmPreset) -> Iterator[Problem]:
    yield from checks.remote_code_problems(preset.model)
    known = families.lookup(preset.model.id)
    if known is None:
        return
    if preset.model_kind not in known.family.tasks:
        message = say("{id} is no language model that writes answers.", id=known.size.id)
        yield error(
            "model-of-another-task", message, Where("model.id"), say("`tunewiz models --task llm` lists those.")
        )
    most, wanted = known.size.max_length, preset.training.max_length
    if wanted > most:
        message = say(
            "{id} reads {most} tokens at most; {wanted} are asked for.", id=known.size.id, most=most, wanted=wanted
        )
        fix = say("Set training.max_length to {most} or less.", most=most)
        yield error("max-length-too-large", message, Where("training.max_length"), fix)
    if not known.family.commercial:
        message = say("The licence of {id} ({licence}) sets conditions of its own.", id=known.size.id,
                   licence=known.family.licence)  # fmt: skip
        yield note("licence", message, Where("model.id"))


def _data(preset: LlmPreset) -> Iterator[Problem]:
    yield from checks.format_problems(preset.data.format, preset.model_kind)
    prompt = preset.data.prompt
    if prompt is not None and "{text}" not in prompt:
        message = say("The classification prompt has no {mark} to put the text in.", mark="{text}")
        yield error("prompt-without-text", message, Where("data.prompt"))
    labels = preset.data.labels
    if labels is not None and (len(labels) < 2 or len(set(labels)) < len(labels) or not all(labels)):
        message = say("A classification needs at least two labels, each named once.")
        yield error("labels", message, Where("data.labels"), say("Leave it empty (null) to take those of the data."))
    held = preset.data.evaluation
    if held.fraction == 0 and not held.data:
        message = say("Nothing is held out: the run cannot tell what training brought.")
        fix = say("Set data.evaluation.fraction to 0.1, or name data of its own.")
        yield warning("nothing-held-out", message, Where("data.evaluation.fraction"), fix)


def _backend(preset: LlmPreset) -> Iterator[Problem]:
    wanted, method = preset.method.backend, preset.method.type
    if preset.backend != wanted:
        message = say("{method} is trained by the backend {wanted}, not by {backend}.", method=method, wanted=wanted,
                   backend=preset.backend)  # fmt: skip
        yield error(
            "method-of-another-backend", message, Where("method.type"), say("Set backend: {name}.", name=wanted)
        )
        return
    if wanted == "peft" and preset.stage not in _PLAIN:
        message = say("{method} learns from answers and texts, not by {stage}.", method=method, stage=preset.stage)
        yield error("stage-of-another-backend", message, Where("stage"), say("Set stage: sft, or method: lora."))
    unused = [name for name in ("packing", "liger", "neftune") if wanted == "peft" and getattr(preset.training, name)]
    for name in unused:
        message = say("{method} does not use training.{name}.", method=method, name=name)
        yield warning("training-key-unused", message, Where(f"training.{name}"), say("Leave it at its default."))


def _method(preset: LlmPreset) -> Iterator[Problem]:
    low, high = preset.method.usual_rate()
    rate, where = preset.training.learning_rate, Where("training.learning_rate")
    values = {"rate": f"{rate:g}", "method": preset.method.type, "low": f"{low:g}", "high": f"{high:g}"}
    if rate > high:
        message = say("{rate} is high for {method}: the model may forget what it knows.", **values)
        yield warning("learning-rate-high", message, where, say("Usual: {low} to {high}.", **values))
    elif rate < low and preset.stage in _PLAIN:
        message = say("{rate} is low for {method}: little may change.", **values)
        yield warning("learning-rate-low", message, where, say("Usual: {low} to {high}.", **values))
    modules = getattr(preset.method, "target_modules", "all")
    if isinstance(modules, list) and (not modules or not all(modules) or len(set(modules)) < len(modules)):
        message = say("The list of target modules is empty, or names one twice.")
        fix = say("Write all, or names like [q_proj, v_proj].")
        yield error("target-modules", message, Where("method.target_modules"), fix)
    if isinstance(preset.method, Lora) and preset.method.pissa and preset.stage in _REFERRING:
        message = say("PiSSA does not go with {stage}, which compares with the untouched model.", stage=preset.stage)
        yield error("pissa-with-reference", message, Where("method.pissa"), say("Set method.pissa: false."))


def _stage(preset: LlmPreset) -> Iterator[Problem]:
    training = preset.training
    if preset.stage not in ("auto", "sft") and training.trained_on != "answers":
        message = say("training.trained_on is for sft; {stage} decides itself.", stage=preset.stage)
        yield error("trained-on-unused", message, Where("training.trained_on"), say("Set it to answers."))
    if preset.stage in _PREFERRING and training.packing:
        message = say("Packing is for sft and pretrain, not for {stage}.", stage=preset.stage)
        yield error("packing-unused", message, Where("training.packing"), say("Set training.packing: false."))
    if preset.preference.label_smoothing and preset.stage not in ("auto", "dpo"):
        message = say("Label smoothing is for dpo only.")
        yield error("label-smoothing-unused", message, Where("preference.label_smoothing"), say("Set it to 0."))


def _schedule(preset: LlmPreset) -> Iterator[Problem]:
    measured = checks.measures_in_training(preset.training, preset.data.evaluation.validation_fraction)
    yield from checks.training_schedule_problems(preset.training, measured)


def _device(preset: LlmPreset) -> Iterator[Problem]:
    yield from checks.training_device_problems(preset.training, preset.launch)
    training = preset.training
    if preset.launch.device == "cpu" and (training.liger or training.attention == "flash_attention_2"):
        key = "training.liger" if training.liger else "training.attention"
        yield error("kernel-on-cpu", say("This needs a GPU."), Where(key), say("Leave it at its default."))
