"""How an exported model is served by others: vLLM, TEI and LLaMA-Factory, with what each needs of its folder.

Options are those of the servers' own references: ``vllm serve`` (docs.vllm.ai, pooling models, LoRA adapters) and
``text-embeddings-router`` (TEI's command line). Commands are lists of words: whoever shows them quotes them.
"""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tunewiz.files import read_json, write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.problems import Message, say

HOST, PORT = "127.0.0.1", 8000
#: Ranks that vLLM keeps room for (``--max-lora-rank``): a smaller one takes the next of these.
_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)
#: What TEI calls the ways of pooling that sentence-transformers has.
_POOLING: Final = {"cls": "cls", "mean": "mean", "lasttoken": "last-token"}


@dataclass(frozen=True)
class Serving:
    """A server: its name in ``serve.sh``, its command, and what it is asked with (a path and a body)."""

    name: str
    command: Sequence[str]
    path: str
    asked: dict[str, Any]

    def ask(self) -> str:
        """The request as a command."""
        body = json.dumps(self.asked, ensure_ascii=False)
        words = ["curl", f"http://{HOST}:{PORT}{self.path}", "-H", "content-type: application/json", "-d", body]
        return shlex.join(words)


#: What a model is asked for.
Answers = Literal["chat", "embed", "rerank"]


def answers_of(preset: Preset) -> Answers:
    """What the model is asked for that ``preset`` tunes; a comparison's best one reranks."""
    if preset.conversations:
        return "chat"
    return "rerank" if preset.cross_encoder or isinstance(preset, ComparisonPreset) else "embed"


def servers(kind: Answers, model: Path, place: str, name: str, template: str = "") -> list[Serving]:
    """The servers of the model in the folder ``model``, which will lie at ``place`` and be called ``name``.

    ``template``: what a language model was tuned with, for LLaMA-Factory's server.
    """
    vllm = ["vllm", "serve", place, f"--served-model-name={name}", f"--host={HOST}", f"--port={PORT}"]
    if kind == "chat":
        turns = {"model": name, "messages": [{"role": "user", "content": translate(N_("What can you do?"))}]}
        chat = "/v1/chat/completions"
        found = [Serving("vllm", vllm, chat, turns)]
        if template:
            factory = ["env", f"API_HOST={HOST}", f"API_PORT={PORT}", "llamafactory-cli", "api"]
            factory += [f"--model_name_or_path={place}", f"--template={template}", "--infer_backend=huggingface"]
            found.append(Serving("llamafactory", factory, chat, turns))
        return found
    tei = ["text-embeddings-router", f"--model-id={place}", f"--hostname={HOST}", f"--port={PORT}", "--auto-truncate"]
    texts = [translate(N_("It turns texts into vectors for search.")), translate(N_("The weather is fine."))]
    vllm.append("--runner=pooling")
    if kind == "rerank":
        asked = translate(N_("What does this model do?"))
        return [
            Serving("tei", tei, "/rerank", {"query": asked, "texts": texts}),
            Serving("vllm", vllm, "/rerank", {"model": name, "query": asked, "documents": texts}),
        ]
    pooling = _POOLING.get(pooling_of(model))
    found = [Serving("tei", [*tei, f"--pooling={pooling}"], "/embed", {"inputs": texts})] if pooling else []
    return [*found, Serving("vllm", vllm, "/v1/embeddings", {"model": name, "input": texts})]


def adapter_server(base: str, place: str, name: str, rank: int) -> list[str] | None:
    """VLLM with the adapter at ``place`` on ``base``; ``None`` where its rank is more than vLLM takes."""
    room = next((one for one in _RANKS if one >= rank), None)
    if room is None:
        return None
    return ["vllm", "serve", base, "--enable-lora", f"--max-lora-rank={room}", f"--lora-modules={name}={place}",
            f"--host={HOST}", f"--port={PORT}"]  # fmt: skip


