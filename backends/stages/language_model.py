"""What every engine for language models shares: all stages but training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from tunewiz.backends import readiness, sources
from tunewiz.backends.engines import Backend
from tunewiz.backends.evaluate.lengths import Reading
from tunewiz.backends.evaluate.records import FLOOR
from tunewiz.backends.language_models.loaded_model import Places
from tunewiz.backends.models import run_models
from tunewiz.backends.ranks import ray
from tunewiz.backends.ranks.plan import plan_of
from tunewiz.backends.runs.create import add_to_record, record_folder
from tunewiz.backends.runs.events import Evaluated, Progress, Saved, StageName
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.forgetting import prompts_beside
from tunewiz.backends.training.checkpoints import take_away
from tunewiz.backends.training.out_of_memory import explain_out_of_memory
from tunewiz.data.chat.prepared import LlmPlan, PreparedLlm, load, save
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Stage
from tunewiz.files import write_whole
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import Problem, Where, error, note, say, warning


def chat_plan_of(preset: LlmPreset) -> LlmPlan:
    """The preset's data section in the terms of :mod:`tunewiz.data.chat.prepare`."""
    data, held_out = preset.data, preset.data.evaluation
    train, *others = data.datasets
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
        others=tuple(others),
    )


def no_row_held_out() -> Problem:
    """That there will be no verdict."""
    message = say("No row is held out, so the model is not measured and there will be no verdict.")
    fix = say("Set data.evaluation.fraction above 0, or name evaluation data.")
    return warning("nothing-to-measure", message, fix=fix)


def rows_wanted(preset: LlmPreset) -> Stage | None:
    """The kind of rows that the preset's stage learns from; ``None`` for auto."""
    kinds: dict[str, Stage] = {"sft": "sft", "pretrain": "pretrain", "kto": "kto"}
    return None if preset.stage == "auto" else kinds.get(preset.stage, "preference")


def _said_twice(preset: LlmPreset) -> Iterator[Problem]:
    """That two keys say which system prompt rows without one have."""
    if preset.data.system and "default_system" in preset.backend_options:
        message = say("data.system says already what stands before rows without a system prompt.")
        where = Where(key="backend_options.default_system")
        yield error("backend-option-owned", message, where, say("Keep one of the two."))


