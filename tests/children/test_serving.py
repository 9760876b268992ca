"""What servers read of an exported model: the layout that vLLM and TEI know, their commands, the service's image."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.children import reranking
from tests.children.evaluation import exported_run, fresh_run, write_beir
from tests.conftest import build_tiny_llm
from tunewiz.backends.export import serving, targets
from tunewiz.backends.runs.run import Run
from tunewiz.language import use

#: Options of the servers' own references: vLLM 0.10 and later, Text Embeddings Inference 1.7 and later.
OPTIONS = {
    "vllm": {"served-model-name", "host", "port", "runner", "enable-lora", "max-lora-rank", "lora-modules"},
    "text-embeddings-router": {"model-id", "hostname", "port", "auto-truncate", "pooling"},
    "llamafactory-cli": {"model_name_or_path", "template", "infer_backend"},
}


def is_known(command: str) -> bool:
    words = [word for word in shlex.split(command) if "=" not in word or word.startswith("-")]
    program = next(word for word in words if word in OPTIONS)
    given = {word[2:].split("=")[0] for word in words if word.startswith("--")}
    return given <= OPTIONS[program]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Run:
    return exported_run(tmp_path_factory.mktemp("serving"), tiny_encoder)


def told(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def test_an_embedding_model_lies_as_vllm_and_tei_look_for_it(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = targets.write(run, "server", out).text("en")
    model = out / "model"
    modules = told(model / "modules.json")
    # get_pooling_config of vLLM, PoolConfig and STConfig of TEI
    pooling = next(one for one in modules if one["type"] == "sentence_transformers.models.Pooling")
    assert modules[0]["type"] == "sentence_transformers.models.Transformer"
    settings = told(model / pooling["path"] / "config.json")
    assert settings["pooling_mode_mean_tokens"] is True and settings["pooling_mode_cls_token"] is False
    assert [key for key, wanted in settings.items() if wanted is True] == ["pooling_mode_mean_tokens", "include_prompt"]
    assert told(model / "sentence_bert_config.json")["max_seq_length"] == 48
    assert serving.lacking("embed", model) == [] and serving.pooling_of(model) == "mean"
    assert "--pooling=mean" in (out / "serve.sh").read_text("utf-8") and "./serve.sh tei" in said
    (model / "1_Pooling" / "config.json").unlink()
    (model / "tokenizer.json").unlink()
    assert serving.lacking("embed", model) == ["tokenizer.json", "1_Pooling/config.json"]


def test_a_model_that_servers_cannot_take_is_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "lacking", lambda task, model: ["tokenizer.json"])
    with pytest.raises(targets.BadPreset) as caught:
        targets.write(run, "server", tmp_path / "out")
    assert caught.value.problems[0].code == "not-servable" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("program", ["tei", "vllm"])
def test_the_script_starts_each_server_in_its_folder(program: str, run: Run, tmp_path: Path) -> None:
    programs, out = tmp_path / "bin", tmp_path / "out"
    programs.mkdir()
    for name in ("vllm", "text-embeddings-router"):
        (programs / name).write_text('#!/bin/sh\npwd; for one; do echo "$one"; done\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    targets.write(run, "server", out)
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([str(out / "serve.sh"), program], capture_output=True, text=True, check=True, env=environment)
    place, *words = done.stdout.splitlines()
    assert place == str(out)
    wanted = ["serve", "./model", "--runner=pooling"] if program == "vllm" else ["--model-id=./model", "--pooling=mean"]
    assert set(wanted) <= set(words)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_models_card_has_commands_that_servers_know(language: str, tmp_path: Path, tiny_encoder: Path) -> None:
    preset = reranking.reranker_preset(tiny_encoder, write_beir(tmp_path / "beir"))
    run = fresh_run(tmp_path / "run", preset)
    use(language)  # type: ignore[arg-type]
    try:
        reranking.go_through(run, preset)
    finally:
        use("en")
    text = (run.model / "README.md").read_text("utf-8")
    commands = re.findall(r"^(?:vllm|text-embeddings-router).*$", text, re.MULTILINE)
    assert len(commands) == 2 and all(map(is_known, commands))
    for body in re.findall(r" -d '(.*)'$", text, re.MULTILINE):
        asked = json.loads(body)
        assert {"query"} < set(asked) and len(asked.get("texts") or asked["documents"]) == 2
    assert ("How to serve it" in text) == (language == "en")
    assert serving.lacking("rerank", run.model) == []
    out = tmp_path / "out"
    targets.write(run, "server", out)
    assert "rerank" in serving.servers("rerank", out / "model", "./model", "x")[0].path


def test_a_language_model_has_what_servers_need(tmp_path: Path) -> None:
    model = build_tiny_llm(tmp_path)
    assert serving.lacking("chat", model) == []
    (model / "chat_template.jinja").unlink()
    assert serving.lacking("chat", model) == ["chat_template.jinja"]
    for one in serving.servers("chat", model, "./model", "mine", "qwen3"):
        assert is_known(shlex.join(one.command)) and one.asked["messages"][0]["role"] == "user"


@pytest.mark.parametrize(
    ("settings", "rank", "room"),
    [
        ({"peft_type": "LORA", "r": 8}, 8, "8"),
        ({"peft_type": "LORA", "r": 12}, 12, "16"),
        ({"peft_type": "LORA", "r": 8, "rank_pattern": {"q_proj": 64}}, 64, "64"),
        ({"peft_type": "LORA", "r": 600}, 600, None),
        ({"peft_type": "LORA", "r": 8, "use_dora": True}, None, None),
        ({"peft_type": "LORA", "r": 8, "modules_to_save": ["lm_head"]}, None, None),
        ({"peft_type": "IA3"}, None, None),
    ],
)
def test_vllm_puts_on_the_adapters_that_it_can(
    settings: dict[str, Any], rank: int | None, room: str | None, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    assert serving.served_adapter(tmp_path) == rank
    command = serving.adapter_server("org/base", ".", "mine", rank) if rank else None
    assert (command is not None) == (room is not None)
    if command is not None:
        assert f"--max-lora-rank={room}" in command and "--lora-modules=mine=." in command
        assert is_known(shlex.join(command))


def test_the_image_of_the_service_is_made_of_what_lies_there(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    targets.write(run, "service-faiss", out)
    lines = [line for line in (out / "Dockerfile").read_text("utf-8").splitlines() if line and line[0] != "#"]
    steps = [line.split(" ", 1) for line in lines]
    known = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {name for name, _ in steps} == known
    assert steps[0] == ["FROM", f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"]
    for name, rest in steps:
        if name == "COPY":
            source = next(word for word in rest.split() if not word.startswith("--"))
            assert (out / source).exists()
    command = json.loads(steps[-1][1])
    assert command[:2] == ["python", "serve.py"] and (out / command[1]).is_file()
    done = subprocess.run(
        [sys.executable, *command[1:], "--help"], cwd=out, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "--host" in done.stdout
    probe = re.search(r"HEALTHCHECK .*?CMD (\[.*\])", "\n".join(lines))
    assert probe is not None and json.loads(probe[1])[0] == "python"
    compile(json.loads(probe[1])[2], "probe", "exec")
    left_out = (out / ".dockerignore").read_text("utf-8").split()
    goes = {path.name for path in out.iterdir() if not any(path.match(pattern) for pattern in left_out)}
    assert {"serve.py", "words.py", "store.py", "search.json", "documents.jsonl", "model", "requirements.txt"} <= goes
    assert all(name in (out / "Dockerfile").read_text("utf-8") for name in ("model/", "documents.jsonl", "store.py"))
    from packaging.requirements import Requirement

    wanted = {Requirement(line).name for line in (out / "requirements.txt").read_text("utf-8").splitlines()}
    assert {"fastapi", "uvicorn", "sentence-transformers", "faiss-cpu"} <= wanted
    page = (out / "README.md").read_text("utf-8")
    assert "/metrics" in page and "application/x-ndjson" in page and "docker build" in page
