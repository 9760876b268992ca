"""The space of a run drawn: its texts encoded by both models, laid out, written, put into the report.

To be called in a child (:func:`tunewiz.errand.send`, through :mod:`tunewiz.backends.space.asking`): it computes for up
to a minute, and whoever asked may end it at any time. What was there stays until everything new is made.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Final, TypedDict

from tunewiz.backends.models.run_models import kept_encoder, ranking, searching, tuned_folder
from tunewiz.backends.reports.facts import model_name
from tunewiz.backends.reports.pictures import space_picture
from tunewiz.backends.reports.retrieval_report import write_report
from tunewiz.backends.reports.sweep_report import tried, write_sweep
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.backends.space.choosing import MOST, By, Chosen, choose
from tunewiz.backends.space.layout import cosines, lay_out, perplexity_for
from tunewiz.backends.space.record import NAME, SIDES, Pair, Place, Point, Space, read
from tunewiz.backends.stages.trials import points_of
from tunewiz.data.retrieval.prepared import load as load_data
from tunewiz.data.rows.examples import Collection
from tunewiz.files import write_whole
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.yaml.library import load
from tunewiz.printable import printable
from tunewiz.problems import BadPreset, error, say
from tunewiz.redaction import redacted

_LETTERS: Final = 160  # of a text: what is read beside a picture
_EVERY: Final = 0.2  # seconds between two looks at how far it is


class Wanted(TypedDict, total=False):
    """What is asked for: points at most, the seed that draws them (the run's own where ``None``), what colours them.

    ``anew``: though it is there already.
    """

    points: int
    seed: int | None
    by: By
    anew: bool


def draw(run: Run, wanted: Wanted, told: Path) -> list[Path]:
    """Write ``space.json``, ``space.png`` and ``space.svg`` into ``run.report``, and the report anew; those files.

    What is there already and made of the same is left, unless ``anew`` is wanted. How far it is stands in ``told``, a
    JSON list: what, done, in all. Raises ``TunewizError``: ``no-space`` for a run without an embedding model.
    """
    tell = _Telling(told)
    preset = load(str(run.preset_file))
    inner, own = _embedding(run, preset)
    if alive(run):
        message = say("The run {name} is still going on: what it tunes is not ready.", name=run.name)
        raise BadPreset(error("run-goes-on", message, fix=say("Draw it when it is over; `tunewiz watch` shows when.")))
    tuned_folder(inner)  # raises before anything is computed for nothing
    collection = load_data(inner.data).evaluation
    asked = wanted.get("seed")
    seed = own.training.seed if asked is None else asked
    chosen = choose(collection, seed, wanted.get("points", MOST), wanted.get("by", "auto"))
    mark = _mark(inner, chosen, seed)
    there = read(run.report / NAME)
    if wanted.get("anew") or there is None or there.made_of != mark:
        there = _made(inner, own, collection, chosen, seed, mark, tell)
        run.report.mkdir(parents=True, exist_ok=True)
        there.write(run.report / NAME)
    tell("drawing", 0, 0)
    picture = space_picture(there, run.report / "space.png")
    _rewritten(run, preset)
    return [run.report / NAME, picture, picture.with_suffix(".svg")]


def _embedding(run: Run, preset: Preset) -> tuple[Run, EmbeddingPreset]:
    """The run of the embedding model, of a pipeline the inner one."""
    part = searching(run, preset)
    if part is not None:
        return part
    why = {
        "reranker": say("A reranker reads a query and a document together and gives a score: it has no vectors."),
        "comparison": say("The runs of a comparison tune rerankers, which give scores and have no vectors."),
        "llm": say("A language model's run tunes no vectors of texts."),
    }
    message = why.get(preset.task) or say("A run of the task {task} gives no vectors.", task=preset.task)
    raise BadPreset(
        error("no-space", message, fix=say("There is nothing to draw: name a run of the task embedding or pipeline."))
    )


class _Telling:
    """Writes how far it is, a few times a second; half a line is no harm, as the reader looks again."""

    def __init__(self, file: Path) -> None:
        self._file, self._last = file, 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done in (0, total) or now - self._last > _EVERY:
            self._last = now
            write_whole(self._file, json.dumps([what, done, total]))


def _mark(run: Run, chosen: Chosen, seed: int) -> str:
    """What a layout hangs on: the tuned model and what was chosen."""
    from tunewiz.backends.models.encoding import fingerprint

    facts: list[Any] = [fingerprint(tuned_folder(run)), chosen.queries, chosen.documents, chosen.names, seed]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _made(
    run: Run, preset: EmbeddingPreset, collection: Collection, chosen: Chosen, seed: int, mark: str, tell: _Telling
) -> Space:
    queries = [collection.queries[name] for name in chosen.queries]
    documents = [collection.corpus[name].full for name in chosen.documents]
    vectors = _encoded(run, preset, queries, documents, tell)
    first, second = lay_out(vectors["before"], vectors["after"], seed, lambda done, total: tell("layout", done, total))
    tell("drawing", 0, 0)
    points = _points(chosen, [*queries, *documents], _rounded(first), _rounded(second))
    ends = [(row, len(queries) + place) for row, place in chosen.pairs]
    near = {
        when: [round(float(found[row] @ found[place]), 4) for row, place in ends] for when, found in vectors.items()
    }
    return Space(
        model=model_name(preset.model.id),
        before=cosines(vectors["before"], first, len(queries), chosen.answers, documents),
        after=cosines(vectors["after"], second, len(queries), chosen.answers, documents),
        points=points,
        pairs=tuple(
            Pair(row, place, before, after)
            for (row, place), before, after in zip(ends, near["before"], near["after"], strict=True)
        ),
        labels=tuple(redacted(printable(name, 40)) for name in chosen.names),
        queries=len(collection.queries),
        documents=len(collection.corpus),
        seed=seed,
        perplexity=perplexity_for(len(points)),
        made_of=mark,
    )


def _encoded(
    run: Run, preset: EmbeddingPreset, queries: list[str], documents: list[str], tell: _Telling
) -> dict[str, Any]:
    """Unit vectors of the queries, then the documents, by each model; one model in memory at a time."""
    import numpy as np

    found: dict[str, Any] = {}
    for when in SIDES:
        tell(when, 0, 0)

        def encoded(done: int, total: int, side: str = when) -> None:
            tell(side, done, total)

        encoder = kept_encoder(run, preset, when, encoded)
        found[when] = np.concatenate([encoder.queries(queries), encoder.passages(documents)])
        del encoder
    return found


def _points(chosen: Chosen, texts: list[str], before: list[Place], after: list[Place]) -> tuple[Point, ...]:
    return tuple(
        Point(
            id=name,
            kind=chosen.kind(row),
            text=redacted(printable(texts[row], _LETTERS)),
            before=before[row],
            after=after[row],
            label=chosen.labels[row] if chosen.labels else -1,
        )
        for row, name in enumerate([*chosen.queries, *chosen.documents])
    )


def _rounded(places: Any) -> list[Place]:
    """Three decimals, where all lie within 100 or so: more than anyone sees, in half the bytes."""
    return [(round(float(across), 3), round(float(up), 3)) for across, up in places]


def _rewritten(run: Run, preset: Preset) -> None:
    """The run's report with the picture in it, in the language of now; a sweep's table has it below."""
    if not (run.report / "report.md").is_file():
        return
    if preset.several:
        write_sweep(run, preset, tried(run, points_of(run, preset)))
        return
    found = ranking(run, preset)
    own = found[1] if found is not None else preset
    write_report(run, own)  # type: ignore[arg-type]
