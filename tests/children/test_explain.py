"""The catalogue of faults, met with what the installed libraries really raise."""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.evaluate.lengths import counter
from tunewiz.backends.models.loading import load_encoder, load_reranker
from tunewiz.backends.runs.explain import explain
from tunewiz.problems import BadPreset, ExitCode, Problem


def told(fault: BaseException) -> tuple[str, str, ExitCode]:
    """Code, text in both languages, and exit code."""
    explained = explain(fault)
    (problem,) = explained.problems
    assert "{" not in problem.line("en") + problem.line("zh")
    assert problem.fix is not None
    return problem.code, problem.line("en"), explained.exit_code


def raised(action: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:
        action()
    return caught.value


# Models that cannot be read.


class Evil:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.place}",)


def settings(folder: Path, name: str, **changed: Any) -> None:
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changed), encoding="utf-8")


def taken_weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    return weights


def pickled(folder: Path) -> None:
    import torch

    torch.save(taken_weights(folder), folder / "pytorch_model.bin")


def evil(folder: Path) -> None:
    import torch

    torch.save({**taken_weights(folder), "more": Evil(folder / "PWNED")}, folder / "pytorch_model.bin")


def bare_pickle(folder: Path) -> None:
    taken_weights(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"more": Evil(folder / "PWNED")}))


