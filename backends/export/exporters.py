"""Exporters: a tuned model as the folder that some software loads by its path, compared with the tuned one.

For sentence-transformers and its CrossEncoder, with prompts or activation and a card; for LoRA the adapter too.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tunewiz.backends.export.model_card import model_card
from tunewiz.backends.models import adapters
from tunewiz.backends.models.adapters import has_adapter, merge_adapter
from tunewiz.backends.models.loading import load_encoder, load_reranker, prompts, set_activation
from tunewiz.backends.reports.facts import Facts, gather
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_json, replacing, write_json, write_whole
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.problems import TunewizError, Where, error, say
from tunewiz.registry import Registry

if TYPE_CHECKING:
    from tunewiz.backends.models.batching import Rows
    from tunewiz.backends.models.encoding import Vectors


class Exporter(ABC):
    """Writes one format. A new one is a new file in this package, named like its ``name``."""

    name: ClassVar[str]

    @abstractmethod
    def export(
        self, run: Run, preset: RetrievalPreset, tuned: Path, target: Path, beside: Sequence[Path] = ()
    ) -> list[Path]:
        """Write the model in ``tuned`` (all of it, or its adapter) into ``target``; the folders that can be loaded.

        Copies of the files ``beside`` lie in it too. What was written is loaded again and compared before it becomes
        ``target``, all at once. Raises ``TunewizError`` if it differs.
        """


def copy_beside(files: Sequence[Path], folder: Path) -> None:
    """Copy ``files`` into ``folder``."""
    for file in files:
        shutil.copy2(file, folder / file.name)


@cache
def catalogue() -> Mapping[str, type[Exporter]]:
    """Every exporter by name: a module that defines a concrete :class:`Exporter` of the module's name."""
    return Registry("tunewiz.backends.export", Exporter).classes()


# A folder that sentence-transformers loads by its path, with prompts and model card; for LoRA the adapter too.


ADAPTER: Final = "adapter"
#: Largest difference of a component between a model and what was written: merging rounds, nothing else may.
_SAME_VECTOR: Final = 1e-4
PROBE_TEXTS: Final = ("How do I reset my password?", "重置密码的方法", "The weather is fine today.")


class SentenceTransformersExporter(Exporter):
    """The format of sentence-transformers, which LangChain, LlamaIndex, Haystack, TEI and Infinity read too."""

    name: ClassVar[str] = "sentence_transformers"

    def export(
        self, run: Run, preset: RetrievalPreset, tuned: Path, target: Path, beside: Sequence[Path] = ()
    ) -> list[Path]:
        """``target`` holds the model, ``target / "adapter"`` the adapter; without merging, only the adapter."""
        facts = gather(run, preset)
        model = load_encoder(tuned, preset)
        expected = _vectors(model)
        with replacing(target) as temporary:
            written = []
            if has_adapter(model):
                written.append(write_adapter(tuned, temporary / ADAPTER, facts, prompts(model)))
                _check_vectors(_encoder_with_adapter(written[-1], facts, preset), expected, written[-1])
            if not written or preset.export.merge:
                written.insert(0, _write_encoder(merge_adapter(model), temporary, facts))
                _check_vectors(plain_encoder(temporary, preset), expected, temporary)
            copy_beside(beside, temporary)
        return [target / folder.relative_to(temporary) for folder in written]


def _write_encoder(model: Any, folder: Path, facts: Facts) -> Path:
    model.save_pretrained(str(folder), create_model_card=False)
    clean(folder, facts)
    lay_out_for_others(folder, int(model.max_seq_length or 0))
    write_whole(folder / "README.md", model_card(facts, prompts(model), served=folder))
    return folder


