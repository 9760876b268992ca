"""What a preset leaves open about training, chosen from the data: one rule for presets that ship and for wizards.

The rule looks at the rows, at the model's size and kind, and at how much the untouched model finds already. Where that
is much, few small steps are enough and more do harm; where it is little, more and larger ones are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tunewiz.presets.families import lookup
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.sections.training import Optimisation, RetrievalTraining
from tunewiz.problems import Message, say

#: The keys of ``training`` that are chosen where nobody wrote them.
KEYS: Final = ("epochs", "learning_rate", "batch_size", "warmup", "evaluations")

#: From this nDCG@10 on (or what else decides) a model is good already: MiniLM on English abstracts had 0.72, and five
#: epochs at 5e-5 brought it 0.002 where one at 2e-5 brought 0.016.
_STRONG: Final = 0.6
#: Below it the texts are foreign to the model: MiniLM on Chinese had 0.02 to 0.35 and learned for five epochs.
_WEAK: Final = 0.3
#: Times through few rows, and what the usual rate is multiplied with, by how much the model finds.
_EPOCHS: Final = {"strong": 1.0, "middle": 3.0, "weak": 5.0}
_FASTER: Final = {"strong": 1.0, "middle": 1.5, "weak": 2.5}
_FASTEST: Final = 5e-5  # beyond it training all weights begins to forget
#: Rows from which on fewer times are enough.
_ENOUGH: Final = ((100_000, 1.0), (20_000, 2.0), (2_000, 3.0))
#: From this share on, rows come back to the same passages: a FAQ, whose answers are all there is to know. There more
#: is learned without harm: nDCG@10 of 130 such rows rose from 0.851 at the usual rate to 0.879 at the fastest (five
#: epochs both; the libraries' one epoch: 0.796), of 460 from 0.791 (three epochs) to 0.800. Of abstracts, a query
#: each, the same brought 0.014 less than one epoch at the usual rate.
_SHARED: Final = 0.5
#: From this score on there is nothing more to learn of them: paragraphs with three questions each look like a FAQ, and
#: a model that finds 0.95 of them learned nothing of 300 in the libraries' own epoch.
_FOUND: Final = 0.9
#: The library's rate with adapters, and ours for a head that begins from nothing.
_LORA_RATE: Final = 1e-4
_FRESH_RATE: Final = 1e-4
#: Batches that are not made smaller: in-batch losses need others to compare with, the rest only steps.
LEAST: Final = {True: 32, False: 8}
STEPS: Final = 20  # an epoch, for which a batch is halved
#: Steps below which little is learned: 130 rows in batches of 32 brought 0.028 nDCG@10 in 4 steps and 0.086 in 20, 460
#: rows 0.015 in 15 and 0.032 in 45. Of a strong model that holds the less, the less it has to learn: of 300 Chinese
#: pairs of which it found 0.97 forty steps took away 0.014 of 0.924, where the libraries' ten took 0.004.
_FEWEST_STEPS: Final = 40
#: The libraries' rate for all weights, which a strong model is not trained beyond: those 300 pairs were at 5e-5.
_GENTLE: Final = 2e-5
_NO_WARMUP: Final = 10  # steps: of so few none is spared for climbing from zero


@dataclass(frozen=True)
class Known:
    """What the rule knows of the data and the untouched model.

    ``score`` is the primary metric (0 to 1) on a sample of the training queries, which it has never seen; ``None``
    where it was not measured. ``validated``: whether rows are kept aside to choose by. ``fresh``: whether a reranker's
    head begins from nothing. ``shared``: the share of rows whose passage answers another query of the rows too.
    """

    rows: int
    score: float | None = None
    metric: str = ""
    validated: bool = False
    fresh: bool = False
    shared: float = 0.0

    @property
    def level(self) -> str:
        """How much the untouched model finds: ``strong`` (also where that is not known), ``middle`` or ``weak``."""
        if self.score is None or self.score >= _STRONG:
            return "strong"
        return "middle" if self.score >= _WEAK else "weak"

    @property
    def room(self) -> float:
        """How much of the usual steps there is to learn for: 1, or less the more a strong model finds."""
        return 1.0 if self.score is None else min(1.0, (1 - self.score) / (1 - _STRONG))

    @property
    def closed(self) -> bool:
        """Whether few passages answer the queries again and again, as in a FAQ, and are not found already."""
        finds_all = self.score is not None and self.score >= _FOUND
        return self.shared >= _SHARED and self.rows < _ENOUGH[-1][0] and not finds_all


class Chosen(NamedTuple):
    """A value and why."""

    value: Any
    reason: Message


def open_keys(training: Optimisation) -> tuple[str, ...]:
    """The keys of ``training`` that are to be chosen: those that nobody wrote, unless the recipe is fixed.

    Whoever wrote how long it trains, in epochs or steps, is left with the defaults of what hangs on that; early
    stopping needs its measures.
    """
    if not isinstance(training, RetrievalTraining) or training.recipe != "auto":
        return ()
    said = training.model_fields_set | ({"evaluations"} if training.early_stopping.enabled else set())
    found = tuple(key for key in KEYS if key not in said)
    if "epochs" not in found or training.max_steps > 0:
        return tuple(key for key in found if key == "learning_rate")
    return found


def choose(preset: RetrievalPreset, known: Known) -> Mapping[str, Chosen]:
    """A value and its reason for each of the open keys of ``preset``."""
    training, left = preset.training, open_keys(preset.training)
    found = {"batch_size": _batch(preset, known)}
    batch = found["batch_size"].value if "batch_size" in left else training.batch_size
    found["epochs"] = _epochs(preset, known, batch * training.accumulation)
    epochs = found["epochs"].value if "epochs" in left else training.epochs
    found["learning_rate"] = _rate(preset, known)
    found["warmup"] = _warmup(known.rows * epochs / (batch * training.accumulation))
    found["evaluations"] = _evaluations(known, epochs)
    return {key: found[key] for key in left}


def epochs_between(preset: RetrievalPreset, rows: int) -> tuple[float, float]:
    """The fewest and the most epochs that the rule may choose for ``rows`` rows; the preset's own if it has any."""
    if "epochs" not in open_keys(preset.training):
        return preset.training.epochs, preset.training.epochs
    known = [Known(rows, score, fresh=fresh) for score in (0.0, 1.0) for fresh in (False, True)]
    found = [choose(preset, one)["epochs"].value for one in known]
    return min(found), max(found)


