"""Which number format a device computes fast."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

from tunewiz.backends.runs.run import Run
from tunewiz.problems import Message, note, say

Precision = Literal["bf16", "fp16", "fp32"]

#: Instruction sets that multiply bf16 in hardware; without them bf16 on a CPU is slower than fp32.
_BF16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_BF16_CAPABILITY: Final = (8, 0)  # CUDA compute capability of Ampere (2020)
_FP16_CAPABILITY: Final = (7, 0)  # of Volta (V100), the first with tensor cores


def choose(wanted: str, device: str) -> tuple[Precision, Message]:
    """The precision for ``wanted`` (a preset's value) on ``device`` (cpu, cuda, cuda:0), and why.

    Imports torch on a GPU only.
    """
    kind = device.split(":")[0]
    if wanted != "auto":
        return _known(wanted), say("as the preset says")
    if kind == "cuda":
        return _on_gpu(device)
    if cpu_has_bf16():
        return "bf16", say("this CPU multiplies bf16 in hardware")
    return "fp32", say("this CPU has no bf16 instructions")


def choose_for_run(run: Run, wanted: str, device: str) -> Precision:
    """As :func:`choose`; the run is told of it."""
    precision, why = choose(wanted, device)
    run.notice(note("precision", say("Training in {precision}: {why}.", precision=precision, why=why)))
    return precision


def _known(name: str) -> Precision:
    known: dict[str, Precision] = {"bf16": "bf16", "fp16": "fp16"}
    return known.get(name, "fp32")


def _on_gpu(device: str) -> tuple[Precision, Message]:
    import torch

    capability = torch.cuda.get_device_capability(device)
    if capability >= _BF16_CAPABILITY:
        return "bf16", say("this GPU computes bf16 fast")
    if capability >= _FP16_CAPABILITY:
        return "fp16", say("this GPU is older than bf16")
    return "fp32", say("this GPU computes neither bf16 nor fp16 fast")


@cache
def cpu_has_bf16() -> bool:
    """Whether this machine's CPU multiplies bf16 in hardware (AVX512-BF16, AMX, or Arm's BF16), as Linux tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: nothing is known, and fp32 is always right
        return False
    flags = next((line for line in text.splitlines() if line.lower().startswith(("flags", "features"))), "")
    return bool(_BF16_FLAGS & set(flags.split()))
