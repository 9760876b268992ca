"""The user's language: English or Chinese, equals everywhere.

Source text is English; ``N_`` marks it for translation and ``translate`` looks it up in the catalogues, one gettext
domain a room and one for this folder: ``<room>/locales/zh/LC_MESSAGES/<room>.mo`` (written by ``make messages``).
It belongs to the foundation because every room words problems.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
PACKAGES: Final = ("tunewiz", "data", "presets", "backends", "tui")
VARIABLE: Final = "TUNEWIZ_LANG"

_HERE = Path(__file__).parent  # not resolved: the rooms are linked here, and lie here once installed
_current: Language | None = None


def N_(text: str) -> str:  # noqa: N802  (gettext's customary name for "mark, do not translate yet")
    """Mark ``text`` for the catalogues and return it unchanged."""
    return text


def detect(environment: Mapping[str, str]) -> Language:
    """The language of an environment: ``TUNEWIZ_LANG`` first, then the locale variables in POSIX order."""
    for name in (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name, "").lower()
        if value:
            return "zh" if value.startswith("zh") else "en"
    return "en"


def current() -> Language:
    """The language in use, taken from the environment until :func:`use` says otherwise."""
    return _current or detect(os.environ)


def use(language: Language | None) -> None:
    """Switch the language of this process; ``None`` goes back to the environment's."""
    global _current
    _current = language


@cache
def _catalogue(language: Language) -> gettext.NullTranslations:
    chain = gettext.NullTranslations()
    for package in PACKAGES:
        folder = (_HERE if package == _HERE.name else _HERE / package) / "locales"
        chain.add_fallback(gettext.translation(package, folder, languages=[language], fallback=True))
    return chain


def translate(text: str, language: Language | None = None) -> str:
    """``text`` in ``language`` (by default the current one); unknown text comes back as it is."""
    if not text:  # gettext answers "" with the catalogue's header
        return text
    return _catalogue(language or current()).gettext(text)
