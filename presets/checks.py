"""Checks across fields that several tasks share: what does not go together. No library, no data, no network.

What one task alone checks stands beside its preset, in ``presets/tasks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tunewiz.data.formats.format import formats
from tunewiz.language import N_
from tunewiz.presets import families
from tunewiz.presets.losses import alike, catalogue, kind_of
from tunewiz.presets.losses.loss import Loss, Rows
from tunewiz.presets.losses.teacher import Taught
from tunewiz.presets.recipe import open_keys
from tunewiz.presets.sections import evaluation
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.sections.model import Model, ModelKind
from tunewiz.presets.sections.training import Launch, Training
from tunewiz.presets.yaml.validation import suggestion
from tunewiz.problems import Message, Problem, Where, error, note, say, warning

if TYPE_CHECKING:
    from tunewiz.presets.preset import RetrievalPreset


# What does not go together in the training of any task.


def measures_in_training(training: Training, validation_fraction: float | str) -> bool:
    """Whether anything is measured while it trains."""
    return training.evaluations > 0 and validation_fraction != 0


def training_schedule_problems(training: Training, measured: bool) -> Iterator[Problem]:
    """Lengths and early stopping."""
    stopping = training.early_stopping
    if training.max_steps == 0:
        yield error("no-steps", say("0 steps train nothing."), Where("training.max_steps"), say("Use -1 for no limit."))
    if stopping.enabled and not measured:
        message = say("Early stopping needs evaluations during training, on validation data.")
        fix = say("Set training.evaluations to 4 or more and data.evaluation.validation_fraction to auto.")
        yield error("early-stopping-blind", message, Where("training.early_stopping.enabled"), fix)
    elif stopping.enabled and stopping.patience >= training.evaluations:
        message = say(
            "With {evaluations} evaluations a patience of {patience} never stops the training.",
            evaluations=training.evaluations, patience=stopping.patience,
        )  # fmt: skip
        fix = say("Raise training.evaluations or lower the patience.")
        yield warning("patience-too-long", message, Where("training.early_stopping.patience"), fix)


def training_device_problems(training: Training, launch: Launch) -> Iterator[Problem]:
    """What a CPU cannot do, where one is asked for."""
    if launch.device != "cpu":
        return
    if training.precision == "fp16":
        message = say("A CPU does not train in fp16.")
        yield error("precision-on-cpu", message, Where("training.precision"), say("Use auto, bf16 or fp32."))
    if training.optimizer == "adamw_8bit":
        message = say("The 8-bit optimizer needs a GPU.")
        yield error("optimizer-on-cpu", message, Where("training.optimizer"), say("Use adamw."))


# Whether a preset's backend can train with its loss, and what to write where it cannot.


def loss_backend_problems(backend: str, loss: Loss) -> Iterator[Problem]:
    """One problem (``loss-backend``) when ``backend`` cannot train with ``loss``, or with the one inside it."""
    apart = next((each for each in (loss, loss.core) if backend not in each.backends), None)
    known = {name: other for name, other in catalogue(kind_of(loss)).items() if backend in other.backends}
    if apart is None or not known:  # a backend that no loss knows is another problem
        return
    message = say("The backend {backend} does not train with the loss {loss}.", backend=backend, loss=apart.name)
    yield error("loss-backend", message, Where("loss.name"), _loss_backend_fix(backend, loss, list(known)))


def _loss_backend_fix(backend: str, loss: Loss, known: list[str]) -> Message:
    others = ", ".join(sorted(loss.backends))
    scale, temperature = getattr(loss.core, "scale", None), getattr(loss.core, "temperature", None)
    if scale and "info_nce" in known:
        same = f"{{name: info_nce, temperature: {1 / scale:g}}}"
    elif temperature and "multiple_negatives_ranking" in known:
        same = f"{{name: multiple_negatives_ranking, scale: {1 / temperature:g}}}"
    else:
        return say("Losses of this backend: {names}. Or set backend: {others}.", names=tuple(known), others=others)
    return say("Set loss: {same}, which is close to it. Or set backend: {others}.", same=same, others=others)


# Checks across fields that need no library, no data and no network: what does not go together.


#: Rows that each shape of data can give a loss, without mining and with it.
_ROWS_OF_SHAPES: Final[dict[str, tuple[Rows, ...]]] = {
    "groups": ("pairs",),
    "collection": ("pairs",),
    "scored": ("scored", "labelled"),
}
_FORMATS_WITH_NEGATIVES: Final = {"triplets", "ntuples", "query_pos_neg", "instructed", "multiple_choice"}


REMOTE_CODE: Final = "remote-code"


def remote_code_problems(model: Model) -> Iterator[Problem]:
    """What it means that code which comes with the model may run, where it may."""
    if not model.trust_remote_code:
        return
    message = say(
        "Python code that comes with {id} runs here with your rights: it can read your files and keys, change them and "
        "send them away.",
        id=model.id,
    )
    fix = say("Leave it on for authors you trust only.")
    if not model.revision and not model.id.startswith(("/", ".", "~")):
        fix = say("Leave it on for authors you trust only, and name a commit in model.revision: then the code stays "
                  "what you have looked at.")  # fmt: skip
    yield warning(REMOTE_CODE, message, Where("model.trust_remote_code"), fix)


def model_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """Ids that nothing is known of, texts longer than the model reads, code of the model's own, licences."""
    yield from remote_code_problems(preset.model)
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


