"""What home tells of the machine beyond numbers: models in the caches, hubs that answer, presets and drafts kept.

To be called in a thread: it asks the network and imports the schema of presets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from presets.drafts import Kept

SECONDS: Final = 3.0  # that a hub may take to answer


@dataclass(frozen=True)
class Hub:
    """A place that models come from, and whether it answered."""

    name: str
    reachable: bool


def cached_models() -> int:
    """How many models the hubs' caches hold, whole or in part."""
    from backends.sources import huggingface, modelscope

    folders = [*_inside(huggingface.cache(), "models--*"), *_inside(modelscope.cache() / "models", "*--*")]
    return len(folders)


def _inside(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.glob(pattern) if path.is_dir()] if folder.is_dir() else []


def hubs() -> tuple[Hub, ...]:
    """Hugging Face and ModelScope (or their mirrors, if the environment names some) and whether they answer now."""
    from backends.sources import huggingface, modelscope
    from backends.sources.asking import ask

    if huggingface.offline():
        return ()
    places = (("Hugging Face", huggingface.endpoint()), ("ModelScope", modelscope.endpoint()))
    return tuple(Hub(name, ask(address, SECONDS).status > 0) for name, address in places)


def kept_drafts() -> tuple[Kept, ...]:
    """Drafts that were left unfinished, the newest first."""
    from presets.drafts import drafts

    return tuple(drafts())
