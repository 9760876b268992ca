"""No secret in what is written or shown: keys that name one, values that look like one, texts that come in pieces."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewiz.problems import Where, error, say
from tunewiz.redaction import (
    HIDDEN,
    RedactingWriter,
    looks_secret,
    names_secret,
    redact_file,
    redacted,
    redacted_arguments,
    redacted_record,
    variable_for,
)

HF = "hf_QwErTyUiOpAsDfGhJkLzXcVbNm01234567"
OPENAI = "sk-proj-Zx81cvbnMasdfghJkl0-qwe_rty"
MODELSCOPE = "ms-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
WANDB = "0123456789abcdef0123456789abcdef01234567"  # as any commit looks: known by the environment alone
PASSWORD = "口令 with a space #1"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if names_secret(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_API_KEY", WANDB)
    monkeypatch.setenv("SERVICE_PASSWORD", PASSWORD)


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("hub_token", "HF_TOKEN"),
        ("HF_TOKEN", "HF_TOKEN"),
        ("token", "HF_TOKEN"),
        ("use_auth_token", "HF_TOKEN"),
        ("hubToken", "HF_TOKEN"),
        ("ms_hub_token", "MODELSCOPE_API_TOKEN"),
        ("MODELSCOPE_API_TOKEN", "MODELSCOPE_API_TOKEN"),
        ("wandb_api_key", "WANDB_API_KEY"),
        ("swanlab_api_key", "SWANLAB_API_KEY"),
        ("swanlab_lark_webhook_url", ""),
        ("openai-api-key", "OPENAI_API_KEY"),
        ("api_key", ""),
        ("Password", ""),
        ("client.secret", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
    ],
)
def test_keys_of_secrets_are_known_with_their_variable(key: str, variable: str) -> None:
    assert names_secret(key)
    assert variable_for(key) == variable


@pytest.mark.parametrize(
    "key",
    ["eos_token", "pad_token", "max_new_tokens", "skip_special_tokens", "tokenizer", "tokenized_path", "key", "monkey",
     "primary_key", "ignore_pad_token_for_loss", "GPG_KEY", "HF_TOKEN_PATH", "TOKENIZERS_PARALLELISM", ""],
)  # fmt: skip
def test_keys_of_other_things_are_left_alone(key: str) -> None:
    assert not names_secret(key)


@pytest.mark.parametrize(
    "secret", [HF, OPENAI, MODELSCOPE, WANDB, PASSWORD, "ghp_" + "a1B2" * 9, "AKIA" + "ABCD1234" * 2]
)
def test_values_are_hidden_wherever_they_stand(secret: str) -> None:
    assert looks_secret(secret)
    for text in (secret, f"a {secret} b", f'{{"k":"{secret}"}}', f"({secret})", f"=/{secret}/", f"第{secret}个"):
        assert secret not in redacted(text)
        assert redacted(text) == text.replace(secret, HIDDEN)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hub_token: abcdef", f"hub_token: {HIDDEN}"),
        ("{'swanlab_api_key': 'abcdef'}", f"{{'swanlab_api_key': '{HIDDEN}'}}"),
        ("Authorization: Bearer abcdefghijklmnop==", f"Authorization: Bearer {HIDDEN}"),
        ("http://user:pa55word@proxy:3128/x", f"http://user:{HIDDEN}@proxy:3128/x"),
        ("https://host/?access_token=abcdef&x=1", f"https://host/?access_token={HIDDEN}&x=1"),
        ("token=abcdefghij0123456", f"token={HIDDEN}"),
    ],
)
def test_what_follows_a_name_is_hidden(text: str, shown: str) -> None:
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "cross-encoder/ms-marco-MiniLM-L6-v2",
        "Alibaba-NLP/gte-multilingual-reranker-base",
        "task-sk-learn-Classification-with-Numbers-2024",
        "eos_token: <|im_end|>",
        "Password: reset12345",
        "the token: endoftext",
        "hub_token: <HUB_TOKEN>",
        "api_key: $OPENAI_API_KEY",
        "revision 5617a9f61b028005a4858fdac845db406aefb181",
        "{'loss': 0.1234, 'learning_rate': 2e-05, 'tokens': 123456789}",
        "https://host:8000/path@x",
        "A" * 100_000,
    ],
)
def test_everyday_texts_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("weak", ["1", "true", "postgres", "/run/secrets/token"])
def test_a_variable_with_an_everyday_value_hides_nothing(weak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", weak)
    assert redacted(f"a {weak} b") == f"a {weak} b"


def test_the_environment_is_looked_at_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert redacted("later-Secret-1") == "later-Secret-1"
    monkeypatch.setenv("LATER_TOKEN", "later-Secret-1")
    assert redacted("later-Secret-1") == HIDDEN
    monkeypatch.setenv("LATER_TOKEN", "another-Secret-2")
    assert redacted("later-Secret-1 another-Secret-2") == f"later-Secret-1 {HIDDEN}"


def test_records_and_command_lines_lose_what_their_keys_say() -> None:
    record = {
        "backend_options": {"hub_token": "abc", "lora_rank": 4, "deep": [{"api_key": "x", "note": HF}]},
        "pad_token": "p",
    }
    shown = {
        "backend_options": {"hub_token": HIDDEN, "lora_rank": 4, "deep": [{"api_key": HIDDEN, "note": HIDDEN}]},
        "pad_token": "p",
    }
    assert redacted_record(record) == shown
    told = [
        "tunewiz",
        "run",
        "x.yaml",
        "--set",
        "backend_options.hub_token=abc",
        "--set",
        f"description={HF}",
        "--name=a",
    ]
    kept = [
        "tunewiz",
        "run",
        "x.yaml",
        "--set",
        f"backend_options.hub_token={HIDDEN}",
        "--set",
        f"description={HIDDEN}",
        "--name=a",
    ]
    assert redacted_arguments(told) == kept


@pytest.mark.parametrize("language", ["en", "zh"])
def test_problems_tell_no_secret(language: str) -> None:
    told = say("It failed: {what}", what=say("{inner}", inner=f"{'x' * 190} {HF}"))
    problem = error("x", told, Where(key=HF, file=f"--set backend_options.hub_token={WANDB}"), say("{fix}", fix=OPENAI))
    for text in (problem.line(language), json.dumps(problem.as_json(language))):  # type: ignore[arg-type]
        assert not any(part in text for part in (HF[:12], WANDB, OPENAI))


# A stream: whatever pieces a text comes in, the file holds no secret and all the rest.


TEXT = (
    f"loading {HF}\nwandb: {WANDB}\r 10%|##   | 1/10\r 20%|##   | 2/10 {PASSWORD} 结束\n"
    f"{{'hub_token': 'abcdef', 'ms': '{MODELSCOPE}'}}\nBearer abcdefghijklmnop0 {OPENAI}"
)
CLEAN = (
    f"loading {HIDDEN}\nwandb: {HIDDEN}\r 10%|##   | 1/10\r 20%|##   | 2/10 {HIDDEN} 结束\n"
    f"{{'hub_token': '{HIDDEN}', 'ms': '{HIDDEN}'}}\nBearer {HIDDEN} {HIDDEN}"
)


def written(pieces: list[bytes], path: Path) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    writer = RedactingWriter(descriptor)
    for piece in pieces:
        assert writer.write(piece) == len(piece)
    writer.release()
    os.close(descriptor)
    return path.read_bytes().decode()


def test_a_secret_split_anywhere_is_hidden(tmp_path: Path) -> None:
    data = TEXT.encode()
    for at in range(len(data) + 1):
        assert written([data[:at], data[at:]], tmp_path / "log") == CLEAN


def test_a_text_in_many_pieces_is_written_whole(tmp_path: Path) -> None:
    data = TEXT.encode()
    assert written([data[at : at + 1] for at in range(len(data))], tmp_path / "log") == CLEAN
    for seed in range(50):
        chance, pieces, at = random.Random(seed), [], 0
        while at < len(data):
            size = chance.randint(1, 20)
            pieces.append(data[at : at + size])
            at += size
        assert written(pieces, tmp_path / "log") == CLEAN


@given(st.lists(st.binary(max_size=30)))
def test_any_other_bytes_arrive_as_they_were(pieces: list[bytes]) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"redaction-{os.getpid()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        writer = RedactingWriter(descriptor)
        for piece in pieces:
            writer.write(piece)
        writer.release()
        whole = b"".join(pieces)
        assert os.pread(descriptor, len(whole) + 1, 0) == whole
    finally:
        os.close(descriptor)
        path.unlink()


def test_only_a_last_word_waits(tmp_path: Path) -> None:
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = RedactingWriter(descriptor)
    writer.write(b"100%|####| 2/2 [00:01<00:00, 1.2it/s]")
    assert path.read_bytes().endswith(b"1.2it/s]")
    writer.write(b"\nLoading")
    assert path.read_bytes().endswith(b"]\n")
    writer.write(b"y" * 10_000)
    assert path.stat().st_size > 5_000  # what can be no token any more does not wait for ever
    os.close(descriptor)


def test_files_are_swept_in_place(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    filler = "".join(f"line {number} of a long log\n" for number in range(44_000))
    before = filler[: (1 << 20) - 15] + f" {HF}\n" + filler + f"{WANDB} {PASSWORD}\n"  # one lies across two blocks
    path.write_text(before, encoding="utf-8")
    node, size = path.stat().st_ino, path.stat().st_size
    assert redact_file(path) == 3
    after = path.read_text(encoding="utf-8")
    assert (path.stat().st_ino, path.stat().st_size) == (node, size)
    assert after == before.replace(HF, "*" * len(HF)).replace(WANDB, "*" * 40).replace(
        PASSWORD, "*" * len(PASSWORD.encode())
    )
    assert redact_file(path) == 0
    assert redact_file(tmp_path / "none") == 0


PROGRAM = """
import logging, os, sys, warnings
from tunewiz.redaction import redact_output
redact_output()
token = os.environ["HF_TOKEN"]
print("out", token, flush=True)
print(token[:7], end="", flush=True)
print(token[7:])
logging.getLogger("x").warning("logged %s", token)
warnings.warn(token)
sys.stdout.buffer.write(token.encode())
print()
pid = os.fork()
if pid == 0:
    print("forked", token)
    sys.exit(0)
os.waitpid(pid, 0)
print("last", token, end="")
raise RuntimeError(token)
"""


def test_a_process_prints_no_secret_and_loses_no_word(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        environment = os.environ | {"HF_TOKEN": HF, "PYTHONUNBUFFERED": "1"}
        done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=log, stderr=log, env=environment, check=False)
    told = (tmp_path / "log").read_text(encoding="utf-8")
    assert done.returncode == 1
    assert HF not in told and HF[:10] not in told and HF[7:] not in told
    assert told.count(HIDDEN) >= 7
    for word in (f"out {HIDDEN}", f"logged {HIDDEN}", f"forked {HIDDEN}", f"RuntimeError: {HIDDEN}"):
        assert told.count(word) == 1
