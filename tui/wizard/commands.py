"""What the wizard adds to the command palette beside what keys do: its steps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from data.language import translate
from data.problems import say
from tui.steps import steps_for
from tui.wizard.walk import Walk


class WizardCommands(Provider):
    """Going to a step."""

    async def discover(self) -> Hits:
        """All of them."""
        for name, run in self._commands():
            yield DiscoveryHit(name, run)

    async def search(self, query: str) -> Hits:
        """Those that match."""
        matcher = self.matcher(query)
        for name, run in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, text=name)

    def _commands(self) -> Iterator[tuple[str, IgnoreReturnCallbackType]]:
        screen = self.screen
        if not isinstance(screen, Walk):
            return
        for number, step in enumerate(steps_for(screen.state.draft), 1):
            told = say("Go to {step}", step=translate(step.title)).text()
            yield told, partial(screen.action_go_to, number)
