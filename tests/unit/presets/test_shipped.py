"""Every preset and model family that ships: it loads, makes sense, and says true things of itself."""

from __future__ import annotations

import re

import pytest

from tunewiz.presets import families, memory
from tunewiz.presets.checks import language_problems
from tunewiz.presets.families import Family
from tunewiz.presets.memory import encoder
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.sections.model import EncoderModel
from tunewiz.presets.sweeping import points
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml import library, writing
from tunewiz.problems import errors

# Every preset and model family that ships: it loads, makes sense, and says true things of itself.


NAMES = [name for name in library.names() if name.startswith("embedding/")]


def _load(name: str) -> EmbeddingPreset:
    preset = library.load(name)
    assert isinstance(preset, EmbeddingPreset)
    return preset


def test_the_promised_models_are_there() -> None:
    for size in ("small", "base", "large"):
        for language in ("zh", "en"):
            assert {f"embedding/bge-{size}-{language}", f"embedding/bge-{size}-{language}-lora"} <= set(NAMES)
        assert f"embedding/multilingual-e5-{size}" in NAMES
    wanted = {"starter", "starter-zh", "bge-m3", "bge-m3-lora", "jina-v3-lora", "qwen3-embedding-0.6b-lora"}
    assert {f"embedding/{name}" for name in wanted} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_preset_is_sound(name: str) -> None:
    preset = _load(name)
    assert preset.name == name.rpartition("/")[2]
    assert [problem.line("en") for problem in preset.problems() if problem.severity != "note"] == []
    known = families.lookup(preset.model.id)
    assert known is not None
    assert known.size.id == preset.model.id
    assert isinstance(preset.method, Lora) == name.endswith("-lora")
    assert preset.data.train.startswith("sample:faq-")


@pytest.mark.parametrize("name", NAMES)
def test_its_header_tells_the_command_and_the_memory(name: str) -> None:
    text = library.find(name).read_text(encoding="utf-8")
    assert f"tunewiz run {name}" in text
    assert "# For: " in text
    assert "# 适合：" in text
    preset = _load(name)
    known = families.lookup(preset.model.id)
    assert known is not None
    needed = preset.memory(known)
    assert needed is not None
    shown = [f"{number / memory.GB:.0f}" for number in (needed.expected, needed.low, needed.high)]
    english = re.search(r"about (\d+) GB \((\d+) to (\d+)\)", text)
    chinese = re.search(r"约 (\d+) GB（(\d+) 到 (\d+)）", text)
    assert english is not None
    assert chinese is not None
    assert list(english.groups()) == shown == list(chinese.groups())


@pytest.mark.parametrize("family", families.families(), ids=lambda family: family.name)
def test_a_family_adds_up(family: Family) -> None:
    """Facts agree with one another: the counts with the shape, the download with the count."""
    for size in family.models:
        shape = encoder.Shape(size.parameters, size.hidden, size.layers, size.intermediate, size.gated, size.decoder)
        computed = size.vocabulary * size.hidden + shape.matrices
        assert size.parameters - size.vision == pytest.approx(computed, rel=0.25 if size.vision else 0.15)
        # In 16 or 32 bit; some files hold a tied matrix twice.
        stored = {size.parameters, size.parameters + size.vocabulary * size.hidden}
        fitting = [pytest.approx(each * count, rel=0.15) for each in (2, 4) for count in stored]
        assert any(size.download == expected for expected in fitting)
        assert size.hidden % size.heads == 0
        assert family.reference.startswith("https://huggingface.co/")


def test_ids_are_looked_up_in_any_case_and_place() -> None:
    for name in ("BAAI/bge-m3", "baai/BGE-M3", "/models/bge-m3", "/cache/BAAI/bge-m3/", "bge-m3"):
        known = families.lookup(name)
        assert known is not None
        assert known.size.id == "BAAI/bge-m3"
    by_alias = families.lookup("Xorbits/multilingual-e5-large")
    assert by_alias is not None
    assert by_alias.size.id == "intfloat/multilingual-e5-large"
    assert families.lookup("nobody/nothing") is None
    assert families.nearest("BAAI/bge-smal-zh-v1.5") == "BAAI/bge-small-zh-v1.5"


