"""The report of a search model's run: ``report.md``, ``report.html``, ``metrics.json`` and the pictures.

Block by block: the verdict, the numbers, the queries that gained and lost most, what next, how it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunewiz.backends.evaluate.metrics import Rankings, read_run
from tunewiz.backends.evaluate.records import Metrics
from tunewiz.backends.reports import side_by_side
from tunewiz.backends.reports.blocks import (
    Block,
    Bullets,
    Heading,
    Paragraph,
    Picture,
    Table,
    advice,
    notices,
    section,
    times,
    verdict,
    write_pages,
)
from tunewiz.backends.reports.facts import Facts, file_of, gather, name_of
from tunewiz.backends.reports.forgetting import general_blocks
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.reports.next_steps import steps_of_report
from tunewiz.backends.reports.pictures import (
    CURVES,
    cosines_picture,
    curve_pictures,
    loss_picture,
    metrics_picture,
    of_fonts,
    space_picture,
)
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.backends.space.record import CAPTION
from tunewiz.backends.space.record import NAME as SPACE
from tunewiz.backends.space.record import read as read_space
from tunewiz.data.retrieval.prepared import CorpusKind, load
from tunewiz.data.rows.examples import Collection
from tunewiz.files import read_json
from tunewiz.language import N_, translate
from tunewiz.presets.families import instructions
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.printable import printable
from tunewiz.problems import BadData, Message, say


def write_report(run: Run, preset: RetrievalPreset) -> str:
    """Write everything into ``run.report``; the verdict. May be called again at any time, in another language too."""
    facts, state = gather(run, preset), read_state(run)
    run.report.mkdir(parents=True, exist_ok=True)
    collection, corpus = _collection(run)
    record = _metrics(facts, corpus)
    steps = steps_of_report(run, state, preset, record)
    blocks = contents(facts, state, changes(facts, collection), steps, _pictures(facts, state), _prompts(run, preset))
    write_pages(run.report, blocks, record.advising(steps))
    return facts.verdict


def _collection(run: Run) -> tuple[Collection, CorpusKind]:
    try:
        prepared = load(run.data)
    except BadData:  # a run whose data was deleted to save disk: the numbers are still there
        return Collection(), "none"
    return prepared.evaluation, prepared.corpus


def _prompts(run: Run, preset: RetrievalPreset) -> tuple[str, str]:
    """The texts before queries and passages, as the exported model has them."""
    saved = read_json(run.model / "config_sentence_transformers.json")
    if isinstance(saved, dict) and isinstance(saved.get("prompts"), dict):
        return str(saved["prompts"].get("query") or ""), str(saved["prompts"].get("document") or "")
    return instructions(preset.model)


def _pictures(facts: Facts, state: RunState) -> dict[str, Path]:
    folder = facts.run.report
    drawn = {
        "metrics": metrics_picture(facts, folder / "metrics.png"),
        "cosines": cosines_picture(facts, folder / "cosines.png"),
        "loss": loss_picture(state.curves, facts.primary, folder / "loss.png"),
        **curve_pictures(state.curves, folder),
    }
    return {name: path for name, path in drawn.items() if path is not None}


def _metrics(facts: Facts, corpus: CorpusKind) -> MetricsFile:
    """All numbers for programs."""
    measured = facts.systems or facts.sides
    known = facts.after or facts.before
    return facts.metrics(
        corpus=corpus,
        compared_with=facts.before_name,
        systems={name: record.summary() for name, record in facts.systems.items()},
        reranking=side_by_side.reranking(facts),
        ways=side_by_side.ways_after(facts),
        best_way=side_by_side.best_way(facts),
        cosines={name: record.cosines for name, record in measured.items()},
        seconds={name: record.seconds for name, record in measured.items()},
        documents=known.documents if known else None,
        per_query={name: f"{file_of(name)}.json" for name in measured},
        rankings={name: f"{file_of(name)}.run.tsv" for name in measured},
    )


_CHARACTERS = 160


def contents(
    facts: Facts,
    state: RunState,
    changes: tuple[list[Change], list[Change]],
    steps: Sequence[Message],
    pictures: Mapping[str, Path],
    prompts: tuple[str, str],
) -> list[Block]:
    """All blocks, in reading order: the verdict, the numbers, the evidence, what next, how it was made."""
    return [
        Heading(facts.preset.name, 1),
        verdict(facts.verdict, facts.comparison),
        *numbers(facts),
        *side_by_side.two_stage_blocks(facts),
        *side_by_side.way_blocks(facts),
        *side_by_side.smaller_blocks(facts),
        *general_blocks(facts),
        *_picture_blocks(pictures),
        *space_blocks(facts.run.report),
        *_changes(facts, changes),
        *advice(steps),
        *section(N_("What was noticed"), notices(state)),
        Heading(translate(N_("How it was made"))),
        Bullets([line.text() for line in made_from(facts, prompts)]),
        *section(N_("Time and machine"), list(times(facts.record, state))),
        Heading(translate(N_("Check the numbers"))),
        *_files(facts),
    ]


def _picture_blocks(pictures: Mapping[str, Path]) -> Iterator[Block]:
    told = {
        "metrics": N_("Metrics before and after; whiskers: 95 % interval of the difference"),
        "cosines": N_("Cosines of right pairs, random pairs and the best-ranked others, before and after"),
        "loss": N_("Training loss by step"),
        **CURVES,
    }
    for name, text in told.items():
        if name in pictures:
            yield Picture(pictures[name], translate(text))
    if pictures:
        yield from (Paragraph(message.text()) for message in of_fonts())


def space_blocks(folder: Path) -> Iterator[Block]:
    """The vector space before and after, where it was drawn: numbers first, as a picture of points can mislead."""
    found = read_space(folder / SPACE)
    if found is None:
        return
    yield Heading(translate(N_("The vector space before and after")))
    rows = [
        [translate(name), f"{before:.3f}", f"{after:.3f}", f"{after - before:+.3f}"]
        for name, before, after in found.numbers()
    ]
    titles = (N_("in the space itself"), N_("before"), N_("after"), N_("difference"))
    yield Table([translate(title) for title in titles], rows, frozenset({1, 2, 3}))
    yield Picture(space_picture(found, folder / "space.png"), found.drawn().text())
    if found.labels:
        names = "; ".join(f"{number}. {name}" for number, name in enumerate(found.labels, 1))
        yield Paragraph(say("Labels, the most frequent first: {names}", names=names).text())
    yield Paragraph(translate(CAPTION))


def _changes(facts: Facts, changes: tuple[list[Change], list[Change]]) -> Iterator[Block]:
    titles = (N_("Queries that gained most"), N_("Queries that lost most"))
    columns = (N_("query"), facts.primary, N_("rank of the answer"), N_("a right answer"), N_("now ranked first"))
    for title, some in zip(titles, changes, strict=True):
        if some:
            yield Heading(translate(title))
            yield Table(
                [translate(name) for name in columns], [_change_cells(change) for change in some], frozenset({1, 2})
            )


def _change_cells(change: Change) -> list[str]:
    ranks = [str(rank) if rank else "–" for rank in (change.rank_before, change.rank_after)]
    texts = [printable(text, _CHARACTERS) for text in (change.query, change.relevant, change.first)]
    values = f"{change.before:.3f} → {change.after:.3f}"
    return [texts[0], values, " → ".join(ranks), texts[1], texts[2]]


def _files(facts: Facts) -> Iterator[Block]:
    yield Paragraph(
        translate(
            N_(
                "The rankings behind the numbers lie beside this report in TREC's format (before.run.tsv and "
                "after.run.tsv), the judgments in data/qrels.tsv, and the numbers of each query in before.json and "
                "after.json."
            )
        )
    )
    if facts.systems:
        message = say("Search alone is in search.run.tsv and search.json: the candidates in their own order.")
        yield Paragraph(message.text())
    shares = [record.exact_share for record in facts.sides.values()]
    if min(shares, default=1.0) < 1:
        message = say(
            "{percent} % of the documents were encoded in fp32, those that can change a number; the others in bf16, so "
            "that documents which are not relevant may stand in another order than in fp32.",
            percent=round(100 * min(shares)),
        )
        yield Paragraph(message.text())


_COUNTED: Final = N_("better / worse / same")


def numbers(facts: Facts) -> Iterator[Block]:
    """Every metric before and after in a table, and a sentence on the primary one."""
    yield Heading(translate(N_("Before and after")))
    if facts.comparison is None:
        yield from _one_side(facts)
        return
    yield Paragraph(facts.comparison.sentence().text())
    titles = [N_("metric"), N_("before"), N_("after"), N_("difference"), N_("95 % interval"), _COUNTED]
    rows = [
        [
            item.metric,
            f"{item.before:.4f}",
            f"{item.after:.4f}",
            f"{item.difference:+.4f}",
            f"{item.low:+.4f} … {item.high:+.4f}",
            f"{item.wins} / {item.losses} / {item.ties}",
        ]
        for item in facts.comparisons.values()
    ]
    marked = list(facts.comparisons).index(facts.primary)
    yield Table([translate(title) for title in titles], rows, frozenset(range(1, 6)), marked)
    yield Paragraph(_measured(facts, facts.comparison.queries).text())


def _measured(facts: Facts, queries: int) -> Message:
    """How the numbers came about."""
    documents = facts.after.documents or 0 if facts.after else 0
    alone = facts.systems.get("search")
    if alone is None:
        return say(
            "{queries} held-out queries, searched in {documents} documents; exact cosine search, pytrec_eval.",
            queries=queries,
            documents=documents,
        )
    message = say(
        "{queries} held-out queries, searched in {documents} documents; the first {depth} results reranked, "
        "pytrec_eval.",
        queries=queries,
        documents=documents,
        depth=alone.depth,
    )
    if facts.before_name != "search":
        return message
    return say("{told} Before: search alone, the best there was without training.", told=message)


def _one_side(facts: Facts) -> Iterator[Block]:
    known = facts.after or facts.before
    yield Paragraph(translate(N_("It was not measured both before and after.")))
    if known:
        rows = [[name, f"{value:.4f}"] for name, value in known.metrics.items()]
        value = translate(N_("after")) if facts.after else translate(N_("before"))
        yield Table([translate(N_("metric")), value], rows, frozenset({1}))


def made_from(facts: Facts, prompts: tuple[str, str]) -> Iterator[Message]:
    """The settings that made the model, one line each."""
    preset, training = facts.preset, facts.preset.training
    yield say("Base model: {base}", base=facts.base_model)
    counts = facts.counts
    yield say("Data: {data}, {rows} training rows", data=facts.data_name, rows=counts.get("train", "?"))
    yield from facts.sources
    if preset.data.negatives.strategy != "none":
        yield _negatives(preset, counts)
    if preset.data.teacher.model is not None:
        yield from _teacher(preset, counts)
    yield say("Loss: {loss}", loss=preset.loss.name)
    yield say("Method: {method}", method=_method(facts))
    yield say(
        "Epochs {epochs}, batch {batch} x {accumulation}, learning rate {rate}, {scheduler} with warm-up {warmup}",
        epochs=f"{training.epochs:g}",
        batch=training.batch_size,
        accumulation=training.accumulation,
        rate=f"{training.learning_rate:g}",
        scheduler=training.scheduler,
        warmup=f"{training.warmup:g}",
    )
    share = facts.record.get("tuned_share", 1)
    if share != 1:
        yield say("Weights: {percent} % tuned, the rest the untouched model's (WiSE-FT)", percent=round(100 * share))
    yield say("At most {length} tokens a text; seed {seed}", length=training.max_length, seed=training.seed)
    if any(prompts):
        yield say(
            "Before queries: {query}; before passages: {passage}", query=repr(prompts[0]), passage=repr(prompts[1])
        )
    versions = facts.record.get("versions", {})
    named = ("tunewiz", "sentence-transformers", "transformers", "torch", "peft")
    shown = ", ".join(f"{name} {versions[name]}" for name in named if name in versions)
    if shown:
        yield say("Versions: {versions}", versions=shown)


def _negatives(preset: RetrievalPreset, counts: Mapping[str, int]) -> Message:
    """What was mined, and why nothing was where nothing was."""
    strategy, mined = preset.data.negatives.strategy, counts.get("negatives_mined")
    if mined:
        told = {"strategy": strategy, "count": preset.data.negatives.per_query, "mined": mined}
        return say("Hard negatives: {strategy}, up to {count} a query, {mined} in all", **told)
    if mined is None:
        return say("Hard negatives: none; scored pairs have no queries to mine them for")
    if counts.get("negatives_missing", 0):
        return say("Hard negatives: none; {strategy} found no passage that is not an answer, or too near one",
                   strategy=strategy)  # fmt: skip
    return say("Hard negatives: those of the data; each query has {count} or more, so that none were mined",
               count=preset.data.negatives.per_query)  # fmt: skip


def _teacher(preset: RetrievalPreset, counts: Mapping[str, int]) -> Iterator[Message]:
    """Who taught, and what that did."""
    teacher, told = preset.data.teacher, {"name": name_of(str(preset.data.teacher.model))}
    if teacher.filters:
        dropped = counts.get("teacher_dropped", 0)
        yield say("Teacher: {name}; {dropped} mined passages dropped that it takes for right", **told, dropped=dropped)
    if teacher.teaches:
        pairs = counts.get("teacher_pairs", 0)
        yield say("Teacher: {name}; its scores of {pairs} pairs were learned", **told, pairs=pairs)


def _method(facts: Facts) -> Message | str:
    method = facts.preset.method
    if method.type == "lora":
        return f"LoRA, r = {method.rank}, alpha = {method.alpha:g}, dropout = {method.dropout:g}"
    return say("all weights")


# The queries that gained and lost most, with what was found for them before and after.


SHOWN: Final = 5


@dataclass(frozen=True)
class Change:
    """One query: the metric and the rank of its best relevant document before and after (0: not in the ranking).

    ``relevant`` is that document's text, ``first`` the text ranked first after training.
    """

    query_id: str
    query: str
    before: float
    after: float
    rank_before: int
    rank_after: int
    relevant: str
    first: str

    @property
    def difference(self) -> float:
        """Positive where training helped."""
        return self.after - self.before


def changes(facts: Facts, collection: Collection) -> tuple[list[Change], list[Change]]:
    """The queries that gained most and those that lost most, at most :data:`SHOWN` each, without those that did not."""
    if not facts.before or not facts.after:
        return [], []
    before, after = facts.before.per_query, facts.after.per_query
    shared = [name for name in after if name in before and name in collection.queries]
    gains = {name: _of(after, name, facts.primary) - _of(before, name, facts.primary) for name in shared}
    by_gain = sorted(shared, key=lambda name: (gains[name], name))
    gained = [name for name in reversed(by_gain) if gains[name] > 0]
    lost = [name for name in by_gain if gains[name] < 0]
    runs = _rankings(facts, facts.before_name), _rankings(facts, "after")
    return (
        [_change(facts, collection, runs, name) for name in gained[:SHOWN]],
        [_change(facts, collection, runs, name) for name in lost[:SHOWN]],
    )


def _rankings(facts: Facts, when: str) -> Rankings:
    path = facts.run.report / f"{when}.run.tsv"
    return read_run(path) if path.is_file() else {}


def _change(facts: Facts, collection: Collection, runs: tuple[Rankings, Rankings], name: str) -> Change:
    relevant = {key for key, grade in collection.qrels.get(name, {}).items() if grade > 0}
    (rank_before, _), (rank_after, best) = (_best(run.get(name, []), relevant) for run in runs)
    best = best or next((key for key in sorted(relevant) if key in collection.corpus), "")
    first = next((key for key, _ in runs[1].get(name, [])), "")
    return Change(
        query_id=name,
        query=collection.queries[name],
        before=_of(facts.before.per_query if facts.before else {}, name, facts.primary),
        after=_of(facts.after.per_query if facts.after else {}, name, facts.primary),
        rank_before=rank_before,
        rank_after=rank_after,
        relevant=_text(collection, best),
        first=_text(collection, first),
    )


def _best(ranking: list[tuple[str, float]], relevant: set[str]) -> tuple[int, str]:
    return next(((rank, key) for rank, (key, _) in enumerate(ranking, 1) if key in relevant), (0, ""))


def _of(per_query: Mapping[str, Metrics], query: str, metric: str) -> float:
    return per_query.get(query, {}).get(metric, 0.0)


def _text(collection: Collection, name: str) -> str:
    document = collection.corpus.get(name)
    return document.full if document else ""
