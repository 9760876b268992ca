"""Presets on disk: found, read, explained, written and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.language import use
from tunewiz.presets.losses import catalogue
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.yaml import library, writing
from tunewiz.problems import BadPreset, ExitCode, Where, say, warning

GOOD = """
name: faq
task: embedding
model: {id: BAAI/bge-small-zh-v1.5}
data: {train: faq.csv, columns: {query: 问题, "a: b": "no"}}
loss: multiple_negatives_ranking
"""


def _codes(text: str) -> dict[str, str]:
    with pytest.raises(BadPreset) as caught:
        library.loads(text, "my.yaml")
    assert caught.value.exit_code is ExitCode.BAD_PRESET
    for problem in caught.value.problems:
        for foreign in ("Input should", "validation error", "pydantic", "Traceback", "__"):
            assert foreign not in problem.line("en")
            assert foreign not in problem.line("zh")
    return {problem.where.key: problem.line("en") for problem in caught.value.problems}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_all_problems_are_told_at_once_with_line_value_rule_and_fix() -> None:
    told = _codes("""nam: x
task: embedding
model: {id: 3, source: hugingface}
data: {train: x.csv, evaluation: {fraction: 1.5, validation_fraction: often}, negatives: {per_qery: 3}, columns: {a: 3}}
loss: {name: matrioshka}
method: {type: lor, rank: x}
batch_size: 3
training:
  epochs: yes
  batch_size: true
  learning_rate: 5
  max_length: 3.5
  early_stopping: 3
  seed: [1]
