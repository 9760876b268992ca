"""Where Tunewiz keeps what belongs to the user and to no run: settings, state and caches.

As the operating system wants it (on Linux the XDG Base Directory Specification, with ``$XDG_CONFIG_HOME`` and its
sisters), by platformdirs. The folders need not exist.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from platformdirs import PlatformDirs

_FOLDERS: Final = PlatformDirs("tunewiz", appauthor=False)


def config() -> Path:
    """What the user chose and saved: presets, settings of the screen. ``$XDG_CONFIG_HOME/tunewiz``."""
    return _FOLDERS.user_config_path


def state() -> Path:
    """What should outlive a session but is not worth a backup: drafts, recent files. ``$XDG_STATE_HOME/tunewiz``."""
    return _FOLDERS.user_state_path


def cache() -> Path:
    """What can be made again: unpacked starters, mined negatives. ``$XDG_CACHE_HOME/tunewiz``."""
    return _FOLDERS.user_cache_path


def drafts() -> Path:
    """Where unfinished presets are kept: ``$XDG_STATE_HOME/tunewiz/drafts``."""
    return state() / "drafts"
