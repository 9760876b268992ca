"""Fixtures for all tests: a tiny encoder, built here, so that no test needs a download."""

from __future__ import annotations

import gc
import os
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunewiz.errand import collect_rarely, keeping_bytecode
from tunewiz.language import use

# For the children, for xdist's workers, which begin after this, and for this process itself.
_ENVIRONMENT = keeping_bytecode(dict(os.environ))
if "PYTHONDONTWRITEBYTECODE" not in _ENVIRONMENT:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
os.environ.update(_ENVIRONMENT)
# Two workers on two cores: more threads than that spin while they wait for each other, three times the processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
collect_rarely()
sys.pycache_prefix = sys.pycache_prefix or _ENVIRONMENT.get("PYTHONPYCACHEPREFIX")

#: Where the tests in tests/children train; on a machine with a GPU: TUNEWIZ_TEST_DEVICE=cuda make test.
DEVICE = os.environ.get("TUNEWIZ_TEST_DEVICE", "cpu")
HIDDEN = 32
LAYERS = 2
_ENGLISH = (
    "gpu memory server model train loss data batch query answer disk port error cuda driver python install check point "
    "resume stop lower learning rate text search index vector score the a of is to how why what when my for with and "
    "not in on does do i it run"
)
_CHINESE = (
    "显存服务器模型训练损失数据批量查询答案磁盘端口错误驱动安装检查恢复"
    "停止降低学习率文本搜索向量分数的是怎么为什么我不在了有"
)


#: Folders of tests that start processes and train.
_LONG = ("children", "terminal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the files out so that two workers are busy to the end.

    xdist gives each of two workers one half of the tests, and lets the one that is through take over what lies last in
    the other's half. Each half therefore begins with its share of the long tests and ends with short ones.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    long = [own for path, own in files.items() if path.parent.name in _LONG]
    short = [item for path, own in files.items() if path.parent.name not in _LONG for item in own]
    first, second = ([item for own in long[place::2] for item in own] for place in (0, 1))
    room = max(0, len(items) // 2 - len(first))
    items[:] = [*first, *short[:room], *second, *short[room:]]


#: Modules that were there when what they hold was last set aside.
_set_aside = 0


def set_aside() -> None:
    """Take what the libraries hold out of the sight of the collector, each time that many more are there.

    Trainers, exports and screens collect garbage on purpose. Beside torch, transformers and all that the tests of a
    worker have imported, that takes a second of a core each time.
    """
    global _set_aside
    if len(sys.modules) > _set_aside + 300:
        _set_aside = len(sys.modules)
        gc.collect()
        gc.freeze()


def pytest_runtest_setup() -> None:
    """Before each test."""
    set_aside()


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The queue of the tests is not the machine's."""
    os.environ["TUNEWIZ_PLACES"] = str(tmp_path_factory.mktemp("machine") / "places")


@pytest.fixture
def in_english() -> Iterator[None]:
    """Words are English inside, whatever the environment says."""
    use("en")
    yield
    use(None)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random BERT (2 layers of 32) with its own WordPiece tokenizer, saved as a SentenceTransformer."""
    return build_tiny_encoder(tmp_path_factory.mktemp("tiny-encoder"))


def build_tiny_encoder(folder: Path, seed: int = 0) -> Path:
    """Write a tiny encoder into ``folder / "model"``; the same seed writes the same weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    backbone = folder / "backbone"
    tokenizer = word_pieces()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(backbone)
    tokenizer.save_pretrained(backbone)
    transformer = Transformer(str(backbone), max_seq_length=64)
    modules = [transformer, Pooling(HIDDEN, "mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def word_pieces() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = list(string.ascii_lowercase + string.digits)
    pieces = [
        *special,
        *string.punctuation,
        *letters,
        *(f"##{letter}" for letter in letters),
        *_ENGLISH.split(),
        *_CHINESE,
    ]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    marks = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=marks
    )
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names)


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random Qwen3 (2 layers of 64) with its own byte-level BPE tokenizer and Qwen's chat template."""
    return build_tiny_llm(tmp_path_factory.mktemp("tiny-llm"))


def build_tiny_llm(folder: Path, seed: int = 0) -> Path:
    """Write a tiny language model into ``folder / "model"``; the same seed writes the same weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    tokenizer = bpe()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=128,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    target = folder / "model"
    Qwen3ForCausalLM(config).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def bpe() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([_ENGLISH, *_CHINESE], trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=512
    )
    made.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return made