def test_instructions_come_from_the_preset_then_the_family() -> None:
    assert families.instructions(EncoderModel(id="intfloat/multilingual-e5-base")) == ("query: ", "passage: ")
    assert families.instructions(EncoderModel(id="intfloat/multilingual-e5-base", query_instruction="")) == (
        "",
        "passage: ",
    )
    assert (
        families.instructions(EncoderModel(id="BAAI/bge-small-zh-v1.5"))[0] == "为这个句子生成表示以用于检索相关文章："
    )
    assert families.instructions(EncoderModel(id="nobody/nothing", passage_instruction="p: ")) == ("", "p: ")


def _memory(*assignments: str, name: str = "embedding/bge-base-en") -> memory.Estimate:
    preset = library.load(name, assignments)
    assert isinstance(preset, EmbeddingPreset)
    known = families.lookup(preset.model.id)
    assert known is not None
    needed = preset.memory(known)
    assert needed is not None
    return needed


def test_memory_moves_the_way_it_should() -> None:
    base = _memory()
    assert base.low < base.expected < base.high
    assert base.trained == 109_000_000
    assert _memory("training.batch_size=128").expected > base.expected
    assert _memory("training.max_length=128").expected < base.expected
    assert _memory("training.precision=fp32").expected > base.expected
    assert _memory("training.optimizer=adamw_8bit").expected < base.expected
    assert _memory("training.gradient_checkpointing=true").expected < base.expected / 2
    mined = _memory("data.negatives.strategy=bm25", "data.negatives.per_query=4")
    assert (base.texts, mined.texts) == (128, 384)
    lora = _memory("method=lora")
    assert lora.expected < base.expected
    assert lora.trained == 16 * 12 * (4 * 2 * 768 + 2 * (768 + 3072))


def test_a_cached_loss_needs_the_memory_of_its_piece_whatever_the_batch() -> None:
    small = _memory("loss=cached_multiple_negatives_ranking", "loss.mini_batch_size=16")
    large = _memory("loss=cached_multiple_negatives_ranking", "loss.mini_batch_size=16", "training.batch_size=4096")
    nested = _memory("loss=matryoshka", "loss.loss=cached_multiple_negatives_ranking", "loss.loss.mini_batch_size=16")
    assert small == large == nested
    assert small.expected < _memory().expected


def test_what_fits_is_told_in_three_words() -> None:
    needed = _memory()
    assert (needed.fits(needed.high), needed.fits(needed.expected), needed.fits(needed.low - 1)) == (
        "yes",
        "maybe",
        "no",
    )


def test_an_unknown_model_is_measured_by_its_config() -> None:
    config = {
        "model_type": "bert",
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "intermediate_size": 3072,
        "vocab_size": 30522,
    }
    shape = encoder.shape_of_config(config)
    assert shape is not None
    assert shape.parameters == pytest.approx(109_000_000, rel=0.02)
    assert encoder.shape_of_config({"hidden_size": "768"}) is None
    assert not errors(library.load("embedding/starter").problems())


# Every preset for language models that ships: it loads, makes sense, and says true things of itself.


LLM_NAMES = [name for name in library.names() if name.startswith("llm/") and "/starter" not in name]


def _load_llm(name: str) -> LlmPreset:
    preset = library.load(name)
    assert isinstance(preset, LlmPreset)
    return preset