def format_problems(name: str, kind: ModelKind) -> Iterator[Problem]:
    """A format that there is not among those for ``kind``."""
    known = ["auto", *formats(kind)]
    if name not in known:
        message = say("There is no format {name}.", name=name)
        yield error("unknown-format", message, Where("data.format"), suggestion(name, known))


#: What texts are in, by code: :mod:`tunewiz.data.text.language`.
_LANGUAGES: Final = {"zh": N_("Chinese"), "en": N_("English"), "ja": N_("Japanese"), "ko": N_("Korean")}


def language_problems(preset: RetrievalPreset, language: str) -> Iterator[Problem]:
    """A model that does not know the ``language`` most texts of the data are in."""
    known = families.lookup(preset.model.id)
    if known is None or families.knows(known.family, language):
        return
    spoken = say(_LANGUAGES[language]) if language in _LANGUAGES else say("a language other than English or Chinese")
    knows = "zh" if known.family.languages == ["zh"] else "en" if known.family.languages == ["en"] else ""
    if knows:
        message = say("Most of your texts are in {language}; {id} knows {known} only.", language=spoken,
                      id=known.size.id, known=say(_LANGUAGES[knows]))  # fmt: skip
    else:
        message = say(
            "Most of your texts are in {language}, which {id} does not know.", language=spoken, id=known.size.id
        )
    better = families.starter_for(language)
    fix = say("Set model.id={id} and model.source=starter: it knows them, and no network is needed.", id=better)
    yield warning("model-language", message, Where("model.id"), fix)


def data_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """An unknown format, and fewer rows than a batch."""
    yield from format_problems(preset.data.format, preset.model_kind)
    if preset.data.limit is not None and preset.data.limit < preset.training.batch_size:
        message = say(
            "{limit} rows do not fill one batch of {size}.", limit=preset.data.limit, size=preset.training.batch_size
        )
        yield warning(
            "limit-below-batch", message, Where("data.limit"), say("Raise data.limit or lower training.batch_size.")
        )