def served_adapter(adapter: Path) -> int | None:
    """The rank of the adapter in a folder, if it is one that vLLM puts on a model: LoRA alone, and no DoRA."""
    told: Any = read_json(adapter / "adapter_config.json")
    if not isinstance(told, dict) or told.get("peft_type") != "LORA" or told.get("use_dora"):
        return None
    if told.get("modules_to_save") or told.get("bias", "none") != "none":
        return None
    ranks = [told.get("r"), *(told.get("rank_pattern") or {}).values()]
    found = [rank for rank in ranks if isinstance(rank, int)]
    return max(found, default=None)


def pooling_of(model: Path) -> str:
    """How the vectors of the words become one: ``mean``, ``cls`` …, "" where it is not said or in several ways."""
    modules: Any = read_json(model / "modules.json")
    for module in modules if isinstance(modules, list) else ():
        if str(module.get("type", "")).endswith("Pooling"):
            told: Any = read_json(model / str(module.get("path", "")) / "config.json") or {}
            mode = told.get("pooling_mode")
            if isinstance(mode, str):
                return mode
            modes = [key.removeprefix("pooling_mode_") for key, wanted in told.items() if wanted is True]
            names = {"mean_tokens": "mean", "cls_token": "cls", "lasttoken": "lasttoken"}
            found = [names.get(mode, mode) for mode in modes if mode != "include_prompt"]
            return found[0] if len(found) == 1 else ""
    return ""


def lacking(kind: Answers, model: Path) -> list[str]:
    """What servers read in the folder of a model and what is not there: files, and keys of files."""
    config: Any = read_json(model / "config.json")
    told = config if isinstance(config, dict) else {}
    found = [] if told.get("architectures") else ["config.json: architectures"]
    found += [name for name in ("tokenizer.json", "tokenizer_config.json") if not (model / name).is_file()]
    if not any(model.glob("*.safetensors")):
        found.append("*.safetensors")
    if kind == "chat" and not (model / "chat_template.jinja").is_file():
        settings: Any = read_json(model / "tokenizer_config.json")
        found += [] if isinstance(settings, dict) and settings.get("chat_template") else ["chat_template.jinja"]
    if kind == "embed" and not pooling_of(model):
        found.append("1_Pooling/config.json")
    if kind == "rerank" and len(told.get("id2label") or ()) != 1:
        found.append("config.json: id2label")
    return found


def write_script(folder: Path, servers_: Sequence[Serving]) -> None:
    """``serve.sh``, which starts one of the servers: the first that is installed here, unless another is named."""
    usual = next((one.name for one in servers_ if _installed(one.name)), servers_[0].name)
    names = " | ".join(one.name for one in servers_)
    cases = "\n".join(f"  {one.name}) exec {shlex.join(one.command)} ;;" for one in servers_)
    script = folder / "serve.sh"
    write_whole(script, _SERVE.format(usual=usual, names=names, cases=cases))
    script.chmod(0o755)


def _installed(name: str) -> bool:
    if name == "tei":
        return shutil.which("text-embeddings-router") is not None
    return importlib.util.find_spec(name) is not None


#: It finds its folder by its own name, without a program that could read that as options, and without the user's
#: CDPATH, in which another folder of this name may lie.
_SERVE: Final = """#!/bin/sh
# ./serve.sh [{names}]
case $0 in */*) CDPATH= cd -- "${{0%/*}}/" || exit ;; esac
case ${{1:-{usual}}} in
{cases}
  *) echo "usage: ./serve.sh [{names}]" >&2; exit 2 ;;
esac
"""


def told_of(servers_: Sequence[Serving]) -> Iterator[str]:
    """The commands of the servers and the request to each, a line each."""
    for one in servers_:
        yield shlex.join(one.command)
        yield f"  {one.ask()}"


def instructions(prompts: tuple[str, str]) -> Message | None:
    """What a client puts before texts, which servers do not do by themselves."""
    if not any(prompts):
        return None
    return say("Servers take texts as they are: put {query} before each query and {passage} before each document "
               "yourself.", query=repr(prompts[0]), passage=repr(prompts[1]))  # fmt: skip
