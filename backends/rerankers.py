"""Cross-encoders loaded the way a preset wants them: head, length, activation, adapter, device."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from backends import adapters
from backends.loading import configure_length, not_loadable
from data.files import read_json
from data.problems import BadPreset, Where, error, say
from presets.losses.reranker.base import RerankerLoss
from presets.retrieval import RetrievalPreset

#: Ends of the names of architectures that give a score: a classifier, or a language model that says yes or no.
_SCORING: Final = ("ForSequenceClassification", "ForCausalLM")


def has_head(folder: Path) -> bool:
    """Whether the model in ``folder`` gives scores; an encoder does not, and gets a fresh head."""
    if (folder / adapters.WEIGHTS).is_file():
        return True
    config = read_json(folder / "config.json")
    named = config.get("architectures") or [] if isinstance(config, dict) else []
    return any(str(name).endswith(_SCORING) for name in named)


def load_reranker(path: Path | str, preset: RetrievalPreset | None = None, device: str = "cpu") -> Any:
    """The ``CrossEncoder`` with one label in the folder ``path``, in evaluation mode, on ``device``, in fp32.

    ``path`` may hold a reranker, one saved with a LoRA adapter, or an encoder, which gets a fresh head drawn by the
    preset's seed. Raises :class:`BadPreset` (``model-not-loadable``, ``several-labels``).
    """
    import torch
    from sentence_transformers import CrossEncoder

    trusted = preset is not None and preset.model.trust_remote_code
    torch.manual_seed(preset.training.seed if preset else 0)
    try:
        model = CrossEncoder(
            str(path),
            device=device,
            num_labels=None if has_head(Path(path)) else 1,
            trust_remote_code=trusted,
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as fault:
        raise BadPreset(not_loadable(path, fault, trusted)) from fault
    if model.num_labels != 1:
        told = say("The model in {path} sorts into {count} classes; a reranker gives one score.", path=str(path),
                   count=model.num_labels)  # fmt: skip
        fix = say("Choose a reranker, or an encoder, which gets a head of its own.")
        raise BadPreset(error("several-labels", told, Where(key="model.id"), fix))
    adapters.restore(model, Path(path))
    if preset is not None:
        configure_length(model, preset)
    return model.eval()


def set_activation(model: Any, loss: RerankerLoss) -> None:
    """Let the model predict the way ``loss`` trains it; it is saved with the model."""
    import torch

    model.activation_fn = torch.nn.Sigmoid() if loss.activation == "sigmoid" else torch.nn.Identity()
