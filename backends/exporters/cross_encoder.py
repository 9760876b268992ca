"""A folder that ``CrossEncoder`` loads by its path, with the right activation and a card; for LoRA the adapter too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from backends.exporters.base import Exporter, replacing
from backends.exporters.sentence_transformers import ADAPTER, clean, write_adapter
from backends.loading import has_adapter, merge_adapter
from backends.model_card import model_card
from backends.reports.facts import Facts, gather
from backends.rerankers import load_reranker, set_activation
from backends.runs.run import Run
from data.files import write_whole
from data.problems import TunewizError, Where, error, say
from presets.losses.reranker.base import RerankerLoss
from presets.retrieval import RetrievalPreset

if TYPE_CHECKING:
    from backends.batching import Rows

#: Largest difference of a score between a model and what was written: merging rounds, nothing else may.
_SAME: Final = 1e-3
_PROBE: Final = (
    ["How do I reset my password?", "Open the settings and choose Reset password."],
    ["重置密码的方法", "在设置中选择重置密码。"],
    ["How do I reset my password?", "The weather is fine today."],
)


class CrossEncoder(Exporter):
    """The format of sentence-transformers' rerankers, which TEI, Infinity, LangChain and LlamaIndex read too."""

    name: ClassVar[str] = "cross_encoder"

    def export(self, run: Run, preset: RetrievalPreset, tuned: Path, target: Path) -> list[Path]:
        """``target`` holds the model, ``target / "adapter"`` the adapter; without merging, only the adapter."""
        facts = gather(run, preset)
        model = load_reranker(tuned, preset)
        if isinstance(preset.loss, RerankerLoss):
            set_activation(model, preset.loss)
        expected = _scores(model)
        with replacing(target) as temporary:
            written = []
            if has_adapter(model):
                written.append(write_adapter(tuned, temporary / ADAPTER, facts, ("", "")))
                _check(_with_adapter(written[-1], facts, preset, model.activation_fn), expected, written[-1])
            if not written or preset.export.merge:
                written.insert(0, _write_model(merge_adapter(model), temporary, facts))
                _check(_plain(temporary, preset), expected, temporary)
        return [target / folder.relative_to(temporary) for folder in written]


def _write_model(model: Any, folder: Path, facts: Facts) -> Path:
    model.save_pretrained(str(folder), create_model_card=False)
    clean(folder, facts)
    write_whole(folder / "README.md", model_card(facts, ("", "")))
    return folder


def _scores(model: Any) -> Rows:
    """What the model predicts for three pairs, activation included."""
    import numpy as np

    return np.asarray(model.predict([list(pair) for pair in _PROBE]), np.float32)


def _plain(folder: Path, preset: RetrievalPreset) -> Any:
    """The model as a user loads it: by its path and nothing else."""
    from sentence_transformers import CrossEncoder as Library

    trusted = preset.model.trust_remote_code
    return Library(str(folder), device="cpu", trust_remote_code=trusted, local_files_only=True)


def _with_adapter(folder: Path, facts: Facts, preset: RetrievalPreset, activation: Any) -> Any:
    """The base model with the adapter put on by peft, as the adapter's card says."""
    from peft import PeftModel

    model = load_reranker(facts.record["model"]["path"], preset)
    PeftModel.from_pretrained(model[0].auto_model, str(folder)).merge_and_unload()
    model.activation_fn = activation
    return model


def _check(loaded: Any, expected: Rows, folder: Path) -> None:
    found = _scores(loaded)
    difference = float(abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not difference <= _SAME * max(1.0, float(abs(expected).max())):
        told = say(
            "The exported reranker does not give the scores of the tuned one: they differ by {difference}.",
            difference=f"{difference:.2g}",
        )
        fix = say("Keep the run's checkpoints (export.keep_checkpoints) and report this.")
        raise TunewizError(error("export-differs", told, Where(file=folder.name), fix))
