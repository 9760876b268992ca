"""The engine on peft and the transformers Trainer: the ways of tuning a language model that LLaMA-Factory lacks.

Data, template, measures, export and report are those of the engine on LLaMA-Factory, so that its numbers compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunewiz.backends import trackers
from tunewiz.backends.language_models.encoded_rows import IGNORED, encode_row
from tunewiz.backends.language_models.learned_places import scored_where_learned
from tunewiz.backends.language_models.loaded_model import (
    LOADING_OPTIONS,
    ROW_OPTIONS,
    Loaded,
    Places,
    load,
    read_prefixes_by_layer,
    ready_process,
)
from tunewiz.backends.language_models.sample_answers import sample_answers
from tunewiz.backends.machine.precision import choose_for_run
from tunewiz.backends.runs.callback import run_callback
from tunewiz.backends.runs.create import record_folder
from tunewiz.backends.runs.events import Saved
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.language_model import LanguageModelBackend
from tunewiz.backends.training.arguments import device_and_precision, dump_yaml, schedule_by_shares, settings
from tunewiz.backends.training.checkpoints import measured_at_the_end, no_step_too_many, resume_from
from tunewiz.backends.training.out_of_memory import explain_out_of_memory
from tunewiz.backends.training.probe import probed
from tunewiz.data.chat.prepared import load as load_prepared
from tunewiz.data.rows.conversations import Conversation
from tunewiz.presets.methods.method import WithPeft
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import BadData, Problem, Where, error, say


class Peft(LanguageModelBackend):
    """Trains an adapter of any kind that peft knows and :mod:`tunewiz.presets.methods` describes."""

    name = "peft"

    def problems(self, preset: LlmPreset) -> list[Problem]:
        """As every language model's, and arguments of LLaMA-Factory's own training."""
        found = super().problems(preset)
        known = {problem.where.key for problem in found}
        for name in preset.backend_options:
            where = Where(key=f"backend_options.{name}")
            if name not in (*LOADING_OPTIONS, *ROW_OPTIONS) and where.key not in known:
                message = say("{method} is trained without LLaMA-Factory, which alone reads {name}.",
                              method=preset.method.type, name=name)  # fmt: skip
                found.append(error("backend-option-unused", message, where, say("Leave it out.")))
        return found

    def native(self, preset: LlmPreset) -> str:
        """The configuration of the adapter and the Trainer's arguments, as YAML."""
        return adapter_yaml(preset)

    def train(self, run: Run, preset: LlmPreset) -> None:
        """Train the adapter from the newest checkpoint, or a fresh one, into ``run.checkpoints``."""
        train_adapter(run, preset, self.places(run))
        run.emit(Saved(what="adapter", path=run.relative(run.checkpoints)))


# A preset in the terms of peft and the transformers Trainer.


def adapter_options(preset: LlmPreset) -> tuple[str, dict[str, Any]]:
    """The class of peft's configuration, and its options. Raises :class:`TypeError` for a method of another backend."""
    method = preset.method
    if not isinstance(method, WithPeft):
        raise TypeError(f"{method.type} is trained by {method.backend}")
    return method.configuration, {"task_type": "CAUSAL_LM", **method.options()}


def trainer_arguments(preset: LlmPreset, precision: str, device: str, validated: bool) -> dict[str, Any]:
    """The Trainer's arguments that follow from the preset."""
    training = preset.training
    return {
        **settings(preset, precision, device),
        # Virtual tokens reach the layers as keys and values, which a repeated forward pass would not see.
        "gradient_checkpointing": False,
        "gradient_checkpointing_kwargs": None,
        "warmup_steps": training.warmup,
        "train_sampling_strategy": "group_by_length" if training.group_by_length else "random",
        "include_num_input_tokens_seen": "non_padding",
        "remove_unused_columns": False,
        "label_names": ["labels"],
        **{key: value for key, value in schedule_by_shares(preset, validated).items() if key not in _ELSEWHERE},
    }


#: Arguments of LLaMA-Factory's own among those of the schedule.
_ELSEWHERE = frozenset({"eval_dataset", "early_stopping_steps"})


