"""From an exception of a library to words a user can act on."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

from tunewiz.backends.runs.callback import LossNotFinite, loss_problem
from tunewiz.files import is_full
from tunewiz.problems import ExitCode, Message, Problem, TunewizError, error, say


class Explained(NamedTuple):
    """What to tell, and the exit code that goes with it."""

    problems: tuple[Problem, ...]
    exit_code: ExitCode


def explain(fault: BaseException) -> Explained:
    """The problems and exit code for ``fault``; unknown faults point at ``output.log`` and never hide their words."""
    if isinstance(fault, TunewizError):
        return Explained(fault.problems, fault.exit_code)
    if isinstance(fault, LossNotFinite):
        return Explained((loss_problem(int(fault.args[0])),), ExitCode.FAILED)
    known = recognised(fault)
    if known is not None:
        return known
    loading = recognised(fault, _LOADING)
    if loading is not None:
        (why,) = loading.problems
        told = say("A model cannot be loaded: {fault}", fault=why.message)
        return Explained((error(why.code, told, fix=why.fix),), loading.exit_code)
    unknown = say("Something failed that Tunewiz does not know: {fault}", fault=_words(fault))
    fix = say("The whole story is at the end of output.log in the run's directory.")
    return Explained((error("unexpected", unknown, fix=fix),), ExitCode.FAILED)


def recognised(fault: BaseException, among: Sequence[_Known] = ()) -> Explained | None:
    """What the catalogue, or a part of it, says of a library's ``fault``; ``None`` if it is not in it."""
    words = _words(fault)
    for known in among or _KNOWN:
        found = known.matches(fault, words)
        if found is not None and found is not False:
            values = {} if found is True else found
            told = [Message(part.template, {**part.values, **values}) for part in (known.message, known.fix)]
            return Explained((error(known.code, told[0], fix=told[1]),), known.exit_code)
    return None


def unreadable(fault: BaseException) -> Problem | None:
    """Why a folder is no model that the libraries read, by what they say of it; ``None`` if that is not known."""
    known = recognised(fault, (*_LOADING, *_WHILE_LOADING))
    return known.problems[0] if known else None


def _words(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}"


#: Whether it is this fault, or what it says of itself that belongs into the message, by name.
_Match = Callable[[BaseException, str], Mapping[str, str] | bool | None]


class _Known(NamedTuple):
    code: str
    matches: _Match
    message: Message
    fix: Message
    exit_code: ExitCode = ExitCode.FAILED


def _says(*parts: str) -> _Match:
    return lambda _, words: any(part.lower() in words.lower() for part in parts)


def _finds(pattern: str) -> _Match:
    """Words in which ``pattern`` is found; its named groups fill the message, ``version`` is that of transformers."""

    def matches(_: BaseException, words: str) -> Mapping[str, str] | None:
        found = re.search(pattern, words, re.DOTALL)
        return None if found is None else {**found.groupdict(""), "version": _installed("transformers")}

    return matches


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


