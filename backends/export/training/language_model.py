"""The training of a language model by LLaMA-Factory, or by peft and transformers, as a program with its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tunewiz.backends.engines.llama_factory import CONFIGURATION
from tunewiz.backends.engines.peft import adapter_options, trainer_arguments
from tunewiz.backends.export.training.program import Block, Program, blocks_of, constants, filled
from tunewiz.backends.export.training.run_facts import (
    BEFORE,
    TELL,
    WHERE,
    Trained,
    model_constants,
    needed,
    settings_told,
)
from tunewiz.backends.language_models import encoded_rows, measures
from tunewiz.backends.language_models.loaded_model import Places, loading_arguments, places_of, read_record
from tunewiz.backends.language_models.unlearned import LEARNED, has_unlearned
from tunewiz.backends.reports.facts import gather_language_model
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.arguments import dump_yaml
from tunewiz.data.chat.prepared import PreparedLlm, load
from tunewiz.data.rows.conversations import Conversation, Stage
from tunewiz.files import write_json, write_jsonl, write_whole
from tunewiz.presets.methods.method import WithPeft
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import BadPreset, error, say

_PROCESSORS: Final[Mapping[Stage, str]] = {
    "sft": "SupervisedDatasetProcessor",
    "pretrain": "PretrainDatasetProcessor",
    "preference": "PairwiseDatasetProcessor",
    "kto": "FeedbackDatasetProcessor",
}
_DTYPES: Final = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
#: Arguments of ``run_exp`` that say where things are, or that only a resumed run has.
_PLACES: Final = ("model_name_or_path", "dataset_dir", "output_dir", "resume_from_checkpoint", "overwrite_output_dir")

LOADING: Final = say(
    "The model as LLaMA-Factory loads it, with its tokenizer, its chat template, and what makes tokens of a row."
)
ENCODING: Final = say("Rows as token ids, made by LLaMA-Factory's own processors: exactly what training sees.")
LOSSES: Final = say("The loss of each row over the tokens that training counts.")
MEASURE: Final = say("The metric of the run: {metric}.")
AFTER: Final = say("The tuned model is measured on the same rows.")
FACTORY: Final = say(
    "Training by LLaMA-Factory, with the arguments in train.yaml; `llamafactory-cli train train.yaml` in this folder "
    "does the same, but for a measure after the last step."
)
ROWS: Final = say("The rows to train on as tokens, and how they become a batch.")
ADAPTER: Final = say("The adapter by peft: {method}. The model's own weights stay as they are.")
TRAINER: Final = say("Training by the Trainer of transformers, with the run's arguments.")


@dataclass(frozen=True)
class _Parts:
    """A run and what it left that a program needs."""

    trained: Trained[LlmPreset]
    preset: LlmPreset
    prepared: PreparedLlm
    places: Places

    @property
    def speaks_first(self) -> bool:
        """Whether the adapter is virtual tokens before the text."""
        return self.preset.method.type in ("prefix_tuning", "prompt_tuning")


def program_of(run: Run, preset: LlmPreset, folder: Path) -> Program:
    """The program that trains as ``run`` did; its data goes into ``folder / "data"``.

    Raises :class:`BadPreset` (``rows-not-learned``) where answers are marked as not to be learned, and ``BadData``.
    """
    prepared = load(run.data)
    if has_unlearned([*prepared.train, *prepared.validation, *prepared.evaluation]):
        message = say("Some answers of the data are not to be learned: LLaMA-Factory's own files cannot say so.")
        raise BadPreset(
            error("rows-not-learned", message, fix=say("Take those marks out of the data, and train anew."))
        )
    parts = _Parts(Trained(run, preset), preset, prepared, places_of(read_record(run.record_file), run.data, Path()))
    facts = gather_language_model(run, preset)
    _write_data(parts, folder)
    names = ["llamafactory", "transformers", "torch", "datasets", "accelerate", "peft"]
    title = say(
        "This program trains {base} on {rows} rows as the run {name} of Tunewiz did, and measures it before and after. "
        "It needs the public libraries alone.",
        base=model_constants(parts.trained)["HUB"] or parts.trained.base.name,
        rows=len(prepared.train),
        name=run.name,
    )
    return Program(title, needed(parts.trained, *names), tuple(_blocks(parts, facts.primary)))


def _blocks(parts: _Parts, metric: str) -> Iterator[Block]:
    own, preset = blocks_of("training_language_model"), parts.preset
    yield Block(say("The public libraries."), own["imports"] + ("\nfrom peft import PeftModel" * parts.speaks_first))
    yield Block(settings_told(parts.trained.run), _settings(parts, metric))
    yield Block(say("The rows that were held out; nothing was trained on them."), own["read"])
    if preset.method.type == "prefix_tuning":
        yield Block(say("Trained keys and values for every layer of Gemma."), own["prefixes"])
    if parts.trained.precision == "fp32":
        yield Block(say("Full precision, as in the run."), own["full_precision"])
    yield Block(LOADING, own["load"])
    yield Block(ENCODING, own["encode"])
    if metric != "accuracy":
        yield Block(LOSSES, own["losses"])
    yield Block(filled(MEASURE, metric=metric), ("import re\n\n\n" * (metric == "accuracy")) + own[f"measure_{metric}"])
    yield Block(BEFORE, own["before"])
    yield Block(say("What happens during training beside the steps."), own["at_the_end"])
    if isinstance(preset.method, WithPeft):
        yield Block(ROWS, own["peft_rows"])
        yield Block(filled(ADAPTER, method=preset.method.type), own["peft_adapter"])
        yield Block(TRAINER, own["peft_train"])
    else:
        yield Block(FACTORY, own["factory"])
    yield Block(AFTER, own["after"])
    yield Block(TELL, own["tell"])


def _settings(parts: _Parts, metric: str) -> str:
    preset, trained, prepared = parts.preset, parts.trained, parts.prepared
    early = preset.training.early_stopping
    loading = loading_arguments(preset, parts.places, None, merged=False)
    values: dict[str, Any] = {
        **model_constants(trained),
        "SEED": preset.training.seed,
        "METRIC": metric,
        "DTYPE": _DTYPES[trained.precision],
        "LOADING": {key: value for key, value in loading.items() if key != "model_name_or_path"},
        "PROCESSOR": _PROCESSORS[prepared.stage],
        "SPEAKS_FIRST": parts.speaks_first,
        "BATCH": int(preset.evaluation.batch_size),
    }
    if metric == "accuracy":
        values |= {"LABELS": list(prepared.labels), "EDGES": measures.EDGES.pattern}
    if isinstance(preset.method, WithPeft):
        kind, options = adapter_options(preset)
        arguments = trainer_arguments(preset, trained.precision, trained.device, bool(prepared.validation))
        values |= {"ADAPTER": kind, "ADAPTER_OPTIONS": options}
        values["ARGUMENTS"] = {key: value for key, value in arguments.items() if value is not None}
        values["EARLY_STOPPING"] = [early.patience, early.threshold] if early.enabled else []
    else:
        values["EARLY_STOPPING"] = [early.patience, early.threshold] if early.enabled and early.threshold else []
    device = '"cpu"' if preset.launch.device == "cpu" else '"cuda" if torch.cuda.is_available() else "cpu"'
    lines = [constants(values), "", WHERE, f"DEVICE = {device}"]
    if values.get("ADAPTER") == "PromptTuningConfig":
        lines.append('ADAPTER_OPTIONS["tokenizer_name_or_path"] = MODEL')
    if preset.launch.threads:
        lines.append(f"torch.set_num_threads({preset.launch.threads})")
    return "\n".join(lines)


# The data beside the program.


def _write_data(parts: _Parts, folder: Path) -> None:
    data, prepared, preset = folder / "data", parts.prepared, parts.preset
    drawn = measures.drawn(prepared.evaluation, preset.evaluation.rows, preset.training.seed)
    write_jsonl(data / "evaluation.jsonl", map(_row, [prepared.evaluation[place] for place in drawn]))
    if isinstance(preset.method, WithPeft):
        for name, rows in (("train", prepared.train), ("validation", prepared.validation)):
            write_jsonl(data / f"{name}.jsonl", map(_row, rows))
        return
    info = encoded_rows.write_files(prepared, data)
    write_json(data / "dataset_info.json", info)
    write_whole(folder / "train.yaml", _configuration(parts))


def _row(row: Conversation) -> dict[str, Any]:
    """A row as LLaMA-Factory's processors read it, with what only measuring asks for."""
    found = {key: value[0] for key, value in encoded_rows.example(row).items()}
    for turns in (found["_prompt"], found["_response"]):
        for turn in turns:
            turn.pop(LEARNED, None)
    kept: dict[str, Any] = {key: found[key] for key in ("_prompt", "_response", "_system", "_tools")}
    if row.label:
        kept |= {"asked": encoded_rows.prompt_turns(row), "label": row.label}
    return kept | ({"liked": bool(row.desirable)} if row.stage == "kto" else {})


def _configuration(parts: _Parts) -> str:
    """The arguments as the run used them, with places beside the file."""
    text = (parts.trained.run.directory / CONFIGURATION).read_text(encoding="utf-8")
    told: Mapping[str, Any] = yaml.safe_load(text)
    known = model_constants(parts.trained)
    places = {"model_name_or_path": known["HUB"] or known["FOLDER"], "dataset_dir": "data", "output_dir": "tuned"}
    return dump_yaml(places | {key: value for key, value in told.items() if key not in _PLACES})
