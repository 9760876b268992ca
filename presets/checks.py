"""Checks across fields that need no library, no data and no network: what does not go together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from data.formats import formats
from data.problems import Message, Problem, Where, error, note, say, warning
from presets import checks_training, families, loss_backends, metrics
from presets.losses import alike
from presets.losses.base import Loss, Rows
from presets.sections.method import Lora
from presets.wording import suggestion

if TYPE_CHECKING:
    from presets.retrieval import RetrievalPreset
    from presets.tasks.embedding import EmbeddingPreset
    from presets.tasks.reranker import RerankerPreset

#: Rows that each shape of data can give a loss, without mining and with it.
_ROWS: Final[dict[str, tuple[Rows, ...]]] = {
    "groups": ("pairs",),
    "collection": ("pairs",),
    "scored": ("scored", "labelled"),
}
_WITH_NEGATIVES: Final = {"triplets", "ntuples", "query_pos_neg"}
_MOST_TEXTS: Final = 4096


def embedding(preset: EmbeddingPreset) -> list[Problem]:
    """What does not go together in ``preset``, in the order of its sections."""
    before = (_model, _pooling, _data, _evaluation_data, _negatives)
    checks = (*before, _method, _loss, _batch, _schedule, _device, _metrics)
    return [problem for check in checks for problem in check(preset)]


def reranker(preset: RerankerPreset) -> list[Problem]:
    """As :func:`embedding`, for a reranker."""
    before = [problem for check in (_model, _data, _evaluation_data, _negatives) for problem in check(preset)]
    after = [problem for check in (_method, _loss, _schedule, _device, _metrics) for problem in check(preset)]
    return [*before, *_candidates(preset), *after]


def _candidates(preset: RerankerPreset) -> Iterator[Problem]:
    depth, asked = preset.candidates.depth, metrics.parse(preset.evaluation.metric)
    deepest = max([*preset.evaluation.k, (asked.k if asked else 0) or 0])
    if deepest > depth:
        told = say("{depth} candidates are reranked; a measure looks at {k} results.", depth=depth, k=deepest)
        fix = say("Raise candidates.depth to {k}, or lower the cut-off.", k=deepest)
        yield error("candidates-too-few", told, Where("candidates.depth"), fix)


def _model(preset: RetrievalPreset) -> Iterator[Problem]:
    known = families.lookup(preset.model.id)
    if known is None:
        near = families.nearest(preset.model.id)
        if near and "/" in preset.model.id and not preset.model.id.startswith(("/", ".", "~")):
            told, fix = (
                say("{id} is not a model that Tunewiz knows.", id=preset.model.id),
                say("Did you mean {near}?", near=near),
            )
            yield note("model-unfamiliar", told, Where("model.id"), fix)
        return
    most, wanted = known.size.max_length, preset.training.max_length
    if wanted > most:
        told = say(
            "{id} reads {most} tokens at most; {wanted} are asked for.", id=known.size.id, most=most, wanted=wanted
        )
        fix = say("Set training.max_length to {most} or less.", most=most)
        yield error("max-length-too-large", told, Where("training.max_length"), fix)
    if known.family.trust_remote_code and not preset.model.trust_remote_code:
        told = say("{id} runs code of its own.", id=known.size.id)
        fix = say("If you trust its authors, set model.trust_remote_code: true.")
        yield error("remote-code-needed", told, Where("model.trust_remote_code"), fix)
    if not known.family.commercial:
        told = say(
            "The licence of {id} ({licence}) forbids commercial use.", id=known.size.id, licence=known.family.licence
        )
        yield note("licence", told, Where("model.id"))


def _pooling(preset: EmbeddingPreset) -> Iterator[Problem]:
    known = families.lookup(preset.model.id)
    if known and known.family.pooling and preset.model.pooling not in ("auto", known.family.pooling):
        told = say("{id} was trained with {own} pooling.", id=known.size.id, own=known.family.pooling)
        yield warning("pooling-differs", told, Where("model.pooling"), say("Leave it at auto to keep its quality."))


def _data(preset: RetrievalPreset) -> Iterator[Problem]:
    known = [name for name, kind in formats().items() if preset.task in kind.tasks]
    if preset.data.format not in ("auto", *known):
        told = say("There is no format {name}.", name=preset.data.format)
        yield error("unknown-format", told, Where("data.format"), suggestion(preset.data.format, ["auto", *known]))
    if preset.data.limit is not None and preset.data.limit < preset.training.batch_size:
        told = say(
            "{limit} rows do not fill one batch of {size}.", limit=preset.data.limit, size=preset.training.batch_size
        )
        yield warning(
            "limit-below-batch", told, Where("data.limit"), say("Raise data.limit or lower training.batch_size.")
        )


def _evaluation_data(preset: RetrievalPreset) -> Iterator[Problem]:
    held = preset.data.evaluation
    parts = {"corpus": held.corpus, "queries": held.queries, "qrels": held.qrels}
    missing = [name for name, path in parts.items() if not path]
    if 0 < len(missing) < len(parts):
        told = say("Corpus, queries and judgments belong together; missing: {names}.", names=", ".join(missing))
        fix = say("Name all three files, or none.")
        yield error("evaluation-files", told, Where(f"data.evaluation.{missing[0]}"), fix)
    if held.data and not missing:
        told = say("Evaluation data is named twice: as data and as corpus, queries and qrels.")
        yield error("evaluation-twice", told, Where("data.evaluation.data"), say("Keep one of the two."))
    if held.fraction == 0 and not held.data and missing:
        told = say("Nothing is held out: the run cannot tell what training brought.")
        fix = say(
            "Set data.evaluation.fraction to 0.1, or name data of its own. A BEIR folder has a test split already."
        )
        yield warning("nothing-held-out", told, Where("data.evaluation.fraction"), fix)


def _negatives(preset: RetrievalPreset) -> Iterator[Problem]:
    wanted, core = preset.data.negatives, preset.loss.core
    if wanted.strategy == "none":
        return
    if "triplets" not in core.rows:
        told = say("The loss {name} cannot use negatives.", name=core.name)
        fix = say("Set data.negatives.strategy: none, or loss.name: {loss}.", loss=_with_negatives(core))
        yield error("negatives-unused", told, Where("data.negatives.strategy"), fix)
    if wanted.candidates < wanted.per_query + wanted.skip_top:
        told = say(
            "{candidates} candidates cannot give {count} negatives after the first {skipped} are passed over.",
            candidates=wanted.candidates, count=wanted.per_query, skipped=wanted.skip_top,
        )  # fmt: skip
        yield error(
            "too-few-candidates", told, Where("data.negatives.candidates"), say("Raise data.negatives.candidates.")
        )
    most = core.max_negatives
    if most is not None and wanted.per_query > most and "triplets" in core.rows:
        told = say(
            "The loss {name} takes {most} negatives of a query; {count} are mined.",
            name=core.name,
            most=most,
            count=wanted.per_query,
        )
        yield note("negatives-left-over", told, Where("data.negatives.per_query"))


def _with_negatives(core: Loss) -> str:
    """The loss to begin with where there are negatives."""
    return "multiple_negatives_ranking" if "multiple_negatives_ranking" in alike(core) else "binary_cross_entropy"


def _method(preset: RetrievalPreset) -> Iterator[Problem]:
    rate, where = preset.training.learning_rate, Where("training.learning_rate")
    if not isinstance(preset.method, Lora):
        if rate > 2e-4:
            told = say(
                "{rate} is high for training every weight: the model may forget what it knows.", rate=f"{rate:g}"
            )
            yield warning("learning-rate-high", told, where, say("Usual: 1e-5 to 5e-5."))
        return
    if rate < 5e-5:
        told = say("{rate} is low for LoRA: little may change.", rate=f"{rate:g}")
        yield warning("learning-rate-low", told, where, say("Usual: 1e-4 to 5e-4."))
    modules = preset.method.target_modules
    if isinstance(modules, list) and (not modules or not all(modules) or len(set(modules)) < len(modules)):
        told = say("The list of target modules is empty, or names one twice.")
        yield error(
            "target-modules", told, Where("method.target_modules"), say("Write all, or names like [query, value].")
        )


def _loss(preset: RetrievalPreset) -> Iterator[Problem]:
    yield from preset.loss.problems("loss")
    yield from loss_backends.problems(preset.backend, preset.loss)
    core, kind = preset.loss.core, formats().get(preset.data.format)
    if kind is not None:
        mined = preset.data.negatives.strategy != "none" or preset.data.format in _WITH_NEGATIVES
        rows = {*_ROWS.get(kind.shape, ()), *(("triplets",) if mined and kind.shape != "scored" else ())}
        if not rows & set(core.rows):
            told = say(
                "The loss {name} cannot learn from rows of the format {format}.", name=core.name, format=kind.name
            )
            yield error("loss-rows", told, Where("loss.name"), _loss_for(rows, preset.loss))
    if core.caches_gradients and preset.training.gradient_checkpointing:
        told = say("Gradient checkpointing does not work with the cached loss {name}.", name=core.name)
        fix = say("Switch it off: the cached loss saves the memory already.")
        yield error("checkpointing-cached", told, Where("training.gradient_checkpointing"), fix)


def _loss_for(rows: set[Rows], loss: Loss) -> Message:
    fitting = [name for name, kind in alike(loss).items() if rows & set(kind.rows) and name != "matryoshka"]
    return say("Losses for these rows: {names}.", names=", ".join(fitting))


def _batch(preset: EmbeddingPreset) -> Iterator[Problem]:
    size, core = preset.training.batch_size, preset.loss.core
    if size == 1 and core.in_batch_negatives and preset.data.negatives.strategy == "none":
        told = say("A batch of 1 has no other passages to tell apart: the loss is always zero.")
        yield error("batch-of-one", told, Where("training.batch_size"), say("Use at least 8, better 32."))
    negatives = preset.data.negatives.per_query if preset.data.negatives.strategy != "none" else 0
    texts = size * (1 + core.passages(negatives))
    if texts > _MOST_TEXTS and core.encoded_at_once is None:
        told = say("A step encodes {texts} texts at once.", texts=texts)
        fix = say("Lower training.batch_size or data.negatives.per_query, or use cached_multiple_negatives_ranking.")
        yield warning("step-large", told, Where("training.batch_size"), fix)


def _schedule(preset: RetrievalPreset) -> Iterator[Problem]:
    training = preset.training
    measured = checks_training.measured(training, preset.data.evaluation.validation_fraction)
    yield from checks_training.schedule(training, measured)
    if training.best_checkpoint and not measured and "best_checkpoint" in training.model_fields_set:
        told = say("No checkpoint can be the best: nothing is measured during training. The last one is used.")
        yield warning("best-checkpoint-blind", told, Where("training.best_checkpoint"))


def _device(preset: RetrievalPreset) -> Iterator[Problem]:
    yield from checks_training.device(preset.training, preset.launch)


def _metrics(preset: RetrievalPreset) -> Iterator[Problem]:
    cutoffs, where = preset.evaluation.k, Where("evaluation.metric")
    twice = sorted({k for k in cutoffs if cutoffs.count(k) > 1})
    if twice:
        told = say("Cut-offs are given twice: {values}.", values=", ".join(map(str, twice)))
        yield error("cutoffs-twice", told, Where("evaluation.k"), say("Name each once."))
    if metrics.parse(preset.evaluation.metric) is None:
        told = say("There is no measure {name}.", name=preset.evaluation.metric)
        yield error(
            "unknown-metric", told, where, suggestion(preset.evaluation.metric, metrics.all_at(sorted(set(cutoffs))))
        )
