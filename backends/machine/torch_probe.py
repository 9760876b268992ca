"""What torch finds on this machine, as one JSON object on stdout: ``python -m tunewiz.backends.machine.torch_probe``.

A process of its own, since importing torch takes seconds and a broken CUDA library may take the process down.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from tunewiz.errand import child_environment, collect_rarely

SECONDS: Final = 90.0  # a cold disk reads torch's libraries slowly


def ask() -> dict[str, Any]:
    """What :func:`facts` finds in a child process; ``{"fault": …}`` when torch cannot be imported there."""
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(command, capture_output=True, env=child_environment(), timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"fault": f"no answer within {SECONDS:.0f} s"}
    try:
        found = json.loads(done.stdout.decode("utf-8", "replace").splitlines()[-1])
    except (ValueError, IndexError):
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return {"fault": lines[-1] if lines else f"exit status {done.returncode}"}
    return found if isinstance(found, dict) else {"fault": "no answer"}


def facts() -> dict[str, Any]:
    """Version, the CUDA it was built for, and each GPU with capability, bytes of memory and whether it computes."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {
        "version": torch.__version__,
        "cuda_build": torch.version.cuda or torch.version.hip or "",
        "cuda": count > 0,
        "threads": torch.get_num_threads(),
        "devices": [_device(torch, index) for index in range(count)],
    }


def _device(torch: Any, index: int) -> dict[str, Any]:
    known = torch.cuda.get_device_properties(index)
    found = {"name": known.name, "capability": f"{known.major}.{known.minor}", "memory": known.total_memory}
    try:
        # A card that is listed may still have no kernels in this build of torch.
        ones = torch.ones(8, 8, device=f"cuda:{index}")
        found["computes"] = float((ones @ ones).sum()) == 512.0  # 64 sums of eight ones
    except RuntimeError as fault:
        found |= {"computes": False, "fault": str(fault).splitlines()[0]}
    return found | {"bf16": known.major >= 8}  # Ampere (2020); older cards only emulate it, slowly


def main() -> None:
    """Print the facts."""
    sys.stdout.write(json.dumps(facts()) + "\n")


if __name__ == "__main__":
    collect_rarely()
    main()
