"""Characters that do not belong in text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data.characters import CONTROLS, REPLACEMENT, SURROGATES, mojibake
from data.checks.base import TextCheck
from data.problems import Problem, Where, say, warning


class Characters(TextCheck):
    """Control characters, U+FFFD, and UTF-8 that was read as something else."""

    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """See :meth:`TextCheck.judge`."""
        whole = "\n".join(text for _, text in texts if not (text.isascii() and text.isprintable()))
        if not whole:
            return
        control = CONTROLS.search(whole) or SURROGATES.search(whole)
        if control:
            told = say("Control or invisible character U+{code}.", code=f"{ord(control[0]):04X}")
            yield warning("control-characters", told, where, say("Cleaning removes it."))
        if REPLACEMENT in whole:
            told = say("U+FFFD: a character was lost when the text was decoded.")
            fix = say("Go back to the source and read it in its own encoding.")
            yield warning("replacement-character", told, where, fix)
        if wrong := mojibake(whole):
            told = say('Looks like text read in the wrong encoding: "{text}".', text=wrong)
            fix = say("Read the source as UTF-8 and write this file again.")
            yield warning("mojibake", told, where, fix)
