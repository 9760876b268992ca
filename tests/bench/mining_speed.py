"""Hard negatives: time, memory and quality beside ``mine_hard_negatives`` of sentence-transformers.

    python -m tests.bench.mining_speed [--queries 10000 100000] [--arms library library-faiss dense bm25] [--model DIR]

Texts are made up: passages of a topic's words, queries of words of their passage; one passage in ten has a second one
that says nearly the same and is marked nowhere, which is what a false negative is. Vectors are sums of a vector a word
(``StaticEmbedding``), so that what is timed is mining and not a model; ``--model`` encodes by one that is given. Each
line is a process of its own: seconds and processor seconds between texts and negatives, and by how much it grew.

Quality: the mean cosine of query and negative (how hard), the share that answers unmarked (how wrong), negatives found
of those wanted, and the share that the library's exact search found, too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARMS = ("library", "library-faiss", "dense", "bm25")
WANTED, CANDIDATES, MARGIN = 4, 100, 0.05
#: Dimension of the made-up vectors: that of the starter model.
DIMENSION = 384


@dataclass(frozen=True)
class World:
    """``positives[i]`` answers ``queries[i]``; ``twins`` answer the query of their number without being marked."""

    queries: list[str]
    positives: list[str]
    twins: dict[int, str]
    words: list[str]

    @property
    def corpus(self) -> list[str]:
        """Every passage."""
        return [*self.positives, *self.twins.values()]


def world(count: int, seed: int = 0) -> World:
    """``count`` queries. Of a passage's forty words two thirds are its topic's, the others those of all, by Zipf."""
    draw = random.Random(seed)
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = sorted({"".join(draw.choices(syllables, k=draw.randint(2, 4))) for _ in range(60_000)})
    draw.shuffle(words)
    common, rare = words[:2000], words[2000:]
    weights = [1 / (rank + 1) for rank in range(len(common))]
    topics = [draw.sample(rare, 40) for _ in range(max(1, count // 50))]
    queries, positives, twins = [], [], {}
    for number in range(count):
        topic = draw.choice(topics)
        told = [*draw.choices(topic, k=26), *draw.choices(common, weights, k=14)]
        draw.shuffle(told)
        positives.append(" ".join(told))
        queries.append(
            " ".join([*draw.sample([word for word in told if word in topic], 5), *draw.choices(common, weights, k=3)])
        )
        if number % 10 == 0:
            other = [word if draw.random() < 0.8 else draw.choice(common) for word in told]
            draw.shuffle(other)
            twins[number] = " ".join(other)
    return World(queries, positives, twins, words)


def static_model(words: Sequence[str]) -> Any:
    """A SentenceTransformer that sums a random vector a word; words that many texts have weigh less."""
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"[UNK]": 0} | {word: place for place, word in enumerate(words, 1)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).standard_normal((len(vocabulary), DIMENSION)).astype(np.float32)
    vectors *= np.minimum(1, np.sqrt(np.arange(len(vocabulary), dtype=np.float32) / 2000))[:, None]
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)], device="cpu")


# One arm, in a process of its own. Each gives the negatives of each query.


def _library(made: World, model: Any, faiss: bool) -> list[list[str]]:
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    pairs = Dataset.from_dict({"query": made.queries, "positive": made.positives})
    found = mine_hard_negatives(
        pairs, model, corpus=made.corpus, range_max=CANDIDATES, relative_margin=MARGIN, num_negatives=WANTED,
        output_format="labeled-list", use_faiss=faiss, verbose=False, batch_size=256,
    )  # fmt: skip
    columns = found.column_names
    mined = {row[columns[0]]: row[columns[1]][1:] for row in found}
    return [list(mined.get(query, ())) for query in made.queries]


def _ours(made: World, model: Any, name: str) -> list[list[str]]:
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.backends.negatives import Surroundings, catalogue
    from tunewiz.backends.negatives.mining import mine, passages
    from tunewiz.data.rows.examples import Group
    from tunewiz.presets.sections.data import Negatives

    groups = [Group(query, (right,)) for query, right in zip(made.queries, made.positives, strict=True)]
    pool = passages(groups, [(str(place), text) for place, text in enumerate(made.corpus)])
    strategy = catalogue()[name](Surroundings(0, lambda: SearchEncoder(model)))
    options = Negatives(strategy=name, per_query=WANTED, candidates=CANDIDATES, relative_margin=MARGIN)
    chosen, _ = mine(groups, pool, strategy, options)
    return [[pool.texts[number] for number in numbers] for numbers in chosen]


def _arm(arm: str, count: int, model_folder: str, kept: Path) -> dict[str, float]:
    from tunewiz.backends.models.loading import load_encoder

    made = world(count)
    model = load_encoder(model_folder) if model_folder else static_model(made.words)
    # What libraries import when they are first used is nobody's mining.
    small = World(made.queries[:50], made.positives[:50], {}, [])
    run = (lambda it: _library(it, model, arm == "library-faiss")) if arm.startswith("library") else (
        lambda it: _ours(it, model, arm))  # fmt: skip
    run(small)
    before = _resident()
    began, spent = time.perf_counter(), time.process_time()
    negatives = run(made)
    seconds, cpu = time.perf_counter() - began, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kept.write_text(json.dumps(negatives), encoding="utf-8")
    return {"seconds": seconds, "cpu": cpu, "grew": peak - before} | _quality(made, model, negatives)


def _resident() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


def _quality(made: World, model: Any, negatives: Sequence[Sequence[str]]) -> dict[str, float]:
    import numpy as np

    rows = [place for place in range(0, len(made.queries), max(1, len(made.queries) // 2000)) if negatives[place]]
    queries = model.encode([made.queries[row] for row in rows], normalize_embeddings=True)
    hard = [
        float((model.encode(list(negatives[row]), normalize_embeddings=True) @ vector).mean())
        for row, vector in zip(rows, queries, strict=True)
    ]
    wrong = sum(text in negatives[number] for number, text in made.twins.items())
    total = sum(map(len, negatives))
    return {
        "hard": float(np.mean(hard)),
        "wrong": wrong / max(1, len(made.twins)),
        "found": total / (WANTED * len(negatives)),
    }


def _same(one: Path, other: Path) -> float:
    """Of the negatives in ``one``, of queries that ``other`` has some for, the share that it has, too."""
    mine, theirs = (json.loads(path.read_text("utf-8")) for path in (one, other))
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if b]
    return sum(len(set(a) & set(b)) for a, b in pairs) / max(1, sum(len(a) for a, _ in pairs))


def main() -> None:
    """Parse the command line; run all arms, or, as a child, one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--model", default="")
    parser.add_argument("--arm", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        print(json.dumps(_arm(options.arm[0], options.queries[0], options.model, Path(options.arm[1]))))
        return
    print(
        "| queries | mining | s | processor s | times as fast | memory MB | cosine | unmarked answers | found | same |"
    )
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for count in options.queries:
        with tempfile.TemporaryDirectory() as folder:
            _table(count, options.arms, options.model, Path(folder))


def _table(count: int, arms: Sequence[str], model: str, folder: Path) -> None:
    first: dict[str, float] = {}
    for arm in arms:
        command = [sys.executable, "-m", "tests.bench.mining_speed", "--queries", str(count), "--model", model]
        # One thread: on a busy machine threads that wait for each other take processor seconds, too.
        done = subprocess.run(
            [*command, "--arm", arm, str(folder / arm)], capture_output=True, text=True, check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if done.returncode:
            print(f"| {count:,} | {arm} | {done.stderr.strip().splitlines()[-1][:80]} |")
            continue
        told = json.loads(done.stdout.strip().splitlines()[-1])
        first = first or told
        same = _same(folder / arm, folder / arms[0]) if (folder / arms[0]).exists() else float("nan")
        print(
            f"| {count:,} | {arm} | {told['seconds']:.1f} | {told['cpu']:.1f} | {first['cpu'] / told['cpu']:.1f} "
            f"| {told['grew']:,.0f} | {told['hard']:.3f} | {told['wrong']:.3f} | {told['found']:.3f} | {same:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
