"""What does not go together in a preset."""

from __future__ import annotations

import pytest

from tunewiz.backends.evaluate.metrics import canonical
from tunewiz.presets.sections import evaluation
from tunewiz.presets.yaml.library import loads

TEXT = """
name: x
task: embedding
model: {id: BAAI/bge-small-zh-v1.5}
data: {train: x.csv}
loss: multiple_negatives_ranking
"""


def _codes(*assignments: str) -> dict[str, str]:
    found = loads(TEXT, "x.yaml", assignments).problems()
    return {problem.code: f"{problem.severity} {problem.line('en')}" for problem in found}


def test_a_plain_preset_has_no_problem() -> None:
    assert _codes() == {}


@pytest.mark.parametrize(
    ("assignments", "code", "said"),
    [
        (["model.id=BAAI/bge-smal-zh-v1.5"], "model-unfamiliar", "Did you mean BAAI/bge-small-zh-v1.5?"),
        (["training.max_length=1024"], "max-length-too-large", "error training.max_length: BAAI/bge"),
        (["model.pooling=mean"], "pooling-differs", "warning model.pooling"),
        (["model.id=jinaai/jina-embeddings-v3-hf"], "licence", "note model.id"),
        (["data.format=pair"], "unknown-format", "Did you mean pairs?"),
        (["data.limit=10"], "limit-below-batch", "10 rows do not fill one batch of 64"),
        (["data.evaluation.corpus=c.jsonl"], "evaluation-files", "missing: queries, qrels"),
        (["data.evaluation.fraction=0"], "nothing-held-out", "warning data.evaluation.fraction"),
        (["data.negatives.strategy=bm25", "data.negatives.candidates=3"], "too-few-candidates", "candidates"),
        (["data.teacher.model=x", "data.negatives.strategy=bm25", "data.teacher.use=both"], "teacher-unheard",
         "Set loss.name to one of distill_kl, margin_mse"),
        (["loss=margin_mse"], "teacher-wanted", "warning loss.name"),
        (["data.teacher.model=x"], "teacher-idle", "data.negatives.strategy: bm25"),
        (["training.learning_rate=1e-3"], "learning-rate-high", "0.001 is high"),
        (["method=lora", "training.learning_rate=2e-5"], "learning-rate-low", "2e-05 is low for LoRA"),
        (["method=lora", "method.target_modules=[]"], "target-modules", "error method.target_modules"),
        (["data.format=scored"], "loss-rows", "Losses for these rows: angle,"),
        (["data.format=pairs", "loss=triplet"], "loss-rows", "multiple_negatives_ranking"),
        (["training.batch_size=1"], "batch-of-one", "always zero"),
        (["training.batch_size=4096"], "step-large", "8192 texts"),
        (["training.max_steps=0"], "no-steps", "error training.max_steps"),
        (["training.early_stopping.enabled=true", "training.evaluations=0"], "early-stopping-blind", "evaluations"),
        (
            ["training.early_stopping.enabled=true", "data.evaluation.validation_fraction=0"],
            "early-stopping-blind",
            "validation",
        ),
        (["training.early_stopping.enabled=true", "training.evaluations=3"], "patience-too-long", "never stops"),
        (["training.best_checkpoint=true", "training.evaluations=0"], "best-checkpoint-blind", "warning"),
        (["launch.device=cpu", "training.precision=fp16"], "precision-on-cpu", "error training.precision"),
        (["launch.device=cpu", "training.optimizer=adamw_8bit"], "optimizer-on-cpu", "error training.optimizer"),
        (["evaluation.k=1,5,5"], "cutoffs-twice", "5"),
        (["evaluation.metric=ndgc@10"], "unknown-metric", "Did you mean ndcg@10?"),
        (
            ["loss=cached_multiple_negatives_ranking", "training.gradient_checkpointing=true"],
            "checkpointing-cached",
            "error training.gradient_checkpointing",
        ),
    ],
)  # fmt: skip
def test_each_is_found(assignments: list[str], code: str, said: str) -> None:
    found = _codes(*assignments)
    assert code in found, found
    assert said in found[code]


def test_mined_negatives_make_triplets_of_pairs() -> None:
    assert "loss-rows" not in _codes("data.format=pairs", "loss=triplet", "data.negatives.strategy=bm25")
    assert "loss-rows" not in _codes("data.format=scored", "loss=cosent")


def test_all_three_evaluation_files_stand_in_for_held_out_queries() -> None:
    files = [f"data.evaluation.{name}={name}.jsonl" for name in ("corpus", "queries", "qrels")]
    assert _codes(*files, "data.evaluation.fraction=0") == {}
    assert "evaluation-twice" in _codes(*files, "data.evaluation.data=test.jsonl")


@pytest.mark.parametrize(
    "text", ["ndcg@10", "mrr@1", "recall@100", "map", "NDCG@10", "map@100", "hit@1", "precision@5"]
)
def test_measures_are_read(text: str) -> None:
    assert str(evaluation.parse_metric(text)) == text.lower()


@pytest.mark.parametrize("name", evaluation.METRICS)
def test_every_measure_is_one_that_can_be_computed(name: str) -> None:
    assert canonical(f"{name}@10") == f"{name}@10"


@pytest.mark.parametrize("text", ["", "ndcg@0", "ndcg@-1", "ndcg@1.5", "ndcg@", "@10", "accuracy@1", "ndcg 10"])
def test_what_is_no_measure_is_not(text: str) -> None:
    assert evaluation.parse_metric(text) is None


LLM = "name: x\ntask: llm\nmodel: {id: Qwen/Qwen3-0.6B, trust_remote_code: true}\ndata: {train: x.json}\n"


@pytest.mark.parametrize("text", [TEXT, LLM])
def test_code_of_a_model_is_warned_of_in_words(text: str) -> None:
    found = loads(text, "x.yaml", ["model.trust_remote_code=true"]).problems()
    told = next(problem for problem in found if problem.code == "remote-code")
    assert (told.severity, told.where.key) == ("warning", "model.trust_remote_code")
    assert "runs here with your rights" in told.line("en") and "model.revision" in told.line("en")
    pinned = loads(text, "x.yaml", ["model.trust_remote_code=true", "model.revision=5617a9f"]).problems()
    assert "model.revision" not in next(problem for problem in pinned if problem.code == "remote-code").line("en")
    off = loads(text, "x.yaml", ["model.trust_remote_code=false"]).problems()
    assert "remote-code" not in {problem.code for problem in off}
