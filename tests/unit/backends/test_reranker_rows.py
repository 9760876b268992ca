"""Rows of rerankers: labels of any scale, one-sided queries, teacher scores; and the presets' own checks. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunewiz.backends.training.reranker_rows import examples, reranker_loss_problems, with_groups
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.data.retrieval.prepared import Plan, Prepared
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.presets.losses import catalogue
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml.library import loads
from tunewiz.problems import Problem

GROUPS = [
    Group("q1", ("right",), ("wrong 1", "wrong 2"), (5.0,), (1.0, 2.0)),
    Group("q2", ("yes",), ("no 1", "no 2")),
]


def loss(name: str) -> RerankerLoss:
    made = catalogue(RerankerLoss)[name]()
    assert isinstance(made, RerankerLoss)
    return made


def scored(rows: Sequence[tuple[str, str, float]]) -> Prepared:
    return Prepared("scored", pairs=[ScoredPair(*row, line) for line, row in enumerate(rows, 1)])


def test_groups_become_labelled_pairs_weighed_by_their_counts() -> None:
    made = examples(loss("binary_cross_entropy"), Prepared("groups", groups=GROUPS), 0)
    assert list(made.columns) == ["query", "document", "label"]
    assert made.columns["label"] == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert made.pos_weight == 2.0


def test_odd_grades_are_brought_onto_one_scale() -> None:
    rows = scored([("q", "a", 0), ("q", "b", 3), ("q", "c", 5)])
    made = examples(loss("mse"), rows, 0)
    assert made.columns["label"] == [0.0, 0.6, 1.0]
    assert [problem.code for problem in made.notes] == ["scores-scaled"]
    binary = examples(loss("binary_cross_entropy"), rows, 0)
    assert binary.columns["label"] == [0.0, 1.0, 1.0]
    assert [problem.code for problem in binary.notes] == ["scores-halved"]
    assert binary.pos_weight == 0.5


def test_small_grades_are_learned_as_they_are_by_lists() -> None:
    made = examples(loss("lambda_loss"), scored([("q", "a", 0), ("q", "b", 3), ("q", "c", 1), ("r", "d", 0)]), 0)
    assert made.columns["documents"] == [["b", "c", "a"]]
    assert made.columns["label"] == [[3, 1, 0]]
    assert [problem.code for problem in made.notes] == ["one-sided-queries"]


def test_percent_scores_do_not_explode_in_lists() -> None:
    made = examples(loss("list_net"), scored([("q", "a", 0), ("q", "b", 90), ("q", "c", 55)]), 0)
    assert made.columns["label"] == [[0.9, 0.55, 0.0]]


def test_one_sided_queries_give_no_group() -> None:
    made = examples(loss("cross_entropy"), scored([("q", "a", 1), ("q", "b", 0), ("r", "c", 1)]), 0)
    assert made.columns == {"anchor": ["q"], "positive": ["a"], "negative_1": ["b"]}
    assert "one-sided-queries" in [problem.code for problem in made.notes]


def test_margins_are_the_teachers_where_there_are_any() -> None:
    made = examples(loss("margin_mse"), Prepared("groups", groups=GROUPS), 0)
    assert made.columns["label"] == [4.0, 3.0, 1.0, 1.0]
    assert [problem.code for problem in made.notes] == ["no-teacher-scores"]


def test_marked_pairs_become_groups_to_mine_for_and_graded_ones_stay() -> None:
    told: list[Problem] = []
    made = with_groups(scored([("q", "a", 1), ("Q ", "b", 0), ("r", "c", 0)]), told.append)
    assert [(group.query, group.positives, group.negatives) for group in made.groups] == [("q", ("a",), ("b",))]
    assert [problem.code for problem in told] == ["pairs-grouped", "one-sided-queries"]
    graded = scored([("q", "a", 2), ("q", "b", 0)])
    assert with_groups(graded, told.append) is graded


def test_only_the_in_batch_loss_learns_from_positives_alone() -> None:
    bare = Prepared("groups", groups=[Group("q", ("a",)), Group("r", ("b",))])
    assert not reranker_loss_problems(loss("cached_multiple_negatives_ranking"), bare)
    found = reranker_loss_problems(loss("lambda_loss"), bare)
    assert [problem.code for problem in found] == ["loss-rows"]
    assert "strategy: bm25" in found[0].line("en")
    (mined,) = reranker_loss_problems(loss("lambda_loss"), bare, "bm25")
    assert "Mining by bm25 found no wrong answers" in mined.line("en") and "strategy: random" in mined.line("en")
    assert "cached_multiple_negatives_ranking" in found[0].line("en")


def _prepared(path: Path, text: str) -> tuple[Prepared, list[str]]:
    path.write_text(text, "utf-8")
    told: list[Problem] = []
    made = prepare(Plan(Dataset(str(path)), fraction=0.0, task="reranker"), told.append)
    return made, [problem.code for problem in told]


def test_labels_as_text_are_read_and_words_are_told_of(tmp_path: Path) -> None:
    rows = "query,document,label\n" + "".join(f'q{n},text {n},"{n % 4}"\n' for n in range(8))
    made, _ = _prepared(tmp_path / "a.csv", rows)
    assert sorted({pair.score for pair in made.pairs}) == [0.0, 1.0, 2.0, 3.0]
    words = "query,document,label\n" + "".join(f"q{n},text {n},{'good' if n % 2 else 'bad'}\n" for n in range(8))
    assert "label-words" in _prepared(tmp_path / "b.csv", words)[1]


def test_skewed_and_single_labels_are_told(tmp_path: Path) -> None:
    skewed = "query,document,label\n" + "".join(f"q{n},text {n},{int(n == 0)}\n" for n in range(40))
    assert "label-skew" in _prepared(tmp_path / "a.csv", skewed)[1]
    single = "query,document,label\n" + "".join(f"q{n},text {n},1\n" for n in range(10))
    assert "single-label" in _prepared(tmp_path / "b.csv", single)[1]


def test_a_measure_deeper_than_the_candidates_is_refused() -> None:
    text = "version: 1\nname: x\ntask: reranker\nmodel: {id: BAAI/bge-reranker-base}\ndata: {train: a.csv}\n"
    preset = loads(text + "loss: binary_cross_entropy\ncandidates: {depth: 5}\n")
    assert isinstance(preset, RerankerPreset)
    assert [problem.code for problem in preset.problems()] == ["candidates-too-few"]


def test_a_group_is_one_row_and_no_row_comes_twice() -> None:
    made = examples(loss("cross_entropy"), Prepared("groups", groups=GROUPS), 0)
    assert len(made.pairs) == len(GROUPS)
    assert made.pairs[0] == [("q1", "right"), ("q1", "wrong 1"), ("q1", "wrong 2")]
    uneven = [*GROUPS, Group("q3", ("so",), ("n1", "n2", "n3"))]
    rows = [tuple(row) for row in examples(loss("cross_entropy"), Prepared("groups", groups=uneven), 0).pairs]
    assert len(rows) == len(set(rows)) == 4
    assert {text for row in rows for query, text in row if query == "q3"} == {"so", "n1", "n2", "n3"}