evaluation: {k: [1, a, 0]}
tracking: {trackers: [wanb], hf_token: secret-value}
launch: {processes: many}
""")
    assert told["name"].startswith("my.yaml name: The key is missing.")
    assert told["nam"] == "my.yaml:1 nam: There is no key nam here. Did you mean name?"
    assert told["model.id"] == 'my.yaml:3 model.id: 3 does not fit: expected text. Put it in quotes: "3".'
    assert "Did you mean huggingface?" in told["model.source"]
    assert "1.5 does not fit: expected a number from 0 to below 1." in told["data.evaluation.fraction"]
    assert "auto or a number" in told["data.evaluation.validation_fraction"]
    assert "Did you mean per_query?" in told["data.negatives.per_qery"]
    assert "quotes" in told["data.columns.a"]
    assert "Did you mean matryoshka?" in told["loss"]
    assert "Did you mean lora?" in told["method.type"]
    assert "Did you mean training.batch_size?" in told["batch_size"]
    assert told["training.batch_size"].startswith("my.yaml:10 ")
    for key in ("epochs", "batch_size", "learning_rate", "max_length", "early_stopping", "seed"):
        assert f"training.{key}" in told
    assert {"evaluation.k.1", "evaluation.k.2", "tracking.trackers.0", "launch.processes"} <= set(told)
    assert "secret-value" not in "\n".join(told.values())
    assert "HF_TOKEN" in told["tracking.hf_token"]


HF = "hf_QwErTyUiOpAsDfGhJkLzXcVbNm01234567"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("hub_token: abc", "HF_TOKEN"),
        ("hf_hub_token: null", "HF_TOKEN"),
        ("TOKEN: x", "HF_TOKEN"),
        ("use_auth_token: true", "HF_TOKEN"),
        ("ms_hub_token: abc", "MODELSCOPE_API_TOKEN"),
        ("wandb: {api-key: abc}", "environment variable"),
        ("swanlab_api_key: abc", "SWANLAB_API_KEY"),
        ("deep: [{more: {password: abc}}]", "environment variable"),
        ("deep: {api_key: {inner: abc}}", "environment variable"),
        (f"run_name: {HF}", "HF_TOKEN"),
        (f"tags: [a, {HF}]", "HF_TOKEN"),
        ("run_name: sk-proj-Zx81cvbnMasdfghJkl0qwe", "OPENAI_API_KEY"),
    ],
)
def test_secrets_in_options_of_a_library_are_refused_without_being_told(option: str, said: str) -> None:
    text = (
        "name: x\ntask: llm\nmodel: {id: Qwen/Qwen3-0.6B}\ndata: {train: x.json}\n"
        f"backend_options:\n  lora_rank: 4\n  {option}\n"
    )
    with pytest.raises(BadPreset) as caught:
        library.loads(text, "my.yaml")
    assert [problem.code for problem in caught.value.problems] == ["secret-in-preset"]
    told = caught.value.problems[0]
    assert told.where.line == 7 and told.where.key.startswith("backend_options.")
    assert said in told.line("en")
    assert "abc" not in str(caught.value) and HF not in str(caught.value)
    key, _, value = option.partition(":")
    with pytest.raises(BadPreset) as caught:
        library.loads(text.replace(option, "seed: 1"), "my.yaml", [f"backend_options.{key}={value}"])
    assert [problem.code for problem in caught.value.problems] == ["secret-in-preset"]
    assert not any(
        HF in word or "abc" in word for word in caught.value.problems[0].as_json().values() if isinstance(word, str)
    )


@pytest.mark.parametrize("key", ["description", "model.id", "tracking.project", "data.train", "data.columns.query"])
def test_a_token_at_any_key_is_refused(key: str) -> None:
    with pytest.raises(BadPreset) as caught:
        library.loads(GOOD, "my.yaml", [f"{key}={HF}"])
    assert [(problem.code, problem.where.key) for problem in caught.value.problems] == [("secret-in-preset", key)]
    assert HF not in str(caught.value)


def test_what_only_sounds_like_a_secret_is_taken() -> None:
    text = (
        "name: x\ntask: llm\n"
        "model: {id: cross-encoder/ms-marco-MiniLM-L6-v2, revision: 5617a9f61b028005a4858fdac845db406aefb181}\n"
        "data: {train: x.json, placeholders: {password: reset it}}\n"
        "backend_options: {split_special_tokens: true, tokenized_path: x, ignore_pad_token_for_loss: true}\n"
    )
    assert library.loads(text).name == "x"


def test_an_unknown_task_does_not_hide_the_rest() -> None:
    told = _codes(GOOD.replace("task: embedding", "task: embeding") + "foo: 1\n")
    assert "Did you mean embedding?" in told["task"]
    assert "foo" in told


def test_short_forms_and_empty_sections_are_read() -> None:
    preset = library.loads(GOOD + "method: lora\ntraining:\n")
    assert isinstance(preset, EmbeddingPreset)
    assert isinstance(preset.method, Lora)
    assert preset.training.epochs == 1
    assert (
        library.loads(GOOD + "training: {gradient_checkpointing: yes, learning_rate: 3e-5}").training.learning_rate
        == 3e-5
    )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("loss", sorted(catalogue()))
def test_a_written_preset_explains_itself_and_reads_back_equal(loss: str, language: str) -> None:
    options = "{name: gist, guide: starter}" if loss == "gist" else loss
    preset = library.loads(GOOD.replace("multiple_negatives_ranking", options) + "method: lora\n")
    use("zh" if language == "zh" else "en")
    try:
        text = writing.dumps(preset)
    finally:
        use(None)
    assert library.loads(text) == preset
    assert writing.dumps(library.loads(text)) == writing.dumps(preset)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        key = line.strip().partition(":")[0]
        if key in EmbeddingPreset.model_fields or key in Lora.model_fields:
            assert lines[number - 1].lstrip().startswith("#"), line
    assert max(map(len, lines)) <= 120


def test_instructions_keep_their_last_space() -> None:
    preset = library.loads(GOOD.replace("v1.5}", 'v1.5, query_instruction: "query: "}'))
    assert preset.model.query_instruction == "query: "
    assert library.loads(writing.dumps(preset)).model.query_instruction == "query: "


def test_relative_paths_begin_at_the_preset_and_overrides_at_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "shell").mkdir()
    (tmp_path / "presets" / "model").mkdir()
    file = tmp_path / "presets" / "mine.yaml"
    file.write_text(GOOD.replace("BAAI/bge-small-zh-v1.5", "./model"), encoding="utf-8")
    monkeypatch.chdir(tmp_path / "shell")
    preset = library.load(file, ["data.evaluation.data=test.jsonl"])
    assert isinstance(preset, EmbeddingPreset)
    assert preset.data.train == str(tmp_path / "presets" / "faq.csv")
    assert preset.data.evaluation.data == str(tmp_path / "shell" / "test.jsonl")
    assert preset.model.id == str(tmp_path / "presets" / "model")
    sample = library.load(file, ["data.train=sample:faq-en", "model.id=BAAI/bge-m3"])
    assert isinstance(sample, EmbeddingPreset)
    assert (sample.data.train, sample.model.id) == ("sample:faq-en", "BAAI/bge-m3")


def test_presets_are_found_by_path_name_and_short_name(home: Path) -> None:
    saved = library.save(library.loads(GOOD), "mine")
    assert saved == library.saved_in() / "mine.yaml"
    assert library.names()[0] == "embedding/starter"
    assert library.load("mine").name == "faq"
    assert library.find("bge-m3") == library.find("embedding/bge-m3")
    with pytest.raises(BadPreset, match=r"embedding/starter, .*reranker/starter"):
        library.find("starter")
    assert library.find(saved) == saved
    for name, said in (
        ("embedding/startr", "Did you mean embedding/starter?"),
        (str(home), "folder"),
        ("a\0b", "no such"),
    ):
        with pytest.raises(BadPreset, match=said.replace("?", r"\?")):
            library.load(name)


def test_saving_never_overwrites_unasked_and_never_leaves_its_folder(home: Path) -> None:
    preset = library.loads(GOOD)
    library.save(preset, "mine")
    with pytest.raises(BadPreset, match="there already"):
        library.save(preset, "mine")
    library.save(preset, "mine", overwrite=True)
    for name in ("", ".hidden", "名字"):
        with pytest.raises(BadPreset):
            library.save(preset, name)
    assert library.save(preset, home / "deep" / "x.yaml").is_file()
    (home / "blocked").write_text("")
    with pytest.raises(BadPreset, match="cannot be written"):
        library.save(preset, home / "blocked" / "x.yaml")
    assert sorted(path.name for path in library.saved_in().iterdir()) == ["mine.yaml"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n", "名称: 值".encode("gb18030"), bytes(range(256))]
)
def test_files_that_are_no_utf8_text_are_explained(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(BadPreset) as caught:
        library.load(file)
    assert caught.value.problems[0].code == "preset-not-text"


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert library.load(file).name == "faq"


def test_later_problems_get_the_line_of_their_key(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(GOOD, encoding="utf-8")
    opened = library.open_preset(file, ["training.epochs=2"])
    found = [warning("x", say("yes"), Where(key)) for key in ("model.id", "training.epochs", "nowhere")]
    assert [(problem.where.file, problem.where.line) for problem in opened.placed(found)] == [
        (str(file), 4),
        ("--set training.epochs=2", 0),
        (str(file), 0),
    ]
