"""The method with its hyperparameters, and the evaluation: steps that are a form and nothing more."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from tunewiz.backends import sources
from tunewiz.backends.models.layers import OF_DECODERS, weights_in
from tunewiz.language import N_, translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.families import lookup
from tunewiz.presets.sections.model import Model
from tunewiz.tui.forms.questions import Choice, Offer
from tunewiz.tui.wizard.step import Step

# The layers of a model that adapters can stand beside: those that its files name, or else those of its family.


_DECODER: Final = tuple(name.rpartition(".")[2] for name in OF_DECODERS)
_BERT: Final = ("query", "key", "value", "dense")
#: A weight of a numbered layer: its last name is what adapters are told.
_IN_A_LAYER: Final = re.compile(r"(?:^|\.)\d+\.(?:.+\.)?([^.]+)\.weight$")


@lru_cache(maxsize=64)
def layers(id: str, source: str, revision: str) -> tuple[str, ...]:
    """The names of the linear layers of a model; empty where they are not known before it is downloaded."""
    try:
        located = sources.find_cached(Model.model_validate({"id": id, "source": source, "revision": revision}))
    except ValidationError:
        return ()
    named = _named_in(Path(located.place)) if located else ()
    known = lookup(id)
    return named or ((_DECODER if known.size.decoder else _BERT) if known else ())


def _named_in(folder: Path) -> tuple[str, ...]:
    """Names of matrices in numbered layers, usual ones first."""
    found: dict[str, None] = {}
    for name, shape in weights_in(folder).items():
        matched = _IN_A_LAYER.search(name)
        if matched and len(shape) == 2:
            found.setdefault(matched[1])
    usual = [*_DECODER, *_BERT]
    return tuple(sorted(found, key=lambda name: (usual.index(name) if name in usual else len(usual), name)))


def _layers(draft: Draft) -> Sequence[Choice]:
    """All layers, or some of those that the draft's model has; what was answered besides is kept."""
    path = ("method", "target_modules")
    info, said = draft.field(path), draft.value(path)
    model = [str(draft.value(("model", key)) or "") for key in ("id", "source", "revision")]
    names = layers(model[0], model[1] or "auto", model[2]) if model[0] else ()
    if not names or info is None:
        return ()
    other = [str(name) for name in said if name not in names] if isinstance(said, list) else []
    whole = [Choice("all", translate("every linear layer of the model"))] if "all" in str(info.annotation) else []
    return [*whole, *(Choice(name) for name in (*names, *other))]


# The method and the hyperparameters, and whatever no other step asks.


class MethodStep(Step):
    """How it is trained."""

    name = "method"
    order = 40
    title = N_("Method")
    intro = N_("How much of the model should change, how far and for how long? The values suggested suit most data.")
    keys = ("method", "training", "launch", "tracking")
    simple = (
        "method",
        "method.rank",
        "method.alpha",
        "method.dropout",
        "method.block_size",
        "method.layers",
        "method.tokens",
        "training.epochs",
        "training.learning_rate",
        "training.batch_size",
        "training.max_length",
    )
    lessons = ("lora", "qlora", "methods", "which-method", "memory", "why-peft", "adapters-prefix-ia3")
    rest = True

    def offers(self) -> Mapping[str, Offer]:
        """The layers of the model that adapters can stand beside."""
        return {"method.target_modules": _layers}


# The evaluation: on what and how the model is measured.


class EvaluationStep(Step):
    """How the gain is measured."""

    name = "evaluation"
    order = 60
    title = N_("Evaluation")
    intro = N_("How will you know that it got better? It is measured before and after, on data it never learned from.")
    keys = ("evaluation", "data.evaluation", "candidates", "export", "training.evaluations", "training.early_stopping")
    simple = (
        "data.evaluation.fraction",
        "data.evaluation.data",
        "evaluation.metric",
        "evaluation.k",
        "candidates.strategy",
        "candidates.depth",
    )
    lessons = ("metrics", "loss-curve", "learning-rate")
    task_lessons = {"llm": ("loss-curve", "learning-rate")}
