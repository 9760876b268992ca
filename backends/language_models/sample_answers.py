"""What a language model in training writes to a few fixed prompts, at each evaluation, for whoever watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tunewiz.backends.language_models.encoded_rows import row_prompt
from tunewiz.backends.language_models.loaded_model import Loaded, Places, tokenizing
from tunewiz.backends.language_models.measures import greedy_answers, shown
from tunewiz.backends.runs.events import Answered
from tunewiz.backends.runs.run import Run
from tunewiz.data.chat.prepared import load as load_prepared
from tunewiz.data.rows.conversations import Conversation
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.printable import printable
from tunewiz.problems import note, say

#: Three answers of 48 tokens are some three seconds on a GPU; a sentence or two of each is what one judges them by.
PROMPTS: Final = 3
TOKENS: Final = 48
#: Longer prompts would cost more than the answers to them.
LONGEST: Final = 1024
_TEXT: Final = 600  # characters of each that are told
#: What a model's own code may raise while it writes.
_FAULTS: Final = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Sampling:
    """The call-back of a Trainer; :func:`sample_answers` makes a ``TrainerCallback`` of it."""

    def __init__(self, run: Run, loaded: Loaded, rows: Mapping[str, Conversation]) -> None:
        self.run, self.loaded, self.rows = run, loaded, rows
        self._prompts = [row_prompt(loaded, row) for row in rows.values()]
        self._told = -1

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Let ``model`` write, and tell of it; a failure costs the answers, not the training."""
        if not state.is_world_process_zero or model is None or not self.rows or state.global_step == self._told:
            return
        self._told = state.global_step
        trains = model.training
        model.eval()
        try:
            asked = replace(self.loaded, model=model)
            written = greedy_answers(asked, self._prompts, TOKENS, PROMPTS, lambda _done, _total: None)
        except _FAULTS as fault:
            self.rows = {}
            message = say("No sample answers can be written while training: {fault}.", fault=printable(str(fault), 200))
            self.run.notice(note("no-sample-answers", message))
            return
        finally:
            model.train(trains)
        told = [
            {name: printable(text, _TEXT) for name, text in one.items()} for one in shown(self.rows, written).values()
        ]
        self.run.emit(Answered(step=state.global_step, answers=tuple(told)))


def sample_answers(run: Run, preset: LlmPreset, places: Places) -> list[Any]:
    """The call-back that tells of sample answers; none where rows are texts to go on with."""
    rows = load_prepared(run.data).validation
    if not rows or places.rows == "pretrain":
        return []
    from transformers import TrainerCallback

    loaded = tokenizing(preset, places)
    kept = {str(place): row for place, row in enumerate(_short(loaded, rows))}
    return [type("SampleAnswers", (Sampling, TrainerCallback), {})(run, loaded, kept)] if kept else []


def _short(loaded: Loaded, rows: Sequence[Conversation]) -> list[Conversation]:
    """The first few rows whose prompt is not too long: the same ones each time the run is resumed."""
    found: list[Conversation] = []
    for row in rows:
        if len(found) == PROMPTS:
            break
        if len(row_prompt(loaded, row)) <= LONGEST:
            found.append(row)
    return found
