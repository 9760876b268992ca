"""The default beside the library's documented recipe and beside doing nothing, on collections cut small.

``python -m tests.bench.panel --data DIR --work FOLDER`` prints a Markdown table. DIR holds the folders of public
collections named in :data:`CUTS`; those that are missing are left out. Each cut is written into FOLDER as a BEIR
folder, each arm is a child process whose result is kept there, so that a panel that was ended goes on where it was.

- *untouched*: the model as it is, before any training;
- *library*: sentence-transformers' documented recipe: every judged pair a row, one epoch, 2e-5, batches of 32 without
  duplicates, warm-up over a tenth, fp32;
- *default*: ``tunewiz run embedding/starter`` (``starter-zh`` for Chinese) with nothing but the data named.

All are measured by nDCG@10 on the same test queries in fp32, and compared query by query with the interval of
:mod:`tunewiz.backends.evaluate.verdict`. ``--set KEY=VALUE`` goes to the default.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.evaluate.verdict import Comparison, compare

METRIC: Final = "ndcg@10"
Rows = list[tuple[str, str, int]]


@dataclass(frozen=True)
class Cut:
    """How a collection is made small: queries to train on and to test on, and documents beside the judged ones."""

    folder: str
    preset: str
    train: int
    test: int
    documents: int
    read: Callable[[Path], Collection]
    #: Whether the collection's own split is kept; otherwise its queries are divided anew.
    own_split: bool = False
    #: Right documents kept of each query; the others are taken out of the corpus.
    most: int = 100


@dataclass(frozen=True)
class Collection:
    """Texts by id, and judgments by split."""

    corpus: Mapping[str, Mapping[str, str]]
    queries: Mapping[str, str]
    judged: Mapping[str, Rows]


def beir(folder: Path) -> Collection:
    """A BEIR folder, with all its splits."""
    corpus = {
        row["_id"]: {"title": row.get("title", ""), "text": row["text"]} for row in _lines(folder / "corpus.jsonl")
    }
    queries = {row["_id"]: row["text"] for row in _lines(folder / "queries.jsonl")}
    judged = {}
    for path in sorted((folder / "qrels").glob("*.tsv")):
        cells = (line.split("\t") for line in path.read_text("utf-8").splitlines()[1:])
        judged[path.stem] = [(query, document, int(grade)) for query, document, grade in cells]
    return Collection(corpus, queries, judged)


def positives(path: Path) -> Collection:
    """Rows of a query, its right passages and its wrong ones; equal texts are one document."""
    corpus: dict[str, dict[str, str]] = {}
    names: dict[str, str] = {}
    queries: dict[str, str] = {}
    judged: Rows = []
    seen: set[str] = set()
    for row in _lines(path):
        if row["query"] in seen:
            continue
        seen.add(row["query"])
        query = f"q{len(queries)}"
        queries[query] = row["query"]
        for text in (*row["pos"], *row["neg"]):
            if text not in names:
                names[text] = f"d{len(corpus)}"
                corpus[names[text]] = {"title": "", "text": text}
        judged += [(query, names[text], 1) for text in dict.fromkeys(row["pos"])]
        judged += [(query, names[text], 0) for text in row["neg"]]
    return Collection(corpus, queries, {"all": judged})


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


CUTS: Final = {
    "cranfield": Cut("cranfield/beir", "embedding/starter", 50, 120, 0, beir, most=5),
    "covid_faq_en": Cut("covid_faq_en/beir", "embedding/starter", 122, 122, 213, beir),
    "vaswani_npl": Cut("vaswani_npl/beir", "embedding/starter", 30, 63, 0, beir, most=8),
    "cmrc2018": Cut("cmrc2018/beir", "embedding/starter-zh", 300, 120, 0, beir, own_split=True),
    "text2vec_bge_zh": Cut(
        "text2vec_bge_zh/raw/bge_finetune_data.jsonl", "embedding/starter-zh", 300, 120, 0, positives, most=3
    ),
}


def write_cut(cut: Cut, source: Path, target: Path) -> None:
    """``cut`` of the collection in ``source`` as a BEIR folder with the splits train and test."""
    whole = cut.read(source / cut.folder)
    draw = random.Random(42)
    if cut.own_split:
        sides = {name: sorted({query for query, _, _ in whole.judged[name]}) for name in ("train", "test")}
    else:
        rows = whole.judged.get("all") or [row for name in ("train", "test") for row in whole.judged.get(name, [])]
        whole = Collection(whole.corpus, whole.queries, {"train": rows, "test": rows})
        every = sorted({query for query, _, _ in rows})
        draw.shuffle(every)
        sides = {"train": every[: cut.train], "test": every[cut.train :]}
    for name, most in (("train", cut.train), ("test", cut.test)):
        draw.shuffle(sides[name])
        sides[name] = sides[name][:most]
    judged = {name: _judged(whole.judged[name], sides[name], cut.most) for name in sides}
    kept = {document for rows in judged.values() for _, document, _ in rows}
    dropped = {document for rows in whole.judged.values() for _, document, _ in rows} - kept
    others = sorted(set(whole.corpus) - kept - dropped)
    draw.shuffle(others)
    kept |= set(others[: max(0, cut.documents - len(kept))])
    _write(target, whole, judged, kept)


def _judged(rows: Rows, queries: Sequence[str], most: int) -> Rows:
    """Right documents of ``queries``, the first ``most`` of each; of the wrong ones as many."""
    found: Rows = []
    for query in queries:
        own = [row for row in rows if row[0] == query]
        found += [row for row in own if row[2] > 0][:most] + [row for row in own if row[2] <= 0][:most]
    return found


def _write(target: Path, whole: Collection, judged: Mapping[str, Rows], kept: set[str]) -> None:
    (target / "qrels").mkdir(parents=True, exist_ok=True)
    _dump(target / "corpus.jsonl", ({"_id": name, **whole.corpus[name]} for name in sorted(kept)))
    used = {query for rows in judged.values() for query, _, _ in rows}
    _dump(target / "queries.jsonl", ({"_id": name, "text": whole.queries[name]} for name in sorted(used)))
    for name, rows in judged.items():
        lines = [f"{query}\t{document}\t{grade}" for query, document, grade in rows if document in kept and grade > 0]
        text = "\n".join(["query-id\tcorpus-id\tscore", *lines, ""])
        (target / "qrels" / f"{name}.tsv").write_text(text, "utf-8")


def _dump(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


# The arms: each is a child process that prints one JSON line.


@dataclass(frozen=True)
class Result:
    """nDCG@10 of each test query, and seconds of training on the clock and on the processor."""

    values: Mapping[str, float]
    seconds: float = 0.0
    processor: float = 0.0
    verdict: str = ""

    @property
    def mean(self) -> float:
        """Over the queries."""
        return sum(self.values.values()) / len(self.values)


def untouched(cut: Cut, folder: Path, _overrides: Sequence[str]) -> Result:
    """The model as it is."""
    from tunewiz.backends import sources
    from tunewiz.presets.yaml.library import load

    preset = load(cut.preset)
    return Result(_measured(sources.fetch(sources.resolve(preset.model)), cut, folder))


def library(cut: Cut, folder: Path, _overrides: Sequence[str]) -> Result:
    """sentence-transformers as its documentation trains with pairs and in-batch negatives."""
    import tempfile

    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from tunewiz.backends import sources
    from tunewiz.presets.yaml.library import load

    preset = load(cut.preset)
    model = SentenceTransformer(str(sources.fetch(sources.resolve(preset.model))), device="cpu")
    model.max_seq_length = min(preset.training.max_length, model.max_seq_length or 512)
    whole = beir(folder)
    rows = [(query, document) for query, document, grade in whole.judged["train"] if grade > 0]
    columns = {
        "anchor": [whole.queries[query] for query, _ in rows],
        "positive": [_full(whole.corpus[document]) for _, document in rows],
    }
    prompts = {"anchor": model.prompts.get("query"), "positive": model.prompts.get("document")}
    with tempfile.TemporaryDirectory() as scratch:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=scratch,
            num_train_epochs=1,
            per_device_train_batch_size=32,
            learning_rate=2e-5,
            warmup_steps=0.1,
            batch_sampler="no_duplicates",
            prompts={name: text for name, text in prompts.items() if text} or None,
            use_cpu=True,
            seed=42,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        data, loss = Dataset.from_dict(columns), MultipleNegativesRankingLoss(model)
        trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss)
        wall, processor = time.perf_counter(), time.process_time()
        trainer.train()
        took = time.perf_counter() - wall, time.process_time() - processor
        model.save_pretrained(scratch + "/tuned")
        return Result(_measured(Path(scratch) / "tuned", cut, folder), *took)


def default(cut: Cut, folder: Path, overrides: Sequence[str]) -> Result:
    """Ours, with nothing but the data named."""
    from tunewiz.backends.evaluate.records import Measured
    from tunewiz.backends.runs.run import Run

    settings = [f"data.train={folder}", *overrides]
    command = [
        sys.executable,
        "-m",
        "tunewiz",
        "run",
        cut.preset,
        "--runs-dir",
        str(folder / "runs"),
        "--name",
        "panel",
    ]
    done = subprocess.run([*command, *(part for one in settings for part in ("--set", one))], check=False)
    runs = sorted((folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    if done.returncode or not runs:
        raise SystemExit(f"{folder.name}: tunewiz run ended with {done.returncode}")
    run = Run(runs[-1])
    after = Measured.read(run.report / "after.json")
    assert after is not None
    metrics = json.loads((run.report / "metrics.json").read_text("utf-8"))
    return Result(
        {query: told[METRIC] for query, told in after.per_query.items()}, _training(run), 0.0, metrics["verdict"]
    )


def _training(run: Any) -> float:
    """Seconds of the stage train, trials and choices included."""
    from tunewiz.backends.runs.events import Stage, parse

    told = (parse(line) for line in run.events_file.read_text("utf-8").splitlines())
    return sum(event.seconds for event in told if isinstance(event, Stage) and event.ended and event.name == "train")


def _full(document: Mapping[str, str]) -> str:
    return f"{document['title']} {document['text']}".strip()


def _measured(model: Path, cut: Cut, folder: Path) -> dict[str, float]:
    """nDCG@10 of each test query, in fp32, the way a run measures."""
    from tunewiz.backends.evaluate.measuring import measure
    from tunewiz.backends.stages.retrieval import plan_of, wanted_of
    from tunewiz.data.retrieval.prepare import prepare
    from tunewiz.presets.tasks.embedding import EmbeddingPreset
    from tunewiz.presets.yaml.library import load

    preset = load(cut.preset, [f"data.train={folder}"])
    assert isinstance(preset, EmbeddingPreset)
    collection = prepare(plan_of(preset), lambda _: None).evaluation
    found = measure(model, collection, wanted_of(preset), preset)
    return {query: told[METRIC] for query, told in found.per_query.items()}


ARMS: Final[Mapping[str, Callable[[Cut, Path, Sequence[str]], Result]]] = {
    "untouched": untouched,
    "library": library,
    "default": default,
}


def main() -> None:
    """Parse the command line; run what is missing and print the table, or, as a child, run one arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of collections")
    parser.add_argument("--work", type=Path, required=True, help="where cuts, runs and results go")
    parser.add_argument("--only", default=",".join(CUTS), help="collections, separated by commas")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    parser.add_argument("--child", nargs=2, metavar=("ARM", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        arm, name = options.child
        result = ARMS[arm](CUTS[name], options.work / name, options.overrides)
        print(json.dumps(asdict(result)))
        return
    names = [name for name in options.only.split(",") if (options.data / CUTS[name].folder).exists()]
    for name in names if not options.table else ():
        if not (options.work / name / "qrels").is_dir():
            write_cut(CUTS[name], options.data, options.work / name)
        for arm in options.arms.split(","):
            _kept(arm, name, options)
    print(table(options.work, names))


def _kept(arm: str, name: str, options: argparse.Namespace) -> None:
    """Run ``arm`` in a child unless its result is there."""
    target = options.work / name / f"{arm}.json"
    if target.is_file():
        return
    command = [sys.executable, "-m", "tests.bench.panel", "--data", str(options.data), "--work", str(options.work)]
    settings = [part for one in options.overrides for part in ("--set", one)]
    done = subprocess.run([*command, *settings, "--child", arm, name], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{name}: {arm} failed", file=sys.stderr)
        return
    target.write_text(done.stdout.strip().splitlines()[-1], "utf-8")


def table(work: Path, names: Sequence[str]) -> str:
    """Markdown: a row a collection, and the means over those that have all arms."""
    lines = [
        "| collection | rows | documents | queries | untouched | library | default | default − library (95 %) | "
        "verdict | library s | default s |",
        "|---|--:|--:|--:|--:|--:|--:|---|---|--:|--:|",
    ]
    whole: list[tuple[float, ...]] = []
    for name in names:
        found = {arm: _read(work / name / f"{arm}.json") for arm in ARMS}
        if not any(found.values()):
            continue
        compared = _compared(found["library"], found["default"])
        means = [f"{one.mean:.4f}" if one else "–" for one in found.values()]
        counts = [_rows(work / name / "qrels" / "train.tsv") - 1, _rows(work / name / "corpus.jsonl")]
        queries = next(len(one.values) for one in found.values() if one)
        ours, theirs = found["default"], found["library"]
        times = [f"{one.seconds:.0f}" if one else "–" for one in (theirs, ours)]
        cells = [name, *map(str, counts), str(queries), *means, compared, ours.verdict if ours else "–", *times]
        lines.append(f"| {' | '.join(cells)} |")
        if all(found.values()):
            whole.append(tuple(one.mean for one in found.values() if one))
    if len(whole) > 1:
        means = [f"{sum(column) / len(whole):.4f}" for column in zip(*whole, strict=True)]
        lines.append(f"| mean | | | | {' | '.join(means)} | | | | |")
    return "\n".join(lines)


def _compared(before: Result | None, after: Result | None) -> str:
    if before is None or after is None:
        return "–"
    sides = [{query: {METRIC: value} for query, value in one.values.items()} for one in (before, after)]
    found: Comparison = compare(sides[0], sides[1], METRIC)
    return f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def _rows(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _read(path: Path) -> Result | None:
    return Result(**json.loads(path.read_text("utf-8"))) if path.is_file() else None


if __name__ == "__main__":
    main()