def adapter_yaml(preset: LlmPreset) -> str:
    """Both as YAML."""
    device, precision = device_and_precision(preset)
    kind, options = adapter_options(preset)
    validated = preset.data.evaluation.validation_fraction != 0
    return dump_yaml({kind: options, "TrainingArguments": trainer_arguments(preset, precision, device, validated)})


# One training: a model that LLaMA-Factory loads, an adapter by peft, the transformers Trainer.


def train_adapter(run: Run, preset: LlmPreset, places: Places) -> None:
    """Train, from the newest checkpoint if there is one, and leave the adapter in ``run.checkpoints``.

    Raises :class:`StopRequested` after saving a checkpoint when asked to stop, :class:`OutOfMemory` with advice, and
    :class:`BadData` when no row is left.
    """
    import peft
    from transformers import Trainer, TrainingArguments, set_seed

    device = ready_process(preset.launch)
    precision = choose_for_run(run, preset.training.precision, device)
    prepared = load_prepared(run.data)
    set_seed(preset.training.seed)
    with explain_out_of_memory(preset, device):
        loaded = load(preset, places, None)
        read_prefixes_by_layer()
        kind, options = adapter_options(preset)
        if kind == "PromptTuningConfig":
            options |= {"tokenizer_name_or_path": places.model}
        model = peft.get_peft_model(loaded.model, getattr(peft, kind)(**options))
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()  # steps in 16 bit would be rounded away
        validation = _rows(loaded, prepared.validation)
        arguments = trainer_arguments(preset, precision, device, bool(validation)) | {
            "output_dir": str(run.checkpoints)
        }
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**arguments),
            train_dataset=_some(_rows(loaded, prepared.train), preset),
            eval_dataset=validation or None,
            data_collator=_Padded(loaded.tokenizer.pad_token_id or 0),
            callbacks=[*_callbacks(run, preset, bool(validation)), *sample_answers(run, preset, places)],
        )
        resumed = resume_from(run)
        with no_step_too_many(), probed(run, preset, device), scored_where_learned():
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    run.check_stop()
    trainer.save_model(str(run.checkpoints))
    record_folder(run, run.checkpoints)


#: A row as the Trainer takes it: ``input_ids``, by whose length it puts rows of a kind together, and ``labels``.
_Row = Mapping[str, Sequence[int]]


def _rows(loaded: Loaded, rows: Sequence[Conversation]) -> list[_Row]:
    """Rows with tokens that count."""
    found = [encode_row(loaded, row)["answer"] for row in rows]
    return [{"input_ids": row.ids, "labels": row.labels} for row in found if row.counted]


def _some(rows: list[_Row], preset: LlmPreset) -> list[_Row]:
    if not rows:
        message = say(
            "No row is left to train on once it is cut to {length} tokens.", length=preset.training.max_length
        )
        raise BadData(error("no-usable-rows", message, fix=say("Raise training.max_length for long prompts.")))
    return rows


def _callbacks(run: Run, preset: LlmPreset, validated: bool) -> list[Any]:
    from transformers import EarlyStoppingCallback

    early = preset.training.early_stopping
    found = [measured_at_the_end(), run_callback(run), *trackers.callbacks(run, preset.tracking)]
    if early.enabled and validated:
        found.append(EarlyStoppingCallback(early.patience, early.threshold))
    return found


class _Padded:
    """Rows as a batch: ids, mask and labels of one length, padded on the right."""

    def __init__(self, padding: int) -> None:
        self._padding = padding

    def __call__(self, rows: Sequence[_Row]) -> dict[str, Any]:
        import torch

        longest = max(len(row["input_ids"]) for row in rows)

        def filled(values: Sequence[int], filler: int) -> list[int]:
            return [*values, *[filler] * (longest - len(values))]

        return {
            "input_ids": torch.tensor([filled(row["input_ids"], self._padding) for row in rows]),
            "attention_mask": torch.tensor([filled([1] * len(row["input_ids"]), 0) for row in rows]),
            "labels": torch.tensor([filled(row["labels"], IGNORED) for row in rows]),
        }
