"""From an exception of a library to words a user can act on."""

from __future__ import annotations

from collections.abc import Callable
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
    words = f"{type(fault).__name__}: {fault}"
    for known in _KNOWN:
        if known.matches(fault, words):
            return Explained((error(known.code, known.message, fix=known.fix),), known.exit_code)
    unknown = say("Something failed that Tunewiz does not know: {fault}", fault=words)
    fix = say("The whole story is at the end of output.log in the run's directory.")
    return Explained((error("unexpected", unknown, fix=fix),), ExitCode.FAILED)


class _Known(NamedTuple):
    code: str
    matches: Callable[[BaseException, str], bool]
    message: Message
    fix: Message
    exit_code: ExitCode = ExitCode.FAILED


def _says(*parts: str) -> Callable[[BaseException, str], bool]:
    return lambda _, words: any(part.lower() in words.lower() for part in parts)


_KNOWN: Final = (
    _Known(
        "gpu-out-of-memory",
        _says("CUDA out of memory", "OutOfMemoryError", "CUBLAS_STATUS_ALLOC_FAILED"),
        say("The GPU ran out of memory."),
        say(
            "In this order: use a cached loss with a small mini_batch_size, lower training.batch_size, turn on "
            "training.gradient_checkpointing, lower training.max_length, or train with method.type: lora. "
            "`nvidia-smi` shows who else is on the card."
        ),
        ExitCode.OUT_OF_MEMORY,
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
