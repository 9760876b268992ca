"""A run's model on Hugging Face or ModelScope, with its model card, in a repository of one's own."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunewiz.backends.export.targets import write
from tunewiz.backends.models.run_models import has_model
from tunewiz.backends.outside.copying import NotCopied, Target
from tunewiz.backends.runs.run import Run
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset, Where, error, say

#: The variable in which each hub's own library looks for a token.
_TOKENS: Final = {"hf": "HF_TOKEN", "modelscope": "MODELSCOPE_API_TOKEN"}
_HUBS: Final = {"hf": "Hugging Face", "modelscope": "ModelScope"}
_CARD: Final = "README.md"
_HERE: Final = re.compile(r'"\."(\)[^#\n]*?) *# .*$', re.MULTILINE)


@dataclass(frozen=True)
class Pushed:
    """What goes, or went, to one repository: its files with their bytes, and where they can be seen."""

    repo: str
    files: tuple[tuple[str, int], ...]
    card: str
    page: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)


def push(run: Run, place: str, form: str, public: bool, dry: bool) -> list[Pushed]:
    """Write ``run`` in the form ``form`` ("": the usual one) and upload it to ``place`` (hf:org/name, modelscope:…).

    A repository that is not there is made, private unless ``public``. ``dry`` uploads nothing. A pipeline goes to two
    repositories, ``name-embedding`` and ``name-reranker``. Raises :class:`BadPreset`.
    """
    target = Target.of(place)
    if target is None or target.kind not in _TOKENS:
        fix = say("Use hf:org/name for Hugging Face or modelscope:org/name for ModelScope.")
        raise BadPreset(error("push-place", say("{place} is no repository.", place=place), Where("--to"), fix))
    preset = load(str(run.preset_file))
    if not dry:
        _require_token(target.kind)
    with tempfile.TemporaryDirectory(prefix=".pushing-", dir=run.directory) as room:
        folder = Path(room) / "model"
        write(run, form or usual_form(run, preset), folder)
        sides = {"": folder}
        if isinstance(preset, PipelinePreset):
            sides = {f"-{side.name}": side for side in sorted(folder.iterdir()) if side.is_dir()}
        return [_pushed(Target(target.kind, target.place + end), side, public, dry) for end, side in sides.items()]


def usual_form(run: Run, preset: Preset) -> str:
    """What people look for on a hub: of a language model the adapter, of others the whole model, if there is one."""
    if isinstance(preset, ComparisonPreset):
        message = say("A comparison has no model of its own.")
        raise BadPreset(error("nothing-to-push", message, fix=say("Name the run of one of its choices.")))
    adapter = (run.model / "adapter" / "adapter_config.json").is_file()
    return "adapter" if adapter and (isinstance(preset, LlmPreset) or not has_model(run.model)) else "merged"


def _require_token(kind: str) -> None:
    if _has_token(kind):
        return
    message = say("There is no token of {hub} here, which an upload needs.", hub=_HUBS[kind])
    fix = say("Make one with the right to write on its page, then: export {name}=…", name=_TOKENS[kind])
    raise BadPreset(error("no-token", message, fix=fix))


def _has_token(kind: str) -> bool:
    """Whether the environment has one, or the hub's own program has logged in here."""
    if kind == "hf":
        from huggingface_hub import get_token

        return bool(get_token())
    home = Path(os.environ.get("MODELSCOPE_CREDENTIALS_PATH") or Path.home() / ".modelscope" / "credentials")
    return bool(os.environ.get(_TOKENS[kind])) or any((home / name).is_file() for name in ("git_token", "cookies"))


def _pushed(target: Target, folder: Path, public: bool, dry: bool) -> Pushed:
    if target.kind == "hf":
        _name_in_card(folder / _CARD, target.place)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    told = tuple((path.relative_to(folder).as_posix(), path.stat().st_size) for path in files)
    card = (folder / _CARD).read_text(encoding="utf-8") if (folder / _CARD).is_file() else ""
    if dry:
        return Pushed(target.place, told, card)
    try:
        page = target.upload(folder, public)
    except NotCopied as fault:
        hub = _HUBS[target.kind]
        message = say("{repo} was not uploaded to {hub}: {why}", repo=target.place, hub=hub, why=str(fault))
        fix = say("Look at the token's rights, the name and the line; the same command sends only what is missing.")
        raise BadPreset(error("not-pushed", message, fix=fix)) from fault
    return Pushed(target.place, told, card, page)


def _name_in_card(card: Path, repo: str) -> None:
    """Have the programs in ``card`` load the model by its name on the hub, which they can, and not from a folder."""
    if card.is_file():
        text = card.read_text(encoding="utf-8")
        card.write_text(_HERE.sub(lambda found: f'"{repo}"{found[1]}', text), encoding="utf-8")
