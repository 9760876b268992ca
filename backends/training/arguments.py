"""A preset in the terms of transformers' Trainer: its arguments, and the configuration that ``native`` shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tunewiz.backends.machine.hardware import gpus
from tunewiz.backends.machine.precision import choose
from tunewiz.backends.ranks.place import here
from tunewiz.backends.ranks.plan import own_batch
from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.recipe import open_keys
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.sections.training import Training
from tunewiz.presets.tasks.llm import LlmPreset

OPTIMIZERS: Final[Mapping[str, str]] = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_bnb_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


#: What the recipe may choose, in the library's names.
_CHOSEN: Final[Mapping[str, str]] = {
    "epochs": "num_train_epochs",
    "learning_rate": "learning_rate",
    "batch_size": "per_device_train_batch_size",
}


@dataclass(frozen=True)
class Length:
    """How long a training is: batches an epoch, and steps in all (batches / accumulation x epochs, or the cap)."""

    batches: int
    steps: int

    @classmethod
    def of(cls, training: Training, batches: int) -> Length:
        """The length of ``training`` over ``batches`` an epoch; counted as transformers counts."""
        an_epoch = max(1, math.ceil(batches / training.accumulation))
        steps = training.max_steps if training.max_steps > 0 else math.ceil(training.epochs * an_epoch)
        return cls(batches, steps)


def measured_steps(steps: int, evaluations: int) -> tuple[int, ...]:
    """The steps after which the model is measured: evenly spread, the last one included."""
    return tuple(sorted({max(1, round(steps * part / evaluations)) for part in range(1, evaluations + 1)}))


def settings(preset: Preset, precision: str, device: str) -> dict[str, Any]:
    """Arguments that follow from the preset alone, in the library's names."""
    training = preset.training
    on_cpu = device == "cpu"
    rows, batches = own_batch(preset)
    return {
        "num_train_epochs": training.epochs,
        "max_steps": training.max_steps,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": batches,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": training.scheduler,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "optim": OPTIMIZERS[training.optimizer],
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "use_cpu": on_cpu,
        "seed": training.seed,
        "data_seed": training.seed,
        "gradient_checkpointing": training.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if training.gradient_checkpointing else None,
        "dataloader_num_workers": training.workers,
        "dataloader_pin_memory": not on_cpu,
        "logging_steps": training.log_every,
        "logging_first_step": True,
        # A loss of nan must be seen: by default it is replaced by the mean of the losses before it.
        "logging_nan_inf_filter": False,
        "save_total_limit": training.keep_checkpoints,
        # Early stopping goes on counting where it was when a training is resumed.
        "restore_callback_states_from_checkpoint": True,
        "report_to": "none",
        "disable_tqdm": True,
        **_between_processes(on_cpu),
    }


#: Seconds that a rank waits for the others: rank 0 alone measures, for as long as that takes. A rank that ends is seen
#: by torchrun at once; this is for one that hangs.
_PATIENCE: Final = 6 * 3600


def _between_processes(on_cpu: bool) -> dict[str, Any]:
    if here().size == 1:
        return {}
    return {"ddp_timeout": _PATIENCE, **({"ddp_backend": "gloo"} if on_cpu else {})}


def schedule(training: Training, length: Length, metric: str | None) -> dict[str, Any]:
    """Arguments that need the number of steps; ``metric`` is what a validation set is measured by, if there is one.

    The library saves and measures at fixed intervals; ours are set by a callback, so its interval is the whole.
    """
    arguments: dict[str, Any] = {
        "warmup_steps": math.ceil(training.warmup * length.steps),
        "save_strategy": "steps",
        "save_steps": length.steps,
        "eval_strategy": "no",
    }
    if metric is None or not training.evaluations:
        return arguments
    return arguments | {
        "eval_strategy": "steps",
        "eval_steps": length.steps,
        "eval_on_start": True,
        "load_best_model_at_end": training.best_checkpoint,
        "metric_for_best_model": f"eval_{metric}",
        "greater_is_better": True,
    }


def schedule_by_shares(preset: LlmPreset, validated: bool) -> dict[str, Any]:
    """Checkpoints, and measures on validation rows where there are any, at even shares of the steps."""
    training = preset.training
    share = _share(training.evaluations or 1)
    found: dict[str, Any] = {"save_strategy": "steps", "save_steps": share, "eval_strategy": "no"}
    if not validated or not training.evaluations:
        return found
    found |= {
        "eval_dataset": "validation",
        "eval_strategy": "steps",
        "eval_steps": share,
        "eval_on_start": True,
        "per_device_eval_batch_size": int(preset.evaluation.batch_size),
        "load_best_model_at_end": training.best_checkpoint,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
    }
    return found | (
        {"early_stopping_steps": training.early_stopping.patience} if training.early_stopping.enabled else {}
    )