def test_the_promised_language_models_are_there() -> None:
    wanted = [f"qwen3-{size}-{kind}" for size in ("0.6b", "1.7b", "4b", "8b") for kind in ("lora", "classify-lora")]
    wanted += ["qwen3.5-0.8b-lora", "qwen3.5-4b-lora", "qwen3.5-4b-qlora", "qwen3.5-9b-lora", "qwen3.5-9b-qlora"]
    wanted += ["qwen3-4b-qlora", "qwen3-0.6b-full", "qwen2.5-7b-qlora", "llama-3.2-1b-lora", "gemma-3-270m-lora"]
    assert {f"llm/{name}" for name in wanted} <= set(LLM_NAMES)


@pytest.mark.parametrize("name", LLM_NAMES)
def test_a_shipped_preset_for_language_models_is_sound(name: str) -> None:
    preset = _load_llm(name)
    assert preset.name == name.rpartition("/")[2]
    assert [problem.line("en") for problem in preset.problems() if problem.severity != "note"] == []
    known = families.lookup(preset.model.id)
    assert known is not None
    assert known.size.id == preset.model.id
    assert name.endswith(f"-{preset.method.type}")
    assert preset.data.train.startswith("sample:intents-" if "classify" in name else "sample:instructions-")
    low, high = preset.method.usual_rate()
    assert low <= preset.training.learning_rate <= high


@pytest.mark.parametrize("name", LLM_NAMES)
def test_its_header_tells_the_command_and_the_memory_of_language_models(name: str) -> None:
    text = library.find(name).read_text(encoding="utf-8")
    assert f"tunewiz run {name}" in text
    assert "# For: " in text
    assert "# 适合：" in text
    preset = _load_llm(name)
    known = families.lookup(preset.model.id)
    assert known is not None
    needed = preset.memory(known)
    assert needed is not None
    shown = [f"{number / memory.GB:.0f}" for number in (needed.expected, needed.low, needed.high)]
    english = re.search(r"about (\d+) GB \((\d+) to (\d+)\)", text)
    chinese = re.search(r"约 (\d+) GB（(\d+) 到 (\d+)）", text)
    assert english is not None
    assert chinese is not None
    assert list(english.groups()) == shown == list(chinese.groups())


# Every preset for rerankers, pipelines and comparisons that ships: it loads, is sound, and says true things.


RERANKERS = [name for name in library.names() if name.startswith("reranker/")]
WHOLE = [*(name for name in library.names() if name.startswith("pipeline/")), "comparison/negatives"]
BESIDE = [name for name in library.names() if name.startswith("comparison/") and name not in WHOLE]


def _load_reranker(name: str) -> RerankerPreset:
    preset = library.load(name)
    assert isinstance(preset, RerankerPreset)
    return preset


def test_the_promised_rerankers_are_there() -> None:
    wanted = {"starter", "bge-reranker-base", "bge-reranker-large", "bge-reranker-v2-m3", "ms-marco-minilm"}
    wanted |= {"qwen3-reranker-0.6b-lora", "jina-reranker-v2"}
    assert {f"reranker/{name}" for name in wanted} <= set(RERANKERS)
    wanted |= {"starter-zh", "flag-starter-zh"}
    assert {f"reranker/{name}" for name in wanted} <= set(RERANKERS)
    assert {"pipeline/starter", "pipeline/starter-zh", "comparison/negatives"} <= set(WHOLE)


def test_starters_know_the_language_of_their_samples() -> None:
    for name in [name for name in library.names() if "starter" in name and not name.startswith("llm/")]:
        preset = library.load(name)
        assert isinstance(preset, RetrievalPreset)
        language = preset.data.train[-2:]
        assert preset.model.id == families.starter_for(language), name
        assert list(language_problems(preset, language)) == []


def test_a_model_that_does_not_know_the_texts_is_told_with_one_that_does() -> None:
    preset = library.load("embedding/starter")
    assert isinstance(preset, RetrievalPreset)
    for language in ("zh", "ja", "und"):
        (problem,) = language_problems(preset, language)
        assert (problem.code, problem.severity, problem.where.key) == ("model-language", "warning", "model.id")
        assert "starter-multilingual" in problem.line("en")
    assert "中文" in next(language_problems(preset, "zh")).line("zh")
    chinese = library.load("embedding/bge-small-zh")
    assert isinstance(chinese, RetrievalPreset)
    assert "all-MiniLM-L6-v2" in next(language_problems(chinese, "en")).line("en")
    assert list(language_problems(chinese, "")) == []