def write_adapter(tuned: Path, folder: Path, facts: Facts, texts: tuple[str, str]) -> Path:
    """The adapter in peft's own format, which vLLM, TEI and peft read; its card says how it goes onto its base."""
    folder.mkdir()
    shutil.copy2(tuned / adapters.ADAPTER_WEIGHTS, folder / adapters.ADAPTER_WEIGHTS)
    settings = read_json(tuned / "adapter_config.json")
    recorded = facts.record.get("model", {})
    if recorded.get("source") in ("huggingface", "modelscope") and recorded.get("place"):
        # A hub's id can be loaded anywhere, a cache folder only here.
        settings["base_model_name_or_path"] = _hub_id(recorded, settings["base_model_name_or_path"])
    else:
        settings["base_model_name_or_path"] = facts.base_model
    write_json(folder / "adapter_config.json", settings)
    write_whole(folder / "README.md", model_card(facts, texts, adapter=True))
    return folder


def _hub_id(recorded: dict[str, Any], path: str) -> str:
    """The base model's id on the hub where it came from; the path if what was recorded is one too."""
    place = str(recorded["place"])
    return path if Path(place).is_absolute() else place


def clean(folder: Path, facts: Facts) -> None:
    """Take this machine's paths out of the model's settings."""
    for path in folder.rglob("config.json"):
        settings = read_json(path)
        if isinstance(settings, dict) and Path(str(settings.get("_name_or_path", ""))).is_absolute():
            settings["_name_or_path"] = facts.base_model
            write_json(path, settings)


#: Modules of a model by the names that all versions of sentence-transformers, vLLM and TEI know; 6.x writes others.
_MODULES: Final = ("Transformer", "Pooling", "Dense", "Normalize")
_POOLED: Final = {
    "cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken",
}  # fmt: skip


def lay_out_for_others(folder: Path, longest: int) -> None:
    """Write the modules of the model in ``folder`` as versions before 6 of sentence-transformers have them.

    vLLM looks for ``sentence_transformers.models.Pooling`` and, where it is not, pools by the first word whatever the
    model does; TEI wants ``pooling_mode_cls_token``. What they do not know stays as it is; version 6 reads both.
    ``longest``: tokens that the model reads.
    """
    modules: Any = read_json(folder / "modules.json")
    names = [str(module["type"]).rsplit(".", 1)[-1] for module in modules] if isinstance(modules, list) else []
    if not names or not set(names) <= set(_MODULES):
        return
    for module, name in zip(modules, names, strict=True):
        module["type"] = f"sentence_transformers.models.{name}"
        if name == "Pooling":
            _lay_out_pooling(folder / module["path"] / "config.json")
    write_json(folder / "modules.json", modules)
    read = folder / "sentence_bert_config.json"
    told: Any = read_json(read)
    plain = isinstance(told, dict) and set(told.get("modality_config") or {"text": {}}) == {"text"}
    if plain and longest and told.get("module_output_name", "token_embeddings") == "token_embeddings":
        write_json(read, {"max_seq_length": longest, "do_lower_case": bool(told.get("do_lower_case"))})


def _lay_out_pooling(file: Path) -> None:
    told: Any = read_json(file)
    wanted = told.get("pooling_mode") if isinstance(told, dict) else None
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not wanted or not set(wanted) <= set(_POOLED):
        return
    modes = {f"pooling_mode_{name}": mode in wanted for mode, name in _POOLED.items()}
    sizes = {"word_embedding_dimension": told["embedding_dimension"]}
    write_json(file, {**sizes, **modes, "include_prompt": told.get("include_prompt", True)})


def _vectors(model: Any) -> Vectors:
    """Unit vectors of three texts, the first as a query."""
    import numpy as np

    rows = np.concatenate([model.encode_query(list(PROBE_TEXTS[:1])), model.encode_document(list(PROBE_TEXTS[1:]))])
    return unit(rows)


def unit(rows: Vectors) -> Vectors:
    """``rows`` (texts, numbers), each of length one, as torch's normalize makes them."""
    import numpy as np

    found: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return found


def plain_encoder(folder: Path, preset: RetrievalPreset) -> Any:
    """The model as a user loads it: by its path and nothing else."""
    from sentence_transformers import SentenceTransformer

    trusted = preset.model.trust_remote_code
    return SentenceTransformer(str(folder), device="cpu", trust_remote_code=trusted, local_files_only=True)


