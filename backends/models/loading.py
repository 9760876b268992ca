"""Encoders and cross-encoders loaded the way a preset wants them.

Head or pooling, length, instructions, adapter, device.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunewiz.backends.models import adapters
from tunewiz.backends.runs.explain import recognised, unreadable
from tunewiz.files import read_json
from tunewiz.presets.families import instructions
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.training import Launch
from tunewiz.problems import BadPreset, Problem, TunewizError, Where, error, say

if TYPE_CHECKING:
    from tunewiz.backends.models.batching import Progress


#: Names under which sentence-transformers looks for the texts before queries and passages (``encode_query``,
#: ``encode_document``); the first of each is the one written.
QUERY_PROMPTS = ("query",)
PASSAGE_PROMPTS = ("document", "passage", "corpus")


def device_of(launch: Launch) -> str:
    """``cuda`` or ``cpu``. Raises :class:`BadPreset` (``no-gpu``) when a GPU is demanded and there is none."""
    import torch

    if launch.device == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if launch.device == "cuda":
        message = say("The preset asks for a GPU and torch sees none.")
        fix = say("Set launch.device to auto or cpu, or look at `tunewiz doctor`.")
        raise BadPreset(error("no-gpu", message, Where(key="launch.device"), fix))
    return "cpu"


def use_threads(launch: Launch) -> None:
    """Let torch compute on as many threads as the preset says; 0 leaves it at the number of cores."""
    import torch

    if launch.threads:
        torch.set_num_threads(launch.threads)


def load_encoder(path: Path | str, preset: RetrievalPreset | None = None, device: str = "cpu") -> Any:
    """The ``SentenceTransformer`` in the folder ``path``, in evaluation mode, on ``device``, in fp32.

    ``path`` may be a plain transformer, a saved SentenceTransformer, or one saved with a LoRA adapter. ``preset``
    gives pooling, maximum length, instructions and whether the folder's own code may run; without it the model stays
    as it was saved. Raises :class:`BadPreset` (``model-not-loadable``).
    """
    import torch
    from sentence_transformers import SentenceTransformer

    trusted = preset is not None and preset.model.trust_remote_code
    with loading_explained(path, trusted):
        model = SentenceTransformer(
            str(path),
            device=device,
            trust_remote_code=trusted,
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )
    check_tokenizer(model.tokenizer, path)
    adapters.restore_adapter(model, Path(path))
    if preset is not None:
        configure(model, preset)
    return model.eval()


@contextmanager
def loading_explained(path: Path | str, trusted: bool) -> Iterator[None]:
    """What the libraries raise at the model in ``path`` as :class:`BadPreset` (``model-not-loadable``).

    ``trusted``: whether its own code is allowed to run. What is wrong with the machine, not with the model, is raised
    as it is.
    """
    try:
        yield
    except TunewizError:
        raise
    except Exception as fault:  # a folder of a stranger's makes the libraries raise anything
        known = recognised(fault)
        if known is not None and known.problems[0].code.startswith(_OF_THE_MACHINE):
            raise
        raise BadPreset(_not_loadable(path, fault, trusted)) from fault


#: Beginnings of codes: the GPU, the host, the disk.
_OF_THE_MACHINE: Final = ("gpu-", "host-", "disk-")


def check_tokenizer(tokenizer: Any, path: Path | str) -> None:
    """Raise :class:`BadPreset` (``tokenizer-missing``) for a tokenizer that knows no word.

    Where its files are missing transformers makes an empty one in silence, and every text reads as unknown.
    """
    if tokenizer is not None and len(tokenizer) <= len(set(tokenizer.all_special_tokens)):
        message = say("The model in {path} has no tokenizer: every text would be unknown to it.", path=str(path))
        fix = say("Download it again with tokenizer.json (or vocab.txt) and tokenizer_config.json.")
        raise BadPreset(error("tokenizer-missing", message, Where(key="model.id"), fix))


def _not_loadable(path: Path | str, fault: Exception, trusted: bool) -> Problem:
    known = unreadable(fault)
    why = known.message if known else _short(fault)
    message = say("The model in {path} cannot be loaded: {fault}", path=str(path), fault=why)
    fix = (known.fix if known else None) or say("Look at the folder: a model has config.json, a tokenizer and weights.")
    if "trust_remote_code" in str(fault) and not trusted:
        fix = say("It needs Python code that comes with it: set model.trust_remote_code if you trust its authors.")
    return error("model-not-loadable", message, Where(key="model.id"), fix)


def _short(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    return (lines[0] if lines else type(fault).__name__)[:300]  # some list every missing weight on one line


def configure(model: Any, preset: RetrievalPreset) -> None:
    """Give ``model`` the preset's pooling, maximum length (within what it can read) and prompts, in place."""
    if preset.model.pooling != "auto":
        _set_pooling(model, preset.model.pooling)
    configure_length(model, preset)
    query, passage = _chosen(model, preset)
    model.prompts = {**model.prompts, QUERY_PROMPTS[0]: query, PASSAGE_PROMPTS[0]: passage}
    model.default_prompt_name = None