class LanguageModelBackend(Backend[LlmPreset]):
    """Prepares, measures, exports and reports; a subclass trains."""

    tasks = frozenset({"llm"})

    def problems(self, preset: LlmPreset) -> list[Problem]:
        """Packages, arguments, template, model and memory."""
        from tunewiz.backends.language_models import templates

        located = sources.find_cached(preset.model)
        folder = Path(located.place) if located else None
        own = preset.template == "auto"
        template = templates.own_template(preset.model.id, folder) if own else preset.template
        spread = plan_of(preset, self.strategies).spread or ray.wanted(preset)
        return [
            *readiness.problems(preset, self.packages),
            *templates.option_problems(preset.backend_options, spread),
            *_said_twice(preset),
            *templates.template_problems(preset.template, preset.model.id, folder),
            *templates.learning_problems(preset.training.trained_on, template),
        ]

    def base(self, run: Run, preset: LlmPreset) -> Path:
        """The folder of the untouched model, downloaded if need be. Raises ``ModelUnavailable``."""
        return run_models.fetched_base(run, preset.model)

    def places(self, run: Run) -> Places:
        """What :meth:`prepare` found out."""
        from tunewiz.backends.language_models.loaded_model import places_of, read_record

        return places_of(read_record(run.record_file), run.data, run.checkpoints)

    def reading(self, preset: LlmPreset, count: int) -> Reading:
        """Rows with the chat template around them, and what of them is learned."""
        from tunewiz.backends.language_models import encoded_rows, templates
        from tunewiz.data.chat.prepare import prepare_llm

        located = sources.find_cached(preset.model)
        if located is None:
            return Reading(why_not=say("The rows can be shown as the model reads them once it is on this machine."))
        path = sources.fetch(located)
        read = prepare_llm(chat_plan_of(preset), lambda _problem: None)
        prepared = self._split(read, preset, path, packed=False)
        template = templates.resolved_template(preset.template, preset.model.id, path)
        places = Places(str(path), "", "", template, prepared.stage, False, encoded_rows.thinks(prepared.train))
        return encoded_rows.read_rows(preset, places, prepared.train, count)

    @staticmethod
    def _split(prepared: PreparedLlm, preset: LlmPreset, path: Path, packed: bool) -> PreparedLlm:
        """Long texts in pieces. ``packed``: those to learn stay whole, for packing joins texts and cuts them itself."""
        if prepared.stage != "pretrain":
            return prepared
        from tunewiz.backends.language_models import text_pieces

        tokenizer = text_pieces.tokenizer_of(path, preset.model.trust_remote_code)
        return text_pieces.in_pieces(prepared, tokenizer, preset.training.max_length, packed)

    def prepare(self, run: Run, preset: LlmPreset) -> None:
        """Read, clean and split; fetch the model; settle the template; write LLaMA-Factory's files."""
        from tunewiz.backends.language_models import encoded_rows, templates, text_pieces
        from tunewiz.data.chat.prepare import prepare_llm

        run_models.fetch_datasets(run, preset)
        read = prepare_llm(chat_plan_of(preset), run.notice)
        path = self.base(run, preset)
        prepared = self._split(read, preset, path, packed=preset.training.packing)
        for problem in text_pieces.told(read, prepared, preset.training.max_length):
            run.notice(problem)
        template = templates.resolved_template(preset.template, preset.model.id, path)
        run.check_stop()
        save(prepared, run.data)
        encoded_rows.write(prepared, run.data)
        told = {
            "template": template,
            "rows": prepared.stage,
            "validated": bool(prepared.validation),
            "thinking": encoded_rows.thinks(prepared.train),
        }
        add_to_record(run, data=dict(prepared.hashes), counts=dict(prepared.counts), llm=told,
                      sources=list(map(asdict, prepared.sources)))  # fmt: skip
        if preset.template != template:
            # The lock: whoever uses this run later reads the name, not the rule that found it.
            write_whole(run.preset_file, dumps(preset.model_copy(update={"template": template})))
        seen = self._split(prepared, preset, path, packed=False).train
        for problem in encoded_rows.read_rows(preset, self.places(run), seen, shown=0).problems():
            run.notice(problem)
        run.emit(Saved(what="data", path=run.relative(run.data)))

    def baseline(self, run: Run, preset: LlmPreset) -> None:
        """Measure what counting words brings, and the untouched model, unless the preset does without."""
        if preset.evaluation.floor:
            self._measure_floor(run, preset)
        if preset.evaluation.baseline:
            self._measure(run, preset, "before")

    def evaluate(self, run: Run, preset: LlmPreset) -> None:
        """Measure the tuned model on the same rows."""
        self._measure(run, preset, "after")

    def export(self, run: Run, preset: LlmPreset) -> None:
        """Write ``run.model`` and check it."""
        from tunewiz.backends.language_models.exporting import export

        written = export(run, preset, self.places(run))
        record_folder(run, run.model)
        for folder in written:
            run.emit(Saved(what="model" if folder == run.model else "adapter", path=run.relative(folder)))

    def left(self, run: Run, preset: LlmPreset, stage: StageName) -> Path | None:
        """The tuned weights, which lie beside the checkpoints, and the exported model."""
        return {"train": run.checkpoints, "export": run.model}.get(stage)

    def tidy(self, run: Run, preset: LlmPreset) -> None:
        """Take away the checkpoints unless they are wanted."""
        take_away(run, preset.export.keep_checkpoints)

    def report(self, run: Run, preset: LlmPreset) -> str:
        """Write ``run.report``; the verdict."""
        from tunewiz.backends.reports.language_model_report import write_report

        verdict: str = write_report(run, preset)
        run.emit(Saved(what="report", path=run.relative(run.report / "report.md")))
        return verdict

    @staticmethod
    def _measure_floor(run: Run, preset: LlmPreset) -> None:
        from tunewiz.backends.language_models.floor import measure_floor

        found = measure_floor(load(run.data), preset.evaluation.rows, preset.training.seed)
        if found is None:
            message = say("evaluation.floor is for classification: these rows have no labels to tell apart.")
            fix = say("Where a column holds labels, map it: --map text=COLUMN --map label=COLUMN.")
            run.notice(warning("floor-without-labels", message, Where(key="evaluation.floor"), fix))
            return
        run.report.mkdir(parents=True, exist_ok=True)
        found.save(run.report / FLOOR)
        message = say(
            "The floor: TF-IDF and logistic regression on the same rows reach accuracy {accuracy}, macro-F1 {f1}.",
            accuracy=f"{found.metrics['accuracy']:.4f}", f1=f"{found.metrics['macro_f1']:.4f}",
        )  # fmt: skip
        run.notice(note("floor", message))

    def _measure(self, run: Run, preset: LlmPreset, when: Literal["before", "after"]) -> None:
        from tunewiz.backends.language_models import loaded_model
        from tunewiz.backends.language_models.measures import measure

        prepared = load(run.data)
        if not prepared.evaluation:
            run.notice(no_row_held_out())
            return
        places, stage = self.places(run), "baseline" if when == "before" else "evaluate"

        def tell(done: int, total: int) -> None:
            run.emit(Progress(stage=stage, step=done, total=total))
            run.check_stop()

        with explain_out_of_memory(preset, loaded_model.ready_process(preset.launch)):
            loaded = loaded_model.load_tuned(preset, places, run.checkpoints) if when == "after" else (
                loaded_model.load(preset, places, None)
            )  # fmt: skip
            measured = measure(loaded, prepared, preset.evaluation, preset.training.seed, tell)
        run.report.mkdir(parents=True, exist_ok=True)
        measured.save(run.report / f"{when}.json")
        run.emit(Evaluated(when=when, metrics=measured.metrics, what="held-out rows", seconds=measured.seconds))
        prompts_beside(run, preset, loaded, when)
