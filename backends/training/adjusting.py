"""A run's preset, changed so that the run can go on: by itself where memory ran out, by hand where it is resumed.

By hand, what a checkpoint cannot bear is refused; where memory demands it and the preset allows it, training begins
anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any, Final

from tunewiz.backends.ranks.plan import divided
from tunewiz.backends.runs.events import Adjusted
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.backends.training.out_of_memory import Step, assignments, ladder, measuring_steps, with_values
from tunewiz.files import PRIVATE, discard, write_whole
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.library import load, loads
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset, Message, Problem, Where, error, say, warning

#: What changes neither the weights nor the optimizer's state that a checkpoint holds, nor what was measured before.
_BORNE: Final = (
    "description",
    "evaluation.batch_size",
    "export.*",
    "launch.*",
    "loss*.mini_batch_size",
    "training.gradient_checkpointing",
    "training.keep_checkpoints",
    "training.log_every",
    "training.workers",
)
_MARK: Final = "#! "
_BATCH: Final = {"training.batch_size", "training.accumulation"}


def adjust(run: Run, on_cpu: bool) -> bool:
    """Take the next step that saves memory, as far as the preset of ``run`` allows it; whether there was one.

    The preset is written anew with its reason on top, and the run is told.
    """
    preset = load(str(run.preset_file))
    state = read_state(run)
    for step in _steps(preset, state, on_cpu):
        if preset.launch.on_out_of_memory == "shrink" or (step.same and preset.launch.on_out_of_memory == "adjust"):
            changed = with_values(preset, step.values)
            text = dumps(changed)
            try:
                loads(text)
            except BadPreset:
                continue  # what saves memory does not go with the rest of this preset
            launch = changed.launch
            if launch.processes != "auto" and divided(changed, launch.processes * launch.nodes) is None:
                continue  # the processes could not share it
            _take(run, step, text, on_cpu)
            return True
    return False


def _steps(preset: Preset, state: RunState, on_cpu: bool) -> Iterator[Step]:
    if isinstance(preset, PipelinePreset) and state.part:
        return  # the embedding model's own preset is a file of the user's
    if state.trains:
        yield from (step for step in ladder(preset, on_cpu) if not step.key.startswith("data."))
    elif state.stage in ("baseline", "evaluate") and isinstance(preset, (LlmPreset, RetrievalPreset)):
        yield from measuring_steps(preset)


def _take(run: Run, step: Step, text: str, on_cpu: bool) -> None:
    device = "cpu" if on_cpu else "cuda"
    changes = assignments(step.values)
    message = (
        say(
            "Memory ran out on {device}. The run goes on by itself with {changes}; the model learns the same.",
            device=device,
            changes=changes,
        )
        if step.same
        else say(
            "Memory ran out on {device}. The run goes on by itself with {changes}, which changes the result; "
            "launch.on_out_of_memory: shrink allows it.",
            device=device,
            changes=changes,
        )
    )
    write_preset(run, text, message)
    # What was measured before was measured with other texts, or another model.
    repeat = () if step.same else ("baseline",)
    if not step.same or step.key == "backend_options":
        discard(run.checkpoints)  # of another model or optimizer
    run.emit(Adjusted(values={key: _plain(value) for key, value in step.values.items()}, repeat=repeat))
    run.notice(warning("memory-adjusted", message, Where(key=step.key)))


def write_preset(run: Run, text: str, *why: Message) -> None:
    """The preset in ``text``, with ``why`` and the reasons of earlier changes as comments on top."""
    kept = [line for line in run.preset_file.read_text("utf-8").splitlines() if line.startswith(_MARK)]
    write_whole(run.preset_file, "\n".join([*kept, *(f"{_MARK}{one.text()}" for one in why), text]), PRIVATE)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def change(run: Run, settings: Sequence[str]) -> None:
    """Change keys of the preset of ``run`` before it is resumed.

    Raises ``BadPreset`` with one problem for each key that its checkpoints cannot bear.
    """
    before = load(str(run.preset_file))
    after = load(str(run.preset_file), settings)
    old, new = dict(_leaves(before.model_dump(mode="json"))), dict(_leaves(after.model_dump(mode="json")))
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    wrong = [_refused(key, old.get(key), new.get(key)) for key in changed if not _is_borne(key, before, after)]
    if wrong:
        raise BadPreset(*wrong)
    if changed:
        values = {key: new.get(key) for key in changed}
        message = say("The run goes on with {changes}.", changes=assignments(values))
        write_preset(run, dumps(after), message)
        run.emit(Adjusted(values=values))
        run.notice(warning("preset-changed", message))


def _is_borne(key: str, before: Preset, after: Preset) -> bool:
    if key in _BATCH:
        rows = [preset.training.batch_size * preset.training.accumulation for preset in (before, after)]
        other = isinstance(before, RetrievalPreset) and before.loss.core.in_batch_negatives
        return rows[0] == rows[1] and not (other and before.training.batch_size != after.training.batch_size)
    return any(fnmatch(key, pattern) for pattern in _BORNE)


def _refused(key: str, old: Any, new: Any) -> Problem:
    message = say(
        "This run was begun with {old}; with {new} its checkpoints and what was measured would be of another run.",
        old=old,
        new=new,
    )
    fix = say("Start a new run for it. A resumed run takes: {keys}.", keys=(*_BORNE, *sorted(_BATCH)))
    return error("not-on-resume", message, Where(key=key), fix)


def _leaves(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{above}.{key}" if above else str(key))
    else:
        yield above, value