def configure_length(model: Any, preset: RetrievalPreset) -> None:
    """Give ``model`` the preset's maximum length, within what it can read."""
    model.max_seq_length = min(preset.training.max_length, longest(model) or preset.training.max_length)


def longest(model: Any) -> int | None:
    """The most tokens the model's position embeddings can number; ``None`` where nothing says so."""
    transformer = model.transformers_model
    if transformer is None:
        return None
    known = getattr(transformer.config, "max_position_embeddings", None)
    if not isinstance(known, int) or known <= 0:
        return None
    # RoBERTa numbers positions from padding_idx + 1 on, so that its table is longer than its texts may be.
    body = getattr(transformer, "base_model", transformer)
    table = getattr(getattr(body, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return known - padding - 1 if isinstance(padding, int) else known


def _set_pooling(model: Any, mode: str) -> None:
    from sentence_transformers.sentence_transformer.modules import Pooling

    for name, module in model.named_children():
        if isinstance(module, Pooling):
            if module.pooling_mode != mode:
                model._modules[name] = Pooling(module.embedding_dimension, mode, module.include_prompt)
            return
    message = say("The model {model} has no pooling that could be changed.", model=type(model[0]).__name__)
    raise BadPreset(error("no-pooling", message, Where(key="model.pooling"), say("Set model.pooling to auto.")))


def _chosen(model: Any, preset: RetrievalPreset) -> tuple[str, str]:
    """The preset's instructions, else those saved with the model, else those known of its family."""
    family_query, family_passage = instructions(preset.model)
    saved_query, saved_passage = prompts(model)
    query = family_query if preset.model.query_instruction is not None else saved_query or family_query
    passage = family_passage if preset.model.passage_instruction is not None else saved_passage or family_passage
    return query, passage


def prompts(model: Any) -> tuple[str, str]:
    """The texts put before queries and before passages ("" where there are none)."""
    saved: dict[str, str] = {name: text or "" for name, text in model.prompts.items()}
    default = saved.get(model.default_prompt_name or "", "")
    query = next((saved[name] for name in QUERY_PROMPTS if saved.get(name)), default)
    passage = next((saved[name] for name in PASSAGE_PROMPTS if saved.get(name)), default)
    return query, passage


# Cross-encoders loaded the way a preset wants them: head, length, activation, adapter, device.


#: Ends of the names of architectures that give a score: a classifier, or a language model that says yes or no.
_SCORING: Final = ("ForSequenceClassification", "ForCausalLM")


def has_head(folder: Path) -> bool:
    """Whether the model in ``folder`` gives scores; an encoder does not, and gets a fresh head."""
    if (folder / adapters.ADAPTER_WEIGHTS).is_file():
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
    with loading_explained(path, trusted):
        model = CrossEncoder(
            str(path),
            device=device,
            num_labels=None if has_head(Path(path)) else 1,
            trust_remote_code=trusted,
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )
    check_tokenizer(model.tokenizer, path)
    if model.num_labels != 1:
        message = say("The model in {path} sorts into {count} classes; a reranker gives one score.", path=str(path),
                   count=model.num_labels)  # fmt: skip
        fix = say("Choose a reranker, or an encoder, which gets a head of its own.")
        raise BadPreset(error("several-labels", message, Where(key="model.id"), fix))
    adapters.restore_adapter(model, Path(path))
    if preset is not None:
        configure_length(model, preset)
    return model.eval()


def set_activation(model: Any, loss: RerankerLoss) -> None:
    """Let the model predict the way ``loss`` trains it; it is saved with the model."""
    import torch

    model.activation_fn = torch.nn.Sigmoid() if loss.activation == "sigmoid" else torch.nn.Identity()


_EVERY: Final = 0.5  # seconds between two tellings of progress


def at_times(progress: Progress) -> Progress:
    """``told``, called at most twice a second and for the last text."""
    last = 0.0

    def seldom(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last >= _EVERY:
            last = now
            progress(done, total)

    return seldom
