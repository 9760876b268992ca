"""Checks of texts: characters that do not belong there, nothing in them, markup, and more than a model reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tunewiz.data.checks.check import Check, TextCheck
from tunewiz.data.rows.examples import ROLES, Example, ScoredPair
from tunewiz.data.text.cleaning import CONTROLS, REPLACEMENT, SURROGATES, mojibake, strip_markup
from tunewiz.data.text.lengths import SPECIAL_TOKENS, estimate_tokens
from tunewiz.problems import Message, Problem, Where, say, warning

# Characters that do not belong in text.


class Characters(TextCheck):
    """Control characters, U+FFFD, and UTF-8 that was read as something else."""

    def passes(self, text: str) -> bool:
        """See :meth:`TextCheck.passes`."""
        if not text.isprintable() and not text.replace("\n", "").isprintable():
            return False
        return text.isascii() or not (REPLACEMENT in text or mojibake(text))

    def pass_all(self, texts: Sequence[str]) -> bool:
        """See :meth:`TextCheck.pass_all`."""
        return self.passes("\n".join(texts))

    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """See :meth:`TextCheck.judge`."""
        whole = "\n".join(text for _, text in texts if not (text.isascii() and text.isprintable()))
        if not whole:
            return
        control = CONTROLS.search(whole) or SURROGATES.search(whole)
        if control:
            message = say("Control or invisible character U+{code}.", code=f"{ord(control[0]):04X}")
            yield warning("control-characters", message, where, say("Cleaning removes it."))
        if REPLACEMENT in whole:
            message = say("U+FFFD: a character was lost when the text was decoded.")
            fix = say("Go back to the source and read it in its own encoding.")
            yield warning("replacement-character", message, where, fix)
        if wrong := mojibake(whole):
            message = say('Looks like text read in the wrong encoding: "{text}".', text=wrong)
            fix = say("Read the source as UTF-8 and write this file again.")
            yield warning("mojibake", message, where, fix)


# Texts with nothing in them.


class Empty(Check):
    """A query, passage or side of a pair that is empty or only spaces."""

    def pass_batch(self, examples: Sequence[Example], texts: Sequence[str]) -> bool:
        """See :meth:`Check.pass_batch`."""
        if not all(texts) or any(map(str.isspace, texts)):
            return False
        return not [one for one in examples if not isinstance(one, ScoredPair) and not one.positives]

    def look(self, example: Example) -> Iterable[Problem]:
        """See :meth:`Check.look`."""
        if _filled(example):
            return ()
        fix = say("Fill it in, or let cleaning drop it.")
        return [warning(code, told, self.setting.at(example.line), fix) for code, told in _empty(example)]


def _filled(example: Example) -> bool:
    """Whether there is something in every text."""
    if isinstance(example, ScoredPair):
        return bool(example.first.strip() and example.second.strip())
    for text in (example.query, *example.positives, *example.negatives):
        if not text or text.isspace():
            return False
    return bool(example.positives)


def _empty(example: Example) -> Iterator[tuple[str, Message]]:
    if isinstance(example, ScoredPair):
        if not example.first.strip() or not example.second.strip():
            yield "empty-text", say("One of the two texts is empty.")
        return
    if not example.query.strip():
        yield "empty-query", say("The query is empty.")
    if not any(text.strip() for text in example.positives):
        yield "empty-positive", say("The positive is empty.")
    if any(not text.strip() for text in example.negatives):
        yield "empty-negative", say("A negative is empty.")


# Markup in text.


class Html(TextCheck):
    """HTML tags or entities that cleaning would take off."""

    def passes(self, text: str) -> bool:
        """See :meth:`TextCheck.passes`."""
        return "<" not in text and "&" not in text

    def pass_all(self, texts: Sequence[str]) -> bool:
        """See :meth:`TextCheck.pass_all`."""
        return self.passes("\n".join(texts))

    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """See :meth:`TextCheck.judge`."""
        for _, text in texts:
            if ("<" in text or "&" in text) and strip_markup(text) != text:
                message = say('HTML in the text: "{text}".', text=_excerpt(text))
                yield warning("html", message, where, say("Cleaning takes the tags off and keeps what they enclose."))
                return


def _excerpt(text: str) -> str:
    start = min(found for found in (text.find("<"), text.find("&")) if found >= 0)
    return text[start : start + 30]  # the tag and a little of what it encloses


# Texts longer than a model reads.


class Length(TextCheck):
    """Texts of more tokens than the limit; what is beyond it is cut off."""

    def passes(self, text: str) -> bool:
        """See :meth:`TextCheck.passes`."""
        # A token is hardly ever shorter than a character, so that short texts need no counting.
        return len(text) + SPECIAL_TOKENS <= self.setting.max_tokens

    def pass_all(self, texts: Sequence[str]) -> bool:
        """See :meth:`TextCheck.pass_all`."""
        return not texts or max(map(len, texts)) + SPECIAL_TOKENS <= self.setting.max_tokens

    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """See :meth:`TextCheck.judge`."""
        limit = self.setting.max_tokens
        for role, text in texts:
            if self.passes(text):
                continue
            tokens = self.setting.count([text])[0] if self.setting.count else estimate_tokens(text)
            if tokens > limit:
                message = say(
                    "The {role} has {characters} characters, about {tokens} tokens; beyond {limit} it is cut off.",
                    role=Message(ROLES[role]),
                    characters=len(text),
                    tokens=tokens,
                    limit=limit,
                )
                fix = say("Cut it into passages, or choose a model and a max length that take it.")
                yield warning("too-long", message, where, fix)
                return
