"""What the terminal can show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

Characters = Literal["unicode", "ascii"]
VARIABLE: Final = "TUNEWIZ_CHARACTERS"
_LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")  # in the order of POSIX
#: Terminals whose fonts have no braille and few drawing characters: the Linux console, old hardware.
_POOR: Final = ("linux", "vt100", "vt102", "vt220", "dumb", "cons25")


def characters(environment: Mapping[str, str]) -> Characters:
    """``ascii`` where the locale is C, POSIX or no UTF-8, or the terminal is known to be poor."""
    asked = environment.get(VARIABLE, "").lower()
    if asked == "ascii":
        return "ascii"
    if asked == "unicode":
        return "unicode"
    if environment.get("TERM", "").lower() in _POOR:
        return "ascii"
    locale = next((environment[name] for name in _LOCALE if environment.get(name)), "")
    codeset = locale.partition(".")[2].partition("@")[0].lower().replace("-", "")
    # macOS sends LC_CTYPE=UTF-8 over SSH: a codeset without a language.
    return "unicode" if codeset == "utf8" or locale.lower() in ("utf-8", "utf8") else "ascii"


def original_environment() -> dict[str, str]:
    """The environment as the shell gave it: in a C locale Python sets LC_CTYPE to C.UTF-8 for itself (PEP 538)."""
    here = dict(os.environ)
    try:
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return here
    names = {entry.partition(b"=")[0].decode("utf-8", "replace") for entry in given}
    if here.get("LC_CTYPE") == "C.UTF-8" and "LC_CTYPE" not in names:
        del here["LC_CTYPE"]
    return here
