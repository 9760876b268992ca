"""The backend on LLaMA-Factory: tuning of causal language models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from backends import base_model, sources
from backends.base import Backend
from backends.llama_factory import native, readiness
from backends.llama_factory.arguments import Places, rows_wanted
from backends.reading import Reading
from backends.runs.create import add_to_record
from backends.runs.events import Evaluated, Progress, Saved
from backends.runs.run import Run
from data.dataset import Dataset
from data.files import write_whole
from data.llm_plan import LlmPlan
from data.prepared_llm import load, save
from data.problems import Problem, say, warning
from presets.library import dumps
from presets.tasks.llm import LlmPreset


def plan_of(preset: LlmPreset) -> LlmPlan:
    """The preset's data section in the terms of :mod:`data.prepare_llm`."""
    data, held_out = preset.data, preset.data.evaluation
    train = Dataset(
        data.train,
        data.format,
        columns=data.columns,
        encoding=data.encoding,
        delimiter=data.delimiter,
        header=data.header,
        limit=data.limit,
    )
    return LlmPlan(
        train=train,
        evaluation=Dataset(held_out.data, like=train) if held_out.data else None,
        fraction=held_out.fraction,
        validation=None if held_out.validation_fraction == "auto" else held_out.validation_fraction,
        seed=preset.training.seed,
        clean=data.clean,
        stage=rows_wanted(preset) or "auto",
        placeholders=data.placeholders,
        prompt=data.prompt,
        labels=tuple(data.labels) if data.labels is not None else None,
        system=data.system,
    )


class LlamaFactory(Backend[LlmPreset]):
    """Prepares, measures and exports; LLaMA-Factory's ``run_exp`` trains, in the run's own child."""

    name = "llama_factory"
    tasks = frozenset({"llm"})

    def problems(self, preset: LlmPreset) -> list[Problem]:
        """Packages, arguments, template, model and memory."""
        return readiness.problems(preset)

    def native(self, preset: LlmPreset) -> str:
        """The YAML that ``llamafactory-cli train`` would take."""
        return native.native(preset)

    def base(self, run: Run, preset: LlmPreset) -> Path:
        """The folder of the untouched model, downloaded if need be. Raises ``ModelUnavailable``."""
        return base_model.fetched(run, preset.model)

    def places(self, run: Run) -> Places:
        """What :meth:`prepare` found out."""
        from backends.llama_factory.loading import places_of, recorded

        return places_of(recorded(run.record_file), run.data, run.checkpoints)

    def reading(self, preset: LlmPreset, count: int) -> Reading:
        """Rows with the chat template around them, and what of them is learned."""
        from backends.llama_factory import reading, rows, templates
        from data.prepare_llm import prepare_llm

        located = sources.where_cached(preset.model)
        if located is None:
            return Reading(why_not=say("The rows can be shown as the model reads them once it is on this machine."))
        path = sources.fetch(located)
        prepared = prepare_llm(plan_of(preset), lambda _problem: None)
        template = templates.resolved(preset.template, preset.model.id, path)
        places = Places(str(path), "", "", template, prepared.stage, False, rows.thinks(prepared.train))
        return reading.reading(preset, places, prepared.train, count)

    def prepare(self, run: Run, preset: LlmPreset) -> None:
        """Read, clean and split; fetch the model; settle the template; write LLaMA-Factory's files."""
        from backends.llama_factory import reading, rows, templates
        from data.prepare_llm import prepare_llm

        prepared = prepare_llm(plan_of(preset), run.notice)
        path = self.base(run, preset)
        template = templates.resolved(preset.template, preset.model.id, path)
        run.check_stop()
        save(prepared, run.data)
        rows.write(prepared, run.data)
        told = {
            "template": template,
            "rows": prepared.stage,
            "validated": bool(prepared.validation),
            "thinking": rows.thinks(prepared.train),
        }
        add_to_record(run, data=dict(prepared.hashes), counts=dict(prepared.counts), llm=told)
        if preset.template != template:
            # The lock: whoever uses this run later reads the name, not the rule that found it.
            write_whole(run.preset_file, dumps(preset.model_copy(update={"template": template})))
        for problem in reading.reading(preset, self.places(run), prepared.train, shown=0).problems():
            run.notice(problem)
        run.emit(Saved(what="data", path=run.relative(run.data)))

    def baseline(self, run: Run, preset: LlmPreset) -> None:
        """Measure the untouched model, unless the preset does without."""
        if preset.evaluation.baseline:
            self._measure(run, preset, "before")

    def train(self, run: Run, preset: LlmPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints``."""
        from backends.llama_factory.training import train

        train(run, preset, self.places(run))
        run.emit(Saved(what="adapter" if preset.method.adapter else "model", path=run.relative(run.checkpoints)))

    def evaluate(self, run: Run, preset: LlmPreset) -> None:
        """Measure the tuned model on the same rows."""
        self._measure(run, preset, "after")

    def export(self, run: Run, preset: LlmPreset) -> None:
        """Write ``run.model``, and take away what only training needed."""
        import shutil

        from backends.llama_factory.exporting import export

        for folder in export(run, preset, self.places(run)):
            run.emit(Saved(what="model" if folder == run.model else "adapter", path=run.relative(folder)))
        if not preset.export.keep_checkpoints:
            shutil.rmtree(run.checkpoints, ignore_errors=True)

    def report(self, run: Run, preset: LlmPreset) -> str:
        """Write ``run.report``; the verdict."""
        from backends.reports.llm import write_report

        verdict: str = write_report(run, preset)
        run.emit(Saved(what="report", path=run.relative(run.report / "report.md")))
        return verdict

    def _measure(self, run: Run, preset: LlmPreset, when: Literal["before", "after"]) -> None:
        from backends.llama_factory import loading, out_of_memory
        from backends.llama_factory.measuring import measure

        prepared = load(run.data)
        if not prepared.evaluation:
            run.notice(_nothing_to_measure())
            return
        places, stage = self.places(run), "baseline" if when == "before" else "evaluate"

        def tell(done: int, total: int) -> None:
            run.emit(Progress(stage=stage, step=done, total=total))
            run.check_stop()

        with out_of_memory.explained(preset):
            loaded = loading.tuned(preset, places, run.checkpoints) if when == "after" else (
                loading.load(preset, places, None)
            )  # fmt: skip
            measured = measure(loaded, prepared, preset.evaluation, preset.training.seed, tell)
        run.report.mkdir(parents=True, exist_ok=True)
        measured.save(run.report / f"{when}.json")
        run.emit(Evaluated(when=when, metrics=measured.metrics, what="held-out rows", seconds=measured.seconds))


def _nothing_to_measure() -> Problem:
    told = say("No row is held out, so the model is not measured and there will be no verdict.")
    fix = say("Set data.evaluation.fraction above 0, or name evaluation data.")
    return warning("nothing-to-measure", told, fix=fix)
