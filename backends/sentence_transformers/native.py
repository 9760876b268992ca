"""A preset as what sentence-transformers is called with, for people who know the library."""

from __future__ import annotations

from typing import Any

import yaml

from backends.precision import choose
from backends.runs.hardware import gpus
from backends.sentence_transformers.arguments import settings
from presets.losses.base import Loss
from presets.losses.matryoshka import Matryoshka
from presets.retrieval import RetrievalPreset
from presets.sections.method import Lora


def native(preset: RetrievalPreset) -> str:
    """YAML text: the model, the loss's class and arguments, the training arguments, the adapter's configuration.

    Arguments that depend on the number of rows (warm-up and evaluation steps) are said in words.
    """
    return library_yaml(preset, "SentenceTransformer")


def library_yaml(preset: RetrievalPreset, model: str, **more: Any) -> str:
    """The configuration for the library's class of models ``model``, which also gets ``more``."""
    shared = common(preset)
    sections = {
        model: _model(preset) | more,
        "loss": _loss(preset.loss),
        f"{model}TrainingArguments": shared.pop("TrainingArguments"),
        **shared,
    }
    text: str = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=120)
    return text


def common(preset: RetrievalPreset) -> dict[str, Any]:
    """What every backend on the Trainer of transformers is given: its arguments, and the adapter's configuration."""
    device = "cuda" if preset.launch.device != "cpu" and gpus() else "cpu"
    wanted = preset.training.precision
    # On a GPU the choice asks torch, which is too slow here; auto is bf16 on every GPU since 2020.
    precision = "bf16" if device == "cuda" and wanted == "auto" else choose(wanted, device)[0]
    sections: dict[str, Any] = {
        "TrainingArguments": {
            key: value for key, value in settings(preset, precision, device).items() if value is not None
        },
        "set when the rows are counted": {
            "warmup_steps": f"{preset.training.warmup:g} of all steps",
            "eval_steps, save_steps": f"{preset.training.evaluations} times, evenly spread",
        },
    }
    if isinstance(preset.method, Lora):
        sections["peft.LoraConfig"] = _lora(preset.method)
    return sections


def _model(preset: RetrievalPreset) -> dict[str, Any]:
    model = preset.model
    told = {"model_name_or_path": model.id, "max_seq_length": preset.training.max_length}
    return told | ({"revision": model.revision} if model.revision else {})


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

    def __getattr__(self, name: str) -> str:
        return f"{self._name}.{name}"

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