#: Why a model's folder is not read. Where it is, whoever loads it knows.
_LOADING: Final = (
    _Known(
        "weights-unsafe",
        _says("Weights only load failed"),
        say("Its weights (a pickle) hold more than numbers and could run code, or are damaged: they are not read."),
        say(
            "Take a revision or a copy of the model that has model.safetensors. If you trust its authors, convert the "
            "weights on another machine; with git, see that they are no pointers: `git lfs pull`."
        ),
        ExitCode.BAD_PRESET,
    ),
    _Known(
        "weights-need-torch",
        _says("serious vulnerability issue in `torch.load`"),
        say("Its weights are a pickle (pytorch_model.bin), which the installed PyTorch does not read safely."),
        say("Install PyTorch 2.6 or newer, or take a revision of the model that has model.safetensors."),
        ExitCode.BAD_PRESET,
    ),
    _Known(
        "weights-damaged",
        _says("SafetensorError", "deserializing header", "PytorchStreamReader failed", "finding central directory"),
        say("The file of its weights is damaged, cut off, or only a pointer of Git LFS."),
        say("Download it again; with git: `git lfs pull` in the folder."),
        ExitCode.BAD_PRESET,
    ),
    _Known(
        "model-type-unknown",
        _finds(r"has model type `(?P<type>[^`]*)` but Transformers does not recognize"),
        say("The installed transformers ({version}) does not know the model type {type}."),
        say(
            "See in the folder's config.json whether that is right. A newer model needs a newer transformers, which "
            "may not go with the other packages here: choose a model of a known family (`tunewiz models`)."
        ),
        ExitCode.BAD_PRESET,
    ),
    _Known(
        "model-type-missing",
        _says("Should have a `model_type` key"),
        say("The config.json in the folder does not say what type of model it is."),
        say("Take the whole folder of the model; of an adapter, the model that it goes onto."),
        ExitCode.BAD_PRESET,
    ),
    _Known(
        "tokenizer-unknown",
        # The second is what transformers 5 says of a class that it does not have.
        _says(
            "Unrecognized processing class",
            "'NoneType' object has no attribute 'from_pretrained'",
            "Tokenizer class",
            "Couldn't instantiate the backend tokenizer",
            "Can't load tokenizer",
        ),
        say("Its tokenizer is of a class that the installed transformers does not know, or its files are not whole."),
        say(
            "See whether tokenizer_class in the folder's tokenizer_config.json is right, and download the model again "
            "with its tokenizer.json."
        ),
        ExitCode.BAD_PRESET,
    ),
    _Known(
        "weights-of-another-shape",
        _says("ignore_mismatched_sizes", "size mismatch for"),
        say("Its weights have other shapes than its config.json says."),
        say("Take both from one download: files of two models are mixed."),
        ExitCode.BAD_PRESET,
    ),
)

#: What means other things where no model is loaded: torch's words of weights that end early, a file that is no JSON.
_WHILE_LOADING: Final = (
    next(known for known in _LOADING if known.code == "weights-damaged")._replace(
        matches=lambda fault, _: isinstance(fault, EOFError) or getattr(fault, "errno", None) == errno.EINVAL
    ),
    _Known(
        "model-settings-damaged",
        lambda fault, words: {"fault": words} if isinstance(fault, json.JSONDecodeError) else None,
        say("One of its JSON files, such as tokenizer.json, is damaged ({fault})."),
        say("Download it again; with git: `git lfs pull` in the folder."),
        ExitCode.BAD_PRESET,
    ),
)

#: Texts of cudaGetErrorString for a program or a card that is broken.
_GPU_FAULT: Final = (
    "(?P<fault>(?:an )?illegal (?:memory access|instruction)|misaligned address|unspecified launch failure|"
    "uncorrectable ECC error|(?:operation not supported on )?global/shared address space)"
)
#: What torch.distributed, Gloo and NCCL say when a process is missing.
_APART: Final = (
    *("collective operation timeout", "NCCL timeout", "NCCL operations have failed or timed out", "ncclRemoteError"),
    *("waiting for clients", "client socket has timed out", "Connection closed by peer", "Timed out waiting"),
    "gloo/transport",  # "Connection reset by peer" and the like, whichever end notices first
)

