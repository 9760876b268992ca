"""The vector space of a run: what is drawn of it, how both sides are laid out, its numbers, its picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import build_tiny_encoder
from tests.playing import a_run
from tunewiz.backends.reports.blocks import Heading, Picture, Table, page
from tunewiz.backends.reports.pictures import space_picture
from tunewiz.backends.reports.retrieval_report import space_blocks
from tunewiz.backends.runs.run import Run
from tunewiz.backends.space.asking import step
from tunewiz.backends.space.choosing import LABELS, By, choose
from tunewiz.backends.space.layout import cosines, lay_out
from tunewiz.backends.space.making import draw
from tunewiz.backends.space.record import NAME, Cosines, Pair, Point, Space, read
from tunewiz.data.retrieval.prepared import Prepared, save
from tunewiz.data.rows.examples import Collection, Document
from tunewiz.files import read_json
from tunewiz.language import use
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadData, BadPreset

WORDS = ["gpu", "memory", "server", "model", "train", "loss", "data", "batch", "query", "answer", "disk", "port"]


def a_collection(queries: int = 12, others: int = 10) -> Collection:
    """Each query has an answer of its own, the first one two; beside them documents that answer nothing."""
    words = [" ".join(WORDS[(number + step) % len(WORDS)] for step in range(4)) for number in range(queries + others)]
    corpus = {f"d{number}": Document(f"the {text} is {number}") for number, text in enumerate(words)}
    qrels = {f"q{number}": {f"d{number}": 1} for number in range(queries)}
    qrels["q0"][f"d{queries}"] = 2
    return Collection(corpus, {f"q{number}": f"how do i {words[number]}" for number in range(queries)}, qrels)


def a_space(labels: tuple[str, ...] = (), count: int = 12) -> Space:
    points = tuple(
        Point(
            f"t{number}",
            "query" if number < 4 else "positive" if number < 7 else "negative",
            f"text {number}",
            (float(number), float(number % 3)),
            (float(number), float(number % 5)),
            number % len(labels) if labels else -1,
        )
        for number in range(count)
    )
    pairs = (Pair(0, 4, 0.25, 0.75), Pair(1, 5, 0.5, 0.375))
    numbers = Cosines(0.5, 0.25, 0.375, 0.5), Cosines(0.75, 0.125, 0.25, 0.5)
    return Space("tiny", *numbers, points, pairs, labels, 4, 8, 42, 3.0, "made")


def test_a_small_collection_is_drawn_whole() -> None:
    chosen = choose(a_collection(), seed=1)
    assert (len(chosen.queries), chosen.answering, len(chosen)) == (12, 13, 34)
    kinds = [chosen.kind(place) for place in range(len(chosen))]
    assert (kinds.count("query"), kinds.count("positive"), kinds.count("negative")) == (12, 13, 9)
    named = {(chosen.queries[row], chosen.documents[place]) for row, place in chosen.answers}
    assert ("q0", "d0") in named and ("q0", "d12") in named and len(named) == 13
    # A line goes to the answer that is graded best.
    firsts = {chosen.queries[row]: chosen.documents[place] for row, place in chosen.pairs}
    assert firsts["q0"] == "d12" and firsts["q3"] == "d3"


def test_of_a_large_one_the_seed_draws_queries_their_answers_and_others() -> None:
    collection = a_collection(200, 300)
    one, same, other = (choose(collection, seed, most=60) for seed in (1, 1, 2))
    assert one == same and one.queries != other.queries
    assert (len(one.queries), one.answering, len(one)) == (20, 20, 60)
    for row, place in one.answers:
        assert collection.qrels[one.queries[row]][one.documents[place]] > 0
    assert {row for row, _ in one.answers} == set(range(20))


@pytest.mark.parametrize(
    ("collection", "by", "code"),
    [
        (Collection(), "auto", "nothing-to-draw"),
        (a_collection(2, 1), "kind", "nothing-to-draw"),
        (a_collection(), "label", "no-labels"),
    ],
)
def test_what_cannot_be_drawn_says_why(collection: Collection, by: By, code: str) -> None:
    with pytest.raises(BadData) as caught:
        choose(collection, 1, by=by)
    assert caught.value.problems[0].code == code and caught.value.problems[0].fix is not None


def test_labels_are_titles_that_documents_share_or_answers_that_queries_share() -> None:
    collection = a_collection()
    titled = Collection(
        {name: Document(one.text, f"article {int(name[1:]) % 2}") for name, one in collection.corpus.items()},
        collection.queries,
        collection.qrels,
    )
    chosen = choose(titled, 1)
    assert sorted(chosen.names) == ["article 0", "article 1"]
    of = dict(zip([*chosen.queries, *chosen.documents], chosen.labels, strict=True))
    assert of["d3"] == of["q3"] == chosen.names.index("article 1") != of["d4"]
    assert not choose(titled, 1, by="kind").names
    classes = Collection(
        {f"c{number}": Document(f"class {number}") for number in range(14)},
        {f"q{number}": f"text {number}" for number in range(70)},
        {f"q{number}": {f"c{number % 14}": 1} for number in range(70)},
    )
    found = choose(classes, 1)
    assert len(found.names) == LABELS and all(name.startswith("class") for name in found.names)
    assert found.labels.count(-1) == 4 * (5 + 1)  # four classes too many: their queries and themselves are grey


def clusters(seed: int, spread: float = 0.3) -> np.ndarray:
    dice = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(4, 16))
    found = (centres[np.arange(60) % 4] + spread * dice.normal(size=(60, 16))).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_models_that_are_alike_give_pictures_that_are_alike() -> None:
    vectors = clusters(1)
    told: list[tuple[int, int]] = []
    before, after = lay_out(vectors, vectors.copy(), 7, lambda done, total: told.append((done, total)))
    assert np.array_equal(before, after)
    assert told[0][0] == 0 and told[-1][0] == told[-1][1]
    again, _ = lay_out(vectors, vectors.copy(), 7, lambda done, total: None)
    assert np.array_equal(before, again)


def test_only_texts_that_moved_in_the_space_move_in_the_picture() -> None:
    before = clusters(1)
    after = before.copy()
    after[0], after[4] = before[1], before[5]  # two texts of one cluster went to another
    first, second = lay_out(before, after, 7, lambda done, total: None)
    moved = np.linalg.norm(first - second, axis=1)
    assert min(moved[0], moved[4]) > 2.5 * np.median(moved)
    numbers = cosines(before, first, 20, [(row, row) for row in range(20)])
    assert 0.5 < numbers.kept <= 1


def test_the_numbers_are_those_of_the_space() -> None:
    vectors = clusters(3)
    answers = [(0, 1), (0, 2), (1, 0), (2, 3)]
    texts = [f"text {number}" for number in range(57)]
    texts[9] = texts[3]  # the text of an answer under another id answers as well
    found = cosines(vectors, vectors[:, :2], 3, answers, texts)
    right = {*answers, (2, 9)}
    pairs = {(row, place): float(vectors[row] @ vectors[3 + place]) for row in range(3) for place in range(57)}
    assert found.positive == pytest.approx(np.mean([pairs[pair] for pair in answers]), abs=1e-6)
    wrong = {pair: value for pair, value in pairs.items() if pair not in right}
    assert found.negative == pytest.approx(np.mean(list(wrong.values())), abs=1e-6)
    nearest = [max(value for (row, _), value in wrong.items() if row == one) for one in range(3)]
    assert found.nearest == pytest.approx(np.mean(nearest), abs=1e-6)


def test_what_is_written_is_read_and_what_is_damaged_is_not(tmp_path: Path) -> None:
    space, file = a_space(("one", "two")), tmp_path / NAME
    space.write(file)
    assert read(file) == space
    told = read_json(file)
    nowhere = [{"query": 0, "document": 99, "before": 0, "after": 0}]
    damaged = {"version": 9, "points": [], "pairs": nowhere, "labels": [], "before": {"positive": "x"}}
    for key, value in damaged.items():
        file.write_text(json.dumps({**told, key: value}))
        assert read(file) is None, key
    assert read(tmp_path / "nothing.json") is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_holds_numbers_and_the_picture(tmp_path: Path, language: str) -> None:
    use(language)  # type: ignore[arg-type]
    try:
        assert list(space_blocks(tmp_path)) == []
        a_space().write(tmp_path / NAME)
        blocks = list(space_blocks(tmp_path))
        told = page(blocks, language)
    finally:
        use(None)
    assert [type(block) for block in blocks[:3]] == [Heading, Table, Picture]
    assert "0.500" in told and "0.750" in told and "+0.250" in told and "<svg" in told and "src=" not in told
    assert ("向量空间" in told) == (language == "zh")
    assert (tmp_path / "space.png").read_bytes()[:4] == b"\x89PNG"


def test_names_of_labels_may_be_anything(tmp_path: Path) -> None:
    """Dollars are no formula, and what no font can show is a number."""
    picture = space_picture(a_space(("$x_1$", "显存不足", "a & <b>")), tmp_path / "space.png")
    drawn = picture.with_suffix(".svg").read_text(encoding="utf-8")
    assert "$x_1$" in drawn and "a &amp; &lt;b&gt;" in drawn
    assert "显存不足" in drawn or "label 2" in drawn


@pytest.fixture
def tuned(tmp_path: Path, tiny_encoder: Path) -> Run:
    """A run that began with the tiny encoder and left another one, with a test collection."""
    run = a_run(tmp_path, model=str(tiny_encoder))
    save(Prepared("groups", evaluation=a_collection(), corpus="given"), run.data)
    run.model.parent.mkdir(exist_ok=True)
    build_tiny_encoder(tmp_path / "other", seed=1).rename(run.model)
    return run


def test_a_run_is_drawn_with_vectors_that_are_kept(tuned: Run, tmp_path: Path) -> None:
    files = draw(tuned, {}, tmp_path / "told.json")
    assert [file.name for file in files] == ["space.json", "space.png", "space.svg"]
    assert all(file.is_file() for file in files)
    space = read(files[0])
    assert space is not None and len(space.points) == 34 and len(space.pairs) == 12
    assert space.before != space.after and space.before.positive != pytest.approx(space.after.positive)
    assert step(read_json(tmp_path / "told.json")) is not None
    kept = list((tuned.directory / "cache" / "vectors").iterdir())
    assert len(kept) == 2  # a file a model, which `try` takes too
    written = files[0].stat().st_mtime_ns
    draw(tuned, {}, tmp_path / "told.json")
    assert files[0].stat().st_mtime_ns == written  # nothing to do
    draw(tuned, {"points": 20}, tmp_path / "told.json")
    fewer = read(files[0])
    assert fewer is not None and len(fewer.points) < 34 and fewer.documents == 22


@pytest.mark.parametrize(("task", "word"), [("reranker", "A reranker reads"), ("llm", "tunes no vectors")])
def test_what_has_no_vectors_says_so(tmp_path: Path, task: str, word: str) -> None:
    use("en")
    run = a_run(tmp_path)
    start = {"reranker": "reranker/starter", "llm": "llm/starter"}[task]
    run.preset_file.write_text(dumps(load(start)), encoding="utf-8")
    with pytest.raises(BadPreset) as caught:
        draw(run, {}, tmp_path / "told.json")
    use(None)
    assert caught.value.problems[0].code == "no-space"
    text = caught.value.problems[0].line("en")
    assert word in text and "nothing to draw" in text
    assert not run.report.exists()


def test_of_a_pipeline_its_embedding_model_is_drawn(tuned: Run, tmp_path: Path) -> None:
    outer = a_run(tmp_path / "outer")
    outer.preset_file.write_text(dumps(load("pipeline/starter")), encoding="utf-8")
    tuned.directory.rename(outer.directory / "embedding")
    files = draw(outer, {"by": "kind"}, tmp_path / "told.json")
    assert [file.parent for file in files] == [outer.report] * 3
    assert (outer.directory / "embedding" / "cache" / "vectors").is_dir()


def test_a_run_without_a_tuned_model_says_so_before_anything_is_computed(tuned: Run, tmp_path: Path) -> None:
    tuned.model.rename(tmp_path / "gone")
    with pytest.raises(BadPreset) as caught:
        draw(tuned, {}, tmp_path / "told.json")
    assert caught.value.problems[0].code == "nothing-tuned"
    assert not (tuned.directory / "cache").exists()