def _encoder_with_adapter(folder: Path, facts: Facts, preset: RetrievalPreset) -> Any:
    """The base model with the adapter put on by peft, as the adapter's card says."""
    from peft import PeftModel

    model = load_encoder(facts.record["model"]["path"], preset)
    PeftModel.from_pretrained(model[0].auto_model, str(folder)).merge_and_unload()
    return model


def _check_vectors(loaded: Any, expected: Vectors, folder: Path) -> None:
    found = _vectors(loaded)
    difference = float(abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not difference <= _SAME_VECTOR:
        message = say(
            "The exported model does not give the vectors of the tuned one: they differ by {difference}.",
            difference=f"{difference:.2g}",
        )
        fix = say("Keep the run's checkpoints (export.keep_checkpoints) and report this.")
        raise TunewizError(error("export-differs", message, Where(file=folder.name), fix))


# A folder that ``CrossEncoder`` loads by its path, with the right activation and a card; for LoRA the adapter too.


#: Largest difference of a score between a model and what was written: merging rounds, nothing else may.
_SAME_SCORE: Final = 1e-3
_PROBE_PAIRS: Final = (
    ["How do I reset my password?", "Open the settings and choose Reset password."],
    ["重置密码的方法", "在设置中选择重置密码。"],
    ["How do I reset my password?", "The weather is fine today."],
)


class CrossEncoderExporter(Exporter):
    """The format of sentence-transformers' rerankers, which TEI, Infinity, LangChain and LlamaIndex read too."""

    name: ClassVar[str] = "cross_encoder"

    def export(
        self, run: Run, preset: RetrievalPreset, tuned: Path, target: Path, beside: Sequence[Path] = ()
    ) -> list[Path]:
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
                _check_scores(
                    _reranker_with_adapter(written[-1], facts, preset, model.activation_fn), expected, written[-1]
                )
            if not written or preset.export.merge:
                written.insert(0, _write_reranker(merge_adapter(model), temporary, facts))
                _check_scores(_plain_reranker(temporary, preset), expected, temporary)
            copy_beside(beside, temporary)
        return [target / folder.relative_to(temporary) for folder in written]


def _write_reranker(model: Any, folder: Path, facts: Facts) -> Path:
    model.save_pretrained(str(folder), create_model_card=False)
    clean(folder, facts)
    write_whole(folder / "README.md", model_card(facts, ("", ""), served=folder))
    return folder


def _scores(model: Any) -> Rows:
    """What the model predicts for three pairs, activation included."""
    import numpy as np

    return np.asarray(model.predict([list(pair) for pair in _PROBE_PAIRS]), np.float32)


def _plain_reranker(folder: Path, preset: RetrievalPreset) -> Any:
    """The model as a user loads it: by its path and nothing else."""
    from sentence_transformers import CrossEncoder as Library

    trusted = preset.model.trust_remote_code
    return Library(str(folder), device="cpu", trust_remote_code=trusted, local_files_only=True)


def _reranker_with_adapter(folder: Path, facts: Facts, preset: RetrievalPreset, activation: Any) -> Any:
    """The base model with the adapter put on by peft, as the adapter's card says."""
    from peft import PeftModel

    model = load_reranker(facts.record["model"]["path"], preset)
    PeftModel.from_pretrained(model[0].auto_model, str(folder)).merge_and_unload()
    model.activation_fn = activation
    return model


def _check_scores(loaded: Any, expected: Rows, folder: Path) -> None:
    found = _scores(loaded)
    difference = float(abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    # "not <=", so that nan counts as a difference.
    if not difference <= _SAME_SCORE * max(1.0, float(abs(expected).max())):
        message = say(
            "The exported reranker does not give the scores of the tuned one: they differ by {difference}.",
            difference=f"{difference:.2g}",
        )
        fix = say("Keep the run's checkpoints (export.keep_checkpoints) and report this.")
        raise TunewizError(error("export-differs", message, Where(file=folder.name), fix))