def _share(times: int) -> float:
    """``1 / times`` as a share of all steps: transformers reads numbers below 1 so, and 1 as a single step."""
    return min(0.9999, 1 / times)  # of any run below 10,000 steps 0.9999 is the last one


def device_and_precision(preset: LlmPreset) -> tuple[str, str]:
    """Where and in what the preset would be trained here."""
    device = "cuda" if preset.launch.device != "cpu" and gpus() else "cpu"
    wanted = preset.training.precision
    # On a GPU the choice asks torch, which is too slow here; auto is bf16 on every GPU since 2020.
    return device, "bf16" if device == "cuda" and wanted == "auto" else choose(wanted, device)[0]


def dump_yaml(values: dict[str, Any]) -> str:
    """``values`` as YAML."""
    kept = {key: value for key, value in values.items() if value is not None}
    text: str = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=120)
    return text


def library_yaml(preset: RetrievalPreset, model: str, **more: Any) -> str:
    """The configuration for the library's class of models ``model``, which also gets ``more``."""
    shared = trainer_sections(preset)
    sections = {
        model: _model(preset) | more,
        "loss": _loss(preset.loss),
        f"{model}TrainingArguments": shared.pop("TrainingArguments"),
        **shared,
    }
    text: str = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=120)
    return text


def trainer_sections(preset: RetrievalPreset) -> dict[str, Any]:
    """What every backend on the Trainer of transformers is given: its arguments, and the adapter's configuration."""
    device = "cuda" if preset.launch.device != "cpu" and gpus() else "cpu"
    wanted = preset.training.precision
    # On a GPU the choice asks torch, which is too slow here; auto is bf16 on every GPU since 2020.
    precision = "bf16" if device == "cuda" and wanted == "auto" else choose(wanted, device)[0]
    left = open_keys(preset.training)
    given = settings(preset, precision, device)
    chosen_later = "chosen from the data (training.recipe)"
    chosen = [name for key, name in _CHOSEN.items() if key in left]
    sections: dict[str, Any] = {
        "TrainingArguments": {key: value for key, value in given.items() if value is not None and key not in chosen},
        "set when the rows are counted": {
            **({", ".join(chosen): chosen_later} if chosen else {}),
            "warmup_steps": chosen_later if "warmup" in left else f"{preset.training.warmup:g} of all steps",
            "eval_steps, save_steps": chosen_later
            if "evaluations" in left
            else f"{preset.training.evaluations} times, evenly spread",
        },
    }
    if isinstance(preset.method, Lora):
        sections["peft.LoraConfig"] = _lora(preset.method)
    return sections


def _model(preset: RetrievalPreset) -> dict[str, Any]:
    model = preset.model
    named = {"model_name_or_path": model.id, "max_seq_length": preset.training.max_length}
    return named | ({"revision": model.revision} if model.revision else {})


def _loss(loss: Loss) -> dict[str, Any]:
    """The class that ``build`` asks for and the arguments it gives, found by building on a recorder."""
    if isinstance(loss, Matryoshka):
        return {"MatryoshkaLoss": {"loss": _loss(loss.loss), "matryoshka_dims": loss.dimensions}}
    recorder = _Recorder()
    loss.build(_NoModel(), recorder)
    return {recorder.name: recorder.arguments}


class _NoModel:
    """Stands for the model, and for a guide made of its class, where only arguments are wanted."""

    device = "cpu"

    def __init__(self, path: str = "", **_: Any) -> None:
        self._path = path

    def __str__(self) -> str:
        return self._path

    def requires_grad_(self, _wanted: bool) -> _NoModel:
        return self

    def eval(self) -> _NoModel:
        return self


class _Recorder:
    """Stands for the library's module: remembers the last class asked for and its arguments."""

    name = ""

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return _Asked(self, name)


class _Asked:
    def __init__(self, recorder: _Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    def __getattr__(self, name: str) -> _Asked:
        return _Asked(self._recorder, f"{self._name}.{name}")

    def __str__(self) -> str:
        return self._name

    def __call__(self, *values: Any, **arguments: Any) -> str:
        """What was asked for last is the loss: what it is given is made before it."""
        self._recorder.name = self._name
        self._recorder.arguments = {key: _plain(value) for key, value in arguments.items()}
        return f"{self._name}({', '.join(map(str, values))})"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (int, float, str, bool, list)) else str(value)


def _lora(method: Lora) -> dict[str, Any]:
    modules = "all linear layers" if method.target_modules == "all" else list(method.target_modules)
    return {
        "task_type": "FEATURE_EXTRACTION",
        "r": method.rank,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "target_modules": modules,
        "bias": "none",
    }