_KNOWN: Final = (
    _Known(
        "gpu-out-of-memory",
        _says("CUDA out of memory", "CUDA error: out of memory", "OutOfMemoryError", "CUBLAS_STATUS_ALLOC_FAILED"),
        say("The GPU ran out of memory."),
        say(
            "In this order: use a cached loss with a small mini_batch_size, lower training.batch_size, turn on "
            "training.gradient_checkpointing, lower training.max_length, or train with method.type: lora. "
            "`nvidia-smi` shows who else is on the card."
        ),
        ExitCode.OUT_OF_MEMORY,
    ),
    # The texts of CUDA's own errors are cudaGetErrorString's; torch puts "CUDA error: " before them.
    _Known(
        "gpu-index",
        _says("device-side assert triggered"),
        say("The GPU stopped at a number out of range: a token, position or label that the model has no place for."),
        say(
            "Run it with launch.device: cpu and a small data.limit: there the error names the layer. Most often the "
            "tokenizer has more tokens than the model, or training.max_length more than the model has positions."
        ),
    ),
    _Known(
        "gpu-too-new",
        _says("no kernel image is available"),
        say("The installed PyTorch has no program for this GPU: one of them is too new or too old for the other."),
        say("Install the build of PyTorch for this GPU (pytorch.org, Get started), or set launch.device: cpu."),
    ),
    _Known(
        "gpu-driver",
        _says(
            "driver version is insufficient", "driver on your system is too old", "forward compatibility was attempted"
        ),
        say("The NVIDIA driver is too old for the CUDA that the installed PyTorch is built for."),
        say("Update the driver, or install a build of PyTorch for an older CUDA (pytorch.org, Previous versions)."),
    ),
    _Known(
        "gpu-fault",
        _finds(_GPU_FAULT),
        say("The GPU broke off a computation: {fault}."),
        say(
            "Go on with `tunewiz run --resume`. If it comes again: leave out liger, packing and flash attention, try "
            "another GPU (CUDA_VISIBLE_DEVICES), and look for a failing card with `nvidia-smi -q -d ECC` and `dmesg`."
        ),
    ),
    _Known(
        "port-in-use",
        _says("EADDRINUSE", "address already in use"),
        say("The port by which the processes of a training meet is taken by another program."),
        say("Set MASTER_PORT to a free port (29501, for example), or end what uses it: `ss -ltnp` names it."),
    ),
    _Known(
        "processes-apart",
        _says(*_APART),
        say("The processes of a training lost each other: one of them died, hangs, or cannot be reached."),
        say(
            "Look further up in output.log for the first process that failed. Between machines, see that MASTER_ADDR "
            "and MASTER_PORT can be reached and name the network with NCCL_SOCKET_IFNAME; then resume the run."
        ),
    ),
    _Known(
        "nccl",
        _says("NCCL error", "ProcessGroupNCCL is only supported with GPUs"),
        say("NCCL, by which the GPUs of a training exchange what they computed, failed."),
        say(
            "Run it with NCCL_DEBUG=WARN to see why. A container needs shared memory (--shm-size=8g); no two processes "
            "may use one GPU; launch.processes: 1 trains without NCCL."
        ),
    ),
    _Known(
        "host-out-of-memory",
        lambda fault, words: isinstance(fault, MemoryError) or "can't allocate memory" in words.lower(),
        say("The machine ran out of memory (RAM)."),
        say("Lower training.batch_size, training.max_length or data.limit, or close other programs."),
        ExitCode.OUT_OF_MEMORY,
    ),
    _Known(
        "disk-full",
        lambda fault, _: is_full(fault),
        say("The disk is full."),
        say("Delete old runs or checkpoints (`tunewiz runs` lists them), or use --runs-dir on a larger disk."),
    ),
    _Known(
        "gated-model",
        _says("GatedRepoError", "401 Client Error", "403 Client Error"),
        say("The model hub refused access to the model."),
        say("Accept the model's licence on its page, then set HF_TOKEN to your access token."),
    ),
    _Known(
        "hub-unreachable",
        _says("LocalEntryNotFoundError", "ConnectionError", "ConnectTimeout", "OfflineModeIsEnabled"),
        say("A model hub could not be reached."),
        say(
            "Set HF_ENDPOINT to a mirror, use model.source: modelscope, or give the path of a local folder as model.id."
        ),
    ),
    _Known(
        "missing-package",
        lambda fault, _: isinstance(fault, ModuleNotFoundError),
        say("A Python package that this run needs is not installed."),
        say("Install the extra that brings it, for example: pip install 'tunewiz[retrieval]'."),
        ExitCode.BAD_PRESET,
    ),
)
