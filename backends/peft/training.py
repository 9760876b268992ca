"""One training: a model that LLaMA-Factory loads, an adapter by peft, the transformers Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends import trackers
from backends.llama_factory import out_of_memory
from backends.llama_factory.arguments import Places
from backends.llama_factory.encoded import IGNORED, Tokens, encoded
from backends.llama_factory.loading import Loaded, load, ready_process
from backends.llama_factory.training import measured_at_the_end
from backends.peft.native import adapter, arguments
from backends.precision import chosen
from backends.runs.callback import run_callback
from backends.runs.run import Run
from backends.sentence_transformers.checkpoints import newest
from data.conversations import Conversation
from data.prepared_llm import load as load_prepared
from data.problems import BadData, error, say
from presets.tasks.llm import LlmPreset


def train(run: Run, preset: LlmPreset, places: Places) -> None:
    """Train, from the newest checkpoint if there is one, and leave the adapter in ``run.checkpoints``.

    Raises :class:`StopRequested` after saving a checkpoint when asked to stop, :class:`OutOfMemory` with advice, and
    :class:`BadData` when no row is left.
    """
    import peft
    from transformers import Trainer, TrainingArguments, set_seed

    device = ready_process(preset.launch)
    precision = chosen(run, preset.training.precision, device)
    prepared = load_prepared(run.data)
    set_seed(preset.training.seed)
    with out_of_memory.explained(preset):
        loaded = load(preset, places, None)
        kind, options = adapter(preset)
        if kind == "PromptTuningConfig":
            options |= {"tokenizer_name_or_path": places.model}
        model = peft.get_peft_model(loaded.model, getattr(peft, kind)(**options))
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()  # steps in 16 bit would be rounded away
        validation = _rows(loaded, prepared.validation)
        told = arguments(preset, precision, device, bool(validation)) | {"output_dir": str(run.checkpoints)}
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**told),
            train_dataset=_some(_rows(loaded, prepared.train), preset),
            eval_dataset=validation or None,
            data_collator=_Padded(loaded.tokenizer.pad_token_id or 0),
            callbacks=_callbacks(run, preset, bool(validation)),
        )
        resumed = newest(run.checkpoints)
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    run.check_stop()
    trainer.save_model(str(run.checkpoints))


def _rows(loaded: Loaded, rows: Sequence[Conversation]) -> list[Tokens]:
    """Rows with tokens that count."""
    found = [encoded(loaded, row)["answer"] for row in rows]
    return [row for row in found if row.counted]


def _some(rows: list[Tokens], preset: LlmPreset) -> list[Tokens]:
    if not rows:
        told = say("No row is left to train on once it is cut to {length} tokens.", length=preset.training.max_length)
        raise BadData(error("no-usable-rows", told, fix=say("Raise training.max_length for long prompts.")))
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

    def __call__(self, rows: Sequence[Tokens]) -> dict[str, Any]:
        import torch

        longest = max(len(row.ids) for row in rows)

        def filled(values: Sequence[int], filler: int) -> list[int]:
            return [*values, *[filler] * (longest - len(values))]

        return {
            "input_ids": torch.tensor([filled(row.ids, self._padding) for row in rows]),
            "attention_mask": torch.tensor([filled([1] * len(row.ids), 0) for row in rows]),
            "labels": torch.tensor([filled(row.labels, IGNORED) for row in rows]),
        }