def evaluation_data_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """What it is measured on: named twice, in part, or not at all."""
    held = preset.data.evaluation
    parts = {"corpus": held.corpus, "queries": held.queries, "qrels": held.qrels}
    missing = [name for name, path in parts.items() if not path]
    if 0 < len(missing) < len(parts):
        message = say("Corpus, queries and judgments belong together; missing: {names}.", names=tuple(missing))
        fix = say("Name all three files, or none.")
        yield error("evaluation-files", message, Where(f"data.evaluation.{missing[0]}"), fix)
    if held.data and not missing:
        message = say("Evaluation data is named twice: as data and as corpus, queries and qrels.")
        yield error("evaluation-twice", message, Where("data.evaluation.data"), say("Keep one of the two."))
    if held.fraction == 0 and not held.data and missing:
        message = say("Nothing is held out: the run cannot tell what training brought.")
        fix = say(
            "Set data.evaluation.fraction to 0.1, or name data of its own. A BEIR folder has a test split already."
        )
        yield warning("nothing-held-out", message, Where("data.evaluation.fraction"), fix)


def negatives_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """Negatives that the loss cannot use, or that cannot be found."""
    wanted, core = preset.data.negatives, preset.loss.core
    if wanted.strategy == "none":
        return
    if "triplets" not in core.rows:
        message = say("The loss {name} cannot use negatives.", name=core.name)
        fix = say("Set data.negatives.strategy: none, or loss.name: {loss}.", loss=_loss_with_negatives(core))
        yield error("negatives-unused", message, Where("data.negatives.strategy"), fix)
    if wanted.candidates < wanted.per_query + wanted.skip_top:
        message = say(
            "{candidates} candidates cannot give {count} negatives after the first {skipped} are passed over.",
            candidates=wanted.candidates, count=wanted.per_query, skipped=wanted.skip_top,
        )  # fmt: skip
        yield error(
            "too-few-candidates", message, Where("data.negatives.candidates"), say("Raise data.negatives.candidates.")
        )
    most = core.max_negatives
    if most is not None and wanted.per_query > most and "triplets" in core.rows:
        message = say(
            "The loss {name} takes {most} negatives of a query; {count} are mined.",
            name=core.name,
            most=most,
            count=wanted.per_query,
        )
        yield note("negatives-left-over", message, Where("data.negatives.per_query"))


def teacher_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """A teacher whose scores the loss has no place for, or that has nothing to look through."""
    teacher, core = preset.data.teacher, preset.loss.core
    if teacher.teaches and not core.learns_scores:
        names = [name for name, kind in alike(core).items() if _learns_scores(kind)]
        message = say("The loss {name} has no place for a teacher's scores.", name=core.name)
        fix = say("Set data.teacher.use: filter.")
        if "distillation" in type(core).model_fields:
            fix = say("Set loss.distillation: kl_div, or data.teacher.use: filter.")
        elif names:
            fix = say("Set loss.name to one of {names}, or data.teacher.use: filter.", names=tuple(names))
        yield error("teacher-unheard", message, Where("data.teacher.use"), fix)
    if isinstance(core, Taught) and not teacher.teaches:
        message = say("The loss {name} learns a teacher's scores, and none is asked for them.", name=core.name)
        fix = say("Set data.teacher.model and data.teacher.use: distil, unless the data has pos_scores and neg_scores.")
        yield warning("teacher-wanted", message, Where("loss.name"), fix)
    if not teacher.filters or preset.data.negatives.strategy != "none":
        return
    message = say("Nothing is mined that the teacher could look through.")
    fix = say("Set data.negatives.strategy: bm25 or dense.")
    if teacher.teaches:
        fix = say("Set data.negatives.strategy: bm25 or dense, or data.teacher.use: distil.")
    yield error("teacher-idle", message, Where("data.negatives.strategy"), fix)


def _learns_scores(kind: type[Loss]) -> bool:
    """Whether the loss learns scores by itself, without an option for it."""
    return (
        kind.learns_scores is not Loss.learns_scores
        and "distillation" not in kind.model_fields
        and (getattr(kind, "learns_margins", True))
    )


def _loss_with_negatives(core: Loss) -> str:
    """The loss to begin with where there are negatives."""
    return "multiple_negatives_ranking" if "multiple_negatives_ranking" in alike(core) else "binary_cross_entropy"


