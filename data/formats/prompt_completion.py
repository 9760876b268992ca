"""Prompts and completions: a question and its answer under whatever names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from data.conversations import Conversation
from data.formats.alpaca import single
from data.formats.base import Role
from data.formats.chat import HISTORY, SYSTEM, TOOLS, ChatCells, ConversationFormat
from data.language import N_


class PromptCompletion(ConversationFormat):
    """One prompt and what the model shall answer a row: prompt and completion, query and response, 问题 and 答案."""

    name: ClassVar[str] = "prompt_completion"
    title: ClassVar[str] = N_("Prompts and completions")
    description: ClassVar[str] = N_("A prompt (or question) and the completion (or answer) in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("prompt", names="llm_prompt"),
        Role("completion", names="llm_completion"),
        Role("input", required=False, names="llm_context"),
        SYSTEM,
        HISTORY,
        TOOLS,
    )

    def synonyms(self) -> Mapping[str, str]:
        """A query and a response can be mapped by those names."""
        return {"query": "prompt", "question": "prompt", "response": "completion", "answer": "completion"}

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The prompt is the user's turn, the completion the answer."""
        return single(cells, ("prompt", "input"), "completion")