def _warmup(steps: float) -> Chosen:
    if steps < _NO_WARMUP:
        return Chosen(0.0, say("In so few steps none is spared for climbing to the full rate."))
    return Chosen(0.1, say("As the libraries do."))


def _epochs(preset: RetrievalPreset, known: Known, rows_a_step: int) -> Chosen:
    if preset.cross_encoder:
        if known.fresh:
            reason = say("A fresh head learns from nothing; after two times through, new queries get worse.")
            return Chosen(min(2.0, _most(known.rows)), reason)
        return Chosen(1.0, say("The model ranks already; the libraries' own recipe."))
    if known.closed:
        reason = say(
            "{percent} % of the rows share their answer with another query, as in a FAQ: what is learned of it is "
            "asked for again.",
            percent=round(100 * known.shared),
        )
        return Chosen(min(_EPOCHS["weak"], _most(known.rows)), reason)
    epochs = _EPOCHS[known.level]
    fewest = float(round(_FEWEST_STEPS * known.room * rows_a_step / max(1, known.rows)))
    if epochs < fewest:
        reason = say("{found} But of {rows} rows a few times make few steps.", found=_finds(known), rows=known.rows)
        return Chosen(min(fewest, _most(known.rows)), reason)
    if known.level == "strong" and known.validated and known.score is not None:
        reason = say("{found} Once more than the libraries, since validation tells when it is too much.",
                     found=_finds(known))  # fmt: skip
        return Chosen(min(2.0, _most(known.rows)), reason)
    reason = say("{found} For {rows} rows.", found=_finds(known), rows=known.rows)
    return Chosen(min(epochs, _most(known.rows)), reason)


def _most(rows: int) -> float:
    return next((most for enough, most in _ENOUGH if rows >= enough), 5.0)


def _finds(known: Known) -> Message:
    """How much the untouched model finds, in words."""
    if known.score is None:
        return say("How much the untouched model finds is not known: the libraries' own recipe.")
    values: dict[str, str] = {"metric": known.metric, "score": f"{known.score:.2f}"}
    if known.level == "strong":
        return say(
            "The untouched model finds most of what training queries ask for ({metric} {score}): more would soon be "
            "too much.",
            **values,
        )
    if known.level == "middle":
        return say("The untouched model finds a part of what training queries ask for ({metric} {score}).", **values)
    return say(
        "The untouched model finds little of what training queries ask for ({metric} {score}): it has much to learn.",
        **values,
    )


def _rate(preset: RetrievalPreset, known: Known) -> Chosen:
    size = getattr(lookup(preset.model.id), "size", None)
    if isinstance(preset.method, Lora):
        rate = size.lora_learning_rate if size else _LORA_RATE
        return Chosen(rate, say("The usual one for adapters, whose few weights need larger steps."))
    if preset.cross_encoder and known.fresh:
        return Chosen(_FRESH_RATE, say("The head is new and needs large steps."))
    usual = size.learning_rate if size else preset.full_rate
    finds_most = known.score is not None and known.level == "strong" and not known.closed
    if not preset.cross_encoder and finds_most and usual > _GENTLE:
        reason = say("{found} Smaller steps than the usual {usual}.", found=_finds(known), usual=f"{usual:g}")
        return Chosen(_GENTLE, reason)
    faster = _FASTER["weak" if known.closed else known.level]
    rate = float(f"{max(usual, min(usual * faster, _FASTEST)):.1g}")
    if preset.cross_encoder or rate == usual:
        return Chosen(usual, say("The usual one for this model when all weights are trained."))
    if known.closed:
        reason = say("Larger steps than the usual {usual}: the same answers come again, so little is forgotten.",
                     usual=f"{usual:g}")  # fmt: skip
        return Chosen(rate, reason)
    return Chosen(rate, say("{found} Larger steps than the usual {usual}.", found=_finds(known), usual=f"{usual:g}"))


def _batch(preset: RetrievalPreset, known: Known) -> Chosen:
    size = getattr(lookup(preset.model.id), "size", None)
    usual: int = size.batch_size if size else RetrievalTraining.model_fields["batch_size"].default
    if preset.cross_encoder:
        usual = min(usual, LEAST[False] if known.fresh else usual)
    least, batch = LEAST[preset.loss.core.in_batch_negatives], usual
    while batch // 2 >= least and known.rows < STEPS * batch:
        batch //= 2
    if batch < usual:
        return Chosen(batch, say("Small, so that {rows} rows still make enough steps.", rows=known.rows))
    return Chosen(batch, say("The usual one for this model."))


def _evaluations(known: Known, epochs: float) -> Chosen:
    if known.rows >= _ENOUGH[1][0]:
        return Chosen(4, say("Often enough that little is lost if the machine is."))
    return Chosen(max(1, min(4, round(epochs))), say("Once an epoch: each measure costs as much as many steps."))