@pytest.mark.parametrize("name", [*RERANKERS, *WHOLE])
def test_a_shipped_preset_for_rerankers_is_sound(name: str) -> None:
    preset = _load_reranker(name)
    assert preset.name == name.rpartition("/")[2]
    told = [problem for problem in preset.problems() if problem.severity != "note"]
    known = families.lookup(preset.model.id)
    assert known is not None
    assert [problem.code for problem in told] == (["remote-code"] if known.family.trust_remote_code else [])
    assert "reranker" in known.family.tasks
    assert library.loads(writing.dumps(preset)) == preset
    text = library.find(name).read_text(encoding="utf-8")
    assert f"tunewiz run {name}" in text
    assert "# For: " in text
    assert "# 适合：" in text


@pytest.mark.parametrize("name", BESIDE)
def test_a_shipped_comparison_has_variants_that_are_sound(name: str) -> None:
    preset = library.load(name)
    assert preset.name == name.rpartition("/")[2]
    assert library.loads(writing.dumps(preset)) == preset
    found = points(preset)
    assert len(found) == len(preset.variants) >= 3
    for point in found:
        assert [one.line("en") for one in point.preset.problems() if one.severity != "note"] == []
    text = library.find(name).read_text(encoding="utf-8")
    assert all(word in text for word in (f"tunewiz run {name}", "# For: ", "# 适合："))
    assert {"comparison/methods", "comparison/course", "comparison/negatives-embedding"} <= set(BESIDE)


@pytest.mark.parametrize("name", [name for name in RERANKERS if not name.startswith("reranker/flag-")])
def test_its_header_tells_the_memory(name: str) -> None:
    preset, text = _load_reranker(name), library.find(name).read_text(encoding="utf-8")
    known = families.lookup(preset.model.id)
    assert known is not None
    needed = preset.memory(known)
    assert needed is not None
    shown = [f"{number / memory.GB:.0f}" for number in (needed.expected, needed.low, needed.high)]
    english = re.search(r"about (\d+) GB \((\d+) to (\d+)\)", text)
    assert english is not None
    assert list(english.groups()) == shown
    assert isinstance(preset.method, Lora) == name.endswith("-lora")


def test_a_licence_that_forbids_commercial_use_is_told() -> None:
    assert "licence" in [problem.code for problem in _load_reranker("reranker/jina-reranker-v2").problems()]


def test_a_pipeline_gives_both_parts_the_same_data_and_seed() -> None:
    preset = library.load("pipeline/starter", ["training.seed=7", "data.evaluation.fraction=0.2"])
    assert isinstance(preset, PipelinePreset)
    first, second = preset.first(), preset.reranker("/somewhere")
    assert first.training.seed == second.training.seed == 7
    assert first.data.evaluation == second.data.evaluation
    assert first.data.negatives != second.data.negatives
    assert (second.candidates.strategy, second.candidates.model) == ("dense", "/somewhere")


def test_a_comparison_varies_the_strategy_and_nothing_else() -> None:
    preset = library.load("comparison/negatives")
    assert isinstance(preset, ComparisonPreset)
    one, other = preset.variant("random"), preset.variant("dense")
    assert other.data.negatives.strategy == "dense"
    same = one.data.negatives.model_copy(update={"strategy": "dense"})
    assert same == other.data.negatives
    assert one.training == other.training


def test_shipped_files_address_the_reader_alike() -> None:
    """In Chinese always 你, as on the screens, never the formal word."""
    formal = [name for name in library.names() if "您" in library.find(name).read_text(encoding="utf-8")]
    assert formal == []