def pointer(folder: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 90\n"
    (folder / "model.safetensors").write_text(text, encoding="utf-8")


def pickled_pointer(folder: Path) -> None:
    pointer(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def pickled_and_cut(folder: Path) -> None:
    pickled(folder)
    whole = (folder / "pytorch_model.bin").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(whole[: len(whole) // 2])


def pickled_and_emptied(folder: Path) -> None:
    pickled(folder)
    (folder / "pytorch_model.bin").write_bytes(b"")


def without(*patterns: str) -> Callable[[Path], None]:
    def take(folder: Path) -> None:
        for pattern in patterns:
            for file in folder.glob(pattern):
                file.unlink()

    return take


def foreign_tokenizer(folder: Path) -> None:
    settings(folder, "tokenizer_config.json", tokenizer_class="FooTokenizer")
    (folder / "tokenizer.json").unlink()


DAMAGE: list[tuple[Callable[[Path], object], str, str]] = [
    (evil, "could run code", "model.safetensors"),
    (bare_pickle, "could run code", "model.safetensors"),
    (pickled_pointer, "are damaged", "git lfs pull"),
    (pointer, "pointer of Git LFS", "git lfs pull"),
    (cut, "damaged, cut off", "Download it again"),
    (pickled_and_cut, "damaged, cut off", "Download it again"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b""), "damaged, cut off", "Download it again"),
    (pickled_and_emptied, "cut off", "Download it again"),
    (without("model.safetensors"), "no file named model.safetensors", "weights"),
    (foreign_tokenizer, "tokenizer is of a class", "tokenizer_config.json"),
    (lambda folder: (folder / "tokenizer.json").write_text("{x"), "tokenizer is of a class", "tokenizer.json"),
    (without("tokenizer*", "special_tokens*", "vocab*"), "has no tokenizer", "tokenizer.json"),
    (
        lambda folder: settings(folder, "config.json", model_type="foo9"),
        "does not know the model type foo9",
        "config.json",
    ),
    (lambda folder: (folder / "config.json").write_text("{}"), "what type of model", "whole folder"),
    (lambda folder: (folder / "config.json").write_text("{x"), "not a valid JSON", "config.json"),
    (lambda folder: settings(folder, "config.json", hidden_size=64), "other shapes", "one download"),
    (lambda folder: settings(folder, "config.json", hidden_size="x"), "cannot be loaded", "config.json"),
    (
        lambda folder: settings(folder, "config.json", num_hidden_layers=-5, hidden_size=[]),
        "cannot be loaded",
        "config.json",
    ),
]


@pytest.mark.parametrize(("damage", "said", "fix"), DAMAGE, ids=[said for _, said, _ in DAMAGE])
@pytest.mark.parametrize("load", [load_encoder, load_reranker])
def test_a_model_that_cannot_be_read_is_told_of_in_words(
    load: Callable[[Path], object],
    damage: Callable[[Path], object],
    said: str,
    fix: str,
    tiny_encoder: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_encoder, folder)
    damage(folder)
    fault = raised(lambda: load(folder))
    assert isinstance(fault, BadPreset)
    (problem,) = fault.problems
    assert problem.code in ("model-not-loadable", "tokenizer-missing") and problem.where.key == "model.id"
    text = problem.line("en")
    assert said in text and fix in text and str(folder) in text
    assert "Traceback" not in text and "does not know:" not in text
    assert told(fault)[2] is ExitCode.BAD_PRESET
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (foreign_tokenizer, "tokenizer is of a class"),
        (without("tokenizer*", "special_tokens*", "vocab*"), "has no tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_text("{x"), "tokenizer.json, is damaged"),
    ],
)
def test_rows_are_not_counted_in_tokens_of_a_tokenizer_that_cannot_be_read(
    damage: Callable[[Path], object], said: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "model")
    assert counter(tmp_path / "model")(["stop the gpu"]) == [5]
    damage(tmp_path / "model")
    fault = raised(lambda: counter(tmp_path / "model"))
    assert isinstance(fault, BadPreset)
    assert said in fault.problems[0].line("en") and str(tmp_path) in fault.problems[0].line("en")


def test_a_model_that_a_library_loads_by_itself_is_told_of_in_words(tiny_encoder: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    shutil.copytree(tiny_encoder, tmp_path / "model")
    evil(tmp_path / "model")
    weights = raised(lambda: AutoModel.from_pretrained(str(tmp_path / "model")))
    foreign_tokenizer(tmp_path / "model")
    tokenizer = raised(lambda: AutoTokenizer.from_pretrained(str(tmp_path / "model")))
    settings(tmp_path / "model", "config.json", model_type="foo9")
    config = raised(lambda: AutoConfig.from_pretrained(str(tmp_path / "model")))
    found = [told(fault) for fault in (weights, tokenizer, config)]
    assert [code for code, *_ in found] == ["weights-unsafe", "tokenizer-unknown", "model-type-unknown"]
    assert all("A model cannot be loaded: " in text for _, text, _ in found)
    assert {exit_code for *_, exit_code in found} == {ExitCode.BAD_PRESET}


def test_pickled_weights_without_code_are_read(tiny_encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "model")
    expected = load_encoder(tiny_encoder).encode("gpu")
    pickled(tmp_path / "model")
    assert (load_encoder(tmp_path / "model").encode("gpu") == expected).all()


def test_what_is_wrong_with_the_machine_is_no_fault_of_the_model(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sentence_transformers
    import torch

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", full)
    fault = raised(lambda: load_encoder(tiny_encoder))
    assert (told(fault)[0], told(fault)[2]) == ("gpu-out-of-memory", ExitCode.OUT_OF_MEMORY)


# The GPU's own words, from CUDA's runtime; torch puts "CUDA error: " before them.


def cuda_words() -> Callable[[int], str]:
    spec = find_spec("nvidia")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for library in (file for folder in folders for file in sorted(Path(folder).rglob("libcudart.so*"))):
        runtime = ctypes.CDLL(str(library))
        runtime.cudaGetErrorString.restype = ctypes.c_char_p
        return lambda number: str(runtime.cudaGetErrorString(number).decode())
    pytest.skip("CUDA's runtime is not installed")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (2, "gpu-out-of-memory"),
        (35, "gpu-driver"),
        (209, "gpu-too-new"),
        (214, "gpu-fault"),
        (700, "gpu-fault"),
        (710, "gpu-index"),
        (715, "gpu-fault"),
        (716, "gpu-fault"),
        (717, "gpu-fault"),
        (719, "gpu-fault"),
        (804, "gpu-driver"),
    ],
)
def test_errors_of_the_gpu_are_known_by_cudas_own_words(number: int, code: str) -> None:
    import torch

    words = cuda_words()(number)
    more = "\nCUDA kernel errors might be asynchronously reported at some other API call."
    kind = getattr(torch, "AcceleratorError", RuntimeError)
    found, text, exit_code = told(kind(f"CUDA error: {words}{more}"))
    assert found == code
    assert exit_code is (ExitCode.OUT_OF_MEMORY if code == "gpu-out-of-memory" else ExitCode.FAILED)
    if number == 700:
        assert "an illegal memory access" in text and "resume" in text


# Processes that do not find each other: raised by torch.distributed itself.


def test_a_port_in_use_is_told_with_the_variable_that_changes_it() -> None:
    import torch.distributed as distributed

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fault = raised(lambda: distributed.TCPStore("127.0.0.1", port, 2, True, timeout=timedelta(seconds=2)))
    code, text, _ = told(fault)
    assert code == "port-in-use" and "MASTER_PORT" in text


def test_processes_that_do_not_come_are_told() -> None:
    import torch.distributed as distributed

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    waiting = raised(lambda: distributed.TCPStore("127.0.0.1", port, 2, True, timeout=timedelta(seconds=1)))
    lonely = raised(lambda: distributed.TCPStore("127.0.0.1", port, 2, False, timeout=timedelta(seconds=1)))
    assert {told(waiting)[0], told(lonely)[0]} == {"processes-apart"}


def test_nccl_without_gpus_is_told() -> None:
    import torch
    import torch.distributed as distributed

    if torch.cuda.is_available() or not distributed.is_nccl_available():
        pytest.skip("there are GPUs, or no NCCL")
    group: dict[str, Any] = {"store": distributed.HashStore(), "rank": 0, "world_size": 1}
    try:
        fault = raised(lambda: distributed.init_process_group("nccl", timeout=timedelta(seconds=2), **group))
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
    assert told(fault)[0] == "nccl"


@pytest.mark.parametrize(
    ("words", "code"),
    [  # As torch words them (ProcessGroupNCCL.cpp, NCCLUtils.cpp): two GPUs are needed to see them happen.
        (  # Of two processes of which one was killed, once in a while.
            "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:545] Read error [127.0.0.1]:28085: Connection reset "
            "by peer. This is typically caused by a remote worker hanging or bugs in the application.",
            "processes-apart",
        ),
        (
            "[Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLREDUCE, NumelIn=1, "
            "NumelOut=1, Timeout(ms)=600000) ran for 600012 milliseconds before timing out.",
            "processes-apart",
        ),
        (
            "Some NCCL operations have failed or timed out. Due to the asynchronous nature of CUDA kernels, subsequent "
            "GPU operations might run on corrupted/incomplete data.",
            "processes-apart",
        ),
        (
            "NCCL error in: /pytorch/torch/csrc/NCCLUtils.cpp:94, remote process exited or there was a "
            "network error, NCCL version 2.27.5\nncclRemoteError: A call failed possibly due to a network error or a "
            "remote process exiting prematurely.",
            "processes-apart",
        ),
        (
            "NCCL error in: /pytorch/torch/csrc/NCCLUtils.cpp:94, unhandled system error (run with "
            "NCCL_DEBUG=INFO for details), NCCL version 2.27.5\nncclSystemError: System call (e.g. socket, malloc) or "
            "external library call failed or device error.",
            "nccl",
        ),
        (
            "NCCL error in: /pytorch/torch/csrc/NCCLUtils.cpp:94, invalid usage (run with "
            "NCCL_DEBUG=WARN for details), NCCL version 2.27.5\nncclInvalidUsage: This usually reflects invalid usage "
            "of NCCL library.\nLast error:\nDuplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000",
            "nccl",
        ),
    ],
)
def test_what_nccl_says_is_known(words: str, code: str) -> None:
    import torch.distributed as distributed

    assert told(distributed.DistBackendError(words))[0] == code


def test_an_unknown_fault_keeps_its_words_and_points_at_the_log() -> None:
    (problem,) = explain(ArithmeticError("quaint")).problems
    assert isinstance(problem, Problem) and problem.code == "unexpected"
    assert "ArithmeticError: quaint" in problem.line("en") and "output.log" in problem.line("en")