def method_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """Learning rates that are unusual for the method, and layers named wrongly."""
    rate, where = preset.training.learning_rate, Where("training.learning_rate")
    left = "learning_rate" in open_keys(preset.training)  # chosen to suit the method
    if not isinstance(preset.method, Lora):
        if rate > 2e-4:
            message = say(
                "{rate} is high for training every weight: the model may forget what it knows.", rate=f"{rate:g}"
            )
            yield warning("learning-rate-high", message, where, say("Usual: 1e-5 to 5e-5."))
        return
    if rate < 5e-5 and not left:
        message = say("{rate} is low for LoRA: little may change.", rate=f"{rate:g}")
        yield warning("learning-rate-low", message, where, say("Usual: 1e-4 to 5e-4."))
    modules = preset.method.target_modules
    if isinstance(modules, list) and (not modules or not all(modules) or len(set(modules)) < len(modules)):
        message = say("The list of target modules is empty, or names one twice.")
        yield error(
            "target-modules", message, Where("method.target_modules"), say("Write all, or names like [query, value].")
        )


def loss_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """Rows that the loss cannot learn from, and options that do not go together."""
    yield from preset.loss.problems("loss")
    yield from loss_backend_problems(preset.backend, preset.loss)
    core, kind = preset.loss.core, formats().get(preset.data.format)
    if kind is not None:
        mined = preset.data.negatives.strategy != "none" or preset.data.format in _FORMATS_WITH_NEGATIVES
        rows = {*_ROWS_OF_SHAPES.get(kind.shape, ()), *(("triplets",) if mined and kind.shape != "scored" else ())}
        if not rows & set(core.rows):
            message = say(
                "The loss {name} cannot learn from rows of the format {format}.", name=core.name, format=kind.name
            )
            yield error("loss-rows", message, Where("loss.name"), _loss_for(rows, preset.loss))
    if core.caches_gradients and preset.training.gradient_checkpointing:
        message = say("Gradient checkpointing does not work with the cached loss {name}.", name=core.name)
        fix = say("Switch it off: the cached loss saves the memory already.")
        yield error("checkpointing-cached", message, Where("training.gradient_checkpointing"), fix)


def _loss_for(rows: set[Rows], loss: Loss) -> Message:
    fitting = [name for name, kind in alike(loss).items() if rows & set(kind.rows) and name != "matryoshka"]
    return say("Losses for these rows: {names}.", names=tuple(fitting))


def schedule_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """As :func:`training_schedule_problems`, and a best checkpoint that nothing could choose."""
    training = preset.training
    measured = measures_in_training(training, preset.data.evaluation.validation_fraction)
    yield from training_schedule_problems(training, measured)
    if training.best_checkpoint and not measured and "best_checkpoint" in training.model_fields_set:
        message = say("No checkpoint can be the best: nothing is measured during training. The last one is used.")
        yield warning("best-checkpoint-blind", message, Where("training.best_checkpoint"))


def device_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """As :func:`training_device_problems`."""
    yield from training_device_problems(preset.training, preset.launch)


def metric_problems(preset: RetrievalPreset) -> Iterator[Problem]:
    """Cut-offs given twice, and measures that do not exist."""
    cutoffs, where = preset.evaluation.k, Where("evaluation.metric")
    twice = sorted({k for k in cutoffs if cutoffs.count(k) > 1})
    if twice:
        message = say("Cut-offs are given twice: {values}.", values=tuple(map(str, twice)))
        yield error("cutoffs-twice", message, Where("evaluation.k"), say("Name each once."))
    if evaluation.parse_metric(preset.evaluation.metric) is None:
        message = say("There is no measure {name}.", name=preset.evaluation.metric)
        yield error(
            "unknown-metric",
            message,
            where,
            suggestion(preset.evaluation.metric, evaluation.metrics_at(sorted(set(cutoffs)))),
        )


#: Checks of where the rows come from, and of what a run does with them, for all tasks that are measured by a search.
OF_DATA: Final = (data_problems, evaluation_data_problems, negatives_problems, teacher_problems)
OF_RUNS: Final = (schedule_problems, device_problems, metric_problems)
