"""What to try after a run: a pure function of how it ended and what was measured."""

from __future__ import annotations

from backends.runs.state import RunState
from data.problems import Message, say
from tui.evidence import Evidence


def next_steps(state: RunState, found: Evidence) -> tuple[Message, ...]:
    """Advice, the most useful first."""
    if state.status == "stopped":
        return (
            say("Go on from the last checkpoint: press r here, or `tunewiz run --resume {name}`.", name=state.name),
            say("Or clone it with other settings: press c."),
        )
    if state.status == "lost":
        return (
            say("Its process is gone without a word: killed, out of memory (RAM), or the machine restarted."),
            say("Look at the end of the log (l), then go on from the last checkpoint (r)."),
        )
    if state.status == "failed":
        return (
            say("Do what stands above, then go on from the last checkpoint (r), or clone it with other settings (c)."),
            say("The log (l) has the whole story at its end."),
        )
    return (*_BY_VERDICT.get(state.verdict, ()), *_by_numbers(found))


_BY_VERDICT = {
    "WIN": (
        say("Use it: the folder under Model loads by path, its prompts are saved with it."),
        say("More may be had from harder negatives (data.negatives) or a larger base model; clone it and compare."),
    ),
    "MARGINAL": (
        say("Try a higher learning rate or more epochs while the loss on held-out rows still falls."),
        say("Mine harder negatives: with easy ones there is little left to learn (data.negatives.strategy: dense)."),
        say("If the base model is good already on your queries, more data brings more than more training."),
    ),
    "REGRESSION": (
        say("Lower training.learning_rate to a third, or train for fewer epochs."),
        say("Look at the queries that lost below: wrong or too broad positives in the data show there first."),
        say("Check for false negatives: raise data.negatives.relative_margin, or train without mined negatives."),
        say("LoRA changes less of the model and forgets less (method.type: lora)."),
    ),
    "NONE": (say("There was no baseline to compare with: set evaluation.baseline to true and run it again."),),
}


def _by_numbers(found: Evidence) -> tuple[Message, ...]:
    advice = []
    main = found.main
    if main and main.low is not None and main.high is not None and main.low <= 0 <= main.high:
        advice.append(say("The interval includes zero: measure on more queries before you rely on the difference."))
    means = {(spread.kind, spread.when): spread.mean for spread in found.spreads}
    positive, hard = means.get(("positive", "after")), means.get(("hard", "after"))
    if positive is not None and hard is not None and hard > positive:
        advice.append(
            say("Wrong passages score above right ones on average: the data may lack judgments, or need cleaning.")
        )
    return tuple(advice)
