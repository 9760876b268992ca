"""The model as one GGUF file, for llama.cpp, Ollama and LM Studio."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Final

from backends.runs.run import Run
from backends.targets.base import Target, whole_model
from data.language import N_
from data.printable import printable
from data.problems import BadPreset, Message, TunewizError, error, say
from presets.preset import Preset

CONVERTER: Final = "convert_hf_to_gguf.py"
_VARIABLE: Final = "LLAMA_CPP"


class Gguf(Target):
    """``model.gguf`` in 16 bits, written by llama.cpp's own converter."""

    name: ClassVar[str] = "gguf"
    tasks: ClassVar[frozenset[str]] = frozenset({"llm"})
    summary: ClassVar[str] = N_("one GGUF file for llama.cpp, Ollama, LM Studio")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Convert. Raises :class:`BadPreset` (``no-converter``) with the exact commands where llama.cpp is missing."""
        model = whole_model(run)
        found = converter()
        if found is None:
            told = say("llama.cpp's converter {name} is not on this machine.", name=CONVERTER)
            command = f"git clone --depth 1 https://github.com/ggml-org/llama.cpp && pip install gguf && python llama.cpp/{CONVERTER} {model} --outfile model.gguf --outtype bf16"  # noqa: E501
            raise BadPreset(error("no-converter", told, fix=say("Run: {command}", command=command)))
        out = folder / "model.gguf"
        command_line = [sys.executable, str(found), str(model), "--outfile", str(out), "--outtype", "bf16"]
        done = subprocess.run(command_line, capture_output=True, text=True, check=False)
        if done.returncode or not out.is_file():
            lines = done.stderr.strip().splitlines() or [str(done.returncode)]
            failed = say("The converter failed: {reason}", reason=printable(lines[-1]))
            raise TunewizError(error("converter-failed", failed))
        return say("Run it: {command}", command="llama-cli -m model.gguf")


def converter() -> Path | None:
    """The converter: in ``$LLAMA_CPP``, on the path, or in a ``llama.cpp`` folder here; ``None`` if it is nowhere."""
    on_path = shutil.which(CONVERTER)
    places = [Path(os.environ[_VARIABLE]) / CONVERTER] if os.environ.get(_VARIABLE) else []
    places += [Path(on_path)] if on_path else []
    places.append(Path("llama.cpp") / CONVERTER)
    return next((place.absolute() for place in places if place.is_file()), None)
