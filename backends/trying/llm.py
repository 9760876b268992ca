"""A language model as a chat: one conversation with the untouched and the tuned model, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal

from backends.trying.base import Fact, Trial
from presets.tasks.llm import LlmPreset

_SIDES: Final[Mapping[Literal["base", "tuned"], str]] = {"base": "before", "tuned": "after"}
_MOST: Final = 512  # tokens of an answer


class LlmTrial(Trial[LlmPreset]):
    """Each model goes on with its own answers, so that both conversations stay whole."""

    name: ClassVar[str] = "llm"

    def load(self) -> Fact:
        """Load both models."""
        from backends.llama_factory.chatting import open_chat

        self._models: dict[str, Any] = {}
        for side, when in _SIDES.items():
            self.told(when, 0, 0)
            self._models[when] = open_chat(self.run, side)
        self._turns: dict[str, list[tuple[Literal["user", "assistant"], str]]] = {when: [] for when in self._models}
        return {"base": self.preset.model.id}

    def answer(self, asked: Mapping[str, Any]) -> Iterator[Fact]:
        """``asked`` has ``query``, and ``new`` true to begin a new conversation; facts are ``side`` and ``text``."""
        from backends.llama_factory.chatting import stream

        question = str(asked["query"])
        yield {"query": question}
        writing: dict[str, Iterator[str]] = {}
        for when, model in self._models.items():
            if asked.get("new"):
                self._turns[when].clear()
            self._turns[when].append(("user", question))
            turns, system = self._turns[when], str(asked.get("system", ""))
            writing[when] = stream(model, turns, system, int(asked.get("most", _MOST)))
        written = dict.fromkeys(writing, "")
        while writing:  # a piece of each in turn, so that neither waits for the other's end
            for when, pieces in list(writing.items()):
                piece = next(pieces, None)
                if piece is None:
                    del writing[when]
                    self._turns[when].append(("assistant", written[when]))
                else:
                    written[when] += piece
                    yield {"side": when, "text": piece}
