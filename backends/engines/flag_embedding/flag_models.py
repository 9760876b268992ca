"""FlagEmbedding's models around an encoder that sentence-transformers loaded: both share the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.training import checkpoints
from tunewiz.presets.losses.info_nce import Grouped, M3Unified
from tunewiz.problems import BadPreset, Problem, Where, error, note, say

#: BGE-M3's files beside the encoder: what makes token vectors, and what makes word weights.
COLBERT, SPARSE = "colbert_linear.pt", "sparse_linear.pt"
#: How sentence-transformers and FlagEmbedding name the ways to pool.
POOLING: Final = {"cls": "cls", "mean": "mean", "lasttoken": "last_token"}


@dataclass(frozen=True)
class TunedEncoder:
    """``model`` computes losses (FlagEmbedding's), ``encoder`` is searched with and saved (a SentenceTransformer).

    ``heads`` are M3's own layers by the file they lie in.
    """

    encoder: Any
    model: Any
    heads: dict[str, Any] = field(default_factory=dict)

    def before_step(self, step: int, inputs: Mapping[str, Any]) -> int:
        """Tell an M3 model which step it is (its own count begins anew when a run goes on); rows of the step."""
        if self.heads:
            self.model.step = step
        return len(inputs["queries"]["input_ids"])

    def save(self, folder: Path) -> None:
        """Write encoder and heads; for LoRA the adapter alone."""
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.save_pretrained(str(folder), create_model_card=False)
        self.save_heads(folder)

    def save_heads(self, folder: Path) -> None:
        """Write M3's heads as FlagEmbedding reads them."""
        import torch

        for name, head in self.heads.items():
            weights = {key: value.detach().cpu().clone() for key, value in head.state_dict().items()}
            torch.save(weights, folder / name)

    def restore(self, folder: Path) -> None:
        """Read what :meth:`save` wrote."""
        checkpoints.restore_weights(self.encoder, folder)
        for name, head in self.heads.items():
            head.load_state_dict(_read(folder / name))


def flag_model(encoder: Any, loss: Grouped, folder: Path, tell: Callable[[Problem], None]) -> TunedEncoder:
    """FlagEmbedding's model for ``loss`` around ``encoder``; ``folder`` may hold M3's heads.

    Raises :class:`BadPreset` where the library cannot compute what the encoder computes. ``tell`` takes a problem.
    """
    options: dict[str, Any] = {
        "tokenizer": encoder.tokenizer,
        "sentence_pooling_method": _pooling(encoder),
        "normalize_embeddings": True,
        **loss.build(encoder, None),
    }
    transformer = encoder.transformers_model
    if not isinstance(loss, M3Unified):
        _check_dimensions(encoder, list(options.get("mrl_dims", [])))
        return TunedEncoder(encoder, _plain_class(options["sentence_pooling_method"])(transformer, **options))
    from FlagEmbedding.finetune.embedder.encoder_only.m3 import EncoderOnlyEmbedderM3Model

    _complete_marks(encoder.tokenizer)
    if options.pop("fix_encoder"):
        transformer.requires_grad_(False)
    heads, found = _heads(folder, transformer.config.hidden_size)
    if not found:
        tell(_new_heads())
    parts = {"model": transformer, "colbert_linear": heads[COLBERT], "sparse_linear": heads[SPARSE]}
    model = EncoderOnlyEmbedderM3Model(parts, **options).to(encoder.device)
    return TunedEncoder(encoder, model, heads)


def _plain_class(pooling: str) -> Any:
    """Decoders are pooled at their last token."""
    if pooling == "last_token":
        from FlagEmbedding.finetune.embedder.decoder_only.base import BiDecoderOnlyEmbedderModel

        return BiDecoderOnlyEmbedderModel
    from FlagEmbedding.finetune.embedder.encoder_only.base import BiEncoderOnlyEmbedderModel

    return BiEncoderOnlyEmbedderModel


def _pooling(encoder: Any) -> str:
    """The library's name of the encoder's pooling. Raises :class:`BadPreset` where it has more than it knows."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    modules = list(encoder.children())
    strange = [type(module).__name__ for module in modules if not isinstance(module, (Transformer, Pooling, Normalize))]
    mode = next((str(module.pooling_mode) for module in modules if isinstance(module, Pooling)), "")
    if strange or mode not in POOLING:
        message = say("FlagEmbedding cannot train this model: it has {parts}.", parts=", ".join(strange) or mode or "-")
        fix = say("Set backend: sentence_transformers, which trains every part.")
        raise BadPreset(error("model-not-flag", message, Where(key="model.id"), fix))
    return POOLING[mode]


def _complete_marks(tokenizer: Any) -> None:
    """Name the marks that M3's word weights leave out; BERT calls the mark at the end of a text [SEP].

    Raises :class:`BadPreset` for a tokenizer that has none of its own.
    """
    if tokenizer.eos_token is None and tokenizer.sep_token is not None:
        tokenizer.eos_token = tokenizer.sep_token
    missing = [mark for mark in ("cls", "eos", "pad", "unk") if getattr(tokenizer, f"{mark}_token_id") is None]
    if missing:
        message = say("Word weights need marks that the model's tokenizer lacks: {marks}.", marks=tuple(missing))
        fix = say("Use BAAI/bge-m3 or another encoder, or set loss: info_nce.")
        raise BadPreset(error("m3-marks-missing", message, Where(key="loss.name"), fix))


def _check_dimensions(encoder: Any, dimensions: list[int]) -> None:
    size = encoder.get_embedding_dimension() or 0
    too_long = [number for number in dimensions if number > size]
    if too_long:
        message = say("The model's vectors have {size} numbers; {values} are more.", size=size, values=str(too_long))
        fix = say("Take {size} and smaller ones.", size=size)
        raise BadPreset(error("matryoshka-dimensions", message, Where(key="loss.dimensions"), fix))


def has_heads(folder: Path) -> bool:
    """Whether M3's own layers lie in ``folder``."""
    return all((folder / name).is_file() for name in (COLBERT, SPARSE))


def _heads(folder: Path, hidden: int) -> tuple[dict[str, Any], bool]:
    """M3's heads, and whether ``folder`` had them."""
    from torch import nn

    heads = {COLBERT: nn.Linear(hidden, hidden), SPARSE: nn.Linear(hidden, 1)}
    if not has_heads(folder):
        return heads, False
    weights = {name: _read(folder / name) for name in heads}
    heads[COLBERT] = nn.Linear(hidden, len(weights[COLBERT]["bias"]))
    for name, head in heads.items():
        head.load_state_dict(weights[name])
    return heads, True


def _read(path: Path) -> Any:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _new_heads() -> Problem:
    message = say("The model has no heads for sparse and multi-vector search: new ones are trained from nothing.")
    return note("heads-new", message, Where(key="model.id"), say("BAAI/bge-m3 comes with them."))
