"""The model with the command of a server that speaks OpenAI's protocol."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import ClassVar

from backends.runs.run import Run
from backends.targets.base import Target, copy_model
from backends.targets.ollama import template_of
from data.files import write_whole
from data.language import N_
from data.problems import Message, say
from presets.preset import Preset


class Server(Target):
    """``serve.sh`` starts vLLM where it is installed, else LLaMA-Factory's API, on port 8000 of this machine."""

    name: ClassVar[str] = "server"
    tasks: ClassVar[frozenset[str]] = frozenset({"llm"})
    summary: ClassVar[str] = N_("the model with the command of an OpenAI-compatible server")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model and write ``serve.sh``."""
        copy_model(run, folder / "model")
        vllm = f"vllm serve ./model --served-model-name {preset.name} --host 127.0.0.1 --port 8000"
        factory = (
            "API_HOST=127.0.0.1 API_PORT=8000 llamafactory-cli api "
            f"--model_name_or_path ./model --template {template_of(run)} --infer_backend huggingface"
        )
        chosen, other = (vllm, factory) if importlib.util.find_spec("vllm") else (factory, vllm)
        script = folder / "serve.sh"
        write_whole(script, f'#!/bin/sh\ncd "$(dirname "$0")"\n# Or: {other}\nexec env {chosen}\n')
        script.chmod(0o755)
        return say("Start it: {start}; then any OpenAI client at {address}.", start="./serve.sh",
                   address="http://127.0.0.1:8000/v1")  # fmt: skip
